import { closeSync, constants, fsyncSync, lstatSync, openSync } from "node:fs";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import { AuditError } from "./error.ts";

/** The newest form of the file that this build writes. */
export const USER_VERSION = 1;

/** The schemas there ever were, byte for byte as `sqlite_schema` holds them: a planted trigger, view, index or column is found by comparing. */
export const SCHEMAS: ReadonlyMap<number, Readonly<Record<string, string>>> = new Map([
  [
    1,
    {
      entry: "CREATE TABLE entry      (seq INTEGER PRIMARY KEY, body TEXT NOT NULL, hash TEXT NOT NULL) STRICT",
      content: "CREATE TABLE content    (id INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT",
      checkpoint:
        "CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, note TEXT NOT NULL, frontier TEXT NOT NULL) STRICT",
      anchor:
        "CREATE TABLE anchor     (id INTEGER PRIMARY KEY, size INTEGER NOT NULL, name TEXT NOT NULL, proof BLOB NOT NULL) STRICT",
    },
  ],
]);

/** How long a write waits for a foreign lock on the file, in milliseconds. Nobody else writes; a copying tool may hold it for an instant. */
const BUSY_MS = 2_000;
/** Pages of the file that are kept in memory. */
const CACHE_KIB = 4_096;

/** Opens the log for its one writer, and makes it if it is not there: WAL, every commit synced, deleted content overwritten.
 *  @throws {AuditError} AUDIT_UNREADABLE, AUDIT_NEWER, AUDIT_BROKEN if the schema is not ours, AUDIT_UNWRITABLE. */
export function openForWriting(path: string): Database.Database {
  const made = makeFile(path);
  let database: Database.Database;
  try {
    database = new Database(path, { timeout: BUSY_MS });
  } catch (cause) {
    throw new AuditError("AUDIT_UNREADABLE", `${path} cannot be opened`, { cause });
  }
  try {
    database.pragma("trusted_schema = OFF");
    refuseNewer(database, path);
    // Before the schema is looked at: a database without a write-ahead log cannot be the live one, and is turned into it here.
    set(database, "journal_mode", "wal");
    // better-sqlite3 is compiled so that WAL means NORMAL: committed rows could be lost with the power.
    set(database, "synchronous", 2, "FULL");
    // better-sqlite3 is compiled to keep 16 MB of pages: a daemon would grow by them for days. What is written lies at the ends of the tables.
    database.pragma(`cache_size = -${CACHE_KIB}`);
    set(database, "secure_delete", 1, "ON");
    if (process.platform === "darwin") {
      set(database, "fullfsync", 1, "ON");
      set(database, "checkpoint_fullfsync", 1, "ON");
    }
    if (database.pragma("user_version", { simple: true }) === 0) create(database);
    const wrong = wrongSchema(database);
    if (wrong !== null) throw new AuditError("AUDIT_BROKEN", `${path}: ${wrong}`);
    if (made) syncFolder(path);
    return database;
  } catch (error) {
    database.close();
    if (error instanceof AuditError) throw error;
    throw explained(error, path);
  }
}

function explained(error: unknown, path: string): AuditError {
  if (isSqlite(error, "SQLITE_NOTADB"))
    return new AuditError("AUDIT_BROKEN", `${path} is not a database, or its first page was overwritten`, {
      cause: error,
    });
  if (isSqlite(error, "SQLITE_CORRUPT"))
    return new AuditError("AUDIT_BROKEN", `${path} is damaged: a page of it is not what SQLite wrote`, {
      cause: error,
    });
  return new AuditError("AUDIT_UNWRITABLE", `${path} cannot be written: ${sentenceOf(error)}`, { cause: error });
}

