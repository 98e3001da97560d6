import { type Machine, numberIn, type SystemCall } from "./syscalls.ts";

/** The C library, for as long as the walls are built. */
export interface Libc extends Disposable {
  /** Makes a system call. @returns what the C library's `syscall` does: -1 where it was refused. */
  call(name: SystemCall, ...words: readonly (number | bigint)[]): bigint;
  /** Makes a system call of no use. @returns whether it was refused: any other error means that it was let through. */
  denied(name: SystemCall, ...words: readonly (number | bigint)[]): boolean;
  /** What the last call of {@link call} on this thread was refused with. */
  errno(): number;
  /** Where bytes lie: they must stay referenced until the call is over. */
  at(bytes: ArrayBufferView<ArrayBuffer>): bigint;
  /** Writes bytes to memory that `mmap` gave. */
  write(address: bigint, bytes: Uint8Array): void;
  /** A 32-bit word of such memory. */
  word(address: bigint): number;
  /** Sets what a signal does, in every thread: a handler's address, or 0n for the default. */
  handle(signal: number, handler: bigint, flags: number): void;
  /** Lowers a limit: where less is allowed already, that stays. */
  setrlimit(resource: number, most: number): number;
  /** Who made the socketpair behind a descriptor; null if it is none. */
  peerOf(descriptor: number): number | null;
}

// asm-generic/socket.h
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

/** EPERM, EACCES, ENOSYS: a wall says one of these. */
const REFUSALS: ReadonlySet<number> = new Set([1, 13, 38]);

/** Opens it. To be disposed of before the permission is dropped: an object of this kind goes on working afterwards. */
export function openLibc(machine: Machine): Libc {
  const ffi = process.getBuiltinModule("node:ffi");
  const library = ffi.dlopen(null, {
    syscall: { arguments: ["int64", "int64", "int64", "int64", "int64", "int64", "int64"], return: "int64" },
    sigaction: { arguments: ["int32", "pointer", "pointer"], return: "int32" },
    memcpy: { arguments: ["pointer", "pointer", "uint64"], return: "pointer" },
    setrlimit: { arguments: ["int32", "pointer"], return: "int32" },
    getrlimit: { arguments: ["int32", "pointer"], return: "int32" },
    __errno_location: { arguments: [], return: "pointer" },
    getsockopt: { arguments: ["int32", "int32", "int32", "pointer", "pointer"], return: "int32" },
  });
  const { functions: c } = library;
  const at = (bytes: ArrayBufferView<ArrayBuffer>): bigint =>
    ffi.getRawPointer(bytes.buffer) + BigInt(bytes.byteOffset);
  const call: Libc["call"] = (name, ...words) => {
    const [a = 0, b = 0, d = 0, e = 0, f = 0, g = 0] = words;
    const number = BigInt(numberIn(machine, name));
    return c.syscall(number, BigInt(a), BigInt(b), BigInt(d), BigInt(e), BigInt(f), BigInt(g));
  };
  return {
    call,
    denied: (name, ...words) => call(name, ...words) < 0n && REFUSALS.has(ffi.getInt32(c.__errno_location())),
    errno: () => ffi.getInt32(c.__errno_location()),
    at,
    write(address, bytes) {
      const own = Uint8Array.from(bytes);
      c.memcpy(address, at(own), BigInt(own.length));
    },
    word: (address) => ffi.getInt32(address),
    handle(signal, handler, flags) {
      // struct sigaction of both C libraries on both machines: `handler, 128 bytes of mask, i32 flags, restorer`.
      const action = new Uint8Array(152);
      const view = new DataView(action.buffer);
      view.setBigUint64(0, handler, true);
      view.setInt32(136, flags, true);
      c.sigaction(signal, at(action), 0n);
    },
    setrlimit(resource, most) {
      // struct rlimit: `u64 soft, u64 hard`.
      const limit = new BigUint64Array(2);
      const status = c.getrlimit(resource, at(limit));
      const [, hard = 0n] = limit;
      limit.fill(hard < BigInt(most) ? hard : BigInt(most));
      return status === 0 ? c.setrlimit(resource, at(limit)) : status;
    },
    peerOf(descriptor) {
      // struct ucred: `i32 pid, u32 uid, u32 gid`.
      const peer = new Int32Array(3);
      const size = new Uint32Array([12]);
      const status = c.getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, at(peer), at(size));
      const pid = peer[0] ?? 0;
      return status === 0 && pid > 0 ? pid : null;
    },
    [Symbol.dispose]() {
      library[Symbol.dispose]();
    },
  };
}
