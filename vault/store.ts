import { closeSync, constants, fsyncSync, lstatSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import type { Contents, Step } from "./contents.ts";
import { VaultError } from "./error.ts";
import { forgetFormer, migrate, migratedFrom, SCHEMA, tablesOf, USER_VERSION } from "./format.ts";
import { Rows } from "./rows.ts";

/** The file `vault.db`: reads all of it, and writes one change in one transaction. The caller holds the lock of the data directory. */
export class Store {
  readonly #db: Database.Database;
  readonly #rows: Rows;
  readonly #path: string;

  private constructor(db: Database.Database, path: string) {
    this.#db = db;
    this.#path = path;
    this.#rows = new Rows(db);
  }

  /** @throws {VaultError} VAULT_EXISTS. */
  static refusePresent(path: string): void {
    if (present(path)) throw new VaultError("VAULT_EXISTS", `There is a vault at ${path} already`);
  }

  /** Makes the file whole or not at all: it is written beside its place and renamed into it.
   *  @throws {VaultError} VAULT_EXISTS, VAULT_UNWRITABLE. */
  static create(path: string, contents: Contents, tag: Uint8Array): void {
    Store.refusePresent(path);
    const half = `${path}.new`;
    try {
      for (const end of ["", "-journal", "-wal", "-shm"]) rmSync(`${half}${end}`, { force: true });
      closeSync(openSync(half, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600));
      const db = new Database(half);
      try {
        db.pragma("synchronous = FULL");
        if (process.platform === "darwin") db.pragma("fullfsync = ON");
        db.transaction(() => {
          for (const sql of Object.values(SCHEMA)) db.exec(sql);
          db.pragma(`user_version = ${USER_VERSION}`);
          const rows = new Rows(db);
          rows.write({ table: "head", row: contents.head });
          if (contents.recovery !== null) rows.write({ table: "recovery", row: contents.recovery });
          for (const row of contents.keys.values()) rows.write({ table: "key", row });
          for (const row of contents.records.values()) rows.write({ table: "record", row });
          rows.writeTag(tag);
        })();
      } finally {
        db.close();
      }
      renameSync(half, path);
      const folder = openSync(dirname(path), constants.O_RDONLY);
      try {
        fsyncSync(folder);
      } finally {
        closeSync(folder);
      }
    } catch (cause) {
      throw new VaultError("VAULT_UNWRITABLE", `Cannot write a vault at ${path}`, { cause });
    }
  }

  /** @throws {VaultError} VAULT_ABSENT, VAULT_NEWER, VAULT_DAMAGED. */
  static open(path: string): Store {
    if (!present(path)) throw new VaultError("VAULT_ABSENT", `There is no vault at ${path}`);
    let db: Database.Database | null = null;
    try {
      if (!lstatSync(path).isFile()) throw new VaultError("VAULT_DAMAGED", `${path} is not a plain file`);
      db = new Database(path, { fileMustExist: true });
      db.pragma("trusted_schema = OFF");
      checkForm(db, path);
      db.pragma("journal_mode = WAL");
      // better-sqlite3 is compiled so that WAL means NORMAL, which loses committed rows on power loss.
      db.pragma("synchronous = FULL");
      if (process.platform === "darwin") db.pragma("fullfsync = ON");
      db.pragma("secure_delete = ON");
      for (const [name, value] of Object.entries({ journal_mode: "wal", synchronous: 2, secure_delete: 1 }))
        if (db.pragma(name, { simple: true }) !== value)
          throw new VaultError("VAULT_UNWRITABLE", `SQLite does not keep ${name} for ${path}`);
      migrate(db, path);
      return new Store(db, path);
    } catch (cause) {
      db?.close();
      if (cause instanceof VaultError) throw cause;
      throw new VaultError("VAULT_DAMAGED", `${path} cannot be opened as a vault`, { cause });
    }
  }

  /** Everything, checked for form. @throws {VaultError} VAULT_DAMAGED. */
  read(): Contents {
    try {
      return this.#rows.read();
    } catch (cause) {
      if (cause instanceof VaultError) throw cause;
      throw new VaultError("VAULT_DAMAGED", "The vault cannot be read", { cause });
    }
  }

  /** The tag over the root (see `tagOf`), or null if an earlier format wrote the file and it was not opened with its key since. */
  tag(): Uint8Array | null {
    return this.#rows.tag();
  }

  /** @throws {VaultError} VAULT_UNWRITABLE. */
  writeTag(tag: Uint8Array): void {
    try {
      this.#rows.writeTag(tag);
    } catch (cause) {
      if (cause instanceof VaultError) throw cause;
      throw new VaultError("VAULT_UNWRITABLE", "The vault cannot be written", { cause });
    }
  }

  /** The format that this file had before, for as long as the copy of that lies beside it. */
  get migratedFrom(): number | null {
    return migratedFrom(this.#path);
  }

  /** The migration is on the log: the copy of the file of before goes, for what is removed from the vault must not live on there. */
  forgetFormer(): void {
    forgetFormer(this.#path);
  }

  /** Writes `steps` in one transaction, which commits only on top of `generation`, and only if everything reads back as it was written.
   *  @param given `retire`: a master whose keychain account is to go; `keep`: the master in use from now on; `erases`: the old bytes
   *  are to be gone from the write-ahead log too; `tag`: over the root that the steps lead to. @throws {VaultError} VAULT_STALE_PLAN, VAULT_UNWRITABLE. */
  write(
    steps: readonly Step[],
    given: { generation: number; retire: number | null; keep: number; erases: boolean; tag: Uint8Array },
  ): void {
    const rows = this.#rows;
    try {
      this.#db
        .transaction(() => {
          const before = rows.generation();
          if (before !== given.generation)
            throw new VaultError("VAULT_STALE_PLAN", `The vault is at generation ${before}, not ${given.generation}`);
          for (const step of steps) rows.write(step);
          rows.writeTag(given.tag);
          if (given.retire !== null) rows.retire(given.retire);
          rows.forgetRetired(given.keep);
        })
        .immediate();
    } catch (cause) {
      if (cause instanceof VaultError) throw cause;
      throw new VaultError("VAULT_UNWRITABLE", "The vault cannot be written", { cause });
    }
    // After the commit, so a failure here loses nothing: the next change or the closing truncates it.
    if (given.erases) this.#rewrite();
  }

  /** Overwriting what is deleted leaves copies where pages were rearranged before: the file is written anew, and the write-ahead log emptied. */
  #rewrite(): void {
    try {
      this.#db.pragma("temp_store = MEMORY");
      this.#db.exec("VACUUM");
    } catch {
      // Too little room for a second copy: what was overwritten is gone all the same.
    }
    try {
      this.#db.pragma("wal_checkpoint(TRUNCATE)");
    } catch {
      // A full disk: the old bytes stay in the write-ahead log until it is truncated by a later change or at closing.
    }
  }

  retire(masterId: number): void {
    this.#rows.retire(masterId);
  }

  forgetRetired(masterId: number): void {
    this.#rows.forgetRetired(masterId);
  }

  retired(): number[] {
    return this.#rows.retired();
  }

  close(): void {
    this.#db.close();
  }
}

function present(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function checkForm(db: Database.Database, path: string): void {
  const version: unknown = db.pragma("user_version", { simple: true });
  if (typeof version === "number" && version > USER_VERSION)
    throw new VaultError(
      "VAULT_NEWER",
      `${path} has format ${version} and this version reads ${USER_VERSION}: use the version that wrote it, or a later one`,
    );
  const known = tablesOf(version);
  const found = db.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY name").raw().all();
  if (known === null || JSON.stringify(found) !== JSON.stringify(known))
    throw new VaultError("VAULT_DAMAGED", `${path} does not have the tables of a vault, or has more`);
  if (db.pragma("integrity_check", { simple: true }) !== "ok")
    throw new VaultError("VAULT_DAMAGED", `${path} is damaged as a database`);
}
