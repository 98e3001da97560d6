import Database from "better-sqlite3";
import { PrincipalId } from "../ipc/ids.ts";
import type { Role } from "../ipc/operator.ts";
import type { CommittedRow } from "../../audit/log.ts";

/** A database of another schema than this build knows. */
export class StateError extends Error {
  override readonly name = "StateError";
  readonly code = "STATE_NEWER";
}

const VERSION = 1;

/** A projection of the log: whatever is here follows from rows and their content, and is made anew from them. */
const SCHEMA = `
CREATE TABLE applied      (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL) STRICT;
CREATE TABLE person       (principal TEXT PRIMARY KEY, role TEXT NOT NULL, name TEXT NOT NULL, since TEXT NOT NULL) STRICT;
CREATE TABLE identity     (channel TEXT NOT NULL, sender TEXT NOT NULL, principal TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (channel, sender)) STRICT;
CREATE TABLE pairing      (pairing TEXT PRIMARY KEY, channel TEXT NOT NULL, code TEXT NOT NULL UNIQUE, sender TEXT, name TEXT NOT NULL,
                           kind TEXT NOT NULL, at TEXT NOT NULL, expires TEXT NOT NULL, seq INTEGER NOT NULL) STRICT;
CREATE TABLE conversation (conversation TEXT PRIMARY KEY, channel TEXT NOT NULL, place TEXT NOT NULL, thread TEXT NOT NULL, talk TEXT NOT NULL,
                           UNIQUE (channel, place, thread)) STRICT;
CREATE TABLE session      (session TEXT PRIMARY KEY, conversation TEXT NOT NULL, channel TEXT NOT NULL, agent TEXT NOT NULL, last TEXT NOT NULL,
                           closed INTEGER NOT NULL) STRICT;
CREATE INDEX session_of   ON session (conversation, agent, closed);
CREATE TABLE seen         (channel TEXT NOT NULL, dedupe TEXT NOT NULL, seq INTEGER NOT NULL, at TEXT NOT NULL, PRIMARY KEY (channel, dedupe)) STRICT;
CREATE TABLE cursor       (channel TEXT PRIMARY KEY, cursor TEXT NOT NULL) STRICT;
CREATE TABLE message      (message TEXT PRIMARY KEY, session TEXT NOT NULL, principal TEXT NOT NULL, seq INTEGER NOT NULL, state TEXT NOT NULL) STRICT;
CREATE INDEX message_open ON message (state) WHERE state <> 'ended';
CREATE TABLE turn         (turn TEXT PRIMARY KEY, session TEXT NOT NULL, message TEXT NOT NULL, seq INTEGER NOT NULL, ended INTEGER NOT NULL) STRICT;
CREATE INDEX turn_open    ON turn (ended) WHERE ended = 0;
CREATE TABLE said         (seq INTEGER PRIMARY KEY, session TEXT NOT NULL, turn TEXT, what TEXT NOT NULL) STRICT;
CREATE INDEX said_in      ON said (session, seq);
CREATE TABLE card         (approval TEXT NOT NULL, channel TEXT NOT NULL, conversation TEXT NOT NULL, ids TEXT NOT NULL, PRIMARY KEY (approval, channel, conversation)) STRICT;
INSERT INTO applied VALUES (1, -1);
`;

export interface Person {
  readonly principal: PrincipalId;
  readonly role: Role;
  readonly name: string;
}

export interface Pairing {
  readonly pairing: string;
  readonly channel: string;
  readonly code: string;
  /** Null for an invitation that nobody has used yet. */
  readonly sender: string | null;
  readonly name: string;
  readonly kind: "request" | "invitation";
  readonly at: string;
  readonly expires: string;
  readonly seq: number;
}

export interface ConversationRecord {
  readonly conversation: string;
  readonly channel: string;
  readonly place: string;
  readonly thread: string | null;
  readonly talk: "direct" | "group";
}

export interface SessionRecord {
  readonly session: string;
  readonly conversation: string;
  readonly channel: string;
  readonly agent: string;
  readonly last: string;
}

/** Rows of one conversation that a transcript is made of. */
export type Said = "message" | "model" | "answer" | "call" | "result" | "refusal" | "notice";

/** Requests of strangers live an hour. */
export const PAIRING_MINUTES = 60;

/** Statements by their text, prepared once. */
export class State {
  readonly #database: Database.Database;
  readonly #prepared = new Map<string, Database.Statement<unknown[]>>();

  private constructor(database: Database.Database) {
    this.#database = database;
  }

