import { readlinkSync } from "node:fs";
import { Directory } from "./directory.ts";
import { enterFolder, type Folder, type Place } from "./folder.ts";
import { WorkspaceError } from "./workspace-error.ts";

/** Where the workspace lies inside the sandbox: commands see this path, so models use it. */
export const INSIDE = "/workspace";

/** As the kernel's own limit. */
const MAX_LINKS = 40;
const MAX_PATH = 4096;

/** A path that was gone to, component by component, with every directory on the way held open. */
export class Walk implements Disposable {
  /** The workspace first. */
  readonly #held: Directory[];
  readonly #names: string[];
  /** What is there: a directory is the last one held; anything else has its name in it. */
  readonly kind: "file" | "directory" | "other" | "missing";
  /** Directories below the last one that do not exist yet, before the last name. */
  readonly missingParents: readonly string[];
  readonly last: string | null;
  /** The folder that the path goes into; null: it is of the workspace's own directory. */
  readonly folder: Folder | null;

  private constructor(
    held: Directory[],
    names: string[],
    kind: Walk["kind"],
    last: string | null,
    missingParents: readonly string[],
    folders: readonly Folder[],
  ) {
    this.#held = held;
    this.#names = names;
    this.kind = kind;
    this.last = last;
    this.missingParents = missingParents;
    this.folder = folders.find(({ name }) => name === names[0]) ?? null;
  }

  /** Goes to `path` and never leaves the workspace and its folders: `..` above it, an absolute path or a symbolic link that leads out is refused.
   *  A folder stands before whatever has its name in the workspace's own directory.
   *  @param links "within": a link that stays inside is followed. "none": there must be none (a recorded path has none left in it).
   *  @throws {WorkspaceError} */
  static to(place: Place, path: string, links: "within" | "none"): Walk {
    const { workspace: root, folders } = place;
    const pending = componentsOf(place, path);
    const held: Directory[] = [openRoot(root)];
    const names: string[] = [];
    let followed = 0;
    try {
      for (;;) {
        const name = pending.shift();
        const here = held.at(-1);
        if (here === undefined) throw outside(path);
        if (name === undefined) return new Walk(held, names, "directory", null, [], folders);
        if (name === "..") {
          if (names.pop() === undefined) throw outside(path);
          held.pop()?.[Symbol.dispose]();
          continue;
        }
        const folder = held.length === 1 ? folders.find((one) => one.name === name) : undefined;
        if (folder !== undefined) {
          held.push(enterFolder(folder));
          names.push(name);
          continue;
        }
        const found = here.look(name);
        if (found === null) {
          const below = [name, ...pending];
          if (below.includes("..")) throw new WorkspaceError("PATH_MISSING", `${path} does not exist`);
          return new Walk(held, [...names, ...below], "missing", below.at(-1) ?? name, below.slice(0, -1), folders);
        }
        if (found.isSymbolicLink()) {
          followed += 1;
          if (links === "none") throw new WorkspaceError("FILE_CHANGED", `${path} is a symbolic link now`);
          if (followed > MAX_LINKS) throw new WorkspaceError("PATH_BAD", `${path} goes through too many links`);
          const target = readlinkSync(here.at(name));
          if (target.startsWith("/")) {
            pending.unshift(...componentsOf(place, target));
            while (held.length > 1) held.pop()?.[Symbol.dispose]();
            names.length = 0;
          } else pending.unshift(...split(target));
          continue;
        }
        if (found.isDirectory()) {
          held.push(here.child(name));
          names.push(name);
          continue;
        }
        if (pending.length > 0)
          throw new WorkspaceError("NOT_A_DIRECTORY", `${[...names, name].join("/")} is not a directory`);
        return new Walk(held, [...names, name], found.isFile() ? "file" : "other", name, [], folders);
      }
    } catch (cause) {
      for (const directory of held) directory[Symbol.dispose]();
      throw cause instanceof WorkspaceError ? cause : unusable(path, cause);
    }
  }

  /** The directory that holds the last name, or the one that was walked to. */
  get directory(): Directory {
    const directory = this.#held.at(-1);
    if (directory === undefined) throw new WorkspaceError("PATH_BAD", "this path was let go");
    return directory;
  }

  /** From the workspace down, links resolved. */
  get names(): readonly string[] {
    return this.#names;
  }

  /** The workspace itself is `.`. */
  get relative(): string {
    return this.#names.length === 0 ? "." : this.#names.join("/");
  }

  [Symbol.dispose](): void {
    for (const directory of this.#held.splice(0)) directory[Symbol.dispose]();
  }
}

function openRoot(root: string): Directory {
  try {
    return Directory.open(root);
  } catch (cause) {
    throw new WorkspaceError("WORKSPACE_UNUSABLE", `the workspace ${root} cannot be opened: make it a directory`, {
      cause,
    });
  }
}

function componentsOf({ workspace, folders }: Place, path: string): string[] {
  if (path.includes("\0")) throw new WorkspaceError("PATH_BAD", "a path cannot hold a NUL");
  if (path.length > MAX_PATH) throw new WorkspaceError("PATH_BAD", `a path has at most ${MAX_PATH} characters`);
  if (!path.startsWith("/")) return split(path);
  const tops: readonly (readonly [top: string, ...names: string[]])[] = [
    [INSIDE],
    ...folders.map((folder) => [folder.path, folder.name] as const),
    [workspace],
  ];
  for (const [top, ...names] of tops) {
    if (path === top) return names;
    if (path.startsWith(`${top}/`)) return [...names, ...split(path.slice(top.length + 1))];
  }
  throw outside(path);
}

function split(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

function outside(path: string): WorkspaceError {
  return new WorkspaceError(
    "PATH_OUTSIDE",
    `${JSON.stringify(path)} leads out of the workspace: give a path relative to it`,
  );
}

/** What the system says, as a sentence. */
export function unusable(path: string, cause: unknown): WorkspaceError {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  switch (code) {
    case "ENOENT":
      return new WorkspaceError("PATH_MISSING", `${path} does not exist`, { cause });
    case "ENOTDIR":
    case "ELOOP":
      return new WorkspaceError("FILE_CHANGED", `${path} changed while it was looked at`, { cause });
    case "EACCES":
    case "EPERM":
      return new WorkspaceError("PATH_FORBIDDEN", `${path} cannot be opened: its permissions do not allow it`, {
        cause,
      });
    case "ENAMETOOLONG":
      return new WorkspaceError("PATH_BAD", "a name in that path is too long", { cause });
    case "ENOSPC":
    case "EDQUOT":
      return new WorkspaceError("WORKSPACE_UNUSABLE", `${path} cannot be written: the disk is full`, { cause });
    case "EROFS":
      return new WorkspaceError("WORKSPACE_UNUSABLE", `${path} cannot be written: the file system is read-only`, {
        cause,
      });
    default:
      return new WorkspaceError("WORKSPACE_UNUSABLE", `${path} cannot be used (${String(code)})`, { cause });
  }
}
