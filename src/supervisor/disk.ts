import { lstatSync, opendirSync, readFileSync, realpathSync, statfsSync } from "node:fs";
import { join, relative, sep } from "node:path";

/** Entries looked at in all: beyond that the sizes are at least what is said. */
const MAX_ENTRIES = 50_000;
const LARGEST = 3;

export interface Room {
  /** For this user, in bytes. */
  readonly free: number;
  readonly total: number;
}

/** @returns null where the file system does not say. */
export function roomOf(path: string): Room | null {
  try {
    const { bavail, blocks, bsize } = statfsSync(path);
    return { free: bavail * bsize, total: blocks * bsize };
  } catch {
    return null;
  }
}

/** The file system that a path lies on, as its owner knows it: where it is mounted, and its kind. */
export function fileSystemOf(path: string): string {
  try {
    const real = realpathSync(path);
    const mounts = readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .flatMap((line) => mountOf(line))
      .filter(({ at }) => real === at || real.startsWith(at.endsWith(sep) ? at : `${at}${sep}`));
    // The newest of those at one place hides the others.
    const best = mounts.toSorted((a, b) => a.at.length - b.at.length).at(-1);
    return best === undefined ? `the disk of ${path}` : `${best.at} (${best.kind})`;
  } catch {
    return `the disk of ${path}`;
  }
}

/** See proc(5): the fifth field is where it is mounted, and the first behind the dash what it is. */
function mountOf(line: string): { at: string; kind: string }[] {
  const fields = line.split(" ");
  const at = fields[4];
  const kind = fields[fields.indexOf("-") + 1];
  if (at === undefined || kind === undefined) return [];
  return [
    { at: at.replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))), kind },
  ];
}

export interface Folder {
  readonly path: string;
  readonly bytes: number;
}

/** The largest folders of a data directory: each agent's workspace, each folder beside them, and what lies in the directory itself (the record). */
export function largestFolders(root: string): Folder[] {
  const budget = { left: MAX_ENTRIES };
  const folders = new Map<string, number>();
  const add = (folder: string, bytes: number): void => void folders.set(folder, (folders.get(folder) ?? 0) + bytes);
  const walk = (path: string): void => {
    for (const { name, directory } of entriesOf(path)) {
      if (budget.left-- <= 0) return;
      const entry = join(path, name);
      if (directory) walk(entry);
      else add(groupOf(root, path), sizeOf(entry));
    }
  };
  walk(root);
  return [...folders]
    .map(([path, bytes]) => ({ path, bytes }))
    .toSorted((a, b) => b.bytes - a.bytes)
    .slice(0, LARGEST);
}

function entriesOf(path: string): { name: string; directory: boolean }[] {
  const entries: { name: string; directory: boolean }[] = [];
  try {
    const folder = opendirSync(path);
    try {
      for (let entry = folder.readSync(); entry !== null && entries.length < MAX_ENTRIES; entry = folder.readSync())
        entries.push({ name: entry.name, directory: entry.isDirectory() });
    } finally {
      folder.closeSync();
    }
  } catch {
    // It went meanwhile, or may not be read: it is not counted.
  }
  return entries;
}

function groupOf(root: string, path: string): string {
  const [first = "", second] = relative(root, path).split(sep);
  if (first === "") return root;
  return first === "workspaces" && second !== undefined ? join(root, first, second) : join(root, first);
}

/** What it takes on the disk, in bytes. */
function sizeOf(path: string): number {
  try {
    return lstatSync(path).blocks * 512;
  } catch {
    return 0;
  }
}

/** `812 MB`. */
export function sizeText(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  return bytes >= 1e6 ? `${Math.round(bytes / 1e6)} MB` : `${Math.round(bytes / 1e3)} KB`;
}

/** What is full, and what of ours is large there: two sentences for whoever has to make room. */
export function fullText(root: string): { readonly what: string; readonly largest: string } {
  const free = roomOf(root)?.free ?? 0;
  const folders = largestFolders(root).map(({ path, bytes }) => `${path} (${sizeText(bytes)})`);
  return {
    what: `${fileSystemOf(root)} has ${sizeText(free)} free`,
    largest: folders.length === 0 ? "" : `the largest folders of ours: ${folders.join(", ")}`,
  };
}
