import type { Sockets } from "./role.ts";
import { type Machine, numberOf, refused, ringCalls } from "./syscalls.ts";

/** One instruction of classic BPF: `u16 code, u8 if true, u8 if false, u32 operand`; jumps count instructions to skip. */
interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

const LOAD = 0x20;
const AND = 0x54;
const IF_EQUAL = 0x15;
const IF_AT_LEAST = 0x35;
const IF_ANY_BIT = 0x45;
const RETURN = 0x06;

// linux/seccomp.h; EPERM and ENOSYS are the same on both machines.
const ALLOW = 0x7fff_0000;
const KILL = 0x8000_0000;
const EPERM = 0x0005_0000 | 1;
/** For clone3, whose flags lie in memory, where no filter sees them: the C library then uses clone. */
const ENOSYS = 0x0005_0000 | 38;

// struct seccomp_data: `u32 number, u32 architecture, u64 instruction pointer, u64 arguments[6]`, little-endian on both.
const NUMBER = 0;
const ARCHITECTURE = 4;
const low = (argument: number): number => 16 + 8 * argument;
const high = (argument: number): number => low(argument) + 4;

const AUDIT_ARCH: Readonly<Record<Machine, number>> = { x64: 0xc000_003e, arm64: 0xc000_00b7 };
/** Numbers from here on are the x32 ABI: a second set of names for the same calls. */
const X32 = 0x4000_0000;

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
// prctl: what would undo a wall, or call a tracer.
const PR_SET_PDEATHSIG = 1;
const PR_SET_DUMPABLE = 4;
const PR_SET_PTRACER = 0x59616d61;
// fcntl and ioctl: who gets a signal when a descriptor is ready, and which. That would be `kill` by another name.
const F_SETOWN = 8;
const F_SETSIG = 10;
const F_SETOWN_EX = 15;
const FIOSETOWN = 0x8901;
const SIOCSPGRP = 0x8902;
// ioctl: typing into a terminal.
const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;

/** A seccomp filter as the kernel takes it. It refuses with EPERM, and kills only for another machine's system calls.
 *  @param pid of the process that installs it: a signal to itself stays possible. */
export function filterFor(machine: Machine, sockets: Sockets, pid: number): Uint8Array<ArrayBuffer> {
  const call = (name: Parameters<typeof numberOf>[1], body: Instruction[]): Instruction[] =>
    on(numberOf(machine, name), body);
  const self = [...only(low(0), [pid]), ret(ALLOW)];
  return assemble([
    ...onlyNative(machine),
    ...refused(machine).flatMap((number) => on(number, [ret(EPERM)])),
    ...call("clone3", [ret(ENOSYS)]),
    ...call("clone", [
      { code: LOAD, jt: 0, jf: 0, k: low(0) },
      { code: IF_ANY_BIT, jt: 0, jf: 1, k: CLONE_THREAD },
      ret(ALLOW),
      ret(EPERM),
    ]),
    ...call("kill", self),
    ...call("tgkill", self),
    ...call("rt_sigqueueinfo", self),
    ...call("rt_tgsigqueueinfo", self),
    // Reading its own limits is what the C library does for every thread.
    ...call("prlimit64", [...only(low(0), [0, pid]), ...only(low(2), [0]), ...only(high(2), [0]), ret(ALLOW)]),
    ...call("prctl", [...never(low(0), [PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_PTRACER]), ret(ALLOW)]),
    ...call("fcntl", [...never(low(1), [F_SETOWN, F_SETSIG, F_SETOWN_EX]), ret(ALLOW)]),
    ...call("ioctl", [...never(low(1), [FIOSETOWN, SIOCSPGRP, TIOCSTI, TIOCLINUX]), ret(ALLOW)]),
    ...socketCalls(sockets, call),
    ret(ALLOW),
  ]);
}

/** For a process that is no child and starts some: every socket but a local one is refused, to it and to whatever it starts from then on.
 *  io_uring opens sockets without asking the filter, so it is refused too. */
export function localSocketsFilter(machine: Machine): Uint8Array<ArrayBuffer> {
  return assemble([
    ...onlyNative(machine),
    ...ringCalls(machine).flatMap((number) => on(number, [ret(EPERM)])),
    ...on(numberOf(machine, "socket"), [...only(low(0), [AF_UNIX]), ret(ALLOW)]),
    ret(ALLOW),
  ]);
}

