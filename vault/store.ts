import { closeSync, constants, fsyncSync, lstatSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import {
  type Contents,
  type Head,
  type KeyRow,
  keyName,
  type ProtectorKind,
  type RecordRow,
  recordName,
  rootOf,
  type Step,
} from "./contents.ts";
import { COMMITMENT_BYTES, recordEpoch, VAULT_ID_BYTES, WRAPPED_BYTES } from "./envelope.ts";
import { VaultError } from "./error.ts";

const USER_VERSION = 1;
const MAX_U32 = 0xffff_ffff;

/** Byte for byte what `sqlite_schema` must hold: a planted trigger, view or index is refused. */
const SCHEMA = {
  vault: `CREATE TABLE vault (one INTEGER PRIMARY KEY CHECK (one = 1), id BLOB NOT NULL, generation INTEGER NOT NULL, master INTEGER NOT NULL, protector TEXT NOT NULL, wrapping BLOB NOT NULL, commitment BLOB NOT NULL) STRICT`,
  key: `CREATE TABLE key (scope TEXT NOT NULL, epoch INTEGER NOT NULL, commitment BLOB NOT NULL, wrapped BLOB NOT NULL, PRIMARY KEY (scope, epoch)) STRICT, WITHOUT ROWID`,
  record: `CREATE TABLE record (scope TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, metadata BLOB NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (scope, name, version)) STRICT, WITHOUT ROWID`,
  /** Masters whose keychain account is still to be deleted. A list of things to do, no part of the root: at worst it makes us delete a master that is not in use. */
  retired: `CREATE TABLE retired (master INTEGER PRIMARY KEY) STRICT`,
} as const;

/** The file `vault.db`: reads all of it, and writes one change in one transaction. The caller holds the lock of the data directory. */
export class Store {
  readonly #db: Database.Database;

  private constructor(db: Database.Database) {
    this.#db = db;
  }

  /** @throws {VaultError} VAULT_EXISTS. */
  static refusePresent(path: string): void {
    if (present(path)) throw new VaultError("VAULT_EXISTS", `There is a vault at ${path} already`);
  }

  /** Makes the file whole or not at all: it is written beside its place and renamed into it.
   *  @throws {VaultError} VAULT_EXISTS, VAULT_UNWRITABLE. */
  static create(path: string, contents: Contents): void {
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
          write(db, [
            { put: "head", row: contents.head },
            ...contents.keys.values().map((row): Step => ({ put: "key", row })),
            ...contents.records.values().map((row): Step => ({ put: "record", row })),
          ]);
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
      return new Store(db);
    } catch (cause) {
      db?.close();
      if (cause instanceof VaultError) throw cause;
      throw new VaultError("VAULT_DAMAGED", `${path} cannot be opened as a vault`, { cause });
    }
  }

  /** Everything, checked for form. @throws {VaultError} VAULT_DAMAGED. */
  read(): Contents {
    try {
      return read(this.#db);
    } catch (cause) {
      if (cause instanceof VaultError) throw cause;
      throw new VaultError("VAULT_DAMAGED", "The vault cannot be read", { cause });
    }
  }

  /** Writes `steps` in one transaction, which commits only on top of `generation` and only if the file then holds exactly what `root` says.
   *  @param given `retire`: a master whose keychain account is to go; `keep`: the master in use from now on; `erases`: the old bytes are to be gone from the write-ahead log too. @throws {VaultError} VAULT_STALE_PLAN, VAULT_UNWRITABLE. */
  write(
    steps: readonly Step[],
    given: { generation: number; root: string; retire: number | null; keep: number; erases: boolean },
  ): void {
    try {
      this.#db
        .transaction(() => {
          const before: unknown = this.#db.prepare("SELECT generation FROM vault WHERE one = 1").pluck().get();
          if (before !== given.generation)
            throw new VaultError(
              "VAULT_STALE_PLAN",
              `The vault is at generation ${String(before)}, not ${given.generation}`,
            );
          write(this.#db, steps);
          if (given.retire !== null) this.retire(given.retire);
          this.forgetRetired(given.keep);
          if (rootOf(read(this.#db)) !== given.root)
            throw new VaultError("VAULT_DAMAGED", "The vault does not hold what was written to it");
        })
        .immediate();
    } catch (cause) {
      if (cause instanceof VaultError) throw cause;
      throw new VaultError("VAULT_UNWRITABLE", "The vault cannot be written", { cause });
    }
    // After the commit, so a failure here loses nothing: the next change or the closing truncates it.
    if (given.erases) this.#truncateLog();
  }

  #truncateLog(): void {
    try {
      this.#db.pragma("wal_checkpoint(TRUNCATE)");
    } catch {
      // A full disk: the old bytes stay in the write-ahead log until it is truncated by a later change or at closing.
    }
  }

  /** Notes that the keychain may hold this master. */
  retire(masterId: number): void {
    this.#db.prepare("INSERT INTO retired (master) VALUES (?) ON CONFLICT DO NOTHING").run(masterId);
  }

  forgetRetired(masterId: number): void {
    this.#db.prepare("DELETE FROM retired WHERE master = ?").run(masterId);
  }

  retired(): number[] {
    return this.#db
      .prepare("SELECT master FROM retired ORDER BY master")
      .pluck()
      .all()
      .map((value) => count(value, MAX_U32));
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
  const found = db.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY name").raw().all();
  const known = Object.entries(SCHEMA)
    .map(([name, sql]) => ["table", name, sql])
    .toSorted(([, a = ""], [, b = ""]) => (a < b ? -1 : 1));
  if (version !== USER_VERSION || JSON.stringify(found) !== JSON.stringify(known))
    throw new VaultError("VAULT_DAMAGED", `${path} does not have the tables of a vault, or has more`);
  if (db.pragma("integrity_check", { simple: true }) !== "ok")
    throw new VaultError("VAULT_DAMAGED", `${path} is damaged as a database`);
}

function write(db: Database.Database, steps: readonly Step[]): void {
  for (const step of steps) {
    const { changes } = writeStep(db, step);
    if (changes !== 1) throw new VaultError("VAULT_UNWRITABLE", `The vault took ${changes} rows for one`);
  }
}

function writeStep(db: Database.Database, step: Step): Database.RunResult {
  if ("drop" in step) {
    if (step.drop === "key")
      return db.prepare("DELETE FROM key WHERE scope = ? AND epoch = ?").run(step.row.scope, step.row.epoch);
    const { scope, name, version } = step.row;
    return db.prepare("DELETE FROM record WHERE scope = ? AND name = ? AND version = ?").run(scope, name, version);
  }
  switch (step.put) {
    case "head": {
      const { id, generation, masterId, protector, wrapping, commitment } = step.row;
      return db
        .prepare(
          `INSERT INTO vault (one, id, generation, master, protector, wrapping, commitment) VALUES (1, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (one) DO UPDATE SET generation = excluded.generation, master = excluded.master, protector = excluded.protector,
           wrapping = excluded.wrapping, commitment = excluded.commitment`,
        )
        .run(id, generation, masterId, protector, wrapping, commitment);
    }
    case "key": {
      const { scope, epoch, commitment, wrapped } = step.row;
      return db
        .prepare(
          `INSERT INTO key (scope, epoch, commitment, wrapped) VALUES (?, ?, ?, ?)
           ON CONFLICT (scope, epoch) DO UPDATE SET commitment = excluded.commitment, wrapped = excluded.wrapped`,
        )
        .run(scope, epoch, commitment, wrapped);
    }
    case "record":
      break;
  }
  const { scope, name, version, metadata, sealed } = step.row;
  return db
    .prepare(
      `INSERT INTO record (scope, name, version, metadata, sealed) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (scope, name, version) DO UPDATE SET metadata = excluded.metadata, sealed = excluded.sealed`,
    )
    .run(scope, name, version, metadata, sealed);
}

function read(db: Database.Database): Contents {
  const heads = db
    .prepare("SELECT id, generation, master, protector, wrapping, commitment FROM vault NOT INDEXED")
    .raw()
    .all();
  const [first] = heads;
  if (heads.length !== 1 || first === undefined) throw damaged();
  const keys = db.prepare("SELECT scope, epoch, commitment, wrapped FROM key").raw().all().map(readKey);
  const records = db.prepare("SELECT scope, name, version, metadata, sealed FROM record").raw().all().map(readRecord);
  return {
    head: readHead(first),
    keys: new Map(keys.map((row) => [keyName(row), row])),
    records: new Map(records.map((row) => [recordName(row), row])),
  };
}

function readHead(row: unknown): Head {
  const [id, generation, masterId, protector, wrapping, commitment] = cells(row, 6);
  return {
    id: bytes(id, VAULT_ID_BYTES),
    generation: count(generation),
    masterId: count(masterId, MAX_U32),
    protector: kind(protector),
    wrapping: bytes(wrapping),
    commitment: bytes(commitment, COMMITMENT_BYTES),
  };
}

function readKey(row: unknown): KeyRow {
  const [scope, epoch, commitment, wrapped] = cells(row, 4);
  return {
    scope: text(scope),
    epoch: count(epoch, MAX_U32),
    commitment: bytes(commitment, COMMITMENT_BYTES),
    wrapped: bytes(wrapped, WRAPPED_BYTES),
  };
}

function readRecord(row: unknown): RecordRow {
  const [scope, name, version, metadata, sealed] = cells(row, 5);
  recordEpoch(bytes(sealed));
  return {
    scope: text(scope),
    name: text(name),
    version: count(version),
    metadata: bytes(metadata),
    sealed: bytes(sealed),
  };
}

function damaged(): VaultError {
  return new VaultError("VAULT_DAMAGED", "The vault holds a row of no known form");
}

function cells(row: unknown, length: number): unknown[] {
  if (!Array.isArray(row) || row.length !== length) throw damaged();
  return row;
}

function bytes(value: unknown, length?: number): Uint8Array {
  if (!(value instanceof Uint8Array) || (length !== undefined && value.length !== length)) throw damaged();
  return value;
}

function text(value: unknown): string {
  if (typeof value !== "string" || value.includes("\ufffd")) throw damaged();
  return value;
}

function count(value: unknown, most = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0 || value > most) throw damaged();
  return value;
}

function kind(value: unknown): ProtectorKind {
  if (value !== "none" && value !== "keychain" && value !== "passphrase") throw damaged();
  return value;
}
