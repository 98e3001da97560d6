import { ConfineError } from "./error.ts";
import { filterFor, localSocketsFilter } from "./filter.ts";
import type { Sockets } from "./role.ts";
import { type Machine, SECCOMP } from "./syscalls.ts";

/** What the operating system holds a process to. */
export type Wall = "no-new-privileges" | "not-dumpable" | "ends-with-parent" | "limits" | "seccomp";

// linux/prctl.h
const PR_SET_PDEATHSIG = 1;
const PR_GET_DUMPABLE = 3;
const PR_SET_DUMPABLE = 4;
const PR_SET_NO_NEW_PRIVS = 38;
const SIGKILL = 9;
// linux/seccomp.h
const SECCOMP_SET_MODE_FILTER = 1;
/** The filter then holds for every thread: Node has a dozen before our first statement. */
const SECCOMP_FILTER_FLAG_TSYNC = 1;
// asm-generic/socket.h
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const AF_UNIX = 1;
const AF_INET = 2;
const SOCK_STREAM = 1;

// malloc.h
const M_PERTURB = -6;
/** Any byte but zero, which would switch it off. */
const FREED = 0x5a;
const RLIMIT_CORE = 4;
/** asm-generic/resource.h, and the most of each. Without a set limit the kernel's own stands. */
const LIMITS = [
  // No core: a core file would hold a credential.
  { resource: RLIMIT_CORE, name: "RLIMIT_CORE", most: 0 },
  // Open descriptors: connections of a busy adapter, with much to spare.
  { resource: 7, name: "RLIMIT_NOFILE", most: 1024 },
  // Bytes of private memory. A child at rest has about 600 MiB of address space that counts here.
  { resource: 2, name: "RLIMIT_DATA", most: 2 * 1_073_741_824 },
] as const;

/** The descriptor whose other end the supervisor made. */
const PIPE = 3;

/** Builds the walls, for all threads, for good. @throws {ConfineError} if one cannot be built or does not stand. */
export function buildWalls(sockets: Sockets): Wall[] {
  const machine = machineOf(process.arch);
  const ffi = process.getBuiltinModule("node:ffi");
  // Disposed at the end of the block: an object of this kind goes on working after the permission is dropped.
  using c = ffi.dlopen(null, {
    prctl: { arguments: ["int32", "uint64", "uint64", "uint64", "uint64"], return: "int32" },
    setrlimit: { arguments: ["int32", "pointer"], return: "int32" },
    getsockopt: { arguments: ["int32", "int32", "int32", "pointer", "pointer"], return: "int32" },
    syscall: { arguments: ["int64", "int64", "int64", "pointer"], return: "int64" },
    kill: { arguments: ["int32", "int32"], return: "int32" },
    socket: { arguments: ["int32", "int32", "int32"], return: "int32" },
  });
  const { functions: libc } = c;
  const pointer = (bytes: Uint8Array<ArrayBuffer>): bigint => ffi.getRawPointer(bytes.buffer);

  const parent = supervisorPid((value, size) =>
    libc.getsockopt(PIPE, SOL_SOCKET, SO_PEERCRED, pointer(value), pointer(size)),
  );
  done(libc.prctl(PR_SET_PDEATHSIG, BigInt(SIGKILL), 0n, 0n, 0n), "PR_SET_PDEATHSIG");
  // It is a promise about the parent of now: one that died before has left us to another.
  if (process.ppid !== parent)
    throw new ConfineError("CONFINE_ORPHANED", "The supervisor ended before its child began");
  done(libc.prctl(PR_SET_DUMPABLE, 0n, 0n, 0n, 0n), "PR_SET_DUMPABLE");
  done(libc.prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n), "PR_SET_NO_NEW_PRIVS");

  for (const { resource, name, most } of LIMITS) {
    const limit = new BigUint64Array([BigInt(most), BigInt(most)]);
    done(libc.setrlimit(resource, ffi.getRawPointer(limit.buffer)), name);
  }

  install(machine, filterFor(machine, sockets, process.pid), (words) => libc.syscall(...words), pointer);

  if (libc.kill(process.ppid, 0) === 0) throw new ConfineError("CONFINE_FAILED", "The seccomp filter does not stand");
  if (sockets !== "local" && libc.socket(AF_UNIX, SOCK_STREAM, 0) >= 0)
    throw new ConfineError("CONFINE_FAILED", "The seccomp filter lets a local socket through");
  return ["no-new-privileges", "not-dumpable", "ends-with-parent", "limits", "seccomp"];
}

/** For a process that is no child: from here on it, and whatever it starts, opens local sockets only. For all threads, for good.
 *  @throws {ConfineError} if the wall cannot be built or does not stand. */
