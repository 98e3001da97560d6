import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readdirSync, readlinkSync, readSync, type Stats } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { Directory } from "./directory.ts";
import type { Place } from "./folder.ts";
import { HOME_FOLDER } from "./home-folder.ts";

/** What is kept of one file, and of all files together, before a command that may change them; a larger file is not put back, and is named before.
 *  They are in memory while the command runs, so that what it leaves alone is written nowhere. */
export const MAX_KEPT_FILE = 4 * 1024 * 1024;
export const MAX_KEPT = 32 * 1024 * 1024;
/** Entries that are looked at; of what lies beyond nothing is kept. */
export const MAX_ENTRIES = 10_000;
/** Entries between two moments in which others run. */
const ENTRIES_AT_ONCE = 500;
/** The longest step of the clock that files are marked by, twice over, in milliseconds. */
const CLOCK_STEP_MS = 20;
/** A changed file up to this size is told from others by what is in it, in bytes. */
const MAX_HASHED = 64 * 1024 * 1024;

/** What stands under a name, as it is put back or compared. */
export type State =
  | { readonly kind: "file"; readonly mode: number; readonly digest: string | null; readonly size: number }
  | { readonly kind: "link"; readonly target: string }
  | { readonly kind: "directory"; readonly mode: number }
  | { readonly kind: "other" };

/** Something that a command changed. */
export interface Change {
  /** The directory that may be changed: the workspace's own, or a folder's. */
  readonly root: string;
  /** Below it. */
  readonly path: string;
  /** Null: nothing was there. */
  readonly before: State | null;
  /** Null: nothing is there now. */
  readonly after: State | null;
  /** The file as it was; null where that was no file, or was not kept. */
  readonly bytes: Uint8Array | null;
}

interface Seen {
  readonly kind: State["kind"];
  readonly mode: number;
  readonly size: number;
  /** Tells whether it was touched: a command can set none of them at will together, for the last is the kernel's. */
  readonly mark: string;
  readonly target: string | null;
  readonly bytes: Uint8Array | null;
}

/** What would not be put back after a command that may change these directories: files too large, or too many. Paths as the agent sees them. */
export function unkeptOf(place: Place): string[] {
  const unkept: string[] = [];
  const room = { bytes: MAX_KEPT, entries: MAX_ENTRIES };
  for (const { root, prefix, without } of rootsOf(place))
    for (const [path, , stats] of entriesBelow(root, without, room))
      if (stats.isFile() && !takes(room, stats.size)) unkept.push(`${prefix}${path}`);
  if (room.entries < 0) unkept.push(BEYOND);
  return unkept;
}

const BEYOND = `whatever lies beyond the first ${MAX_ENTRIES} files and directories`;

/** Directories that a command may change, as they were before it. What it has as its home is left out: caches are not put back. */
export class Snapshot {
  readonly #place: Place;
  readonly #seen: ReadonlyMap<string, ReadonlyMap<string, Seen>>;
  /** Milliseconds since 1970. */
  readonly #taken: number;

  private constructor(place: Place, seen: ReadonlyMap<string, ReadonlyMap<string, Seen>>, taken: number) {
    this.#place = place;
    this.#seen = seen;
    this.#taken = taken;
  }

  /** @param earlier what was not touched since is not read again. Others run in between. */
  static async take(place: Place, earlier: Snapshot | null): Promise<Snapshot> {
    const taken = Date.now();
    const room = { bytes: MAX_KEPT, entries: MAX_ENTRIES };
    const seen = new Map<string, ReadonlyMap<string, Seen>>();
    for (const { root, without } of rootsOf(place)) {
      seen.set(
        root,
        await look(root, without, room, (path, directory, name, stats) => {
          if (!takes(room, stats.size)) return null;
          return (earlier === null ? null : earlier.#known(root, path, stats)) ?? bytesOf(directory, name, stats.size);
        }),
      );
    }
    return new Snapshot(place, seen, taken);
  }

  /** What a file held then, if nobody has touched it since. */
  #known(root: string, path: string, stats: Stats): Uint8Array | null {
    const seen = this.#seen.get(root)?.get(path);
    if (seen === undefined || seen.kind !== "file" || seen.mark !== markOf(stats)) return null;
    // The kernel's clock for files moves in steps: what was touched just before could have been touched again in the same one.
    return stats.ctimeMs < this.#taken - CLOCK_STEP_MS ? seen.bytes : null;
  }

