/** Makes system calls by number, as native code would that Node's permissions do not hold: `{"name": <errno, 0 if it was let through>}`.
 *
 *  argv: a role, or `command` for what holds a command of the owner, and `bare` or `walls`. Every call is made so that it does nothing, whether
 *  it is let through or not. */
import { writeSync } from "node:fs";
import { z } from "zod/mini";
import { NEEDS } from "../../../src/confine/role.ts";
import { buildLocalSocketsWall, buildWalls } from "../../../src/confine/walls.ts";

const role = z
  .enum([
    "adapter",
    "model",
    "agent",
    "ingress",
    "web",
    "keychain",
    "anchor",
    "egress",
    "relay",
    "fetch",
    "unpack",
    "mcp",
    "command",
  ])
  .parse(process.argv[2]);
if (process.argv[3] === "walls") {
  if (role === "command") buildLocalSocketsWall();
  else buildWalls(NEEDS[role]);
}

const ffi = process.getBuiltinModule("node:ffi");
const { functions: libc } = ffi.dlopen(null, {
  syscall: { arguments: ["int64", "int64", "int64", "int64", "int64", "int64"], return: "int64" },
  __errno_location: { arguments: [], return: "pointer" },
  posix_spawn: { arguments: ["pointer", "string", "pointer", "pointer", "pointer", "pointer"], return: "int32" },
  waitpid: { arguments: ["int32", "pointer", "int32"], return: "int32" },
  prctl: { arguments: ["int32", "int64", "int64", "int64", "int64"], return: "int32" },
});

const X64 = process.arch === "x64";
const me = process.pid;
const parent = process.ppid;
const call = (x64: number, arm64: number, ...words: number[]): number => {
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = words;
  const number = X64 ? x64 : arm64;
  const answer = libc.syscall(BigInt(number), BigInt(a), BigInt(b), BigInt(c), BigInt(d), BigInt(e));
  return answer >= 0n ? 0 : ffi.getInt32(libc.__errno_location());
};
const bytes = (values: BigUint64Array<ArrayBuffer>): bigint => ffi.getRawPointer(values.buffer);

/** A program as the C library starts it: by clone3 or clone. The answer is the error itself. */
function startProgram(): number {
  const pid = new BigUint64Array(1);
  const name = Buffer.alloc(16);
  name.write("true\0");
  const words = new BigUint64Array([ffi.getRawPointer(name.buffer), 0n]);
  const status = libc.posix_spawn(bytes(pid), "/bin/true", 0n, 0n, bytes(words), bytes(new BigUint64Array(1)));
  if (status === 0) libc.waitpid(Number(pid[0]), 0n, 0);
  return status;
}

const AF_UNIX = 1;
const AF_INET = 2;
const AF_NETLINK = 16;
const AF_PACKET = 17;
const [STREAM, DGRAM, RAW] = [1, 2, 3];
const pipe = new BigUint64Array(8);

const answers: Record<string, number> = {
  "kill parent": call(62, 129, parent, 0),
  "kill group": call(62, 129, 0, 0),
  "tgkill parent": call(234, 131, parent, parent, 0),
  "kill self": call(62, 129, me, 0),
  "tgkill self": call(234, 131, me, me, 0),
  "pidfd_open parent": call(434, 434, parent, 0),
  "process_vm_readv parent": call(310, 270, parent, 0, 0, 0, 0),
  "prlimit64 of parent": call(302, 261, parent, 7, 0, 0),
  "prlimit64 of self": call(302, 261, 0, 7, 0, Number(bytes(pipe))),
  "own a signal by fcntl": call(72, 25, 3, 8, parent),
  "choose a signal by fcntl": call(72, 25, 3, 10, 10),
  "fcntl of flags": call(72, 25, 3, 3),
  "own a signal by ioctl": call(16, 29, 3, 0x8901, Number(bytes(new BigUint64Array([BigInt(parent)])))),
  "sched_setparam of parent": call(142, 118, parent, Number(bytes(new BigUint64Array(1)))),
  shmget: call(29, 194, 0, 4096, 0o600),
  unshare: call(272, 97, 0),
  "set up an io_uring": call(425, 425, 1, 0),
  "socket local": call(41, 198, AF_UNIX, STREAM, 0),
  "socket TCP": call(41, 198, AF_INET, STREAM, 0),
  "socket UDP": call(41, 198, AF_INET, DGRAM, 0),
  "socket netlink": call(41, 198, AF_NETLINK, RAW, 0),
  "socket packet": call(41, 198, AF_PACKET, DGRAM, 0),
  socketpair: call(53, 199, AF_UNIX, DGRAM, 0, Number(bytes(pipe))),
  "connect nothing": call(42, 203, -1, 0, 0),
  clone3: call(435, 435, 0, 0),
  "start a program": startProgram(),
  "stay when the parent dies": libc.prctl(1, 0n, 0n, 0n, 0n) === 0 ? 0 : ffi.getInt32(libc.__errno_location()),
  "be dumpable": libc.prctl(4, 1n, 0n, 0n, 0n) === 0 ? 0 : ffi.getInt32(libc.__errno_location()),
  "x32 getpid": X64 ? call(0x4000_0000 + 39, 0) : 1,
  // What it says of itself.
  "is dumpable": libc.prctl(3, 0n, 0n, 0n, 0n),
};
writeSync(1, `${JSON.stringify(answers)}\n`);
process.exit(0);
