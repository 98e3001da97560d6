import type { CommittedRow } from "../../audit/log.ts";
import type { StateDatabase } from "./state-database.ts";

/** Which message of ours a platform's id is of, so that it can be changed or deleted; where the text of a message is now; and what was held. */
export const WRITTEN = `
CREATE TABLE written (found TEXT PRIMARY KEY, message TEXT NOT NULL, seq INTEGER NOT NULL, at TEXT NOT NULL) STRICT;
CREATE TABLE anew    (message TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT;
`;

/** A message that somebody wrote, by its platform's id. */
export interface WrittenMessage {
  readonly message: string;
  readonly session: string;
  readonly principal: string;
  /** The row that it came in. */
  readonly seq: number;
  /** It waits for its writer to say that it is still meant. */
  readonly held: boolean;
}

/** One that waits for its writer to say that it is still meant. */
export interface HeldMessage {
  readonly message: string;
  readonly principal: string;
  /** The row with its text. */
  readonly seq: number;
  /** The row that it came in. */
  readonly origin: number;
}

/** The platform's id of the message that came in this row. */
export function idWrittenIn(row: CommittedRow): string | null {
  return row.content("message") ?? row.content("platform");
}

/** What one row changes. It comes after the projection of messages. */
export function projectWritten(database: StateDatabase, row: CommittedRow): void {
  const { action, seq, at } = row;
  switch (action.kind) {
    case "message.received": {
      const id = idWrittenIn(row);
      if (id !== null)
        database.run(
          "INSERT INTO written VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
          database.index("written", action.channel, id),
          action.message,
          seq,
          at,
        );
      if (action.held !== undefined)
        database.run("UPDATE message SET state = 'held' WHERE message = ?", action.message);
      return;
    }
    case "message.changed": {
      const dedupe = row.content("platform");
      if (dedupe !== null)
        database.run(
          "INSERT INTO seen VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
          database.index("seen", action.channel, dedupe),
          seq,
          at,
        );
      if (action.effect === "begun") return;
      if (action.change === "edited")
        database.run(
          "INSERT INTO anew VALUES (?, ?) ON CONFLICT (message) DO UPDATE SET seq = excluded.seq",
          action.message,
          seq,
        );
      else
        database.run(
          "UPDATE message SET state = 'ended' WHERE message = ? AND state IN ('received', 'held')",
          action.message,
        );
      return;
    }
    case "message.resumed":
      database.run(
        "UPDATE message SET state = ? WHERE session = ? AND principal = ? AND state = 'held'",
        action.decision === "do" ? "received" : "ended",
        action.session,
        action.principal,
      );
      return;
    case "content.erasing":
      // What was held cannot be done any more either.
      database.run(
        "UPDATE message SET state = 'ended' WHERE state = 'held' AND (session = ? OR principal = ?)",
        action.session,
        action.principal,
      );
      return;
    case "person.revoked":
      database.run("UPDATE message SET state = 'ended' WHERE principal = ? AND state = 'held'", action.principal);
      return;
    case "turn.started":
      database.run("DELETE FROM anew WHERE message = ?", action.message);
      return;
    default:
      return;
  }
}

export function writtenAs(database: StateDatabase, channel: string, id: string): WrittenMessage | null {
  const row = database.one(
    "SELECT m.message, m.session, m.principal, m.seq, m.state FROM written w JOIN message m USING (message) WHERE w.found = ?",
    database.index("written", channel, id),
  );
  if (row === null) return null;
  return {
    message: String(row["message"]),
    session: String(row["session"]),
    principal: String(row["principal"]),
    seq: Number(row["seq"]),
    held: row["state"] === "held",
  };
}

export function heldIn(database: StateDatabase, session: string): HeldMessage[] {
  return database
    .many(
      `SELECT m.message, m.principal, m.seq AS origin, coalesce(a.seq, m.seq) AS seq FROM message m LEFT JOIN anew a USING (message)
       WHERE m.session = ? AND m.state = 'held' ORDER BY m.seq`,
      session,
    )
    .map((row) => ({
      message: String(row["message"]),
      principal: String(row["principal"]),
      seq: Number(row["seq"]),
      origin: Number(row["origin"]),
    }));
}

/** @param before an ISO time. */
export function forgetWritten(database: StateDatabase, before: string): void {
  database.run("DELETE FROM written WHERE at < ?", before);
}
