import Database from "better-sqlite3";
import type { StateSealer } from "../../vault/state-seal.ts";
import { VaultError } from "../../vault/error.ts";
import { LABELS } from "./label-rows.ts";
import { NEWEST } from "./newest-rows.ts";
import { SCHEDULES } from "./schedule-state.ts";
import { SPENDING } from "./spending.ts";
import { STANDING } from "./standing.ts";
import { SAME_CHANNEL } from "./same-channel.ts";
import { SUSPECTS } from "./suspects.ts";
import { WRITTEN } from "./written.ts";

/** A database of a newer schema than this build knows, or one that another program changed. */
export class StateError extends Error {
  override readonly name = "StateError";
  readonly code: "STATE_NEWER" | "STATE_CHANGED";
  constructor(code: StateError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Another schema, another number: a file of a lower one is made anew from the log. */
const VERSION = 12;
/** From this version on, what is personal is sealed. */
const SEALED_SINCE = 4;

/** A projection of the log: whatever is here follows from rows and their content, and is made anew from them.
 *
 *  Whoever has the disk alone reads ids of ours, kinds, times and channels here, as in the log's rows, and nothing of a person: a name, a platform's id, a place and a
 *  platform's number of a message lie in BLOB columns, sealed, and a row is found by what the values derive under a key (`found…`). A column that is
 *  added is one of these two where it holds anything that a person or a platform chose. */
const SCHEMA = `
CREATE TABLE applied      (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL) STRICT;
CREATE TABLE sealing      (one INTEGER PRIMARY KEY CHECK (one = 1), found TEXT NOT NULL) STRICT;
CREATE TABLE person       (principal TEXT PRIMARY KEY, role TEXT NOT NULL, name BLOB NOT NULL, since TEXT NOT NULL) STRICT;
CREATE TABLE identity     (found TEXT PRIMARY KEY, channel TEXT NOT NULL, principal TEXT NOT NULL, who BLOB NOT NULL) STRICT;
CREATE TABLE pairing      (pairing TEXT PRIMARY KEY, channel TEXT NOT NULL, found_code TEXT NOT NULL UNIQUE, found_sender TEXT, who BLOB NOT NULL,
                           kind TEXT NOT NULL, at TEXT NOT NULL, expires TEXT NOT NULL, seq INTEGER NOT NULL) STRICT;
CREATE TABLE conversation (conversation TEXT PRIMARY KEY, channel TEXT NOT NULL, found TEXT NOT NULL UNIQUE, place BLOB NOT NULL, talk TEXT NOT NULL) STRICT;
CREATE TABLE session      (session TEXT PRIMARY KEY, conversation TEXT NOT NULL, channel TEXT NOT NULL, agent TEXT NOT NULL, last TEXT NOT NULL,
                           closed INTEGER NOT NULL) STRICT;
CREATE INDEX session_of   ON session (conversation, agent, closed);
CREATE TABLE seen         (found TEXT PRIMARY KEY, seq INTEGER NOT NULL, at TEXT NOT NULL) STRICT;
CREATE TABLE cursor       (channel TEXT PRIMARY KEY, cursor BLOB NOT NULL) STRICT;
CREATE TABLE message      (message TEXT PRIMARY KEY, session TEXT NOT NULL, principal TEXT NOT NULL, seq INTEGER NOT NULL, state TEXT NOT NULL) STRICT;
CREATE INDEX message_open ON message (state) WHERE state <> 'ended';
CREATE TABLE turn         (turn TEXT PRIMARY KEY, session TEXT NOT NULL, message TEXT NOT NULL, seq INTEGER NOT NULL, ended INTEGER NOT NULL) STRICT;
CREATE INDEX turn_open    ON turn (ended) WHERE ended = 0;
CREATE TABLE said         (seq INTEGER PRIMARY KEY, session TEXT NOT NULL, turn TEXT, what TEXT NOT NULL) STRICT;
CREATE INDEX said_in      ON said (session, seq);
CREATE TABLE card         (approval TEXT NOT NULL, channel TEXT NOT NULL, conversation TEXT NOT NULL, ids BLOB NOT NULL, PRIMARY KEY (approval, channel, conversation)) STRICT;
INSERT INTO applied VALUES (1, -1);
`;

/** When each credential was last handed to a child. */
const USED = "CREATE TABLE used (scope TEXT PRIMARY KEY, version INTEGER NOT NULL, at TEXT NOT NULL) STRICT;";

/** What is halted; for everything, agent and session are empty. */
const HALT =
  "CREATE TABLE halt (halt TEXT PRIMARY KEY, agent TEXT NOT NULL, session TEXT NOT NULL, seq INTEGER NOT NULL, at TEXT NOT NULL) STRICT;";

/** The incident that is open. */
const INCIDENT =
  "CREATE TABLE incident (incident TEXT PRIMARY KEY, seq INTEGER NOT NULL, at TEXT NOT NULL, halted TEXT NOT NULL) STRICT;";

/** Requests of strangers live an hour. */
export const PAIRING_MINUTES = 60;

/** What a row of the projection reads as. */
export type Fields = Record<string, unknown>;

/** What the log does not say, and a file that is made anew keeps: where an adapter had got to, and which messages are cards. */
interface Kept {
  readonly cursors: readonly { channel: string; cursor: string }[];
  readonly cards: readonly { approval: string; channel: string; conversation: string; ids: string }[];
}

/** The file of the projection, its statements prepared once. */
export class StateDatabase {
  readonly #database: Database.Database;
  #seal: StateSealer;
  readonly #prepared = new Map<string, Database.Statement>();

  private constructor(database: Database.Database, seal: StateSealer) {
    this.#database = database;
    this.#seal = seal;
  }

  /** A file of an older schema, or sealed by another vault, is emptied: {@link State.follow} fills it from the log.
   *  @param former seals of keys that are about to be destroyed: what one of them sealed is used as it is, until {@link StateDatabase.reseal}.
   *  @throws {StateError} STATE_NEWER. */
  static open(path: string, seal: StateSealer, former: readonly StateSealer[] = []): StateDatabase {
    const database = new Database(path);
    database.pragma("journal_mode = WAL");
    database.pragma("synchronous = NORMAL");
    database.pragma("secure_delete = ON");
    // Instead of the 16 MB that better-sqlite3 is compiled with, in KiB.
    database.pragma("cache_size = -2048");
    const version = Number(database.pragma("user_version", { simple: true }));
    if (version > VERSION) {
      database.close();
      throw new StateError(
        "STATE_NEWER",
        `${path} is of version ${version}, and this build knows ${VERSION}: start the newer build that wrote it`,
      );
    }
    const made = new StateDatabase(database, seal);
    const found = version >= SEALED_SINCE ? made.one("SELECT found FROM sealing")?.["found"] : undefined;
    const own = [seal, ...former].find((one) => one.index("sealing") === found);
    if (own !== undefined) made.#seal = own;
    if (version < VERSION || own === undefined)
      made.#anew(seal, version, version > 0 && (own !== undefined || version < SEALED_SINCE));
    return made;
  }

  #anew(seal: StateSealer, version: number, keeps: boolean): void {
    this.#database.transaction(() => {
      const { cursors, cards } = keeps ? this.#kept(version) : { cursors: [], cards: [] };
      this.#seal = seal;
      for (const { name } of this.many("SELECT name FROM sqlite_master WHERE type = 'table'"))
        this.#database.exec(`DROP TABLE "${String(name).replaceAll('"', '""')}"`);
      this.#database.exec(SCHEMA);
      this.#database.exec(USED);
      this.#database.exec(STANDING);
      this.#database.exec(SPENDING);
      this.#database.exec(HALT);
      this.#database.exec(INCIDENT);
      this.#database.exec(SCHEDULES);
      this.#database.exec(SUSPECTS);
      this.#database.exec(SAME_CHANNEL);
      this.#database.exec(LABELS);
      this.#database.exec(NEWEST);
      this.#database.exec(WRITTEN);
      this.run("INSERT INTO sealing VALUES (1, ?)", this.index("sealing"));
      for (const { channel, cursor } of cursors)
        this.run("INSERT INTO cursor VALUES (?, ?)", channel, this.seal(`cursor/${channel}`, cursor));
      for (const { approval, channel, conversation, ids } of cards)
        this.run(
          "INSERT INTO card VALUES (?, ?, ?, ?)",
          approval,
          channel,
          conversation,
          this.seal(`card/${approval}/${conversation}`, ids),
        );
      this.#database.pragma(`user_version = ${VERSION}`);
    })();
    // What lay in the clear, or under another key, is not to be found in the file either.
    if (version > 0) this.compact();
  }

  #kept(version: number): Kept {
    const read = (place: string, value: unknown): string =>
      version < SEALED_SINCE ? String(value) : this.opened(place, value);
    return {
      cursors: this.many("SELECT * FROM cursor").map((row) => {
        const channel = String(row["channel"]);
        return { channel, cursor: read(`cursor/${channel}`, row["cursor"]) };
      }),
      cards: this.many("SELECT * FROM card").map((row) => {
        const [approval, channel, conversation] = [row["approval"], row["channel"], row["conversation"]].map(String);
        if (approval === undefined || channel === undefined || conversation === undefined)
          throw new TypeError("a card");
        return { approval, channel, conversation, ids: read(`card/${approval}/${conversation}`, row["ids"]) };
      }),
    };
  }

  /** Everything under another seal, or nothing: `change` reads by the one so far, and writes by the new one. */
  reseal(seal: StateSealer, change: (seal: StateSealer) => void): void {
    if (this.one("SELECT found FROM sealing")?.["found"] === seal.index("sealing")) return;
    this.transaction(() => {
      change(seal);
      this.run("UPDATE sealing SET found = ?", seal.index("sealing"));
    });
    this.#seal = seal;
  }

  /** Seals a personal value. @param place its table and the row's key: it opens nowhere else. */
  seal(place: string, text: string): Uint8Array {
    return this.#seal.seal(place, text);
  }
  /** What a row is found by instead of these values. */
  index(table: string, ...values: readonly string[]): string {
    return this.#seal.index(table, ...values);
  }
  /** Opens what {@link seal} sealed. @throws {StateError} STATE_CHANGED unless it lies where it was put. */
  opened(place: string, sealed: unknown): string {
    try {
      if (sealed instanceof Uint8Array) return this.#seal.open(place, sealed);
    } catch (error) {
      if (!(error instanceof VaultError) || error.code !== "VAULT_DAMAGED") throw error;
    }
    throw new StateError(
      "STATE_CHANGED",
      "state.db was changed by another program: run wirken stop, delete it, and start again: it is made anew from the log",
    );
  }

  close(): void {
    this.#database.close();
  }

  /** All of it, or none. */
  transaction(change: () => void): void {
    this.#database.transaction(change)();
  }

  /** Many changes with few commits: after a crash those since the last are missing, and none is half there.
   *  @param each so many of them are committed together. */
  inBulk(each: number): { next(change: () => void): void; done(): void } & Disposable {
    let open = 0;
    const end = (how: "COMMIT" | "ROLLBACK"): void => {
      if (open > 0) this.#database.exec(how);
      open = 0;
    };
    return {
      next: (change) => {
        if (open === 0) this.#database.exec("BEGIN IMMEDIATE");
        open += 1;
        change();
        if (open === each) end("COMMIT");
      },
      done: () => end("COMMIT"),
      [Symbol.dispose]: () => end("ROLLBACK"),
    };
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

/** What several personal values of one row are sealed as. */
export function named(sealed: string): (string | null)[] {
  const values: unknown = JSON.parse(sealed);
  return Array.isArray(values) ? values.map((value: unknown) => (typeof value === "string" ? value : null)) : [];
}
