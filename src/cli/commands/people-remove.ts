import { Command } from "commander";
import * as z from "zod/mini";
import type { AnswerTo } from "../../ipc/operator.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { personOf } from "../person.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";

const Options = z.object({ json: z._default(z.boolean(), false) });

export function peopleRemoveCommand(context: Context): Command {
  return new Command("remove")
    .summary("take a person's access away, with all that hangs on it")
    .description(
      "In one step: their turns end, what waits for an approval is withdrawn, approvals that are remembered for them or that they gave do not hold any more,\n" +
        "their schedules pause, and where the page was theirs its logins close. What they write from then on is a stranger's.",
    )
    .argument("<person>", "id or name, as in: wirken people list")
    .option("--json", "print one JSON object")
    .addHelpText("after", `\nThe last owner stays: exit status ${EXIT.refused}.`)
    .action((who: string, options: unknown) =>
      context.run(async () => {
        const { json } = Options.parse(options);
        await using operator = await reachOperator(context);
        const { people } = await operator.call({ call: "pair.list" });
        const answer = await operator.call({ call: "people.remove", principal: personOf(who, people) });
        context.terminal.print(json ? JSON.stringify(answer) : removedText(answer));
        return EXIT.ok;
      }),
    );
}

/** What `people remove` and `pair revoke` say. */
export function removedText(removed: AnswerTo<"people.remove">): string {
  const { principal, name, row, turns, approvals, grants, schedules, logins, credentials, local } = removed;
  const ended = [
    some(turns, "turn was ended", "turns were ended"),
    some(approvals, "request was withdrawn", "requests were withdrawn"),
    some(grants, "remembered approval is void", "remembered approvals are void"),
    some(schedules, "schedule is paused", "schedules are paused"),
    some(logins, "login on the page was closed", "logins on the page were closed"),
  ].filter((text) => text !== "");
  return [
    `removed: ${printable(name)} (${principal}), row #${row}`,
    ended.length === 0 ? "nothing of theirs ran or was remembered" : ended.join(", "),
    ...(local === null ? [] : [`the terminal and the page act as ${printable(local)} from now on`]),
    ...(credentials.length === 0 ? [] : ["they enrolled, and may know:"]),
    ...credentials.map(({ scope, rotate }) => `- ${scope}; replace it with: ${rotate}`),
  ].join("\n");
}

function some(n: number, one: string, many: string): string {
  if (n === 0) return "";
  return n === 1 ? `1 ${one}` : `${n} ${many}`;
}
