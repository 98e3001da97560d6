import fs from "node:fs";

const DESCRIPTOR_CALLS = {
  fsync: { arguments: ["int32"], return: "int32" },
  fchmod: { arguments: ["int32", "uint32"], return: "int32" },
} as const;

/** Opened at the first call: most commands write no file. */
function library() {
  return process.getBuiltinModule("node:ffi").dlopen(null, DESCRIPTOR_CALLS).functions;
}
let opened: ReturnType<typeof library> | null = null;

function check(call: string, result: number): void {
  // The C library's reason does not reach us: the descriptor was open, so it is the device.
  if (result !== 0) throw Object.assign(new Error(`EIO: ${call} failed`), { code: "EIO", syscall: call });
}

/** fsync does all that fdatasync does. */
function sync(descriptor: number): void {
  opened ??= library();
  check("fsync", opened.fsync(descriptor));
}

function changeMode(descriptor: number, mode: number): void {
  opened ??= library();
  check("fchmod", opened.fchmod(descriptor, mode));
}

/** Gives `fsyncSync`, `fdatasyncSync` and `fchmodSync` back to a process that writes files: under its permission model Node refuses them
 *  whatever is allowed, and without `fsync` nothing can be called durable. The C library is called instead. */
export function restoreDurability(): void {
  if (process.platform === "win32") return;
  Object.assign(fs, { fsyncSync: sync, fdatasyncSync: sync, fchmodSync: changeMode });
}
