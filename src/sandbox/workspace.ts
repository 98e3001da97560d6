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
import { enterFolder, type Folder, type Place, wrongWith } from "./folder.ts";
import { HEAD, isProtected, makesRepository } from "./protected.ts";
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
  /** The folder that it lies in; null: in the workspace's own directory. */
  readonly folder: Folder | null;
  readonly kind: "file" | "directory" | "other" | "missing";
  readonly protected: boolean;
}

export interface Entry {
  /** Relative to the directory that was listed. */
  readonly path: string;
  /** `gone`: a folder that was added, and vanished or was replaced. */
  readonly kind: "file" | "directory" | "link" | "other" | "gone";
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

/** An agent's directory and the folders that are part of it, and the only way the file tools touch them. */
export class Workspace {
  readonly root: string;
  readonly #folders: readonly Folder[];
  readonly #ours: Ours;

  /** @param place an existing directory. @throws {WorkspaceError} if it is none, or if the data directory lies in it. */
  constructor(place: Place, ours: Ours, outside = false) {
    this.root = resolve(place.workspace);
    this.#folders = place.folders;
    this.#ours = ours;
    if (!outside && `${resolve(ours.home)}${sep}`.startsWith(`${this.root}${sep}`)) {
      throw new WorkspaceError(
        "WORKSPACE_UNUSABLE",
        `${this.root} holds the data directory, so it cannot be a workspace: choose a directory inside it or elsewhere`,
      );
    }
    using top = this.#walk(".", "none");
    void top;
  }

  /** All of this machine's files, each by its exact path. Whoever asks for one was told by a person that they may, and that it is none of ours. */
  static outside(ours: Ours): Workspace {
    return new Workspace({ workspace: sep, folders: [] }, ours, true);
  }

  #walk(path: string, links: "within" | "none"): Walk {
    return Walk.to({ workspace: this.root, folders: this.#folders }, path, links);
  }

  /** Where a path leads. @throws {WorkspaceError} if out of the workspace. */
  locate(path: string): Located {
    using walk = this.#walk(path, "within");
    const { relative: found, kind, folder } = walk;
    return { path: found, folder, kind, protected: this.#protected(walk.names, kind) };
  }

  #protected(names: readonly string[], kind: Located["kind"]): boolean {
    if (isProtected(names, kind) || makesRepository(names)) return true;
    // In a repository of another name than `.git` the same is protected.
    return names.some((_, at) => {
      const inside = [...names.slice(0, Math.max(0, at - 1)), ".git", ...names.slice(at)];
      if (!isProtected(inside, kind)) return false;
      try {
        using head = this.#walk([...names.slice(0, at), HEAD].join("/"), "none");
        return head.kind !== "missing" && head.kind !== "directory";
      } catch (cause) {
        // A link is one too. Else what lies above is no directory.
        return cause instanceof WorkspaceError && cause.code === "FILE_CHANGED";
      }
    });
  }

  /** Reads a regular file whole. @param links see {@link Walk.to}. @throws {WorkspaceError} */
  read(path: string, maxBytes: number, links: "within" | "none" = "within"): FileRead {
    using walk = this.#walk(path, links);
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
    using walk = this.#walk(path, "none");
    if (walk.kind === "missing") throw new WorkspaceError("PATH_MISSING", `${walk.relative} does not exist`);
    if (walk.kind !== "directory") throw new WorkspaceError("NOT_A_DIRECTORY", `${walk.relative} is not a directory`);
    const entries: Entry[] = [];
    try {
      const folders = walk.names.length === 0 ? this.#folders : [];
      const more = !listInto(entries, walk.directory, folders, "", depth, maxEntries);
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
    using walk = this.#walk(path, "none");
    if (walk.folder?.write === false) throw readOnly(walk.folder.name, walk.relative);
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
        this.#give(directory.fd, walk.folder);
      }
      this.#replaceIn(directory, walk.last, walk.folder, path, base, content, maxBytes);
    } catch (cause) {
      throw cause instanceof WorkspaceError ? cause : unusable(path, cause);
    } finally {
      for (const directory of below) directory[Symbol.dispose]();
    }
  }

  #replaceIn(
    directory: Directory,
    name: string,
    folder: Folder | null,
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
        this.#give(fd, folder, before);
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

  /** As root, what a file tool writes belongs to whoever owns the file, its folder or the workspace, as whom commands run. */
  #give(fd: number, folder: Folder | null, before: Stats | null = null): void {
    if (process.getuid?.() !== 0) return;
    const owner = before ?? statSync(folder?.path ?? this.root);
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

function listInto(
  entries: Entry[],
  directory: Directory,
  folders: readonly Folder[],
  prefix: string,
  depth: number,
  maxEntries: number,
): boolean {
  const names = new Set([...readdirSync(directory.self), ...folders.map(({ name }) => name)]);
  for (const name of [...names].toSorted()) {
    if (entries.length >= maxEntries) return false;
    const path = `${prefix}${name}`;
    const folder = folders.find((one) => one.name === name);
    if (folder !== undefined && wrongWith(folder) !== null) {
      entries.push({ path, kind: "gone", size: 0, target: null });
      continue;
    }
    const found = folder === undefined ? directory.look(name) : null;
    if (folder === undefined && found === null) continue;
    if (found === null || found.isDirectory()) {
      entries.push({ path, kind: "directory", size: 0, target: null });
      if (depth > 1) {
        using child = folder === undefined ? directory.child(name) : enterFolder(folder);
        if (!listInto(entries, child, [], `${path}/`, depth - 1, maxEntries)) return false;
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

function readOnly(folder: string, path: string): WorkspaceError {
  return new WorkspaceError(
    "PATH_FORBIDDEN",
    `${path} cannot be changed: the folder ${folder} was added to be read only (its owner can add it with --write)`,
  );
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
