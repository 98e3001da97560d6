import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import { planOf } from "./compaction-plan.ts";
import type { Conversation } from "./conversation.ts";
import { readerOf, shownIn } from "./shown-files.ts";
import type { State } from "./state.ts";
import { type SaidRow, type Told, Transcript } from "./transcript.ts";

type Log = Pick<AuditLog, "row">;

/** The rows that a session's transcript is made of, from its newest summary before a row on, oldest first.
 *  @param before this row and what follows is left out. @param anchor summaries from this row on are rows like others. */
export function saidBefore(
  log: Log,
  state: Pick<State, "said" | "compactions">,
  session: string,
  before: number,
  anchor = before,
): SaidRow[] {
  return state.said(session, fromOf(log, state, session, anchor), before).flatMap(({ seq, what }) => {
    const row = log.row(seq);
    return row === null ? [] : [{ row, what }];
  });
}

/** What is older than the newest summary that can be read is not needed: that says what it is made of. */
function fromOf(log: Log, state: Pick<State, "compactions">, session: string, before: number): number {
  for (const seq of state.compactions(session, before)) {
    const row = log.row(seq);
    if (row?.action.kind !== "context.compacted" || row.action.summary === null) continue;
    const plan = planOf(row);
    if (plan !== null) return plan.from;
  }
  return 0;
}

/** What was said in a session in the turns before a row, as a model is shown it. */
export function toldBefore(
  log: Log,
  state: Pick<State, "said" | "compactions">,
  session: string,
  before: number,
): readonly Told[] {
  const transcript = new Transcript((seq) => log.row(seq));
  for (const said of saidBefore(log, state, session, before)) transcript.take(said);
  return transcript.between;
}

/** @param conversation is told of each content that a transcript is made of, and of the files that it shows. */
export function tellOrigins(log: Log, told: readonly Told[], conversation: Pick<Conversation, "from" | "shows">): void {
  for (const { origin } of told) {
    const row: CommittedRow | null = origin === null ? null : log.row(origin.row);
    const bytes = origin === null ? null : (row?.bytes(origin.part) ?? null);
    if (origin !== null && bytes !== null) conversation.from(bytes, origin);
    for (const file of shownIn(row)) conversation.shows(file, readerOf(log, file));
  }
}
