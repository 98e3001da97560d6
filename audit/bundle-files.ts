import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import { AuditError } from "./error.ts";
import type { Findings } from "./findings.ts";

/** An export has a file for each 128 rows, or for each disclosed one. More than this nobody made by exporting. */
const MAX_FILES = 2_000_000;
/** `tile/entries/x001/x234/067.p/5` lies six deep. */
const MAX_DEPTH = 8;
const CHUNK = 1024 * 1024;

/** The files of a folder that somebody else made: none is opened that is not a plain file below it, and none is read beyond what it may hold. */
export class BundleFiles {
  readonly #root: string;
  readonly #names: ReadonlySet<string>;

  private constructor(root: string, names: ReadonlySet<string>) {
    this.#root = root;
    this.#names = names;
  }

  /** Lists the folder. What is neither a file nor a folder is a finding, and is left alone.
   *  @throws {AuditError} AUDIT_UNREADABLE if it cannot be listed. */
  static list(root: string, findings: Findings): BundleFiles {
    const names = new Set<string>();
    const walk = (folder: string, depth: number): void => {
      for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
        const name = folder === "" ? entry.name : `${folder}/${entry.name}`;
        if (entry.isDirectory() && depth < MAX_DEPTH) walk(name, depth + 1);
        else if (entry.isFile() && names.size < MAX_FILES) names.add(name);
        else if (entry.isSymbolicLink())
          findings.add("link", null, `${name} is a symbolic link: what it leads to is not part of the export`);
        else findings.add("bundle-file", null, `${name} is nothing that an export holds`);
      }
    };
    try {
      if (lstatSync(root).isSymbolicLink())
        findings.add("link", null, "the folder is a symbolic link: what it leads to can be changed while it is read");
      walk("", 0);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new AuditError("AUDIT_UNREADABLE", `${root} cannot be read: ${why}`, { cause });
    }
    return new BundleFiles(root, names);
  }

  get names(): ReadonlySet<string> {
    return this.#names;
  }

  /** Opens a file for reading. @returns null if there is none. */
  open(name: string): number | null {
    if (!this.#names.has(name)) return null;
    let file: number;
    try {
      // A pipe that was put there since would else be waited for.
      file = openSync(join(this.#root, name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch {
      return null;
    }
    if (fstatSync(file).isFile()) return file;
    closeSync(file);
    return null;
  }

  /** A whole file. @returns null if there is none, or it is longer than `most` bytes. */
  read(name: string, most: number): Buffer | null {
    const file = this.open(name);
    if (file === null) return null;
    try {
      const { size } = fstatSync(file);
      if (size > most) return null;
      const bytes = Buffer.alloc(size);
      let done = 0;
      for (let got = -1; got !== 0 && done < size; done += got) got = readSync(file, bytes, done, size - done, done);
      return done === size ? bytes : null;
    } finally {
      closeSync(file);
    }
  }

  text(name: string, most: number): string | null {
    return this.read(name, most)?.toString("utf8") ?? null;
  }

  /** SHA-256 of a file behind some bytes. @returns null if there is none, or it is longer than `most`. */
  digest(name: string, most: number = Number.MAX_SAFE_INTEGER, before: readonly Uint8Array[] = []): string | null {
    const file = this.open(name);
    if (file === null) return null;
    try {
      const digest = createHash("sha256");
      for (const bytes of before) digest.update(bytes);
      const chunk = Buffer.allocUnsafe(CHUNK);
      let done = 0;
      for (let got = readSync(file, chunk); got > 0; got = readSync(file, chunk)) {
        done += got;
        if (done > most) return null;
        digest.update(chunk.subarray(0, got));
      }
      return digest.digest("hex");
    } finally {
      closeSync(file);
    }
  }

  /** The lines of a file, their newlines taken off; valid until the next. One longer than `most`, or without its newline, is given as null and ends it. */
  *lines(name: string, most: number): Generator<Buffer | null, void> {
    const file = this.open(name);
    if (file === null) return;
    try {
      const buffer = Buffer.allocUnsafe(Math.max(CHUNK, most + 1));
      let held = 0;
      for (;;) {
        const got = readSync(file, buffer, held, buffer.length - held, null);
        held += got;
        let start = 0;
        for (let end = buffer.indexOf(10, start); end >= 0 && end < held; end = buffer.indexOf(10, start)) {
          if (end - start > most) {
            yield null;
            return;
          }
          yield buffer.subarray(start, end);
          start = end + 1;
        }
        buffer.copy(buffer, 0, start, held);
        held -= start;
        if (held > most || (got === 0 && held > 0)) yield null;
        if (held > most || got === 0) return;
      }
    } finally {
      closeSync(file);
    }
  }
}
