import { closeSync, constants, fstatSync, fsyncSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { VaultError } from "./error.ts";
import { Secret } from "./secret.ts";

/** The master of a vault that has no protector yet: a file that whoever reads this user's files can read. */
const MASTER_BYTES = 32;

/** Writes it durably, never over another. @throws {VaultError} VAULT_EXISTS, VAULT_UNWRITABLE. */
export function writeProvisional(path: string, master: Secret): void {
  let file: number | null = null;
  try {
    file = openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | constants.O_WRONLY, 0o600);
    const fd = file;
    master.use((bytes) => writeWhole(fd, bytes));
    fsyncSync(file);
    syncFolder(path);
  } catch (cause) {
    if (isCode(cause, "EEXIST")) throw new VaultError("VAULT_EXISTS", `There is a key at ${path} already`, { cause });
    throw new VaultError("VAULT_UNWRITABLE", `Cannot write the provisional key at ${path}`, { cause });
  } finally {
    if (file !== null) closeSync(file);
  }
}

/** @returns the master, the caller's to dispose of, or null if there is no such file (or one cut short by a crash while it was made).
 *  @throws {VaultError} VAULT_UNSAFE_FILE if others can read or write it, or it is a link. */
export function readProvisional(path: string): Secret | null {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    if (isCode(cause, "ENOENT")) return null;
    throw new VaultError("VAULT_UNSAFE_FILE", `The provisional key at ${path} cannot be opened as a plain file`, {
      cause,
    });
  }
  try {
    const { mode, uid, size } = fstatSync(file);
    const ours = process.getuid === undefined || uid === process.getuid();
    if ((mode & constants.S_IFMT) !== constants.S_IFREG || (mode & 0o077) !== 0 || !ours || size > MASTER_BYTES)
      throw new VaultError(
        "VAULT_UNSAFE_FILE",
        `${path} is not a file of ${MASTER_BYTES} bytes that this user alone can read: if you know why, chmod 600 it`,
      );
    const bytes = new Uint8Array(new ArrayBuffer(MASTER_BYTES));
    if (readSync(file, bytes, 0, MASTER_BYTES, 0) === MASTER_BYTES) return Secret.take(bytes);
    bytes.fill(0);
    return null;
  } finally {
    closeSync(file);
  }
}

/** Overwrites and deletes it; done already is done. A file system or disk that writes elsewhere keeps the old bytes: hence the new master. @throws {VaultError} VAULT_UNWRITABLE. */
export function deleteProvisional(path: string): void {
  try {
    const file = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW);
    try {
      writeWhole(file, new Uint8Array(MASTER_BYTES));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    unlinkSync(path);
    syncFolder(path);
  } catch (cause) {
    if (isCode(cause, "ENOENT")) return;
    throw new VaultError("VAULT_UNWRITABLE", `Cannot delete the provisional key at ${path}`, { cause });
  }
}

function writeWhole(file: number, bytes: Uint8Array): void {
  if (writeSync(file, bytes, 0, bytes.length, 0) !== bytes.length) throw new RangeError("the file took a part only");
}

/** A file made or deleted is so after a power cut only once its folder is written. */
function syncFolder(path: string): void {
  const folder = openSync(dirname(path), constants.O_RDONLY);
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
