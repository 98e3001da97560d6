import { Command } from "commander";
import * as z from "zod/mini";
import type { RowView } from "../../ipc/audit-calls.ts";
import { notRunning } from "../command-error.ts";
import type { Context } from "../context.ts";
import { egressRowsAsTheyCome } from "../egress-row.ts";
import { EXIT } from "../exit-status.ts";
import { pointInTime } from "../point-in-time.ts";
import { reachOperator } from "../reach.ts";
import { followRows, limitOf, MAX_ROWS, sayUnread, searchRows, showRows } from "../rows.ts";
import { processOf } from "./egress-show.ts";

const Options = z.object({
  process: z.optional(z.string()),
  refused: z._default(z.boolean(), false),
  since: z.optional(z.string().check(z.maxLength(64))),
  limit: z.string(),
  follow: z._default(z.boolean(), false),
  json: z._default(z.boolean(), false),
});

export function egressLogCommand(context: Context): Command {
  return new Command("log")
    .summary("every host that was reached or refused, by which process and why")
    .description(
      "Prints the newest rows, oldest first. A host that is reached again and again is one row in the life of a process; refusals of one minute share a row.",
    )
    .option("--process <process>", "only this one: adapter:slack, model:openai, anchor:NAME or mcp:NAME")
    .option("--refused", "only what was refused, or could not be reached")
    .option("--since <time>", "not earlier: 2h, 3d, 2026-11-28 or 2026-11-28T14:03")
    .option("--limit <number>", `how many rows, at most ${MAX_ROWS}`, "50")
    .option("-f, --follow", "then each new row as it comes, until Ctrl-C")
    .option("--json", "print one JSON object a line")
    .addHelpText(
      "after",
      "\nWhat led to a row: wirken audit explain ROW. What a process may reach: wirken egress show.",
    )
    .action((options: unknown) =>
      context.run(async () => {
        const { process, refused, since, limit, follow, json } = Options.parse(options);
        const about = processOf(process);
        const rowsWanted = limitOf(limit, "for more, look at: wirken audit log --kind egress. --after ROW");
        const filter = {
          kind: "egress.",
          ...(since === undefined ? {} : { since: pointInTime(since, "--since", Date.now()) }),
        };
        const wanted = (row: RowView): boolean =>
          (about === null || processOfRow(row) === about) &&
          (!refused || row.kind === "egress.refused" || row.fields["what"] === "refused");
        await using operator = await reachOperator(context);
        if (follow && operator.daemon === null) throw notRunning();
        const shown = { wanted, ...egressRowsAsTheyCome(follow), json, follow };
        const { rows, size, unread } = await searchRows(operator, filter, rowsWanted, wanted);
        showRows(context, rows, shown);
        sayUnread(context, unread);
        if (follow) return await followRows(context, operator, filter, size - 1, shown);
        if (rows.length === 0 && !json) context.terminal.say("nothing was reached, and nothing refused");
        return EXIT.ok;
      }),
    );
}

function processOfRow({ fields }: RowView): string {
  return `${String(fields["role"])}:${String(fields["subject"])}`;
}
