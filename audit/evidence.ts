import { createHash } from "node:crypto";
import {
  accessSync,
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readSync,
  realpathSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import Database from "better-sqlite3";
import { isSqlite, sentenceOf, wrongSchema } from "./database.ts";
import { AuditError } from "./error.ts";
import type { Finding } from "./verdict.ts";

const CHUNK = 4 * 1024 * 1024;
const MAX_NOTE = 64 * 1024;
const PAGE_SIZE = 4096;

/** A log opened for verification: nothing in it is trusted, and nothing beside it is written. */
export interface Evidence {
  readonly database: Database.Database;
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly sha256: string }[];
  close(): void;
}

/** Opens the log in use, in place and read-only.
 *  @returns a finding where the file cannot even be read as a log. @throws {AuditError} AUDIT_UNREADABLE if there is no file, or it may not be read. */
export function openLive(path: string): Evidence | Finding {
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    const link = linkAt(file);
    if (link !== null) return link;
  }
  return opened(path, path, [], { readonly: true, fileMustExist: true }, () => undefined);
}

/** Can the log in use be read where it lies? SQLite puts a file beside it even to read, which a folder that is read-only does not take. */
export function isReadInPlace(path: string): boolean {
  try {
    accessSync(dirname(path), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Said while a log is copied, so that others can run. */
export interface Copying {
  readonly rows: 0;
  readonly of: null;
}
const COPYING: Copying = { rows: 0, of: null };

/** So often a log is copied anew that was written to meanwhile: a daemon at rest writes seldom. */
const MAX_COPIES = 4;

/** Copies a log and its write-ahead log to a private folder and opens the copy: reading in place would write beside the evidence.
 *  Yields between pieces. Results as {@link openLive}. */
export function* openCopy(path: string, scratch: string = tmpdir()): Generator<Copying, Evidence | Finding> {
  for (let copies = 1; ; copies++) {
    const folder = mkdtempSync(join(scratch, "wirken-verify-"));
    const copy = join(folder, "audit.db");
    const gone = (): void => rmSync(folder, { recursive: true, force: true });
    let evidence: Evidence | Finding | null = null;
    try {
      const files = yield* copyBoth(path, copy);
      if ("code" in files) return files;
      if (files.every(({ name, stamp }) => stampOf(join(dirname(path), name)) === stamp)) {
        const copied = files.flatMap(({ name, bytes, sha256 }) => (sha256 === null ? [] : [{ name, bytes, sha256 }]));
        evidence = opened(copy, path, copied, { fileMustExist: true }, gone);
        return evidence;
      }
    } finally {
      // Whoever stops early, and whatever went wrong: the copy does not stay.
      if (evidence === null || "code" in evidence) gone();
    }
    if (copies === MAX_COPIES)
      throw new AuditError(
        "AUDIT_UNREADABLE",
        `${path} was written to each time it was copied: it is in use, so verify it where its daemon runs, or stop that first`,
      );
  }
}

interface Copied {
  readonly name: string;
  readonly bytes: number;
  /** Null where there is no file. */
  readonly sha256: string | null;
  /** As it was before it was copied. */
  readonly stamp: string;
}

/** One after the other: only if neither was written to until both were copied do they belong together. */
function* copyBoth(path: string, copy: string): Generator<Copying, Copied[] | Finding> {
  const files: Copied[] = [];
  for (const end of ["", "-wal"]) {
    const file = yield* copyFile(`${path}${end}`, `${copy}${end}`);
    if ("code" in file) return file;
    if (file.sha256 === null && end === "") throw new AuditError("AUDIT_UNREADABLE", `there is no ${path}`);
    files.push(file);
  }
  return files;
}

const NO_FILE = "none";

/** Which file this is, how long, and when it was last written to. */
function stampOf(path: string): string {
  const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? NO_FILE : stampFrom(found);
}

function stampFrom({ ino, size, mtimeNs }: BigIntStats): string {
  return `${ino} ${size} ${mtimeNs}`;
}

/** Does the path lead through a symbolic link? @returns where to, or null. */
export function leadsTo(path: string): string | null {
  const given = resolve(path);
  const real = realpathSync(given);
  return real === given ? null : real;
}

function linkAt(path: string): Finding | null {
  try {
    return lstatSync(path).isSymbolicLink() ? linked(path) : null;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw new AuditError("AUDIT_UNREADABLE", `${path} cannot be read: ${sentenceOf(error)}`, { cause: error });
  }
}

function linked(path: string): Finding {
  return {
    code: "link",
    seq: null,
    sentence: `${basename(path)} is a symbolic link: what it leads to can be changed while it is read`,
  };
}

function* copyFile(from: string, to: string): Generator<Copying, Copied | Finding> {
  const name = basename(from);
  let source: number;
  try {
    source = openSync(from, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return { name, bytes: 0, sha256: null, stamp: NO_FILE };
    if (codeOf(error) === "ELOOP") return linked(from);
    throw new AuditError("AUDIT_UNREADABLE", `${from} cannot be read: ${sentenceOf(error)}`, { cause: error });
  }
  try {
    const before = fstatSync(source, { bigint: true });
    if (!before.isFile()) return { code: "not-a-database", seq: null, sentence: `${name} is not a file` };
    const target = openSync(to, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    const digest = createHash("sha256");
    let bytes = 0;
    try {
      const chunk = Buffer.allocUnsafe(CHUNK);
      for (let got = readSync(source, chunk); got > 0; got = readSync(source, chunk)) {
        const piece = chunk.subarray(0, got);
        digest.update(piece);
        for (let done = 0; done < got; ) done += writeSync(target, piece, done);
        bytes += got;
        yield COPYING;
      }
    } finally {
      closeSync(target);
    }
    return { name, bytes, sha256: digest.digest("hex"), stamp: stampFrom(before) };
  } finally {
    closeSync(source);
  }
}

function opened(
  file: string,
  path: string,
  files: Evidence["files"],
  options: Database.Options,
  gone: () => void,
): Evidence | Finding {
  let database: Database.Database | null = null;
  const close = (): void => {
    database?.close();
    gone();
  };
  try {
    database = new Database(file, { ...options, timeout: 2_000 });
    // better-sqlite3 opens every database in defensive mode.
    database.pragma("trusted_schema = OFF");
    database.pragma("cell_size_check = ON");
    database.pragma("mmap_size = 0");
    // Read once from the beginning to the end: a cache of pages would only take memory.
    database.pragma("cache_size = -1024");
    database.pragma("query_only = ON");
    const wrong = wrongSchema(database) ?? wrongPages(database);
    if (wrong === null) return { database, files, close };
    close();
    return { code: "schema", seq: null, sentence: wrong };
  } catch (error) {
    close();
    const finding = unreadable(error);
    if (finding !== null) return finding;
    throw new AuditError("AUDIT_UNREADABLE", `${path} cannot be opened: ${sentenceOf(error)}`, { cause: error });
  }
}

function wrongPages(database: Database.Database): string | null {
  const size = database.pragma("page_size", { simple: true });
  return size === PAGE_SIZE
    ? null
    : `the file has pages of ${String(size)} bytes, and every audit log has pages of ${PAGE_SIZE}`;
}

/** What SQLite's error says of the file; null if it says nothing of it. */
export function unreadable(error: unknown): Finding | null {
  if (isSqlite(error, "SQLITE_NOTADB"))
    return {
      code: "not-a-database",
      seq: null,
      sentence: "the file is not a database, or its first page was overwritten",
    };
  if (
    isSqlite(
      error,
      "SQLITE_CORRUPT",
      "SQLITE_IOERR_SHORT_READ",
      "SQLITE_FORMAT",
      "SQLITE_ERROR",
      "SQLITE_CANTOPEN",
      "SQLITE_MISMATCH",
      "SQLITE_TOOBIG",
    )
  )
    return {
      code: "pages",
      seq: null,
      sentence: `a page of the file is damaged or missing (SQLite says: ${sentenceOf(error)})`,
    };
  return null;
}

/** Reads the note beside a database. @returns null if there is none. */
export function readNote(path: string): string | Finding | null {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    return codeOf(error) === "ELOOP" ? linked(path) : null;
  }
  try {
    const bytes = Buffer.alloc(MAX_NOTE);
    return bytes.subarray(0, readSync(file, bytes)).toString("utf8");
  } catch {
    return null;
  } finally {
    closeSync(file);
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : null;
}
