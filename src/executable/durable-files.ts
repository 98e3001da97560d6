import fs from "node:fs";

const DESCRIPTOR_CALLS = {
  fsync: { arguments: ["int32"], return: "int32" },
  fchmod: { arguments: ["int32", "uint32"], return: "int32" },
  fchown: { arguments: ["int32", "uint32", "uint32"], return: "int32" },
} as const;

/** Opened at the first call: most commands write no file. */
function library() {
  return process.getBuiltinModule("node:ffi").dlopen(null, DESCRIPTOR_CALLS).functions;
}
let opened: ReturnType<typeof library> | null = null;
function c(): ReturnType<typeof library> {
  opened ??= library();
  return opened;
}

function check(call: string, result: number): void {
  // The C library's reason does not reach us: the descriptor was open, so it is the device, or the right to do it.
  if (result !== 0) throw Object.assign(new Error(`EIO: ${call} failed`), { code: "EIO", syscall: call });
}

/** fsync does all that fdatasync does. */
function sync(descriptor: number): void {
  check("fsync", c().fsync(descriptor));
}
function changeMode(descriptor: number, mode: number): void {
  check("fchmod", c().fchmod(descriptor, mode));
}
function changeOwner(descriptor: number, user: number, group: number): void {
  check("fchown", c().fchown(descriptor, user, group));
}

/** A file handle's own methods are refused likewise. */
function withSync(handle: fs.promises.FileHandle): fs.promises.FileHandle {
  const own = async (): Promise<void> => sync(handle.fd);
  return Object.assign(handle, { sync: own, datasync: own });
}

/** Gives the calls on a bare descriptor back to a process that writes files: under its permission model Node refuses them whatever is
 *  allowed, and without `fsync` nothing can be called durable. The C library is called instead, in the calling thread. */
export function restoreDurability(): void {
  if (process.platform === "win32") return;
  const open = fs.promises.open;
  Object.assign(fs, { fsyncSync: sync, fdatasyncSync: sync, fchmodSync: changeMode, fchownSync: changeOwner });
  Object.assign(fs.promises, {
    open: async (...given: Parameters<typeof open>): Promise<fs.promises.FileHandle> => withSync(await open(...given)),
  });
}