  /** What is different now. */
  async changes(): Promise<Change[]> {
    const changes: Change[] = [];
    for (const { root, without } of rootsOf(this.#place)) {
      const before = this.#seen.get(root) ?? new Map<string, Seen>();
      const now = await look(root, without, { entries: 2 * MAX_ENTRIES }, () => null);
      for (const [path, was] of before) {
        const is = now.get(path) ?? null;
        if (is !== null && is.mark === was.mark && is.kind === was.kind && is.mode === was.mode) continue;
        const [from, to] = [stateOf(was), is === null ? null : stateAt(root, path)];
        // Touched, and as it was.
        if (isDeepStrictEqual(from, to) && (from.kind !== "file" || from.digest !== null)) continue;
        changes.push({ root, path, before: from, after: to, bytes: was.bytes });
      }
      // Beyond what was looked at before nobody knows what is new.
      if (before.size >= MAX_ENTRIES) continue;
      for (const path of now.keys())
        if (!before.has(path)) changes.push({ root, path, before: null, after: stateAt(root, path), bytes: null });
    }
    return changes;
  }
}

function takes(room: { bytes: number }, size: number): boolean {
  if (size > MAX_KEPT_FILE || size > room.bytes) return false;
  room.bytes -= size;
  return true;
}

interface Root {
  readonly root: string;
  readonly prefix: string;
  /** Names in it that are left out. */
  readonly without: ReadonlySet<string>;
}

function rootsOf({ workspace, folders }: Place): Root[] {
  return [
    // What folders are mounted on is ours.
    { root: workspace, prefix: "", without: new Set([HOME_FOLDER, ...folders.map(({ name }) => name)]) },
    ...folders
      .filter(({ write }) => write)
      .map(({ name, path }) => ({ root: path, prefix: `${name}/`, without: new Set([HOME_FOLDER]) })),
  ];
}

function stateOf({ kind, mode, size, target, bytes }: Seen): State {
  switch (kind) {
    case "file":
      return { kind, mode, size, digest: bytes === null ? null : digestOf(bytes) };
    case "directory":
      return { kind, mode };
    case "link":
      return { kind, target: target ?? "" };
    case "other":
      return { kind };
  }
}

/** What stands there now; null: nothing. Links are not followed. */
export function stateAt(root: string, path: string): State | null {
  const names = path.split("/");
  const last = names.pop() ?? "";
  const held: Directory[] = [];
  try {
    let directory = Directory.open(root);
    held.push(directory);
    for (const name of names) {
      directory = directory.child(name);
      held.push(directory);
    }
    const stats = directory.look(last);
    if (stats === null) return null;
    const seen = seenAs(directory, last, stats, null);
    if (seen.kind !== "file") return stateOf(seen);
    const bytes = stats.size > MAX_HASHED ? null : bytesOf(directory, last, stats.size);
    return { kind: "file", mode: seen.mode, size: stats.size, digest: bytes === null ? null : digestOf(bytes) };
  } catch {
    // A directory on the way is none any more.
    return null;
  } finally {
    for (const one of held) one[Symbol.dispose]();
  }
}

type Keep = (path: string, directory: Directory, name: string, stats: Stats) => Uint8Array | null;

async function look(
  root: string,
  without: ReadonlySet<string>,
  room: { entries: number },
  keep: Keep,
): Promise<Map<string, Seen>> {
  const found = new Map<string, Seen>();
  for (const [path, directory, stats] of entriesBelow(root, without, room)) {
    const name = path.slice(path.lastIndexOf("/") + 1);
    found.set(path, seenAs(directory, name, stats, stats.isFile() ? keep(path, directory, name, stats) : null));
    if (found.size % ENTRIES_AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return found;
}

/** Everything below a directory, each with the open directory that it is in. Links are not followed. */
function* entriesBelow(
  root: string,
  without: ReadonlySet<string>,
  room: { entries: number },
): Generator<readonly [path: string, directory: Directory, stats: Stats]> {
  using top = Directory.open(root);
  yield* visit(top, "", without, room);
}

function* visit(
  directory: Directory,
  prefix: string,
  without: ReadonlySet<string>,
  room: { entries: number },
): Generator<readonly [path: string, directory: Directory, stats: Stats]> {
  for (const name of namesIn(directory)) {
    const path = `${prefix}${name}`;
    if (without.has(path)) continue;
    room.entries -= 1;
    if (room.entries < 0) return;
    const stats = directory.look(name);
    if (stats === null) continue;
    yield [path, directory, stats];
    if (!stats.isDirectory()) continue;
    let child: Directory;
    try {
      child = directory.child(name);
    } catch {
      continue; // Not ours to enter, or gone.
    }
    using held = child;
    yield* visit(held, `${path}/`, without, room);
  }
}

function namesIn(directory: Directory): string[] {
  try {
    return readdirSync(directory.self);
  } catch {
    return [];
  }
}

function seenAs(directory: Directory, name: string, stats: Stats, bytes: Uint8Array | null): Seen {
  const kind = stats.isFile() ? "file" : stats.isDirectory() ? "directory" : stats.isSymbolicLink() ? "link" : "other";
  const { size } = stats;
  return {
    kind,
    mode: stats.mode & 0o7777,
    size,
    // What is in a directory is looked at by itself.
    mark: kind === "directory" ? "" : markOf(stats),
    target: kind === "link" ? readlinkSync(directory.at(name)) : null,
    bytes,
  };
}

function markOf({ ino, size, mtimeMs, ctimeMs }: Stats): string {
  return `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
}

/** @returns null if it cannot be read, or is another one by now. */
function bytesOf(directory: Directory, name: string, size: number): Uint8Array | null {
  let fd: number;
  try {
    fd = openSync(directory.at(name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return null;
  }
  try {
    const bytes = Buffer.allocUnsafe(size + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read)
      read = readSync(fd, bytes, length, bytes.length - length, null);
    return length === size && fstatSync(fd).isFile() ? bytes.subarray(0, size) : null;
  } finally {
    closeSync(fd);
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
