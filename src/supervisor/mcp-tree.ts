import { createHash } from "node:crypto";
import { constants, type Dirent } from "node:fs";
import { type FileHandle, lstat, open, readdir, readlink } from "node:fs/promises";
import { join, posix } from "node:path";
import { type TreeEntry, treeDigest } from "./mcp-digest.ts";

/** Files, directories and links of one installed server: the largest we know has 12,000. */
const MAX_ENTRIES = 100_000;
/** Bytes of all its files. */
const MAX_BYTES = 1 << 30;
const PIECE = 1 << 18;

/** A folder that is no installed server's; the message says why. */
export class TreeError extends Error {
  override readonly name = "TreeError";
  readonly code: "TREE_UNREADABLE" | "TREE_UNUSABLE" | "TREE_TOO_LARGE";
  constructor(code: TreeError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

interface Read {
  readonly entries: TreeEntry[];
  bytes: number;
}

/** The digest of everything below a folder as it is now; its own mode is none of it.
 *  @throws {TreeError} if it cannot be read, is too large, or holds a link that leads out of it or what is neither file, directory nor link. */
export async function digestOfTree(root: string): Promise<string> {
  const read: Read = { entries: [], bytes: 0 };
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
  for (const found of await readdir(join(root, below), { withFileTypes: true })) {
    const path = below === "" ? found.name : `${below}/${found.name}`;
    if (read.entries.length >= MAX_ENTRIES)
      throw new TreeError("TREE_TOO_LARGE", `it has more than ${MAX_ENTRIES} files`);
    read.entries.push(await entryOf(root, path, found, read));
    if (found.isDirectory()) await enter(root, path, read);
  }
}

async function entryOf(root: string, path: string, found: Dirent, read: Read): Promise<TreeEntry> {
  const place = join(root, path);
  if (found.isDirectory()) return { kind: "directory", path, mode: (await lstat(place)).mode };
  if (found.isSymbolicLink()) {
    const target = await readlink(place);
    if (leadsOut(path, target)) throw new TreeError("TREE_UNUSABLE", `${path} is a link that leads out of it`);
    return { kind: "link", path, target };
  }
  if (!found.isFile()) throw new TreeError("TREE_UNUSABLE", `${path} is neither a file, a folder nor a link`);
  // Whatever it is by now: a link is not followed, and nobody is waited for.
  const file = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { mode, size } = await file.stat();
    read.bytes += size;
    if (read.bytes > MAX_BYTES) throw new TreeError("TREE_TOO_LARGE", `it has more than ${MAX_BYTES} bytes`);
    return { kind: "file", path, mode, sha256: await digestOfFile(file) };
  } finally {
    await file.close();
  }
}

async function digestOfFile(file: FileHandle): Promise<string> {
  const hash = createHash("sha256");
  const piece = Buffer.allocUnsafe(PIECE);
  for (;;) {
    const { bytesRead } = await file.read(piece, 0, PIECE, null);
    if (bytesRead === 0) return hash.digest("hex");
    hash.update(piece.subarray(0, bytesRead));
  }
}

function leadsOut(path: string, target: string): boolean {
  if (posix.isAbsolute(target)) return true;
  const led = posix.normalize(posix.join(posix.dirname(path), target));
  return led === ".." || led.startsWith("../");
}