  /** @throws {StateError} if a newer build wrote it. */
  static open(path: string): State {
    const database = new Database(path);
    database.pragma("journal_mode = WAL");
    database.pragma("synchronous = NORMAL");
    database.pragma("secure_delete = ON");
    const version = Number(database.pragma("user_version", { simple: true }));
    if (version > VERSION) {
      database.close();
      throw new StateError(
        `${path} is of version ${version}, and this build knows ${VERSION}: start the newer build that wrote it`,
      );
    }
    if (version === 0) {
      database.transaction(() => {
        database.exec(SCHEMA);
        database.pragma(`user_version = ${VERSION}`);
      })();
    }
    return new State(database);
  }

  close(): void {
    this.#database.close();
  }

  #run(sql: string, ...values: unknown[]): Database.RunResult {
    return this.#statement(sql).run(...values);
  }
  #one(sql: string, ...values: unknown[]): Record<string, unknown> | null {
    const row: unknown = this.#statement(sql).get(...values);
    return typeof row === "object" && row !== null ? { ...row } : null;
  }
  #many(sql: string, ...values: unknown[]): Record<string, unknown>[] {
    return this.#statement(sql)
      .all(...values)
      .map((row) => (typeof row === "object" && row !== null ? { ...row } : {}));
  }
  #statement(sql: string): Database.Statement<unknown[]> {
    const known = this.#prepared.get(sql);
    if (known !== undefined) return known;
    const made = this.#database.prepare<unknown[]>(sql);
    this.#prepared.set(sql, made);
    return made;
  }

  /** The newest row that this projection has taken in, or -1. */
  get applied(): number {
    return Number(this.#one("SELECT seq FROM applied")?.["seq"] ?? -1);
  }

  /** Takes in one row, and that it did, in one transaction. A row that was taken in before changes nothing. */
  apply(row: CommittedRow): void {
    if (row.seq <= this.applied) return;
    this.#database.transaction(() => {
      this.#project(row);
      this.#run("UPDATE applied SET seq = ?", row.seq);
    })();
  }

  #project({ seq, at, cause, action, content }: CommittedRow): void {
    switch (action.kind) {
      case "person.added":
        this.#run(
          "INSERT INTO person VALUES (?, ?, ?, ?)",
          action.principal,
          action.role,
          content("name") ?? "[erased]",
          at,
        );
        return;
      case "person.revoked":
        this.#run("DELETE FROM identity WHERE principal = ?", action.principal);
        this.#run("DELETE FROM person WHERE principal = ?", action.principal);
        return;
      case "identity.linked": {
        const sender = content("sender");
        if (sender === null) return;
        this.#run("DELETE FROM identity WHERE channel = ? AND sender = ?", action.channel, sender);
        this.#run(
          "INSERT INTO identity VALUES (?, ?, ?, ?)",
          action.channel,
          sender,
          action.principal,
          content("name") ?? "[erased]",
        );
        return;
      }
      case "pair.requested":
      case "pair.invited": {
        const code = content("code");
        if (code === null) return;
        const invited = action.kind === "pair.invited";
        const expires = invited ? action.until : new Date(Date.parse(at) + PAIRING_MINUTES * 60_000).toISOString();
        const sender = invited ? null : content("sender");
        const name = invited ? "" : (content("name") ?? "[erased]");
        this.#run(
          "INSERT INTO pairing VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
          action.pairing,
          action.channel,
          code,
          sender,
          name,
          invited ? "invitation" : "request",
          at,
          expires,
          seq,
        );
        return;
      }
      case "pair.approved":
        this.#run("DELETE FROM pairing WHERE pairing = ?", action.pairing);
        return;
      case "conversation.opened": {
        const place = content("place");
        if (place === null) return;
        const [where = "", thread = ""] = place.split("\n");
        this.#run(
          "INSERT INTO conversation VALUES (?, ?, ?, ?, ?)",
          action.conversation,
          action.channel,
          where,
          thread,
          action.talk,
        );
        return;
      }
      case "session.opened":
        this.#run(
          "INSERT INTO session VALUES (?, ?, ?, ?, ?, 0)",
          action.session,
          action.conversation,
          action.channel,
          action.agent,
          at,
        );
        return;
      case "session.closed":
        this.#run("UPDATE session SET closed = 1 WHERE session = ?", action.session);
        return;
      case "message.received": {
        const dedupe = content("platform");
        if (dedupe !== null) this.#run("INSERT INTO seen VALUES (?, ?, ?, ?)", action.channel, dedupe, seq, at);
        this.#run(
          "INSERT INTO message VALUES (?, ?, ?, ?, 'received')",
          action.message,
          action.session,
          action.principal,
          seq,
        );
        this.#run("UPDATE session SET last = ? WHERE session = ?", at, action.session);
        return;
      }
      case "turn.started":
        this.#run("UPDATE message SET state = 'started' WHERE message = ?", action.message);
        this.#run("INSERT INTO turn VALUES (?, ?, ?, ?, 0)", action.turn, action.session, action.message, seq);
        this.#said(seq, action.session, action.turn, "message");
        return;
      case "turn.ended":
        this.#run("UPDATE turn SET ended = 1 WHERE turn = ?", action.turn);
        this.#run(
          "UPDATE message SET state = 'ended' WHERE message = (SELECT message FROM turn WHERE turn = ?)",
          action.turn,
        );
        this.#run("UPDATE session SET last = ? WHERE session = ?", at, action.session);
        return;
      case "model.called":
        this.#said(seq, action.session, action.turn, "model");
        return;
      case "tool.called":
        this.#said(seq, action.session, action.turn, "call");
        return;
      case "tool.refused":
        this.#said(seq, action.session, action.turn, "refusal");
        return;
      case "model.answered":
        this.#follow(seq, cause, "answer");
        return;
      case "tool.finished":
        this.#follow(seq, cause, "result");
        return;
      case "message.sent":
        if (action.purpose === "notice" && action.session !== null) this.#said(seq, action.session, null, "notice");
        return;
      default:
        return;
    }
  }

  #said(seq: number, session: string, turn: string | null, what: Said): void {
    this.#run("INSERT INTO said VALUES (?, ?, ?, ?)", seq, session, turn, what);
  }
  #follow(seq: number, cause: number | null, what: Said): void {
    this.#run("INSERT INTO said SELECT ?, session, turn, ? FROM said WHERE seq = ?", seq, what, cause);
  }

  person(principal: string): Person | null {
    return asPerson(this.#one("SELECT principal, role, name FROM person WHERE principal = ?", principal));
  }
  people(): Person[] {
    return this.#many("SELECT principal, role, name FROM person ORDER BY since").flatMap((row) => asPerson(row) ?? []);
  }
  identities(principal: string): { channel: string; id: string; name: string }[] {
    return this.#many("SELECT channel, sender, name FROM identity WHERE principal = ?", principal).map((row) => ({
      channel: text(row["channel"]),
      id: text(row["sender"]),
      name: text(row["name"]),
    }));
  }
  /** Who speaks, by the platform's stable id; null for a stranger. */
  personOf(channel: string, sender: string): Person | null {
    return asPerson(
      this.#one(
        "SELECT p.principal, p.role, p.name FROM identity i JOIN person p USING (principal) WHERE i.channel = ? AND i.sender = ?",
        channel,
        sender,
      ),
    );
  }

  pairings(now: string): Pairing[] {
    return this.#many("SELECT * FROM pairing WHERE expires > ? ORDER BY at", now).map((row) => asPairing(row));
  }
  pairingByCode(code: string, now: string): Pairing | null {
    const row = this.#one("SELECT * FROM pairing WHERE code = ? AND expires > ?", code, now);
    return row === null ? null : asPairing(row);
  }
  /** The newest request of that stranger, expired ones included: one a day is enough. */
  pairingOf(channel: string, sender: string): Pairing | null {
    const row = this.#one(
      "SELECT * FROM pairing WHERE channel = ? AND sender = ? ORDER BY seq DESC LIMIT 1",
      channel,
      sender,
    );
    return row === null ? null : asPairing(row);
  }

  conversationAt(channel: string, place: string, thread: string | null): ConversationRecord | null {
    return asConversation(
      this.#one(
        "SELECT * FROM conversation WHERE channel = ? AND place = ? AND thread = ?",
        channel,
        place,
        thread ?? "",
      ),
    );
  }
  conversation(conversation: string): ConversationRecord | null {
    return asConversation(this.#one("SELECT * FROM conversation WHERE conversation = ?", conversation));
  }
  /** The newest direct conversation of a person on a channel: where a card for them can go. */
  directOf(principal: string): ConversationRecord[] {
    return this.#many(
      `SELECT DISTINCT c.* FROM conversation c JOIN session s USING (conversation) JOIN message m USING (session)
       WHERE m.principal = ? AND c.talk = 'direct' ORDER BY m.seq DESC`,
      principal,
    ).flatMap((row) => asConversation(row) ?? []);
  }

  openSession(conversation: string, agent: string): SessionRecord | null {
    return asSession(
      this.#one(
        "SELECT * FROM session WHERE conversation = ? AND agent = ? AND closed = 0 ORDER BY rowid DESC LIMIT 1",
        conversation,
        agent,
      ),
    );
  }
  session(session: string): SessionRecord | null {
    return asSession(this.#one("SELECT * FROM session WHERE session = ?", session));
  }

  wasSeen(channel: string, dedupe: string): boolean {
    return this.#one("SELECT seq FROM seen WHERE channel = ? AND dedupe = ?", channel, dedupe) !== null;
  }
  /** What the platforms redeliver is at most days old: older ids are let go. @param before an ISO time. */
  forgetSeen(before: string): void {
    this.#run("DELETE FROM seen WHERE at < ?", before);
    this.#run("DELETE FROM pairing WHERE expires < ?", before);
  }

  cursor(channel: string): string | null {
    const row = this.#one("SELECT cursor FROM cursor WHERE channel = ?", channel);
    return row === null ? null : text(row["cursor"]);
  }
  /** Saved after the row it stands for: an older one only causes a redelivery. */
  saveCursor(channel: string, cursor: string): void {
    this.#run(
      "INSERT INTO cursor VALUES (?, ?) ON CONFLICT (channel) DO UPDATE SET cursor = excluded.cursor",
      channel,
      cursor,
    );
  }

  /** Messages that were received and never answered: oldest first. */
  waiting(): { message: string; session: string; principal: string; seq: number }[] {
    return this.#many("SELECT message, session, principal, seq FROM message WHERE state = 'received' ORDER BY seq").map(
      (row) => ({
        message: text(row["message"]),
        session: text(row["session"]),
        principal: text(row["principal"]),
        seq: Number(row["seq"]),
      }),
    );
  }
  /** Turns that began and did not end: a crash was in between. */
  openTurns(): { turn: string; session: string; seq: number }[] {
    return this.#many("SELECT turn, session, seq FROM turn WHERE ended = 0 ORDER BY seq").map((row) => ({
      turn: text(row["turn"]),
      session: text(row["session"]),
      seq: Number(row["seq"]),
    }));
  }

  /** The rows a session's transcript is made of, oldest first; at most the newest `limit`. */
  said(session: string, limit: number): { seq: number; turn: string | null; what: string }[] {
    return this.#many(
      "SELECT seq, turn, what FROM (SELECT * FROM said WHERE session = ? ORDER BY seq DESC LIMIT ?) ORDER BY seq",
      session,
      limit,
    ).map((row) => ({
      seq: Number(row["seq"]),
      turn: row["turn"] === null ? null : text(row["turn"]),
      what: text(row["what"]),
    }));
  }

  cards(approval: string): { channel: string; conversation: string; ids: string[] }[] {
    return this.#many("SELECT * FROM card WHERE approval = ?", approval).map((row) => ({
      channel: text(row["channel"]),
      conversation: text(row["conversation"]),
      ids: text(row["ids"]).split("\n"),
    }));
  }
  saveCard(approval: string, channel: string, conversation: string, ids: readonly string[]): void {
    this.#run(
      "INSERT INTO card VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET ids = excluded.ids",
      approval,
      channel,
      conversation,
      ids.join("\n"),
    );
  }
  forgetCard(approval: string): void {
    this.#run("DELETE FROM card WHERE approval = ?", approval);
  }
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function asPerson(row: Record<string, unknown> | null): Person | null {
  if (row === null) return null;
  const role = row["role"];
  if (role !== "user" && role !== "approver" && role !== "owner") return null;
  return { principal: PrincipalId.parse(row["principal"]), role, name: text(row["name"]) };
}

function asPairing(row: Record<string, unknown>): Pairing {
  return {
    pairing: text(row["pairing"]),
    channel: text(row["channel"]),
    code: text(row["code"]),
    sender: row["sender"] === null ? null : text(row["sender"]),
    name: text(row["name"]),
    kind: row["kind"] === "invitation" ? "invitation" : "request",
    at: text(row["at"]),
    expires: text(row["expires"]),
    seq: Number(row["seq"]),
  };
}

function asConversation(row: Record<string, unknown> | null): ConversationRecord | null {
  if (row === null) return null;
  const thread = text(row["thread"]);
  return {
    conversation: text(row["conversation"]),
    channel: text(row["channel"]),
    place: text(row["place"]),
    thread: thread === "" ? null : thread,
    talk: row["talk"] === "direct" ? "direct" : "group",
  };
}

function asSession(row: Record<string, unknown> | null): SessionRecord | null {
  if (row === null) return null;
  return {
    session: text(row["session"]),
    conversation: text(row["conversation"]),
    channel: text(row["channel"]),
    agent: text(row["agent"]),
    last: text(row["last"]),
  };
}
