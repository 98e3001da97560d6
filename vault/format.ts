import { closeSync, constants, copyFileSync, existsSync, fsyncSync, openSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import type Database from "better-sqlite3";
import { VaultError } from "./error.ts";

/** The formats that `vault.db` has had, and the way from each to the newest. */

export const USER_VERSION = 2;

/** What format 1 held, byte for byte as `sqlite_schema` must say it: a planted trigger, view or index is refused. */
const FIRST = {
  vault: `CREATE TABLE vault (one INTEGER PRIMARY KEY CHECK (one = 1), id BLOB NOT NULL, generation INTEGER NOT NULL, master INTEGER NOT NULL, protector TEXT NOT NULL, wrapping BLOB NOT NULL, commitment BLOB NOT NULL) STRICT`,
  key: `CREATE TABLE key (scope TEXT NOT NULL, epoch INTEGER NOT NULL, commitment BLOB NOT NULL, wrapped BLOB NOT NULL, PRIMARY KEY (scope, epoch)) STRICT, WITHOUT ROWID`,
  record: `CREATE TABLE record (scope TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, metadata BLOB NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (scope, name, version)) STRICT, WITHOUT ROWID`,
  /** Masters whose keychain account is still to be deleted. A list of things to do, no part of the root: at worst it makes us delete a master that is not in use. */
  retired: `CREATE TABLE retired (master INTEGER PRIMARY KEY) STRICT`,
} as const;

/** The newest: with what the recovery phrase opens, and the tag over everything. */
export const SCHEMA = {
  ...FIRST,
  recovery: `CREATE TABLE recovery (one INTEGER PRIMARY KEY CHECK (one = 1), public BLOB NOT NULL, sealed BLOB NOT NULL) STRICT`,
  tag: `CREATE TABLE tag (one INTEGER PRIMARY KEY CHECK (one = 1), tag BLOB NOT NULL) STRICT`,
} as const;

const FORMATS: Readonly<Record<number, Readonly<Record<string, string>>>> = { 1: FIRST, 2: SCHEMA };

/** What `SELECT type, name, sql FROM sqlite_schema ORDER BY name` says of a format; null for one that was never written. */
export function tablesOf(version: unknown): string[][] | null {
  const schema = typeof version === "number" ? FORMATS[version] : undefined;
  if (schema === undefined) return null;
  return Object.entries(schema)
    .map(([name, sql]) => ["table", name, sql])
    .toSorted(([, a = ""], [, b = ""]) => (a < b ? -1 : 1));
}

/** Where the file of before lies until the log knows of the migration. */
function formerPath(path: string, from: number): string {
  return `${path}.format-${from}`;
}

/** Brings an open file of a known former format to the newest: a copy is put aside durably, then one transaction changes it. A crash before its end leaves the
 *  file as it was; after it, the copy says that the log is still to be told. What the tables hold, and so the root that the log knows, stays the same.
 *  @throws {VaultError} VAULT_UNWRITABLE. */
export function migrate(db: Database.Database, path: string): void {
  const from = Number(db.pragma("user_version", { simple: true }));
  if (from === USER_VERSION) return;
  try {
    db.pragma("wal_checkpoint(TRUNCATE)");
    const copy = formerPath(path, from);
    rmSync(copy, { force: true });
    copyFileSync(path, copy, constants.COPYFILE_EXCL);
    sync(copy);
    sync(dirname(copy));
    db.transaction(() => {
      for (const [name, sql] of Object.entries(SCHEMA)) if (!Object.hasOwn(FORMATS[from] ?? {}, name)) db.exec(sql);
      db.pragma(`user_version = ${USER_VERSION}`);
    }).immediate();
  } catch (cause) {
    throw new VaultError("VAULT_UNWRITABLE", `${path} has format ${from} and cannot be brought to ${USER_VERSION}`, {
      cause,
    });
  }
}

/** The format that was left, while the copy of it lies there. */
export function migratedFrom(path: string): number | null {
  const from = Object.keys(FORMATS).find((version) => existsSync(formerPath(path, Number(version))));
  return from === undefined ? null : Number(from);
}

export function forgetFormer(path: string): void {
  for (const version of Object.keys(FORMATS)) rmSync(formerPath(path, Number(version)), { force: true });
}

function sync(path: string): void {
  const file = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
