import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readSync, type Stats } from "node:fs";
import { join } from "node:path";

/** Entries that are looked at after one command. */
const MAX_ENTRIES = 20_000;
/** Bytes that are hashed for it. */
const MAX_HASHED = 16 * 1024 * 1024;
/** A file system stamps a change with the time of the kernel's last tick. */
const TICK_MS = 20;

/** A file as labels know it. */
export interface SurveyedFile {
  /** On this machine. */
  readonly path: string;
  /** `device:inode`: it stays while a file is moved. */
  readonly inode: string;
  /** SHA-256 of its bytes, hex; null: it was too much to be read. */
  readonly digest: string | null;
  /** When anything about it was changed last, in milliseconds since 1970: no program sets this. */
  readonly changed: number;
}

/** Looks a file up. @returns null where there is no plain file. */
export function surveyFile(path: string): SurveyedFile | null {
  try {
    const found = lstatSync(path);
    return found.isFile() ? { ...seen(path, found), digest: digestOf(path, MAX_HASHED) } : null;
  } catch {
    return null;
  }
}

/** What a command may have written, and where what was known of before is now.
 *  @param since when it began, in milliseconds since 1970. @param known inodes that are looked for, changed or not.
 *  @returns `complete`: false where there was more to be looked at than is looked at. */
export function surveyTrees(
  roots: readonly string[],
  since: number,
  known: ReadonlySet<string>,
): { readonly files: SurveyedFile[]; readonly complete: boolean } {
  const files: SurveyedFile[] = [];
  let [left, room] = [MAX_ENTRIES, MAX_HASHED];
  let complete = true;
  const open = [...roots];
  for (let directory = open.pop(); directory !== undefined; directory = open.pop()) {
    let names: string[];
    try {
      names = readdirSync(directory);
    } catch {
      complete = false;
      continue;
    }
    for (const name of names) {
      left -= 1;
      if (left < 0) return { files, complete: false };
      const path = join(directory, name);
      const found = lstatSync(path, { throwIfNoEntry: false });
      if (found?.isDirectory() === true) open.push(path);
      if (found?.isFile() !== true) continue;
      const file = seen(path, found);
      if (file.changed < since - TICK_MS && !known.has(file.inode)) continue;
      const digest = found.size > room ? null : digestOf(path, room);
      room -= digest === null ? 0 : found.size;
      files.push({ ...file, digest });
    }
  }
  return { files, complete };
}

function seen(path: string, { dev, ino, ctimeMs }: Stats): Omit<SurveyedFile, "digest"> {
  return { path, inode: `${dev}:${ino}`, changed: ctimeMs };
}

function digestOf(path: string, most: number): string | null {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return null;
  }
  try {
    if (!fstatSync(file).isFile()) return null;
    const hash = createHash("sha256");
    const piece = Buffer.allocUnsafe(256 * 1024);
    for (let all = 0; ; ) {
      const read = readSync(file, piece, 0, piece.length, null);
      if (read === 0) return hash.digest("hex");
      all += read;
      if (all > most) return null;
      hash.update(piece.subarray(0, read));
    }
  } catch {
    return null;
  } finally {
    closeSync(file);
  }
}
