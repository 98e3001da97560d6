import { createHash, hash } from "node:crypto";
import {
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statfsSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";
import { AuditError } from "./error.ts";

/** Lists every other file with its SHA-256, as `sha256sum -c` reads it. */
export const MANIFEST = "MANIFEST.sha256";
/** So much room is left to the log, which is on the same disk more often than not, in bytes: without it everything would stop. */
const LEFT_FREE = 128 * 1024 * 1024;
/** Room is looked at each time so many bytes were written. */
const LOOK_EVERY = 16 * 1024 * 1024;
/** What is written at once, in bytes. */
const BUFFER = 256 * 1024;

/** A file that grows. */
export interface Growing {
  write(bytes: Uint8Array | string): void;
  end(): void;
}

/** The folder of an export while it is written: under another name, until all of it is on disk. */
export class ExportFolder {
  readonly #final: string;
  readonly #draft: string;
  readonly #made = new Set<string>();
  readonly #manifest: Growing;
  readonly #open = new Set<number>();
  #sinceLook = 0;
  #bytes = 0;
  #files = 0;

  private constructor(final: string, draft: string) {
    this.#final = final;
    this.#draft = draft;
    try {
      mkdirSync(draft, { mode: 0o700 });
    } catch (cause) {
      throw unwritable(`${dirname(final)} cannot be written`, cause);
    }
    try {
      this.#look();
      this.#manifest = this.#growing(MANIFEST, false);
    } catch (error) {
      this.discard();
      throw error;
    }
  }

  /** Begins an export. @param out, notInside as {@link mayExportTo}. @param id makes the name of the draft.
   *  @throws {AuditError} AUDIT_INVALID when it may not be written there, AUDIT_UNWRITABLE when it cannot. */
  static begin(out: string, id: string, notInside: readonly string[]): ExportFolder {
    const final = mayExportTo(out, notInside);
    return new ExportFolder(final, join(dirname(final), `.${basename(final)}.${id}.unfinished`));
  }

  get bytes(): number {
    return this.#bytes;
  }
  get files(): number {
    return this.#files;
  }

  /** Writes a file of its own. @param path with `/`, below the folder. */
  file(path: string, bytes: Uint8Array | string): void {
    const all = typeof bytes === "string" ? Buffer.from(bytes, "utf8") : bytes;
    const file = this.#create(path);
    this.#write(file, all);
    this.#close(file);
    this.#manifest.write(`${hash("sha256", all, "hex")}  ${path}\n`);
  }

  /** A file that is written piece by piece. It is in the manifest when it ends. */
  growing(path: string): Growing {
    return this.#growing(path, true);
  }

  /** Reads back what was written. */
  read(path: string): Uint8Array {
    return readFileSync(join(this.#draft, path));
  }

  #growing(path: string, listed: boolean): Growing {
    const file = this.#create(path);
    const digest = listed ? createHash("sha256") : null;
    const buffer = Buffer.allocUnsafeSlow(BUFFER);
    let held = 0;
    const out = (bytes: Uint8Array): void => {
      digest?.update(bytes);
      this.#write(file, bytes);
    };
    const flush = (): void => {
      if (held > 0) out(buffer.subarray(0, held));
      held = 0;
    };
    return {
      write: (bytes) => {
        const piece = typeof bytes === "string" ? Buffer.from(bytes, "utf8") : bytes;
        if (held + piece.length > BUFFER) flush();
        if (piece.length >= BUFFER) {
          out(piece);
          return;
        }
        buffer.set(piece, held);
        held += piece.length;
      },
      end: () => {
        flush();
        this.#close(file);
        if (digest !== null) this.#manifest.write(`${digest.digest("hex")}  ${path}\n`);
      },
    };
  }

  #create(path: string): number {
    this.#folderOf(path);
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
    const file = this.#try(() => openSync(join(this.#draft, path), flags, 0o600));
    this.#open.add(file);
    return file;
  }

  #close(file: number): void {
    this.#open.delete(file);
    this.#try(() => closeSync(file));
    this.#files += 1;
  }

  #write(file: number, bytes: Uint8Array): void {
    this.#try(() => {
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
    });
    this.#bytes += bytes.length;
    this.#sinceLook += bytes.length;
    if (this.#sinceLook >= LOOK_EVERY) this.#look();
  }

  #look(): void {
    this.#sinceLook = 0;
    const { bavail, bsize } = statfsSync(this.#draft);
    if (bavail * bsize < LEFT_FREE)
      throw unwritable("the disk has less than 128 MB left, which are kept for the log", null);
  }

  #folderOf(path: string): void {
    const folder = dirname(path);
    if (folder === "." || this.#made.has(folder)) return;
    this.#try(() => mkdirSync(join(this.#draft, folder), { recursive: true, mode: 0o700 }));
    for (let at = folder; at !== "."; at = dirname(at)) this.#made.add(at);
  }

  #try<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      throw unwritable(`${dirname(this.#final)} cannot be written`, cause);
    }
  }

  /** All of it on disk, then under its own name: it is there whole or not at all.
   *  @returns SHA-256 of the manifest, hex: it stands for every byte of the export. */
  finish(): string {
    this.#manifest.end();
    const digest = createHash("sha256").update(this.read(MANIFEST)).digest("hex");
    this.#try(() => syncAll(this.#draft));
    // Where it was put meanwhile, a folder with something in it refuses; an empty one is replaced.
    this.#try(() => {
      if (process.platform === "win32") removeEmpty(this.#final);
      renameSync(this.#draft, this.#final);
    });
    this.#try(() => syncOne(dirname(this.#final)));
    return digest;
  }

  /** Nothing of it stays. */
  discard(): void {
    for (const file of this.#open) closeSync(file);
    this.#open.clear();
    rmSync(this.#draft, { recursive: true, force: true });
  }
}

/** May an export be written there? @param out a folder that is not there, or is empty.
 *  @param notInside folders of ours, where nobody looks for an export, and which it would become a part of.
 *  @returns where it really lies. @throws {AuditError} AUDIT_INVALID. */
export function mayExportTo(out: string, notInside: readonly string[]): string {
  const final = placeOf(out);
  for (const folder of notInside) {
    const inside = realpathSync(folder);
    if (final === inside || final.startsWith(`${inside}${sep}`))
      throw invalid(`${out} lies inside ${folder}: an export is handed over, so choose a folder outside of it`);
  }
  refuseUsed(out, final);
  return final;
}

/** @returns where the folder really lies, links in the path to it followed. */
function placeOf(out: string): string {
  const given = resolve(out);
  if (dirname(given) === given) throw invalid(`${out} is the root of a file system: name a folder in it`);
  try {
    return join(realpathSync(dirname(given)), basename(given));
  } catch (cause) {
    const sentence = `nothing was exported: there is no folder ${dirname(given)}: make it first`;
    throw new AuditError("AUDIT_INVALID", sentence, { cause });
  }
}

/** Refuses what is there already, an empty folder aside. */
function refuseUsed(out: string, final: string): void {
  const found = lstatSync(final, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (found.isSymbolicLink()) throw invalid(`${out} is a symbolic link: name the folder itself`);
  if (!found.isDirectory()) throw invalid(`${out} is a file: name a folder that is not there yet`);
  let held: string[];
  try {
    held = readdirSync(final);
  } catch (cause) {
    throw unwritable(`${out} cannot be read`, cause);
  }
  if (held.length > 0) throw invalid(`${out} is not empty: an export is a folder of its own, so name a new one`);
  if (lstatSync(dirname(final)).dev !== found.dev)
    throw invalid(`${out} is the root of a file system: name a folder in it, which is then made`);
}

function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}

function syncOne(path: string): void {
  const descriptor = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Puts a tree of files on disk. On Linux one call does it for the whole file system: an fsync of each of thousands takes many times as long. */
function syncAll(folder: string): void {
  if (process.platform === "linux" && syncFileSystem(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) syncAll(path);
    else syncOne(path);
  }
  if (process.platform !== "win32") syncOne(folder);
}

/** @returns false where the C library cannot be called, or reports an error. */
function syncFileSystem(folder: string): boolean {
  const descriptor = openSync(folder, constants.O_RDONLY);
  try {
    using c = process.getBuiltinModule("node:ffi").dlopen(null, { syncfs: { arguments: ["int32"], return: "int32" } });
    return c.functions.syncfs(descriptor) === 0;
  } catch {
    return false;
  } finally {
    closeSync(descriptor);
  }
}

function invalid(sentence: string): AuditError {
  return new AuditError("AUDIT_INVALID", `nothing was exported: ${sentence}`);
}

function unwritable(where: string, cause: unknown): AuditError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const why = code === "ENOSPC" || code === "EDQUOT" ? ": the disk is full" : code === "" ? "" : ` (${code})`;
  return new AuditError("AUDIT_UNWRITABLE", `nothing was exported: ${where}${why}`, { cause });
}