/** With the mode that SQLite gives to the files it puts beside it. @returns whether it was made now. */
function makeFile(path: string): boolean {
  try {
    if (lstatSync(path).isFile()) return false;
    throw new AuditError(
      "AUDIT_UNREADABLE",
      `${path} is not a file of its own: a link to the log could be turned while it is written`,
    );
  } catch (error) {
    if (!isSystem(error, "ENOENT")) throw error;
  }
  try {
    closeSync(openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600));
  } catch (cause) {
    throw new AuditError("AUDIT_UNWRITABLE", `${path} cannot be made: ${sentenceOf(cause)}`, { cause });
  }
  return true;
}

/** A file is there after a power cut only when its folder was synced too. */
function syncFolder(path: string): void {
  const folder = openSync(dirname(path), constants.O_RDONLY);
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function set(database: Database.Database, name: string, value: string | number, word: string = String(value)): void {
  database.pragma(`${name} = ${word}`);
  const is = database.pragma(name, { simple: true });
  if (is !== value)
    throw new AuditError("AUDIT_UNWRITABLE", `SQLite does not take ${name} = ${word}: it says ${String(is)}`);
}

function create(database: Database.Database): void {
  if (database.prepare("SELECT 1 FROM sqlite_schema").get() !== undefined)
    throw new AuditError("AUDIT_BROKEN", "the file has tables and no version: it is not an audit log");
  database.transaction(() => {
    for (const sql of Object.values(SCHEMAS.get(USER_VERSION) ?? {})) database.exec(sql);
    database.pragma(`user_version = ${USER_VERSION}`);
  })();
}

function refuseNewer(database: Database.Database, path: string): void {
  const version = database.pragma("user_version", { simple: true });
  if (typeof version !== "number" || version <= USER_VERSION) return;
  const by = writerOf(database);
  throw new AuditError(
    "AUDIT_NEWER",
    `${path} has format ${version}, and this build knows ${USER_VERSION}: ${by === null ? "the newer build that wrote it opens it" : `wirken ${by} opens it`}`,
  );
}

/** The version that the newest start was made with, as far as that can be read in a format we do not know. */
function writerOf(database: Database.Database): string | null {
  try {
    const body: unknown = database
      .prepare(`SELECT body FROM entry WHERE body LIKE '%"$kind":"daemon.starting"%' ORDER BY seq DESC LIMIT 1`)
      .pluck()
      .get();
    return typeof body === "string" ? (/"version":"([A-Za-z0-9._+-]{1,40})"/.exec(body)?.[1] ?? null) : null;
  } catch {
    return null;
  }
}

/** @returns what is wrong with the schema, or null. Nothing of the schema is run. */
export function wrongSchema(database: Database.Database): string | null {
  const version = database.pragma("user_version", { simple: true });
  const known = typeof version === "number" ? SCHEMAS.get(version) : undefined;
  if (known === undefined) return `the file has format ${String(version)}, which is none of an audit log`;
  if (database.pragma("encoding", { simple: true }) !== "UTF-8") return "the file is not encoded in UTF-8";
  const found = new Set<string>();
  const objects: unknown[] = database.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema").raw().all();
  for (const object of objects) {
    const [type, name, table, sql]: unknown[] = Array.isArray(object) ? object : [];
    if (type !== "table" || typeof name !== "string" || !Object.hasOwn(known, name))
      return `the file holds ${describe(type, name)}, which no audit log has`;
    if (table !== name || sql !== known[name]) return `the table ${name} is not made as it was`;
    if (found.has(name)) return `the table ${name} is there twice`;
    found.add(name);
  }
  const missing = Object.keys(known).find((name) => !found.has(name));
  return missing === undefined ? null : `the table ${missing} is missing`;
}

function describe(type: unknown, name: unknown): string {
  const word = type === "trigger" || type === "view" || type === "index" || type === "table" ? type : "object";
  return `${word === "index" || word === "object" ? "an" : "a"} ${word}${typeof name === "string" ? ` named ${JSON.stringify(name.slice(0, 64))}` : ""}`;
}

export function isSqlite(error: unknown, ...codes: readonly string[]): boolean {
  return (
    error instanceof Database.SqliteError &&
    codes.some((code) => error.code === code || error.code.startsWith(`${code}_`))
  );
}

function isSystem(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
