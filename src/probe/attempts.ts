import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { type Libc, openLibc } from "../confine/libc.ts";
import { knownMachine } from "../confine/syscalls.ts";
import type { Wall } from "../confine/walls.ts";
import type { Reach, Tried } from "../ipc/probe-frames.ts";

type By = Tried["native"];

const AT_FDCWD = -100;
const O_TMPFILE_RDWR = 0o20_200_002;
const AF_UNIX = 1;
const AF_INET = 2;
const AF_NETLINK = 16;
const SOCK_STREAM = 1;
const SOCK_RAW = 3;
const PTRACE_SEIZE = 0x4206;
/** More than the limit of a child. */
const MUCH = 3 * 1_073_741_824;

/** What native code in this process can do: each attempt does nothing where it is let through. It keeps the C library past the walls, which is
 *  what a probe is for and nothing else may. */
export class Attempts {
  readonly #libc: Libc;
  readonly #bytes: Uint8Array<ArrayBuffer>[] = [];
  readonly #native: Readonly<Record<Reach, (libc: Libc) => boolean>>;
  readonly #by = new Map<Reach, By>();

  constructor() {
    const machine = knownMachine(process.arch);
    if (machine === null) throw new TypeError(`there are no walls for ${process.arch}`);
    this.#libc = openLibc(machine);
    const image = this.#text("/proc/self/exe");
    const folder = this.#text("/tmp");
    const nowhere = this.#text("/nonexistent");
    const environment = this.#text(`/proc/${process.ppid}/environ`);
    const address = this.#held(Uint8Array.from([AF_INET, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]));
    const [self, other] = [process.getuid?.() ?? 0, process.ppid];
    this.#native = {
      "read a file": (libc) => opens(libc, image, 0),
      "write a file": (libc) => opens(libc, folder, O_TMPFILE_RDWR),
      "start a program": (libc) => !libc.denied("execve", nowhere, 0, 0),
      // Memory that can be executed stays: V8 compiles. What is loaded would be a file.
      "load native code": (libc) => opens(libc, image, 0),
      "connect outward": (libc) =>
        sockets(libc, AF_INET, SOCK_STREAM, (fd) => !libc.denied("connect", fd, address, 16)),
      listen: (libc) => sockets(libc, AF_INET, SOCK_STREAM, (fd) => !libc.denied("bind", fd, address, 16)),
      "open a local socket": (libc) => sockets(libc, AF_UNIX, SOCK_STREAM, () => true),
      "open other kinds of socket": (libc) => sockets(libc, AF_NETLINK, SOCK_RAW, () => true),
      "make a ring": (libc) => !libc.denied("io_uring_setup", 0, 0),
      "signal another process": (libc) => !libc.denied("kill", other, 0),
      "read another's memory": (libc) => opens(libc, environment, 0),
      "trace another process": (libc) => !libc.denied("ptrace", PTRACE_SEIZE, other, 0, 0x7fff_ffff),
      "become another user": (libc) => !libc.denied("setuid", self),
      "exhaust memory": (libc) => maps(libc),
    };
  }

  #text(words: string): bigint {
    return this.#held(Uint8Array.from(Buffer.from(`${words}\0`)));
  }

  /** Memory that stays where it is for as long as this does. */
  #held(bytes: Uint8Array<ArrayBuffer>): bigint {
    this.#bytes.push(bytes);
    return this.#libc.at(bytes);
  }

  /** Tries what no wall has refused so far. @param by what stands since the last time. */
  tryNative(by: Wall | "system"): void {
    for (const [reach, attempt] of entriesOf(this.#native)) {
      if (this.#by.has(reach) || attempt(this.#libc)) continue;
      this.#by.set(reach, nameOf(reach, by));
    }
  }

  /** Tries the same as a script does, and lets go of the C library. */
  finish(): Tried[] {
    this.#libc[Symbol.dispose]();
    return entriesOf(this.#native).map(([reach]) => {
      const native = this.#by.get(reach) ?? null;
      const script = SCRIPTED[reach];
      return { reach, native, script: script === undefined || !isDenied(script) ? native : "permissions" };
    });
  }
}

/** A ring that nobody can make was forbidden by whoever started us. */
function nameOf(reach: Reach, by: Wall | "system"): By {
  if (reach === "make a ring" && by === "system") return "no-ring";
  switch (by) {
    case "no-new-privileges":
    case "ends-with-parent":
      return "not-dumpable";
    default:
      return by;
  }
}

const SCRIPTED: Readonly<Partial<Record<Reach, () => void>>> = {
  "read a file": () => closeSync(openSync("/proc/self/exe", "r")),
  "write a file": () => closeSync(openSync("/dev/null", "w")),
  "start a program": () => {
    const { error } = spawnSync("/nonexistent");
    if (error !== undefined) throw error;
  },
  "load native code": () => void process.getBuiltinModule("node:ffi").dlopen(null, {}),
};

function isDenied(attempt: () => void): boolean {
  try {
    attempt();
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ERR_ACCESS_DENIED";
  }
}

function opens(libc: Libc, path: bigint, flags: number): boolean {
  const fd = libc.call("openat", AT_FDCWD, path, flags, 0o600);
  if (fd >= 0n) libc.call("close", fd);
  return fd >= 0n;
}

function sockets(libc: Libc, family: number, type: number, act: (fd: bigint) => boolean): boolean {
  const fd = libc.call("socket", family, type, 0);
  if (fd < 0n) return false;
  const answer = act(fd);
  libc.call("close", fd);
  return answer;
}

function maps(libc: Libc): boolean {
  const [PROT_READ_WRITE, PRIVATE_ANONYMOUS_NORESERVE] = [3, 0x4022];
  const memory = libc.call("mmap", 0, MUCH, PROT_READ_WRITE, PRIVATE_ANONYMOUS_NORESERVE, -1, 0);
  if (memory > 0n) libc.call("munmap", memory, MUCH);
  return memory > 0n;
}

function entriesOf<K extends string, V>(record: Readonly<Record<K, V>>): [K, V][] {
  const names = Object.keys(record).filter((name): name is K => name in record);
  return names.map((name) => [name, record[name]]);
}