export function buildLocalSocketsWall(): void {
  const machine = machineOf(process.arch);
  const ffi = process.getBuiltinModule("node:ffi");
  using c = ffi.dlopen(null, {
    prctl: { arguments: ["int32", "uint64", "uint64", "uint64", "uint64"], return: "int32" },
    syscall: { arguments: ["int64", "int64", "int64", "pointer"], return: "int64" },
    socket: { arguments: ["int32", "int32", "int32"], return: "int32" },
  });
  const { functions: libc } = c;
  done(libc.prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n), "PR_SET_NO_NEW_PRIVS");
  install(
    machine,
    localSocketsFilter(machine),
    (words) => libc.syscall(...words),
    (bytes) => ffi.getRawPointer(bytes.buffer),
  );
  if (libc.socket(AF_INET, SOCK_STREAM, 0) >= 0)
    throw new ConfineError("CONFINE_FAILED", "The seccomp filter lets a network socket through");
}

/** For a process that is no child: nobody else of this account traces it or reads its memory, and no core file is written of it or of what it starts.
 *  @throws {ConfineError} if it does not hold. */
export function hideFromDumps(): void {
  const ffi = process.getBuiltinModule("node:ffi");
  using c = ffi.dlopen(null, {
    prctl: { arguments: ["int32", "uint64", "uint64", "uint64", "uint64"], return: "int32" },
    setrlimit: { arguments: ["int32", "pointer"], return: "int32" },
  });
  done(c.functions.prctl(PR_SET_DUMPABLE, 0n, 0n, 0n, 0n), "PR_SET_DUMPABLE");
  if (c.functions.prctl(PR_GET_DUMPABLE, 0n, 0n, 0n, 0n) !== 0)
    throw new ConfineError("CONFINE_FAILED", "This process can still be dumped");
  const none = new BigUint64Array([0n, 0n]);
  done(c.functions.setrlimit(RLIMIT_CORE, ffi.getRawPointer(none.buffer)), "RLIMIT_CORE");
  wipeWhatIsFreed();
}

/** What Node reads from a socket or a terminal comes through a buffer of its own that nobody outside can wipe, and that is freed with its content; so do
 *  OpenSSL's copies. The C library then overwrites it (mallopt(3)). It costs some microseconds a read. Where the library is another, it stays as it is. */
function wipeWhatIsFreed(): void {
  const ffi = process.getBuiltinModule("node:ffi");
  try {
    using c = ffi.dlopen(null, { mallopt: { arguments: ["int32", "int32"], return: "int32" } });
    c.functions.mallopt(M_PERTURB, FREED);
  } catch {
    // musl has no such option.
  }
}

type SystemCall = (words: [number: bigint, a: bigint, b: bigint, c: bigint]) => bigint;

/** @throws {ConfineError} if the system does not take the filter. */
function install(
  machine: Machine,
  filter: Uint8Array<ArrayBuffer>,
  systemCall: SystemCall,
  pointer: (bytes: Uint8Array<ArrayBuffer>) => bigint,
): void {
  // struct sock_fprog: `u16 instructions, 6 bytes of padding, pointer`.
  const program = new Uint8Array(new ArrayBuffer(16));
  const view = new DataView(program.buffer);
  view.setUint16(0, filter.length / 8, true);
  view.setBigUint64(8, pointer(filter), true);
  const installed = systemCall([
    BigInt(SECCOMP[machine]),
    BigInt(SECCOMP_SET_MODE_FILTER),
    BigInt(SECCOMP_FILTER_FLAG_TSYNC),
    pointer(program),
  ]);
  if (installed !== 0n)
    throw new ConfineError("CONFINE_FAILED", "The system refused the seccomp filter: Linux 3.17 or later is needed");
}

/** Who made our pipe: the kernel remembers it of a socketpair. Without a pipe (started by hand) it is whoever the parent is. */
function supervisorPid(getPeer: (value: Uint8Array<ArrayBuffer>, size: Uint8Array<ArrayBuffer>) => number): number {
  // struct ucred: `i32 pid, u32 uid, u32 gid`.
  const peer = new Int32Array(new ArrayBuffer(12));
  const size = new Uint32Array([12]);
  const found = getPeer(new Uint8Array(peer.buffer), new Uint8Array(size.buffer)) === 0 ? (peer[0] ?? 0) : 0;
  return found > 0 ? found : process.ppid;
}

function done(status: number, what: string): void {
  if (status !== 0) throw new ConfineError("CONFINE_FAILED", `The system refused ${what}`);
}

function machineOf(arch: string): Machine {
  if (arch === "x64" || arch === "arm64") return arch;
  throw new ConfineError("CONFINE_FAILED", `There is no seccomp filter for ${arch}: x64 and arm64 are known`);
}
