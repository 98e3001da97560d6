import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  type Dirent,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from "node:fs";
import { join, posix } from "node:path";
import { setImmediate } from "node:timers/promises";
import { type TreeEntry, treeDigest } from "./mcp-digest.ts";

/** Files, directories and links of one installed server: the largest we know has 12,000. */
const MAX_ENTRIES = 100_000;
/** Bytes of all its files. */
const MAX_BYTES = 1 << 30;
const PIECE = 1 << 16;

/** A folder that is no installed server's; the message says why. */
export class TreeError extends Error {
  override readonly name = "TreeError";
  readonly code: "TREE_UNREADABLE" | "TREE_UNUSABLE" | "TREE_TOO_LARGE";
  constructor(code: TreeError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Others have their turn so often. Small files are read at once: to hand each one to another thread takes longer than to read it. */
const SLICE_MS = 15;

interface Read {
  readonly entries: TreeEntry[];
  bytes: number;
  since: number;
}

/** The digest of everything below a folder as it is now; its own mode is none of it.
 *  @throws {TreeError} if it cannot be read, is too large, or holds a link that leads out of it or what is neither file, directory nor link. */
export async function digestOfTree(root: string): Promise<string> {
  const read: Read = { entries: [], bytes: 0, since: performance.now() };
  try {
    await enter(root, "", read);
  } catch (cause) {
    if (cause instanceof TreeError) throw cause;
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
    throw new TreeError("TREE_UNREADABLE", `it cannot be read (${code})`, { cause });
  }
  return treeDigest(read.entries);
}

async function enter(root: string, below: string, read: Read): Promise<void> {
  for (const found of readdirSync(join(root, below), { withFileTypes: true })) {
    const path = below === "" ? found.name : `${below}/${found.name}`;
    if (read.entries.length >= MAX_ENTRIES)
      throw new TreeError("TREE_TOO_LARGE", `it has more than ${MAX_ENTRIES} files`);
    await pause(read);
    read.entries.push(found.isFile() ? await fileEntry(root, path, read) : otherEntry(root, path, found));
    if (found.isDirectory()) await enter(root, path, read);
  }
}

async function pause(read: Read): Promise<void> {
  if (performance.now() - read.since < SLICE_MS) return;
  await setImmediate();
  read.since = performance.now();
}

function otherEntry(root: string, path: string, found: Dirent): TreeEntry {
  const place = join(root, path);
  if (found.isDirectory()) return { kind: "directory", path, mode: lstatSync(place).mode };
  if (!found.isSymbolicLink()) throw new TreeError("TREE_UNUSABLE", `${path} is neither a file, a folder nor a link`);
  const target = readlinkSync(place);
  if (leadsOut(path, target)) throw new TreeError("TREE_UNUSABLE", `${path} is a link that leads out of it`);
  return { kind: "link", path, target };
}

async function fileEntry(root: string, path: string, read: Read): Promise<TreeEntry> {
  // Whatever it is by now: a link is not followed, and nobody is waited for.
  const file = openSync(join(root, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { mode, size } = fstatSync(file);
    read.bytes += size;
    if (read.bytes > MAX_BYTES) throw new TreeError("TREE_TOO_LARGE", `it has more than ${MAX_BYTES} bytes`);
    const hash = createHash("sha256");
    const piece = Buffer.allocUnsafe(PIECE);
    for (;;) {
      const length = readSync(file, piece, 0, PIECE, null);
      if (length === 0) return { kind: "file", path, mode, sha256: hash.digest("hex") };
      hash.update(piece.subarray(0, length));
      await pause(read);
    }
  } finally {
    closeSync(file);
  }
}

function leadsOut(path: string, target: string): boolean {
  if (posix.isAbsolute(target)) return true;
  const led = posix.normalize(posix.join(posix.dirname(path), target));
  return led === ".." || led.startsWith("../");
}