/** Another machine's system calls have other numbers: they end the process. The call's number stays loaded. */
function onlyNative(machine: Machine): Instruction[] {
  return [
    { code: LOAD, jt: 0, jf: 0, k: ARCHITECTURE },
    { code: IF_EQUAL, jt: 1, jf: 0, k: AUDIT_ARCH[machine] },
    ret(KILL),
    { code: LOAD, jt: 0, jf: 0, k: NUMBER },
    ...(machine === "x64" ? [{ code: IF_AT_LEAST, jt: 0, jf: 1, k: X32 }, ret(EPERM)] : []),
  ];
}

function socketCalls(
  sockets: Sockets,
  call: (name: Parameters<typeof numberOf>[1], body: Instruction[]) => Instruction[],
): Instruction[] {
  // libsecret's own: D-Bus.
  if (sockets === "local") return call("socket", [...only(low(0), [AF_UNIX]), ret(ALLOW)]);
  // A pair of datagram sockets could be connected to a socket that has a path: who may not reach those gets no pairs.
  const noPairs = call("socketpair", [ret(EPERM)]);
  if (sockets === "none") return [...call("socket", [ret(EPERM)]), ...noPairs];
  const [types, protocols] =
    sockets === "internet"
      ? [
          [SOCK_STREAM, SOCK_DGRAM],
          [0, IPPROTO_TCP, IPPROTO_UDP],
        ]
      : [[SOCK_STREAM], [0, IPPROTO_TCP]];
  const internet = call("socket", [
    ...only(low(0), [AF_INET, AF_INET6]),
    ...only(low(1), types, SOCK_TYPE),
    ...only(low(2), protocols),
    ret(ALLOW),
  ]);
  if (sockets === "internet") return [...internet, ...noPairs];
  return [
    ...internet,
    ...noPairs,
    ...call("connect", [ret(EPERM)]),
    // TCP Fast Open connects by sending.
    ...call("sendto", [...noBit(low(3), MSG_FASTOPEN), ret(ALLOW)]),
    ...call("sendmsg", [...noBit(low(2), MSG_FASTOPEN), ret(ALLOW)]),
    ...call("sendmmsg", [...noBit(low(3), MSG_FASTOPEN), ret(ALLOW)]),
  ];
}

function ret(k: number): Instruction {
  return { code: RETURN, jt: 0, jf: 0, k };
}

/** `body`, which returns on every path, for one system call; the call's number stays loaded for the next. */
function on(number: number, body: Instruction[]): Instruction[] {
  return [{ code: IF_EQUAL, jt: 0, jf: body.length, k: number }, ...body];
}

/** Goes on if the word at `offset` is one of `values`, else refuses. The kernel reads `int` arguments from the lower word alone. */
function only(offset: number, values: readonly number[], mask?: number): Instruction[] {
  return [
    { code: LOAD, jt: 0, jf: 0, k: offset },
    ...(mask === undefined ? [] : [{ code: AND, jt: 0, jf: 0, k: mask }]),
    ...values.map((k, index) => ({ code: IF_EQUAL, jt: values.length - index, jf: 0, k })),
    ret(EPERM),
  ];
}

/** Refuses if the word at `offset` is one of `values`. */
function never(offset: number, values: readonly number[]): Instruction[] {
  return [
    { code: LOAD, jt: 0, jf: 0, k: offset },
    ...values.flatMap((k) => [{ code: IF_EQUAL, jt: 0, jf: 1, k }, ret(EPERM)]),
  ];
}

function noBit(offset: number, bit: number): Instruction[] {
  return [{ code: LOAD, jt: 0, jf: 0, k: offset }, { code: IF_ANY_BIT, jt: 0, jf: 1, k: bit }, ret(EPERM)];
}

function assemble(program: readonly Instruction[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(new ArrayBuffer(program.length * 8));
  const view = new DataView(bytes.buffer);
  for (const [index, { code, jt, jf, k }] of program.entries()) {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, jt);
    view.setUint8(index * 8 + 3, jf);
    view.setUint32(index * 8 + 4, k, true);
  }
  return bytes;
}
