import { readFileSync, rmSync, writeFileSync } from "node:fs";
import Database from "better-sqlite3";
import * as z from "zod/mini";
import type { Home } from "../config/home.ts";

/** Somebody else holds the data directory. */
export class LockedError extends Error {
  override readonly name = "LockedError";
  readonly code = "HOME_IN_USE";
  readonly holder: Holder | null;
  constructor(holder: Holder | null, root: string) {
    const who =
      holder === null
        ? "another process"
        : `process ${holder.pid}, since ${holder.since}${holder.web === null ? "" : `, page at ${holder.web}`}`;
    super(`${root} is in use by ${who}`);
    this.holder = holder;
  }
}

const Holder = z.strictObject({ pid: z.int(), since: z.string(), web: z.nullable(z.string()) });
export type Holder = z.infer<typeof Holder>;

/** The one writer of a data directory: an open exclusive transaction, which the kernel ends when its process does. */
export class WriterLock implements Disposable {
  readonly #database: Database.Database;
  readonly #running: string;
  private constructor(database: Database.Database, running: string) {
    this.#database = database;
    this.#running = running;
  }

  /** @throws {LockedError} when another process holds it. */
  static take(home: Home): WriterLock {
    const database = new Database(home.lock, { timeout: 0 });
    try {
      // Nothing is ever written to it: a journal would only want room, on a disk that may have none.
      database.pragma("journal_mode = MEMORY");
      database.exec("BEGIN EXCLUSIVE");
    } catch (cause) {
      database.close();
      if (cause instanceof Database.SqliteError && cause.code.startsWith("SQLITE_BUSY"))
        throw new LockedError(readHolder(home), home.root);
      throw cause;
    }
    return new WriterLock(database, home.running);
  }

  /** Leaves a note of who runs, for people; nothing decides by it. */
  announce(holder: Holder): void {
    writeFileSync(this.#running, JSON.stringify(holder), { mode: 0o600 });
  }

  [Symbol.dispose](): void {
    rmSync(this.#running, { force: true });
    this.#database.close();
  }
}

/** What the holder's note says, or null when there is none that can be read. */
export function readHolder(home: Home): Holder | null {
  try {
    const parsed = Holder.safeParse(JSON.parse(readFileSync(home.running, "utf8")));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
