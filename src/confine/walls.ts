import { readdirSync, readlinkSync } from "node:fs";
import { ConfineError } from "./error.ts";
import { filterFor, localSocketsFilter, noRingsFilter } from "./filter.ts";
import { enforceLandlock, landlockAbi as abiOf } from "./landlock.ts";
import { type Libc, openLibc } from "./libc.ts";
import { LIMITS, RLIMIT_CORE } from "./limits.ts";
import { letGoOfFile } from "./mapped.ts";
import type { Needs } from "./role.ts";
import { knownMachine, type Machine } from "./syscalls.ts";

/** What the operating system holds a process to. `no-ring`: it has no io_uring, which no filter sees into. */
export type Wall =
  | "no-new-privileges"
  | "not-dumpable"
  | "ends-with-parent"
  | "limits"
  | "landlock"
  | "seccomp"
  | "no-ring";

/** What stands. */
export interface Walls {
  readonly walls: readonly Wall[];
  /** Landlock's version here; 0 where there is none. */
  readonly landlockAbi: number;
}

// linux/prctl.h
const PR_SET_PDEATHSIG = 1;
const PR_GET_DUMPABLE = 3;
const PR_SET_DUMPABLE = 4;
const PR_SET_NO_NEW_PRIVS = 38;
const SIGKILL = 9;
// linux/seccomp.h
const SECCOMP_SET_MODE_FILTER = 1;
/** The filter then holds for every thread: Node has some before our first statement. */
const SECCOMP_FILTER_FLAG_TSYNC = 1;
const AF_UNIX = 1;
const AF_INET = 2;
const SOCK_STREAM = 1;

// malloc.h
const M_PERTURB = -6;
/** Any byte but zero, which would switch it off. */
const FREED = 0x5a;

/** The descriptor whose other end the supervisor made. */
const PIPE = 3;

/** Builds the walls, for all threads, for good. @param built is told after each. @throws {ConfineError} if one cannot be built or does not stand. */
export function buildWalls(
  needs: Pick<Needs, "sockets" | "files">,
  built: (wall: Wall) => void = () => undefined,
): Walls {
  const machine = machineOf(process.arch);
  const ring = hasRing();
  // Disposed at the end of the block: an object of this kind goes on working after the permission is dropped.
  using libc = openLibc(machine);
  standAlone(libc);
  built("not-dumpable");
  limit(libc);
  built("limits");
  // The helper of the keychain ends with its answer, and a start waits for it.
  if (needs.files !== "keychain") letGoOfFile(libc);
  const landlockAbi = enforceLandlock(libc, machine, needs.files, needs.sockets);
  if (landlockAbi > 0) built("landlock");
  installFilter(libc, filterFor(machine, needs, { pid: process.pid, ring }));
  built("seccomp");

  if (libc.call("kill", process.ppid, 0) === 0n)
    throw new ConfineError("CONFINE_FAILED", "The seccomp filter does not stand");
  if (
    needs.sockets !== "local" &&
    needs.sockets !== "internet and paths" &&
    libc.call("socket", AF_UNIX, SOCK_STREAM, 0) >= 0n
  )
    throw new ConfineError("CONFINE_FAILED", "The seccomp filter lets a local socket through");
  return {
    walls: [
      "no-new-privileges",
      "not-dumpable",
      "ends-with-parent",
      "limits",
      ...(landlockAbi > 0 ? ["landlock" as const] : []),
      "seccomp",
      ...(ring ? [] : ["no-ring" as const]),
    ],
    landlockAbi,
  };
}

/** It ends with whoever started it, nobody reads its memory, and no program that it could start would give it more.
 *  @throws {ConfineError} if one of it is refused. */
export function standAlone(libc: Libc): void {
  // The kernel remembers who made a socketpair. Without one (started by hand) it is whoever the parent is.
  const parent = libc.peerOf(PIPE) ?? process.ppid;
  done(libc.call("prctl", PR_SET_PDEATHSIG, SIGKILL), "PR_SET_PDEATHSIG");
  // It is a promise about the parent of now: one that died before has left us to another.
  if (process.ppid !== parent)
    throw new ConfineError("CONFINE_ORPHANED", "The supervisor ended before its child began");
  done(libc.call("prctl", PR_SET_DUMPABLE, 0), "PR_SET_DUMPABLE");
  done(libc.call("prctl", PR_SET_NO_NEW_PRIVS, 1), "PR_SET_NO_NEW_PRIVS");
}

