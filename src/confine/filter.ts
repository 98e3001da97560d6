import { allowed, NEWER, UNKNOWN } from "./allowed.ts";
import {
  ALLOW,
  anyBit,
  assemble,
  ENOSYS,
  EPERM,
  fromNumber,
  high,
  ifEqual,
  type Instruction,
  KILL,
  low,
  noBit,
  on,
  only,
  onlyNative,
  ret,
} from "./bpf.ts";
import type { Needs, Sockets } from "./role.ts";
import { type Machine, numberOf, type SystemCall } from "./syscalls.ts";

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_TYPE = 0xf;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const CLONE_THREAD = 0x0001_0000;
const MSG_FASTOPEN = 0x2000_0000;
/** linux/prctl.h: names of threads and of memory, and questions. Not: who it dies with, whether it is dumpable, who may trace it, its secure bits. */
const PRCTL = {
  PR_GET_DUMPABLE: 3,
  PR_SET_NAME: 15,
  PR_GET_NAME: 16,
  PR_CAPBSET_READ: 23,
  PR_GET_NO_NEW_PRIVS: 39,
  PR_SET_VMA: 0x5356_4d41,
};
/** Copies, flags. Not: who gets a signal when a descriptor is ready, and which. That would be `kill` by another name. */
const FCNTL = { F_DUPFD: 0, F_GETFD: 1, F_SETFD: 2, F_GETFL: 3, F_SETFL: 4, F_DUPFD_CLOEXEC: 1030 };
/** Whether it is a terminal, how wide, what waits, what blocks. Not: typing into a terminal, or a signal's owner again. */
const IOCTL = {
  TCGETS: 0x5401,
  TCGETS2: 0x802c_542a,
  TIOCGWINSZ: 0x5413,
  FIONREAD: 0x541b,
  FIONBIO: 0x5421,
  FIONCLEX: 0x5450,
  FIOCLEX: 0x5451,
};

/** Whose filter it is. */
export interface Own {
  /** Of the process that installs it: a signal to itself stays possible. */
  readonly pid: number;
  /** Whether libuv made a ring before the walls stood: it ends the process if it may then not enter it. */
  readonly ring: boolean;
}

/** A seccomp filter as the kernel takes it: what a role may call, and EPERM for the rest. It kills only for another machine's system calls. */
export function filterFor(
  machine: Machine,
  needs: Pick<Needs, "sockets" | "files">,
  { pid, ring }: Own,
): Uint8Array<ArrayBuffer> {
  const call = (name: SystemCall, body: readonly Instruction[]): Instruction[] => on(numberOf(machine, name), body);
  const self = [...only(low(0), [pid]), ret(ALLOW)];
  const sockets = socketCalls(needs.sockets);
  return assemble([
    ...onlyNative(machine, KILL, EPERM),
    ...allowed(needs)
      .filter((name) => !sockets.some(([depends]) => depends === name))
      .flatMap((name) => call(name, [ret(ALLOW)])),
    ...(ring ? call("io_uring_enter", [ret(ALLOW)]) : []),
    ...UNKNOWN.flatMap((name) => call(name, [ret(ENOSYS)])),
    // A thread and nothing else.
    ...call("clone", [...anyBit(low(0), CLONE_THREAD), ret(ALLOW)]),
    ...call("kill", self),
    ...call("tgkill", self),
    ...call("rt_sigqueueinfo", self),
    ...call("rt_tgsigqueueinfo", self),
    // Reading its own limits is what the C library does for every thread.
    ...call("prlimit64", [...only(low(0), [0, pid]), ...only(low(2), [0]), ...only(high(2), [0]), ret(ALLOW)]),
    ...call("prctl", [...only(low(0), Object.values(PRCTL)), ret(ALLOW)]),
    ...call("fcntl", [...only(low(1), Object.values(FCNTL)), ret(ALLOW)]),
    ...call("ioctl", [...only(low(1), Object.values(IOCTL)), ret(ALLOW)]),
    ...sockets.flatMap(([name, body]) => call(name, body)),
    ...fromNumber(NEWER, ENOSYS),
    ret(EPERM),
  ]);
}

/** For a process that is no child and starts some: every socket but a local one is refused, to it and to whatever it starts from then on.
 *  io_uring opens sockets without asking the filter, so it is refused too. */
export function localSocketsFilter(machine: Machine): Uint8Array<ArrayBuffer> {
  return assemble([
    ...onlyNative(machine, KILL, EPERM),
    ...noRings(machine),
    ...on(numberOf(machine, "socket"), [...only(low(0), [AF_UNIX]), ret(ALLOW)]),
    ret(ALLOW),
  ]);
}

/** For the daemon: nothing that it starts from then on has a ring. libuv makes one at the start of every process, before any statement of ours, and
 *  does without where it cannot; once there is one, no filter of its process sees what it opens. */
export function noRingsFilter(machine: Machine): Uint8Array<ArrayBuffer> {
  return assemble([...onlyNative(machine, KILL, EPERM), ...noRings(machine), ret(ALLOW)]);
}

function noRings(machine: Machine): Instruction[] {
  return (["io_uring_setup", "io_uring_register"] as const).flatMap((name) =>
    on(numberOf(machine, name), [ret(EPERM)]),
  );
}

function internet(types: readonly number[], protocols: readonly number[]): Instruction[] {
  return [
    ...only(low(0), [AF_INET, AF_INET6]),
    ...only(low(1), types, { mask: SOCK_TYPE }),
    ...only(low(2), protocols),
    ret(ALLOW),
  ];
}

/** What depends on the role's sockets, by the arguments. */
function socketCalls(sockets: Sockets): [SystemCall, Instruction[]][] {
  switch (sockets) {
    case "none":
      return [];
    case "local":
      return [["socket", [...only(low(0), [AF_UNIX]), ret(ALLOW)]]];
    case "internet":
      return [["socket", internet([SOCK_STREAM, SOCK_DGRAM], [0, IPPROTO_TCP, IPPROTO_UDP])]];
    case "internet and paths": {
      const inward = [ret(ALLOW)];
      const outward = internet([SOCK_STREAM, SOCK_DGRAM], [0, IPPROTO_TCP, IPPROTO_UDP]);
      return [["socket", [...ifEqual(low(0), AF_UNIX, inward), ...outward]]];
    }
    case "listening":
      return [
        ["socket", internet([SOCK_STREAM], [0, IPPROTO_TCP])],
        // TCP Fast Open connects by sending.
        ["sendto", [...noBit(low(3), MSG_FASTOPEN), ret(ALLOW)]],
        ["sendmsg", [...noBit(low(2), MSG_FASTOPEN), ret(ALLOW)]],
      ];
  }
}
