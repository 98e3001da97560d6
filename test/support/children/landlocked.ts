/** A child behind Landlock alone, that makes native calls: `{"name": <errno, 0 if it was let through>}`.
 *
 *  argv: a role, how it is held (`bare`, `landlock`, `one-thread`: as if the thread that asks were the only one), a file, a TCP port that is
 *  listened on, and the name of an abstract socket that is. */
import { closeSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { z } from "zod/mini";
import { enforceLandlock } from "../../../src/confine/landlock.ts";
import { openLibc } from "../../../src/confine/libc.ts";
import { NEEDS } from "../../../src/confine/role.ts";
import { readAhead } from "../../../src/confine/warm.ts";

const role = z.enum(["adapter", "agent", "ingress", "keychain", "egress"]).parse(process.argv[2]);
const how = z.enum(["bare", "landlock", "one-thread"]).parse(process.argv[3]);
const [file = "", port = "", abstract = ""] = process.argv.slice(4);
const machine = z.enum(["x64", "arm64"]).parse(process.arch);

// libuv's threads are there by now.
await (await open(file)).close();
readAhead(NEEDS[role]);

const libc = openLibc(machine);
let abi = 0;
if (how === "landlock") abi = enforceLandlock(libc, machine, NEEDS[role].files, NEEDS[role].sockets);
if (how === "one-thread") {
  const attributes = new BigUint64Array([1n << 2n]);
  const ruleset = libc.call("landlock_create_ruleset", libc.at(attributes), 8, 0);
  libc.call("prctl", 38, 1);
  libc.call("landlock_restrict_self", ruleset, 0);
}

const ffi = process.getBuiltinModule("node:ffi");
const { functions: c } = ffi.dlopen(null, { __errno_location: { arguments: [], return: "pointer" } });
const text = (words: string): Buffer<ArrayBuffer> => Buffer.from(Uint8Array.from(Buffer.from(`${words}\0`)).buffer);
const call = (...words: Parameters<typeof libc.call>): number => {
  const answer = libc.call(...words);
  if (answer < 0n) return ffi.getInt32(c.__errno_location());
  return 0;
};
const AT_FDCWD = -100;

/** As native code opens a file, in this thread. */
function openNatively(path: string, flags: number): number {
  const bytes = text(path);
  const answer = libc.call("openat", AT_FDCWD, libc.at(bytes), flags, 0o600);
  if (answer < 0n) return ffi.getInt32(c.__errno_location());
  closeSync(Number(answer));
  return 0;
}

async function openInTheirThread(path: string): Promise<number> {
  try {
    await (await open(path)).close();
    return 0;
  } catch (error) {
    return error instanceof Error && "errno" in error ? -Number(error.errno) : -1;
  }
}

/** struct sockaddr_in of 127.0.0.1. */
function internet(at: number): Buffer<ArrayBuffer> {
  const address = Buffer.from(new ArrayBuffer(16));
  address.writeUInt16LE(2, 0);
  address.writeUInt16BE(at, 2);
  address.set([127, 0, 0, 1], 4);
  return address;
}

function withSocket(family: number, act: (socket: bigint) => number): number {
  const socket = libc.call("socket", family, 1, 0);
  if (socket < 0n) return -1;
  const answer = act(socket);
  closeSync(Number(socket));
  return answer;
}

const [to, from] = [internet(Number(port)), internet(0)];
const name = Buffer.from(Uint8Array.from(Buffer.concat([Buffer.from([1, 0, 0]), Buffer.from(abstract)])).buffer);

const answers: Record<string, number> = {
  abi,
  "read a file": openNatively(file, 0),
  "read a file in a thread of before": await openInTheirThread(file),
  "read a folder": openNatively("/", 0o200000),
  "make a file": openNatively(`${file}.made`, 0o101),
  "remove a file": call("unlinkat", AT_FDCWD, libc.at(text(`${file}.spare`)), 0),
  "read /etc/hosts": openNatively("/etc/hosts", 0),
  "read /proc/self/environ": openNatively("/proc/self/environ", 0),
  "connect TCP": withSocket(2, (socket) => call("connect", socket, libc.at(to), 16)),
  "bind TCP": withSocket(2, (socket) => call("bind", socket, libc.at(from), 16)),
  "connect to an abstract socket": withSocket(1, (socket) => call("connect", socket, libc.at(name), name.length)),
  "signal the parent": call("kill", process.ppid, 0),
  "signal itself": call("kill", process.pid, 0),
  "signal a thread of its own": call("tgkill", process.pid, process.pid, 0),
};
writeSync(1, `${JSON.stringify(answers)}\n`);
process.exit(0);
