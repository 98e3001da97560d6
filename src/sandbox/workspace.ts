import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join, resolve, sep } from "node:path";
import type { Directory } from "./directory.ts";
import { isProtected } from "./protected.ts";
import { unusable, Walk } from "./walk.ts";
import { WorkspaceError } from "./workspace-error.ts";

/** A file as it is read whole. */
export interface FileRead {
  /** Relative to the workspace, links resolved. */
  readonly path: string;
  readonly bytes: Uint8Array;
  /** SHA-256 of the bytes, hex. */
  readonly digest: string;
}

export interface Located {
  readonly path: string;
  readonly kind: "file" | "directory" | "other" | "missing";
  readonly protected: boolean;
}

export interface Entry {
  /** Relative to the directory that was listed. */
  readonly path: string;
  readonly kind: "file" | "directory" | "link" | "other";
  /** Bytes; 0 for what is no file. */
  readonly size: number;
  /** Where a link points, as it is written. */
  readonly target: string | null;
}

/** What is never reached through a workspace, whatever was decided. */
export interface Ours {
  /** The data directory. The workspaces in it are the exception. */
  readonly home: string;
  /** Our own executable. */
  readonly executable: string;
}

/** Files in the data directory itself are looked at one by one when a file has a second name. */
const MAX_HOME_FILES = 1000;

/** One agent's directory, and the only way the file tools touch it. */
export class Workspace {
  readonly root: string;
  readonly #ours: Ours;

  /** @param root an existing directory. @throws {WorkspaceError} if it is none, or if the data directory lies in it. */
  constructor(root: string, ours: Ours) {
    this.root = resolve(root);
    this.#ours = ours;
    if (`${resolve(ours.home)}${sep}`.startsWith(`${this.root}${sep}`)) {
      throw new WorkspaceError(
        "WORKSPACE_UNUSABLE",
        `${this.root} holds the data directory, so it cannot be a workspace: choose a directory inside it or elsewhere`,
      );
    }
    using top = Walk.to(this.root, ".", "none");
    void top;
  }

  /** Where a path leads. @throws {WorkspaceError} if out of the workspace. */
  locate(path: string): Located {
    using walk = Walk.to(this.root, path, "within");
    return { path: walk.relative, kind: walk.kind, protected: isProtected(walk.names, walk.kind) };
  }

  /** Reads a regular file whole. @param links see {@link Walk.to}. @throws {WorkspaceError} */
  read(path: string, maxBytes: number, links: "within" | "none" = "within"): FileRead {
    using walk = Walk.to(this.root, path, links);
    if (walk.kind === "missing") throw new WorkspaceError("PATH_MISSING", `${walk.relative} does not exist`);
    if (walk.kind !== "file" || walk.last === null) {
      throw new WorkspaceError(
        "NOT_A_FILE",
        `${walk.relative} is ${walk.kind === "directory" ? "a directory" : "no regular file"}`,
      );
    }
    const bytes = this.#bytesOf(walk.directory, walk.last, walk.relative, maxBytes);
    return { path: walk.relative, bytes, digest: createHash("sha256").update(bytes).digest("hex") };
  }

  /** Lists a directory, and the directories in it down to `depth`, in order of name. @throws {WorkspaceError} */
  list(path: string, depth: number, maxEntries: number): { path: string; entries: Entry[]; more: boolean } {
    using walk = Walk.to(this.root, path, "none");
    if (walk.kind === "missing") throw new WorkspaceError("PATH_MISSING", `${walk.relative} does not exist`);
    if (walk.kind !== "directory") throw new WorkspaceError("NOT_A_DIRECTORY", `${walk.relative} is not a directory`);
    const entries: Entry[] = [];
    try {
      const more = !listInto(entries, walk.directory, "", depth, maxEntries);
      return { path: walk.relative, entries, more };
    } catch (cause) {
      throw unusable(walk.relative, cause);
    }
  }

  /** Replaces or creates a file: written beside it, synced, compared with `base`, renamed over it. Missing directories are made.
   *  @param path as {@link locate} gave it: no links.
   *  @param base SHA-256 of what must be there now; null: nothing may be.
   *  @param maxBytes of the file to be replaced.
   *  @throws {WorkspaceError} `FILE_CHANGED` or `FILE_EXISTS` if something else is there. */
  replace(path: string, base: string | null, content: Uint8Array, maxBytes: number): void {
    using walk = Walk.to(this.root, path, "none");
    if (walk.kind !== "file" && walk.kind !== "missing") {
      throw new WorkspaceError("NOT_A_FILE", `${walk.relative} is not a regular file`);
    }
    if (walk.last === null) throw new WorkspaceError("NOT_A_FILE", `${walk.relative} is not a regular file`);
    if (walk.kind === "missing" && base !== null) throw changed(path);
    const below: Directory[] = [];
    try {
      let directory = walk.directory;
      for (const name of walk.missingParents) {
        mkdirSync(directory.at(name), 0o755);
        directory = directory.child(name);
        below.push(directory);
        this.#give(directory.fd);
      }
      this.#replaceIn(directory, walk.last, path, base, content, maxBytes);
    } catch (cause) {
      throw cause instanceof WorkspaceError ? cause : unusable(path, cause);
    } finally {
      for (const directory of below) directory[Symbol.dispose]();
    }
  }

