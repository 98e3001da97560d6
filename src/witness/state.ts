import { chmodSync, closeSync, constants, openSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { EMPTY_ROOT } from "../../audit/merkle.ts";
import { NoteError, parseCheckpoint, parseVkey, type VerifierKey } from "../../audit/note.ts";
import { WitnessError } from "./witness-error.ts";

const SCHEMA = `
CREATE TABLE key    (vkey TEXT PRIMARY KEY, origin TEXT NOT NULL) STRICT;
CREATE TABLE newest (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, note TEXT NOT NULL) STRICT;
`;
const VERSION = 1;
/** How long one request waits for another that is being written. */
const BUSY_MS = 5_000;

/** The newest checkpoint of a log that was cosigned. */
export interface Held {
  readonly size: number;
  /** 64 hex digits. */
  readonly root: string;
  /** With the log's signatures and this witness's; null before the first. */
  readonly note: string | null;
}

/** What a witness remembers: the keys of its logs, and the newest checkpoint of each. Several processes may have it open: each change is one
 *  transaction that is on disk before anybody is told. */
export class WitnessState implements Disposable {
  readonly #database: Database.Database;

  private constructor(database: Database.Database) {
    this.#database = database;
  }

  /** @param folder exists, and is its owner's alone. @throws {WitnessError} WITNESS_STATE. */
  static open(folder: string): WitnessState {
    const path = join(folder, "witness.db");
    try {
      closeSync(openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600));
      chmodSync(path, 0o600);
      const database = new Database(path, { timeout: BUSY_MS });
      database.pragma("journal_mode = wal");
      // better-sqlite3 is compiled so that WAL means NORMAL: what was cosigned could be forgotten with the power.
      database.pragma("synchronous = FULL");
      if (database.pragma("synchronous", { simple: true }) !== 2) throw new Error("SQLite does not sync");
      if (process.platform === "darwin") database.pragma("fullfsync = ON");
      database
        .transaction(() => {
          if (database.pragma("user_version", { simple: true }) === 0) {
            database.exec(SCHEMA);
            database.pragma(`user_version = ${VERSION}`);
          }
        })
        .immediate();
      if (database.pragma("user_version", { simple: true }) !== VERSION) throw new Error("it is of another version");
      return new WitnessState(database);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new WitnessError("WITNESS_STATE", `${path} cannot be used: ${why}`, { cause });
    }
  }

  /** Serves a log under this key, beside those it has. @returns false if that was so already. @throws {WitnessError} WITNESS_INPUT. */
  addLog(vkey: string): boolean {
    let key: VerifierKey;
    try {
      key = parseVkey(vkey);
    } catch (cause) {
      if (!(cause instanceof NoteError)) throw cause;
      throw new WitnessError("WITNESS_INPUT", cause.message, { cause });
    }
    const { changes } = this.#database
      .prepare("INSERT INTO key (vkey, origin) VALUES (?, ?) ON CONFLICT DO NOTHING")
      .run(vkey, key.name);
    return changes === 1;
  }

  /** The keys of one log. */
  keysOf(origin: string): VerifierKey[] {
    const found: unknown[] = this.#database.prepare("SELECT vkey FROM key WHERE origin = ?").pluck().all(origin);
    return found.map((vkey) => parseVkey(String(vkey)));
  }

  /** Every log, with its keys. */
  logs(): { origin: string; vkeys: string[]; held: Held }[] {
    const origins: unknown[] = this.#database.prepare("SELECT DISTINCT origin FROM key ORDER BY origin").pluck().all();
    return origins.map(String).map((origin) => ({
      origin,
      vkeys: this.keysOf(origin).map(({ vkey }) => vkey),
      held: this.held(origin),
    }));
  }

  /** @throws {WitnessError} WITNESS_STATE if what is stored is damaged: nothing may be signed then. */
  held(origin: string): Held {
    const row: unknown = this.#database.prepare("SELECT size, note FROM newest WHERE origin = ?").raw().get(origin);
    if (row === undefined) return { size: 0, root: EMPTY_ROOT, note: null };
    const [size, note]: unknown[] = Array.isArray(row) ? row : [];
    try {
      const checkpoint = parseCheckpoint(String(note));
      if (checkpoint.origin === origin && checkpoint.size === size)
        return { size: checkpoint.size, root: checkpoint.root, note: String(note) };
    } catch (cause) {
      if (!(cause instanceof NoteError)) throw cause;
    }
    throw new WitnessError("WITNESS_STATE", `what is kept of ${origin} is damaged: restore the folder`);
  }

  /** Looks at what is held and replaces it, or not, while nobody else can; on disk when it returns. */
  advance<T>(origin: string, decide: (held: Held, keep: (size: number, note: string) => void) => T): T {
    return this.#database
      .transaction(() =>
        decide(this.held(origin), (size, note) => {
          this.#database
            .prepare(
              "INSERT INTO newest (origin, size, note) VALUES (?, ?, ?) ON CONFLICT (origin) DO UPDATE SET size = excluded.size, note = excluded.note",
            )
            .run(origin, size, note);
        }),
      )
      .immediate();
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}
