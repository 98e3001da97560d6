import type { CommittedRow } from "../../audit/log.ts";
import { EVERYBODY, type Labels } from "../broker/labels.ts";
import type { StateDatabase } from "./state-database.ts";

/** Labels that hold, as the rows say: of sessions that are not over. */
export const LABELS =
  "CREATE TABLE label (session TEXT NOT NULL, label TEXT NOT NULL, person TEXT NOT NULL, PRIMARY KEY (session, label, person)) STRICT;";

/** What one row changes. */
export function projectLabels(database: StateDatabase, { action }: CommittedRow): void {
  switch (action.kind) {
    case "label.raised":
      database.run(
        "INSERT INTO label VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        action.session,
        action.label,
        action.person ?? EVERYBODY,
      );
      return;
    case "label.cleared":
    case "session.closed":
      database.run("DELETE FROM label WHERE session = ?", action.session);
      return;
    default:
      return;
  }
}

/** Those of one session. */
export function labelsOfSession(database: StateDatabase, session: string): Labels {
  const rows = database.many("SELECT label, person FROM label WHERE session = ? ORDER BY person", session);
  return {
    untrusted: rows.some(({ label }) => label === "untrusted"),
    private: rows.filter(({ label }) => label === "private").map(({ person }) => String(person)),
  };
}
