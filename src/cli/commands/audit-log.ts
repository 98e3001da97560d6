import { Command } from "commander";
import * as z from "zod";
import { SessionId } from "../../ipc/ids.ts";
import type { RowFilter } from "../../ipc/audit-calls.ts";
import { rowLines } from "../audit-row.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { reachOperator } from "../reach.ts";
import { seqOf, wholeNumber } from "../whole-number.ts";

/** One answer holds at most this many rows. */
const MAX_ROWS = 1000;

const Options = z.object({
  json: z.boolean().default(false),
  limit: z.string(),
  after: z.string().optional(),
  before: z.string().optional(),
  kind: z.string().max(64).optional(),
  session: z.string().optional(),
});

export function auditLogCommand(context: Context): Command {
  return new Command("log")
    .summary("the newest rows, or those after a row")
    .option("--limit <number>", `how many rows, at most ${MAX_ROWS}`, "50")
    .option("--after <seq>", "only rows after this one, oldest first")
    .option("--before <seq>", "only rows before this one")
    .option("--kind <kind>", "only rows of this kind, such as tool.called")
    .option("--session <id>", "only rows of this session")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const parsed = Options.parse(options);
        const filter = filterOf(parsed);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "audit.rows", filter });
        if (parsed.json) {
          context.terminal.print(JSON.stringify(answer));
          return EXIT.ok;
        }
        // Newest first is how they are found; oldest first is how they are read.
        const rows = answer.rows.toSorted((a, b) => a.seq - b.seq);
        if (rows.length > 0) context.terminal.print(rowLines(rows));
        context.terminal.say(`${rows.length} of ${answer.size} rows`);
        return EXIT.ok;
      }),
    );
}

function filterOf({ limit, after, before, kind, session }: z.infer<typeof Options>): RowFilter {
  const rows = wholeNumber(limit, "--limit");
  if (rows < 1 || rows > MAX_ROWS)
    throw usage(`--limit is a number from 1 to ${MAX_ROWS}`, "for more, go on with --after");
  const id = session === undefined ? undefined : SessionId.safeParse(session);
  if (id !== undefined && !id.success) throw usage("that is not a session's id", "it begins with s_");
  return {
    limit: rows,
    ...(after === undefined ? {} : { after: seqOf(after) }),
    ...(before === undefined ? {} : { before: seqOf(before) }),
    ...(kind === undefined ? {} : { kind }),
    ...(id === undefined ? {} : { session: id.data }),
  };
}
