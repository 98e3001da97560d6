import type { Action } from "../../audit/action.ts";
import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import type { StateDatabase } from "./state-database.ts";

/** The newest row of each kind about each thing, of kinds that are rare and asked for at every start. The rows are what counts; this says which of them to read, so that
 *  a start does not search the log for them, however long it is. */
export const NEWEST = `
CREATE TABLE newest (kind TEXT NOT NULL, about TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (kind, about)) STRICT;
`;

export type NewestKind =
  | `anchor.${"added" | "removed" | "reached" | "failed"}`
  | `hold.${"added" | "removed"}`
  | "key.rotated";

/** What one row changes. */
export function projectNewest(database: StateDatabase, { seq, action }: CommittedRow): void {
  const about = aboutOf(action);
  if (about === null) return;
  database.run(
    "INSERT INTO newest VALUES (?, ?, ?) ON CONFLICT (kind, about) DO UPDATE SET seq = excluded.seq",
    action.kind,
    about,
    seq,
  );
}

/** @returns ids and names of ours; null for a kind that is not asked for. */
function aboutOf(action: Action): string | null {
  switch (action.kind) {
    case "anchor.added":
    case "anchor.removed":
    case "anchor.reached":
    case "anchor.failed":
      return action.anchor;
    case "hold.added":
    case "hold.removed":
      return action.hold;
    case "key.rotated":
      return "";
    default:
      return null;
  }
}

/** The newest row of each of these kinds about each thing, oldest first. */
export function newestRows(
  database: StateDatabase,
  log: Pick<AuditLog, "row">,
  kinds: readonly NewestKind[],
): CommittedRow[] {
  const places = kinds.map(() => "?").join(", ");
  return database
    .many(`SELECT seq FROM newest WHERE kind IN (${places}) ORDER BY seq`, ...kinds)
    .flatMap(({ seq }) => log.row(Number(seq)) ?? []);
}
