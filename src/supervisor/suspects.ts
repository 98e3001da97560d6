import type { CommittedRow } from "../../audit/log.ts";
import { ENTRIES, INJECTION_CLASSES } from "../broker/injection/finding.ts";
import { MAX_SUSPECTS, type Suspect } from "../broker/injection/suspects.ts";
import type { StateDatabase } from "./state-database.ts";

/** What was found in the texts of sessions that go on: shown with everything that is asked in them, after a restart too. */
export const SUSPECTS = `
CREATE TABLE suspect (seq INTEGER PRIMARY KEY, session TEXT NOT NULL, entry TEXT NOT NULL, class TEXT NOT NULL, times INTEGER NOT NULL) STRICT;
CREATE INDEX suspect_in ON suspect (session, seq);
`;

/** What one row changes. */
export function projectSuspects(database: StateDatabase, { seq, action }: CommittedRow): void {
  if (action.kind === "session.closed") database.run("DELETE FROM suspect WHERE session = ?", action.session);
  if (action.kind !== "injection.found") return;
  database.run(
    "INSERT INTO suspect VALUES (?, ?, ?, ?, ?)",
    seq,
    action.session,
    action.entry,
    action.class,
    action.times,
  );
}

/** The newest of a session, oldest first. */
export function suspectsIn(database: StateDatabase, session: string): Suspect[] {
  return database
    .many(
      "SELECT seq, entry, class, times FROM suspect WHERE session = ? ORDER BY seq DESC LIMIT ?",
      session,
      MAX_SUSPECTS,
    )
    .flatMap(({ seq, entry, class: kind, times }) => {
      const known = {
        entry: ENTRIES.find((one) => one === entry),
        class: INJECTION_CLASSES.find((one) => one === kind),
      };
      if (known.entry === undefined || known.class === undefined) return [];
      return [{ row: Number(seq), entry: known.entry, class: known.class, times: Number(times) }];
    })
    .toReversed();
}
