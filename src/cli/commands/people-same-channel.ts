import { Command, Option } from "commander";
import * as z from "zod/mini";
import type { AnswerTo } from "../../ipc/operator.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { personOf } from "../person.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";

const Options = z.object({ json: z._default(z.boolean(), false), off: z._default(z.boolean(), false) });

export function peopleSameChannelCommand(context: Context): Command {
  return new Command("same-channel")
    .summary("let somebody with one channel decide there what is asked every time")
    .description(
      "What is asked every time (tier 3) is not decided on the channel that asked, because a stolen account or a hijacked adapter could then approve what it asked. Somebody who is known on one channel only may be allowed to decide there what they asked themselves. It is recorded, and explain says so of what was decided that way.",
    )
    .argument("<person>", "id or name, as in: wirken people list")
    .addOption(new Option("--off", "take it back"))
    .option("--json", "print one JSON object")
    .addHelpText("after", `\nSomebody with several channels decides on another of them: exit status ${EXIT.refused}.`)
    .action((who: string, options: unknown) =>
      context.run(async () => {
        const { json, off } = Options.parse(options);
        await using operator = await reachOperator(context);
        const { people } = await operator.call({ call: "pair.list" });
        const answer = await operator.call({
          call: "people.same-channel",
          principal: personOf(who, people),
          allowed: !off,
        });
        context.terminal.print(json ? JSON.stringify(answer) : sameChannelText(answer));
        return EXIT.ok;
      }),
    );
}

/** What `people same-channel` says. */
function sameChannelText({ name, channel, allowed }: AnswerTo<"people.same-channel">): string {
  return allowed
    ? `${printable(name)} may decide on ${channel} what they ask there every time`
    : `${printable(name)} decides elsewhere what they ask every time`;
}