  #replaceIn(
    directory: Directory,
    name: string,
    path: string,
    base: string | null,
    content: Uint8Array,
    maxBytes: number,
  ): void {
    const temporary = `.wirken-${randomBytes(8).toString("hex")}.tmp`;
    const before = directory.look(name);
    const fd = openSync(
      directory.at(temporary),
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
    try {
      try {
        for (let at = 0; at < content.length; ) at += writeSync(fd, content, at);
        fchmodSync(fd, before === null ? 0o644 : before.mode & 0o777);
        this.#give(fd, before);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      if (base === null) {
        // A link fails where a rename would overwrite.
        linkSync(directory.at(temporary), directory.at(name));
        unlinkSync(directory.at(temporary));
      } else {
        const now = createHash("sha256")
          .update(this.#bytesOf(directory, name, path, maxBytes))
          .digest("hex");
        if (now !== base) throw changed(path);
        renameSync(directory.at(temporary), directory.at(name));
      }
      fsyncSync(directory.fd);
    } catch (cause) {
      try {
        unlinkSync(directory.at(temporary));
      } catch {
        // Renamed already, or the directory is gone: the first error says more.
      }
      if (cause instanceof Error && "code" in cause && cause.code === "EEXIST") {
        throw new WorkspaceError("FILE_EXISTS", `${path} exists now, and did not when this was asked`, { cause });
      }
      throw cause;
    }
  }

  /** As root, what a file tool writes belongs to whoever owns the file or the workspace, as whom commands run. */
  #give(fd: number, before: Stats | null = null): void {
    if (process.getuid?.() !== 0) return;
    const owner = before ?? statSync(this.root);
    fchownSync(fd, owner.uid, owner.gid);
  }

  #bytesOf(directory: Directory, name: string, path: string, maxBytes: number): Buffer {
    let fd: number;
    try {
      // O_NONBLOCK: a FIFO does not hold us up; it is refused below.
      fd = openSync(directory.at(name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (cause) {
      throw unusable(path, cause);
    }
    try {
      const stats = fstatSync(fd);
      if (!stats.isFile()) throw new WorkspaceError("NOT_A_FILE", `${path} is no regular file`);
      if (this.#isOurs(stats)) throw new WorkspaceError("PATH_FORBIDDEN", `${path} is one of Wirken's own files`);
      if (stats.size > maxBytes) throw tooLarge(path, stats.size, maxBytes);
      const bytes = Buffer.alloc(stats.size + 1);
      let length = 0;
      for (;;) {
        const read = readSync(fd, bytes, length, bytes.length - length, null);
        length += read;
        if (read === 0) return bytes.subarray(0, length);
        if (length === bytes.length) throw new WorkspaceError("FILE_CHANGED", `${path} grows while it is read`);
      }
    } finally {
      closeSync(fd);
    }
  }

  /** A second name (a hard link) for our executable or for a file of the data directory. */
  #isOurs(stats: Stats): boolean {
    if (sameFile(stats, this.#ours.executable)) return true;
    if (stats.nlink < 2) return false;
    let names: string[];
    try {
      names = readdirSync(this.#ours.home);
    } catch {
      return true;
    }
    if (names.length > MAX_HOME_FILES) return true;
    return names.some((name) => sameFile(stats, join(this.#ours.home, name)));
  }
}

function listInto(entries: Entry[], directory: Directory, prefix: string, depth: number, maxEntries: number): boolean {
  for (const name of readdirSync(directory.self).toSorted()) {
    if (entries.length >= maxEntries) return false;
    const found = directory.look(name);
    if (found === null) continue;
    const path = `${prefix}${name}`;
    if (found.isDirectory()) {
      entries.push({ path, kind: "directory", size: 0, target: null });
      if (depth > 1) {
        using child = directory.child(name);
        if (!listInto(entries, child, `${path}/`, depth - 1, maxEntries)) return false;
      }
    } else if (found.isSymbolicLink()) {
      entries.push({ path, kind: "link", size: 0, target: readlinkSync(directory.at(name)) });
    } else {
      const file = found.isFile();
      entries.push({ path, kind: file ? "file" : "other", size: file ? found.size : 0, target: null });
    }
  }
  return true;
}

function sameFile(stats: Stats, path: string): boolean {
  try {
    const other = statSync(path);
    return other.ino === stats.ino && other.dev === stats.dev;
  } catch {
    return false;
  }
}

function changed(path: string): WorkspaceError {
  return new WorkspaceError("FILE_CHANGED", `${path} is not the file any more that it was when this was asked`);
}

function tooLarge(path: string, size: number, maxBytes: number): WorkspaceError {
  return new WorkspaceError(
    "FILE_TOO_LARGE",
    `${path} has ${size} bytes, and at most ${maxBytes} can be handled: use exec with head, tail or grep`,
  );
}
