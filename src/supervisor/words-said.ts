import type { AuditLog } from "../../audit/log.ts";
import { Words } from "../broker/words.ts";
import type { State } from "./state.ts";

/** Rows that are read of a session that goes on. */
const MAX_ROWS = 2_000;

/** What brings addresses that no model made. */
const FOUND = /^(search:web|http(\.get)?:)/;

/** What people typed and tools gave in a session so far, read from its rows. */
export function wordsSaid(log: Pick<AuditLog, "row">, state: State, session: string): Words {
  const words = new Words();
  for (const { seq, what } of state.lastSaid(session, MAX_ROWS)) {
    if (what !== "message" && what !== "result") continue;
    const row = log.row(seq);
    if (what === "result") {
      const called = row === null || row.cause === null ? null : log.row(row.cause);
      // Whether a file had a label when it was read is not asked once more: such addresses are asked about after a restart.
      if (called?.action.kind === "tool.called" && FOUND.test(called.action.key))
        words.resulted(row?.content("result") ?? "", called.content("action") ?? "");
    } else if (row?.action.kind === "turn.started" && row.cause !== null)
      words.typed(row.action.principal, log.row(row.cause)?.content("text") ?? "");
  }
  return words;
}
