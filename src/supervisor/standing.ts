import type { ActionOf } from "../../audit/action.ts";
import type { CommittedRow } from "../../audit/log.ts";
import { grantRowsOf } from "../../audit/rests.ts";
import { digestOf } from "../../skills/verify.ts";
import type { Held } from "../broker/grants.ts";
import type { StateDatabase } from "./state-database.ts";

/** What is looked up at each start and is rare among all rows: grants that hold, folders, what is kept in memory, and questions that nobody has answered. The rows are what counts;
 *  this says which of them to read, so that a start does not search the log for them. */
export const STANDING = `
CREATE TABLE granted (seq INTEGER PRIMARY KEY, grant TEXT NOT NULL, session TEXT, until TEXT NOT NULL, left INTEGER) STRICT;
CREATE TABLE asked   (seq INTEGER PRIMARY KEY, approval TEXT NOT NULL) STRICT;
CREATE TABLE placed  (seq INTEGER PRIMARY KEY, what TEXT NOT NULL, id TEXT NOT NULL) STRICT;
`;

/** Of what crashes cut short, the newest are remembered until it is known what became of them. */
const MAX_INTERRUPTED = 500;

/** What one row changes. */
export function projectStanding(database: StateDatabase, { seq, at, cause, action }: CommittedRow): void {
  switch (action.kind) {
    case "grant.given":
      database.run("DELETE FROM granted WHERE until <= ?", at);
      database.run(
        "INSERT INTO granted VALUES (?, ?, ?, ?, ?)",
        seq,
        action.grant,
        action.session,
        action.until,
        action.uses,
      );
      return;
    case "grant.revoked":
      database.run("DELETE FROM granted WHERE grant = ?", action.grant);
      return;
    case "session.closed":
      database.run("DELETE FROM granted WHERE session = ?", action.session);
      return;
    case "tool.called":
      for (const row of grantRowsOf(action))
        database.run("UPDATE granted SET left = max(0, left - 1) WHERE seq = ? AND left IS NOT NULL", row);
      return;
    case "folder.added":
      database.run("INSERT INTO placed VALUES (?, 'folder', ?)", seq, action.folder);
      return;
    case "folder.removed":
      database.run("DELETE FROM placed WHERE id = ?", action.folder);
      return;
    case "skill.trusted":
      database.run("INSERT INTO placed VALUES (?, 'skill-key', ?)", seq, action.key);
      return;
    case "skill.untrusted":
      // What it signed is refused from here on: that it was trusted is remembered.
      database.run("UPDATE placed SET what = 'skill-key-revoked' WHERE id = ?", action.key);
      return;
    case "skill.installed":
      if (action.replaces !== null) database.run("DELETE FROM placed WHERE id = ?", action.replaces);
      database.run("INSERT INTO placed VALUES (?, 'skill', ?)", seq, action.skill);
      return;
    case "skill.index.read":
      database.run("DELETE FROM placed WHERE what = 'skill-index' AND id = ?", indexKeyOf(action));
      database.run("INSERT INTO placed VALUES (?, 'skill-index', ?)", seq, indexKeyOf(action));
      return;
    case "mcp.tools-accepted":
      database.run("DELETE FROM placed WHERE what = 'mcp-tools' AND id = ?", action.server);
      if (action.tools > 0) database.run("INSERT INTO placed VALUES (?, 'mcp-tools', ?)", seq, action.server);
      return;
    case "skill.removed":
      database.run("DELETE FROM placed WHERE id = ?", action.skill);
      return;
    case "memory.written":
      if (action.replaces !== null) database.run("DELETE FROM placed WHERE id = ?", action.replaces);
      database.run("INSERT INTO placed VALUES (?, 'memory', ?)", seq, action.memory);
      return;
    case "memory.removed":
      database.run("DELETE FROM placed WHERE id = ?", action.memory);
      return;
    case "instructions.accepted":
      if (action.replaces !== null) database.run("DELETE FROM placed WHERE id = ?", action.replaces);
      database.run("INSERT INTO placed VALUES (?, 'instructions', ?)", seq, action.instructions);
      return;
    case "action.interrupted":
      database.run("INSERT OR IGNORE INTO placed VALUES (?, 'interrupted', '')", cause);
      database.run(
        `DELETE FROM placed WHERE what = 'interrupted' AND seq NOT IN
         (SELECT seq FROM placed WHERE what = 'interrupted' ORDER BY seq DESC LIMIT ${MAX_INTERRUPTED})`,
      );
      return;
    case "message.traced":
      database.run("DELETE FROM placed WHERE what = 'interrupted' AND seq = ?", cause);
      return;
    case "instructions.withdrawn":
      database.run("DELETE FROM placed WHERE id = ?", action.instructions);
      return;
    case "approval.requested":
      database.run("INSERT INTO asked VALUES (?, ?)", seq, action.approval);
      return;
    case "approval.decided":
      database.run("DELETE FROM asked WHERE approval = ?", action.approval);
      return;
    default:
      return;
  }
}

/** Whose list it was: older builds wrote the key itself. */
function indexKeyOf({ fingerprint, vkey }: ActionOf<"skill.index.read">): string {
  return fingerprint ?? digestOf(vkey ?? "");
}

/** The grants that were neither taken back nor ended, by their rows. */
export function grantsHeld(database: StateDatabase): Held[] {
  return database
    .many("SELECT seq, left FROM granted ORDER BY seq")
    .map(({ seq, left }) => ({ row: Number(seq), left: left === null ? null : Number(left) }));
}

/** The rows of questions that were neither answered nor expired. */
export function questionsOpen(database: StateDatabase): number[] {
  return database.many("SELECT seq FROM asked ORDER BY seq").map(({ seq }) => Number(seq));
}

/** What stands until it is removed or something else takes its place. `interrupted`: intents that a crash cut short, by their own rows. */
export type Placed =
  | "folder"
  | "interrupted"
  | "mcp-tools"
  | "memory"
  | "instructions"
  | "skill"
  | "skill-key"
  | "skill-key-revoked"
  | "skill-index";

/** The rows of what stands. */
export function placedRows(database: StateDatabase, what: Placed): number[] {
  return database.many("SELECT seq FROM placed WHERE what = ? ORDER BY seq", what).map(({ seq }) => Number(seq));
}