/** @throws {ConfineError} if a limit is refused. */
export function limit(libc: Libc): void {
  for (const { resource, name, most } of LIMITS) done(BigInt(libc.setrlimit(resource, most)), name);
}

/** For all threads, for good. @throws {ConfineError} if the system does not take the filter. */
export function installFilter(libc: Libc, filter: Uint8Array<ArrayBuffer>): void {
  // struct sock_fprog: `u16 instructions, 6 bytes of padding, pointer`.
  const program = new Uint8Array(16);
  const view = new DataView(program.buffer);
  view.setUint16(0, filter.length / 8, true);
  view.setBigUint64(8, libc.at(filter), true);
  const installed = libc.call("seccomp", SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, libc.at(program));
  if (installed !== 0n)
    throw new ConfineError("CONFINE_FAILED", "The system refused the seccomp filter: Linux 3.17 or later is needed");
}

/** For a process that is no child: from here on it, and whatever it starts, opens local sockets only. For all threads, for good.
 *  @throws {ConfineError} if the wall cannot be built or does not stand. */
export function buildLocalSocketsWall(): void {
  const machine = machineOf(process.arch);
  using libc = openLibc(machine);
  done(libc.call("prctl", PR_SET_NO_NEW_PRIVS, 1), "PR_SET_NO_NEW_PRIVS");
  installFilter(libc, localSocketsFilter(machine));
  if (libc.call("socket", AF_INET, SOCK_STREAM, 0) >= 0n)
    throw new ConfineError("CONFINE_FAILED", "The seccomp filter lets a network socket through");
}

/** For the daemon: no process that it starts from here on has an io_uring. For all threads, for good.
 *  @throws {ConfineError} if the wall cannot be built or does not stand. */
export function forbidRings(): void {
  const machine = machineOf(process.arch);
  using libc = openLibc(machine);
  done(libc.call("prctl", PR_SET_NO_NEW_PRIVS, 1), "PR_SET_NO_NEW_PRIVS");
  installFilter(libc, noRingsFilter(machine));
  const parameters = new Uint8Array(120);
  if (libc.call("io_uring_setup", 1, libc.at(parameters)) >= 0n)
    throw new ConfineError("CONFINE_FAILED", "The seccomp filter lets a ring through");
}

/** For a process that is no child: nobody else of this account traces it or reads its memory, and no core file is written of it or of what it starts.
 *  @throws {ConfineError} if it does not hold. */
export function hideFromDumps(): void {
  using libc = openLibc(machineOf(process.arch));
  done(libc.call("prctl", PR_SET_DUMPABLE, 0), "PR_SET_DUMPABLE");
  if (libc.call("prctl", PR_GET_DUMPABLE) !== 0n)
    throw new ConfineError("CONFINE_FAILED", "This process can still be dumped");
  done(BigInt(libc.setrlimit(RLIMIT_CORE, 0)), "RLIMIT_CORE");
  wipeWhatIsFreed();
}

/** For a process that is no child, once its start is over: see {@link letGoOfFile}. */
export function letGoOfStart(): void {
  using libc = openLibc(machineOf(process.arch));
  letGoOfFile(libc);
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

/** The version of Landlock that the kernel answers with; 0: it has none, or it is switched off. */
export function kernelLandlock(): number {
  using libc = openLibc(machineOf(process.arch));
  return abiOf(libc);
}

/** For a process that starts others: whatever whoever started it left open is not theirs too. Node opens nothing that a child inherits. */
export function closeOnExec(): void {
  const [F_SETFD, FD_CLOEXEC] = [2, 1];
  using libc = openLibc(machineOf(process.arch));
  for (const descriptor of readdirSync("/proc/self/fd").map(Number))
    if (descriptor > 2) libc.call("fcntl", descriptor, F_SETFD, FD_CLOEXEC);
}

/** Whether this process has an io_uring. libuv makes one at its start unless whoever started it forbade that. */
export function hasRing(): boolean {
  return readdirSync("/proc/self/fd").some((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`) === "anon_inode:[io_uring]";
    } catch {
      return false; // the folder's own
    }
  });
}

function done(status: bigint, what: string): void {
  if (status !== 0n) throw new ConfineError("CONFINE_FAILED", `The system refused ${what}`);
}

function machineOf(arch: string): Machine {
  const machine = knownMachine(arch);
  if (machine !== null) return machine;
  throw new ConfineError("CONFINE_FAILED", `There is no seccomp filter for ${arch}: x64 and arm64 are known`);
}
