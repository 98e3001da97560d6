import Database from "better-sqlite3";
import { STANDING } from "./standing.ts";

/** A database of another schema than this build knows. */
export class StateError extends Error {
  override readonly name = "StateError";
  readonly code = "STATE_NEWER";
}

const VERSION = 3;
/** So a file stays that an older build wrote, until {@link StateDatabase.upgrade} has filled what that build did not keep. */
const BEFORE_STANDING = 2;

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

/** When each credential was last handed to a child. */
const USED = "CREATE TABLE used (scope TEXT PRIMARY KEY, version INTEGER NOT NULL, at TEXT NOT NULL) STRICT;";

/** What is halted; for everything, agent and session are empty. */
const HALT =
  "CREATE TABLE IF NOT EXISTS halt (halt TEXT PRIMARY KEY, agent TEXT NOT NULL, session TEXT NOT NULL, seq INTEGER NOT NULL, at TEXT NOT NULL) STRICT;";

/** Requests of strangers live an hour. */
export const PAIRING_MINUTES = 60;

/** What a row of the projection reads as. */
export type Fields = Record<string, unknown>;

/** The file of the projection, its statements prepared once. */
export class StateDatabase {
  readonly #database: Database.Database;
  readonly #prepared = new Map<string, Database.Statement>();

  private constructor(database: Database.Database) {
    this.#database = database;
  }

  /** @throws {StateError} if a newer build wrote it. */
  static open(path: string): StateDatabase {
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
    if (version < VERSION) {
      database.transaction(() => {
        if (version === 0) database.exec(SCHEMA);
        // What was used before is not looked up: it fills with the next start of whoever uses it.
        if (version < 2) database.exec(USED);
        database.exec(STANDING);
        database.exec(HALT);
        database.pragma(`user_version = ${version === 0 ? VERSION : BEFORE_STANDING}`);
      })();
    }
    return new StateDatabase(database);
  }

  close(): void {
    this.#database.close();
  }

  /** For a file of an older version: lets what it lacks be filled, in the transaction that makes it a file of this one. */
  upgrade(fill: () => void): void {
    if (this.#database.pragma("user_version", { simple: true }) === VERSION) return;
    this.transaction(() => {
      fill();
      this.#database.pragma(`user_version = ${VERSION}`);
    });
  }

  /** All of it, or none. */
  transaction(change: () => void): void {
    this.#database.transaction(change)();
  }

  /** Writes the file anew, and empties the write-ahead log: overwriting what is deleted leaves copies where pages were rearranged before.
   *  @returns false while another program reads it. */
  compact(): boolean {
    // A copy in the system's folder for temporary files would outlive what is forgotten here.
    this.#database.pragma("temp_store = MEMORY");
    this.#database.exec("VACUUM");
    const answer: unknown = this.#database.pragma("wal_checkpoint(TRUNCATE)");
    const [first]: unknown[] = Array.isArray(answer) ? answer : [];
    return typeof first === "object" && first !== null && "busy" in first && first.busy === 0;
  }

  run(sql: string, ...values: unknown[]): Database.RunResult {
    return this.#statement(sql).run(...values);
  }
  one(sql: string, ...values: unknown[]): Fields | null {
    const row: unknown = this.#statement(sql).get(...values);
    return typeof row === "object" && row !== null ? { ...row } : null;
  }
  many(sql: string, ...values: unknown[]): Fields[] {
    return this.#statement(sql)
      .all(...values)
      .map((row) => (typeof row === "object" && row !== null ? { ...row } : {}));
  }

  #statement(sql: string): Database.Statement {
    const known = this.#prepared.get(sql);
    if (known !== undefined) return known;
    const made = this.#database.prepare(sql);
    this.#prepared.set(sql, made);
    return made;
  }
}
