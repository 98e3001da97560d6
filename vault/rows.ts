import type Database from "better-sqlite3";
import {
  type Contents,
  contentsOf,
  type Head,
  headLeaf,
  keyLeaf,
  type KeyRow,
  type ProtectorKind,
  recordLeaf,
  type RecordRow,
  recoveryLeaf,
  type RecoveryRow,
  type Step,
} from "./contents.ts";
import { COMMITMENT_BYTES, recordEpoch, VAULT_ID_BYTES, WRAPPED_BYTES } from "./envelope.ts";
import { VaultError } from "./error.ts";
import { PUBLIC_BYTES, RECOVERY_SEALED_BYTES } from "./recovery.ts";
import { TAG_BYTES } from "./tag.ts";

const MAX_U32 = 0xffff_ffff;

const COLUMNS = {
  head: "id, generation, master, protector, wrapping, commitment",
  key: "scope, epoch, commitment, wrapped",
  record: "scope, name, version, metadata, sealed",
  recovery: "public, sealed",
} as const;

const KEY = "scope = ? AND epoch = ?";
const RECORD = "scope = ? AND name = ? AND version = ?";

/** The rows of a vault's tables, read as an attacker's and written one by one. */
export class Rows {
  readonly #db: Database.Database;
  readonly #statements = new Map<string, Database.Statement>();

  constructor(db: Database.Database) {
    this.#db = db;
  }

  #sql(source: string): Database.Statement {
    const found = this.#statements.get(source);
    if (found !== undefined) return found;
    const made = this.#db.prepare(source);
    this.#statements.set(source, made);
    return made;
  }

  generation(): number {
    return count(this.#sql("SELECT generation FROM vault WHERE one = 1").pluck().get());
  }

  /** Everything, checked for form. @throws {VaultError} VAULT_DAMAGED. */
  read(): Contents {
    const heads = this.#all(`SELECT ${COLUMNS.head} FROM vault`).map(readHead);
    const [head] = heads;
    if (head === undefined || heads.length !== 1) throw damaged();
    const [recovery = null] = this.#all(`SELECT ${COLUMNS.recovery} FROM recovery`).map(readRecovery);
    return contentsOf(
      head,
      this.#all(`SELECT ${COLUMNS.key} FROM key`).map(readKey),
      this.#all(`SELECT ${COLUMNS.record} FROM record`).map(readRecord),
      recovery,
    );
  }

  /** The tag over the root, or null in a vault that an earlier format wrote and nobody has opened since. */
  tag(): Uint8Array | null {
    const found: unknown = this.#sql("SELECT tag FROM tag WHERE one = 1").pluck().get();
    return found === undefined ? null : bytes(found, TAG_BYTES);
  }

  /** @throws {VaultError} VAULT_UNWRITABLE. */
  writeTag(tag: Uint8Array): void {
    const { changes } = this.#sql(
      "INSERT INTO tag (one, tag) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET tag = excluded.tag",
    ).run(tag);
    const kept = this.tag();
    if (changes !== 1 || kept === null || Buffer.compare(kept, tag) !== 0)
      throw new VaultError("VAULT_UNWRITABLE", "The vault does not hold the tag that was written to it");
  }

  #all(source: string, ...given: (string | number)[]): unknown[] {
    return this.#sql(source)
      .raw()
      .all(...given);
  }

  /** Writes one step and reads it back. @throws {VaultError} VAULT_UNWRITABLE if the file does not hold it then. */
  write(step: Step): void {
    if (this.#run(step).changes !== 1 || !this.#holds(step))
      throw new VaultError("VAULT_UNWRITABLE", "The vault does not hold what was written to it");
  }

  #run(step: Step): Database.RunResult {
    if (step.table === "head") {
      const { id, generation, masterId, protector, wrapping, commitment } = step.row;
      return this.#sql(
        `INSERT INTO vault (one, ${COLUMNS.head}) VALUES (1, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (one) DO UPDATE SET generation = excluded.generation, master = excluded.master, protector = excluded.protector,
         wrapping = excluded.wrapping, commitment = excluded.commitment`,
      ).run(id, generation, masterId, protector, wrapping, commitment);
    }
    if (step.table === "recovery")
      return this.#sql(
        `INSERT INTO recovery (one, ${COLUMNS.recovery}) VALUES (1, ?, ?)
         ON CONFLICT (one) DO UPDATE SET public = excluded.public, sealed = excluded.sealed`,
      ).run(step.row.publicKey, step.row.sealed);
    if (step.table === "key") {
      const { scope, epoch, commitment, wrapped } = step.row;
      if (step.gone) return this.#sql(`DELETE FROM key WHERE ${KEY}`).run(scope, epoch);
      return this.#sql(
        `INSERT INTO key (${COLUMNS.key}) VALUES (?, ?, ?, ?)
         ON CONFLICT (scope, epoch) DO UPDATE SET commitment = excluded.commitment, wrapped = excluded.wrapped`,
      ).run(scope, epoch, commitment, wrapped);
    }
    const { scope, name, version, metadata, sealed } = step.row;
    if (step.gone) return this.#sql(`DELETE FROM record WHERE ${RECORD}`).run(scope, name, version);
    return this.#sql(
      `INSERT INTO record (${COLUMNS.record}) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (scope, name, version) DO UPDATE SET metadata = excluded.metadata, sealed = excluded.sealed`,
    ).run(scope, name, version, metadata, sealed);
  }

  #holds(step: Step): boolean {
    if (step.table === "head") {
      const [found] = this.#all(`SELECT ${COLUMNS.head} FROM vault`);
      return headLeaf(readHead(found)) === headLeaf(step.row);
    }
    if (step.table === "recovery") {
      const [found] = this.#all(`SELECT ${COLUMNS.recovery} FROM recovery`);
      return recoveryLeaf(readRecovery(found)) === recoveryLeaf(step.row);
    }
    if (step.table === "key") {
      const { scope, epoch } = step.row;
      const [found] = this.#all(`SELECT ${COLUMNS.key} FROM key WHERE ${KEY}`, scope, epoch);
      return step.gone ? found === undefined : keyLeaf(readKey(found)) === keyLeaf(step.row);
    }
    const { scope, name, version } = step.row;
    const [found] = this.#all(`SELECT ${COLUMNS.record} FROM record WHERE ${RECORD}`, scope, name, version);
    return step.gone ? found === undefined : recordLeaf(readRecord(found)) === recordLeaf(step.row);
  }

  /** Notes that the keychain may hold this master and is to forget it. */
  retire(masterId: number): void {
    this.#sql("INSERT INTO retired (master) VALUES (?) ON CONFLICT DO NOTHING").run(masterId);
  }

  forgetRetired(masterId: number): void {
    this.#sql("DELETE FROM retired WHERE master = ?").run(masterId);
  }

  retired(): number[] {
    const found = this.#sql("SELECT master FROM retired ORDER BY master").pluck().all();
    return found.map((value) => count(value, MAX_U32));
  }
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

function readRecovery(row: unknown): RecoveryRow {
  const [publicKey, sealed] = cells(row, 2);
  return { publicKey: bytes(publicKey, PUBLIC_BYTES), sealed: bytes(sealed, RECOVERY_SEALED_BYTES) };
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
  if (!(value instanceof Uint8Array)) throw damaged();
  if (length !== undefined && value.length !== length)
    throw new VaultError("VAULT_TRUNCATED", `A part of the vault has ${value.length} bytes, and ${length} are right`);
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
