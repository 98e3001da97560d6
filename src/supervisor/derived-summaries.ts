import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import { planOf } from "./compaction-plan.ts";

/** Rows that are asked of the log at once. */
const ROWS_AT_ONCE = 1_000;

type Log = Pick<AuditLog, "search" | "effects">;

/** The rows of summaries in a session that were made of what stood in a row, or may have been: what was asked, what was answered, and what it stands for. A summary of a summary is
 *  made of all that the first was made of.
 *  @param source that row. @param after summaries before this row are left out. */
export async function summariesOf(log: Log, session: string, source: number, after = source): Promise<number[]> {
  const found: number[] = [];
  for (let last = Math.max(source, after) - 1; ; ) {
    const rows = await log.search({ session, kind: "model.called", after: last, limit: ROWS_AT_ONCE });
    for (const row of rows)
      if (row.action.kind === "model.called" && row.action.purpose === "summary")
        found.push(...madeOf(log, row, source));
    const end = rows.at(-1);
    if (end === undefined || rows.length < ROWS_AT_ONCE) return found;
    last = end.seq;
  }
}

function madeOf(log: Log, called: CommittedRow, source: number): number[] {
  const answered = log.effects(called.seq, (kind) => kind === "model.answered", 1);
  const compacted = answered.flatMap(({ seq }) => log.effects(seq, (kind) => kind === "context.compacted", 1));
  const [compaction] = compacted;
  const plan = compaction === undefined ? null : planOf(compaction);
  // Where it is not known any more what it was made of, it was made of everything.
  if (plan !== null && plan.from <= source) return [];
  return [called.seq, ...answered.map(({ seq }) => seq), ...compacted.map(({ seq }) => seq)];
}
