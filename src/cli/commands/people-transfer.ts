import { resolve } from "node:path";
import { Command } from "commander";
import * as z from "zod/mini";
import { PrincipalId } from "../../ipc/ids.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { personOf } from "../person.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { exportedText } from "./people-remove.ts";

const Json = z.object({ json: z._default(z.boolean(), false) });
const Export = z.extend(Json, { out: z.string().check(z.minLength(1)) });

export function peopleTransferCommand(context: Context): Command {
  return new Command("transfer")
    .summary("hand what is somebody's to another")
    .description(
      "Their schedules, the folders that are theirs alone, and approvals that are remembered for longer than one conversation, where the other writes too. What was said stays whose it is.",
    )
    .argument("<from>", "id or name; of somebody who was removed, the id")
    .argument("<to>", "id or name, as in: wirken people list")
    .option("--json", "print one JSON object")
    .action((giver: string, taker: string, options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const { people } = await operator.call({ call: "pair.list" });
        const from = PrincipalId.safeParse(giver);
        const answer = await operator.call({
          call: "people.transfer",
          from: from.success ? from.data : personOf(giver, people),
          to: personOf(taker, people),
        });
        context.terminal.print(json ? JSON.stringify(answer) : transferText(answer));
        return EXIT.ok;
      }),
    );
}

/** What `people transfer` says. */
function transferText({ from, to, schedules, grants, folders, stays }: AnswerTo<"people.transfer">): string {
  return [
    `from ${printable(from)} to ${printable(to)}: schedules ${schedules}, folders ${folders}, remembered approvals ${grants}`,
    ...(stays.length === 0 ? [] : ["not handed over:"]),
    ...stays.map((sentence) => `- ${printable(sentence)}`),
  ].join("\n");
}

export function peopleExportCommand(context: Context): Command {
  return new Command("export")
    .summary("write what is somebody's into a folder, for them")
    .description(
      "All that wirken audit erase would take out: what they wrote, what was answered, and who they are. It is recorded.",
    )
    .argument("<person>", "id or name; of somebody who was removed, the id")
    .requiredOption("--out <dir>", "a folder that is not there yet")
    .option("--json", "print one JSON object")
    .action((who: string, options: unknown) =>
      context.run(async () => {
        const { json, out } = Export.parse(options);
        await using operator = await reachOperator(context);
        const id = PrincipalId.safeParse(who);
        const principal = id.success ? id.data : personOf(who, (await operator.call({ call: "pair.list" })).people);
        const answer = await operator.call({ call: "people.export", principal, out: resolve(out) });
        context.terminal.print(json ? JSON.stringify(answer) : exportedText(answer));
        return EXIT.ok;
      }),
    );
}
