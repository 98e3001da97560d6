import type { CommittedRow } from "../../audit/log.ts";
import type { StateDatabase } from "./state-database.ts";

/** Who may decide tier 3 on the channel that they asked on, because they have no other; and the row that says so. */
export const SAME_CHANNEL = "CREATE TABLE same_channel (principal TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT;";

/** What one row changes. */
export function projectSameChannel(database: StateDatabase, { seq, action }: CommittedRow): void {
  if (action.kind === "person.same-channel") {
    database.run("DELETE FROM same_channel WHERE principal = ?", action.principal);
    if (action.allowed === "yes") database.run("INSERT INTO same_channel VALUES (?, ?)", action.principal, seq);
  }
  if (action.kind === "person.revoked") database.run("DELETE FROM same_channel WHERE principal = ?", action.principal);
}

/** The row that allows it to somebody; null: none does. */
export function sameChannelOf(database: StateDatabase, principal: string): number | null {
  const seq = database.one("SELECT seq FROM same_channel WHERE principal = ?", principal)?.["seq"];
  return seq === undefined ? null : Number(seq);
}
