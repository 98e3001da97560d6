import { createHash, randomUUID } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { constants as os } from "node:os";
import { join } from "node:path";
import { homeFrom } from "../config/home.ts";

/** A native addon that cannot be loaded here. */
export class AddonError extends Error {
  override readonly name = "AddonError";
  readonly code = "ADDON_NOT_LOADED";
}

/** Loads a native addon from bytes inside the executable, from memory where Linux lets us, else from a private file.
 *  @throws {AddonError} if neither can be loaded, e.g. because a shared library that it needs is not installed. */
export function loadAddon(name: string, bytes: ArrayBuffer): unknown {
  const content = new Uint8Array(bytes);
  loading = name;
  const inMemory = process.platform === "linux" ? sealedMemory(name, content) : null;
  // The descriptor stays open: the C library knows a loaded object by its path, and a second addon must not get the same one.
  if (inMemory !== null) {
    try {
      return load(`/proc/self/fd/${inMemory}`);
    } catch (error) {
      // Only a system that forbids executable memory files is helped by a file; a missing library is missing there too.
      if (!/noexec|not permitted|failed to map/i.test(String(error))) throw explained(name, error);
    }
  }
  try {
    return loadFromFile(name, content);
  } catch (error) {
    throw explained(name, error);
  }
}

let loading = "";
const places = new Map<string, string>();

/** The file that a native addon was loaded from, for a thread that needs it too: two copies of SQLite in a process would not know of each other's locks.
 *  @throws {AddonError} if it was not loaded. */
export function placeOf(name: string): string {
  const found = places.get(name);
  if (found === undefined) throw new AddonError(`the native part ${name} is not loaded`);
  return found;
}

function load(path: string): unknown {
  const module: { exports: unknown } = { exports: {} };
  process.dlopen(module, path, os.dlopen.RTLD_LAZY);
  places.set(loading, path);
  return module.exports;
}

function explained(name: string, cause: unknown): AddonError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new AddonError(`cannot load the native part ${name}: ${detail}`, { cause });
}

/** From linux/memfd.h and linux/fcntl.h. */
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const F_ADD_SEALS = 1033;
const EVERY_SEAL = 1 | 2 | 4 | 8;

/** A file that has no name and can no longer be changed, or null where that cannot be made. */
function sealedMemory(name: string, content: Uint8Array): number | null {
  try {
    using c = process.getBuiltinModule("node:ffi").dlopen(null, {
      memfd_create: { arguments: ["string", "uint32"], return: "int32" },
      fcntl: { arguments: ["int32", "int32", "int32"], return: "int32" },
    });
    const descriptor = c.functions.memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0) return null;
    write(descriptor, content);
    if (c.functions.fcntl(descriptor, F_ADD_SEALS, EVERY_SEAL) === 0) return descriptor;
    closeSync(descriptor);
    return null;
  } catch {
    return null;
  }
}

function write(descriptor: number, content: Uint8Array): void {
  for (let at = 0; at < content.length; ) at += writeSync(descriptor, content, at);
}

/** The portable way: a 0700 directory of files named after their digest, each hashed through the descriptor before it is loaded. */
function loadFromFile(name: string, content: Uint8Array): unknown {
  const folder = join(homeFrom(process.env).root, "cache", "addons");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const digest = createHash("sha256").update(content).digest("hex");
  const path = join(folder, `${digest}.node`);
  const found = openOwn(path);
  if (found !== null) {
    if (digestOf(found) === digest) return loadOpen(found, path);
    closeSync(found);
    unlinkSync(path);
  }
  const placed = place(path, content);
  if (digestOf(placed) === digest) return loadOpen(placed, path);
  throw new AddonError(`${path} is not the native part ${name}: remove it`);
}

/** Loads the very file that was hashed, where a descriptor has a path. It stays open, for the reason given above. */
function loadOpen(descriptor: number, path: string): unknown {
  return load(process.platform === "linux" ? `/proc/self/fd/${descriptor}` : path);
}

/** Opens a file of ours, never through a symbolic link; null if there is none. */
function openOwn(path: string): number | null {
  try {
    return openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

function place(path: string, content: Uint8Array): number {
  const draft = `${path}.${randomUUID()}`;
  const descriptor = openSync(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    write(descriptor, content);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(draft, path);
  return openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
}

function digestOf(descriptor: number): string | null {
  const found = fstatSync(descriptor);
  if (!found.isFile() || (process.getuid !== undefined && found.uid !== process.getuid())) return null;
  return createHash("sha256").update(readFileSync(descriptor)).digest("hex");
}
