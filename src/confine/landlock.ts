import { closeSync, fstatSync, openSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import { ConfineError } from "./error.ts";
import { restrictOtherThreads } from "./every-thread.ts";
import type { Libc } from "./libc.ts";
import type { Files, Sockets } from "./role.ts";
import type { Machine } from "./syscalls.ts";

/** Landlock: what this process may open by path, connect to, and signal, whatever code runs in it. It is the kernel's, for any user.
 *  @see https://docs.kernel.org/userspace-api/landlock.html */

const CREATE_RULESET_VERSION = 1;
export const RULE_PATH_BENEATH = 1;
const READ_FILE = 1 << 2;
const READ_DIR = 1 << 3;
const BIND_TCP = 1 << 0;
const CONNECT_TCP = 1 << 1;
const SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0;
const SCOPE_SIGNAL = 1 << 1;
const SCOPES = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
/** How many rights to files each ABI knows, from the first: making hard links to elsewhere came with the second, truncating with the third,
 *  `ioctl` on devices with the fifth. */
const FILE_RIGHTS = [13, 14, 15, 15, 16] as const;
/** `struct landlock_ruleset_attr`: three u64 since ABI 6, two since 4, one before. */
const NET_ABI = 4;
const SCOPE_ABI = 6;

const O_PATH = 0o10000000;

/** Files that some roles read. Each is opened by what it leads to now: a file that is replaced later is another one, and cannot be read. */
const PATHS: Readonly<Record<Files, readonly string[]>> = {
  none: [],
  // What the C library asks to resolve a name, and where the parts lie that it loads for that.
  names: [
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/services",
    "/etc/ld.so.cache",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
  ],
  // What GLib and libgcrypt look at, and the libraries they load late.
  keychain: [
    "/etc/ld.so.cache",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/machine-id",
    "/etc/gcrypt",
    "/etc/localtime",
    "/var/lib/dbus/machine-id",
    "/proc/sys/crypto/fips_enabled",
    "/dev/urandom",
    "/dev/random",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/share/locale",
    "/usr/share/glib-2.0",
  ],
};

/** @returns the version of Landlock that this kernel offers; 0 where there is none, or where it is switched off. */
export function landlockAbi(libc: Libc): number {
  const answer = libc.call("landlock_create_ruleset", 0, 0, CREATE_RULESET_VERSION);
  return answer > 0n ? Number(answer) : 0;
}

/** Holds every thread to what the role reads and to the kinds of reach that it has. What the ABI at hand does not know is left out.
 *  @returns the ABI; 0 where there is none. @throws {ConfineError} if it is there and cannot be had. */
export function enforceLandlock(libc: Libc, machine: Machine, files: Files, sockets: Sockets): number {
  const abi = landlockAbi(libc);
  if (abi === 0) return 0;
  // D-Bus may lie at an abstract address.
  const handled = attributes(abi, tcpDenied(sockets), sockets === "local" ? SCOPE_SIGNAL : SCOPES);
  const ruleset = Number(libc.call("landlock_create_ruleset", libc.at(handled), handled.byteLength, 0));
  if (ruleset < 0) throw new ConfineError("CONFINE_FAILED", "The system refused a Landlock ruleset");
  try {
    for (const path of PATHS[files]) allowReading(libc, ruleset, path);
    if (files === "names") allowResolver(libc, ruleset);
    // Each thread for itself: see every-thread.ts. Ours last, or it could open nothing to see the others.
    restrictOtherThreads(libc, machine, ruleset);
    if (libc.call("landlock_restrict_self", ruleset, 0) !== 0n)
      throw new ConfineError("CONFINE_FAILED", "The system refused to restrict this process by Landlock");
  } finally {
    closeSync(ruleset);
  }
  return abi;
}

/** `struct landlock_ruleset_attr`, as long as this version of Landlock has it: all of its rights to files, and what is given of the rest. */
function attributes(abi: number, tcp: number, scopes: number): BigUint64Array<ArrayBuffer> {
  const words = abi >= SCOPE_ABI ? 3 : abi >= NET_ABI ? 2 : 1;
  return new BigUint64Array([BigInt(fileRights(abi)), BigInt(tcp), BigInt(scopes)].slice(0, words));
}

/** The rights to files that a version of Landlock knows: all it knows are refused where no rule allows them. */
export function fileRights(abi: number): number {
  return 2 ** (FILE_RIGHTS[Math.min(abi, FILE_RIGHTS.length) - 1] ?? 0) - 1;
}

/** For a program that has a network of its own, in which it is alone: no file, no signal to others, no abstract socket of others. */
export function filesAndScopes(abi: number): BigUint64Array<ArrayBuffer> {
  return attributes(abi, 0, SCOPES);
}

/** `struct landlock_path_beneath_attr`, packed: `u64 rights, i32 descriptor`. Four more bytes: an answer of the kernel is eight long. */
export const BENEATH = { bytes: 16, descriptorAt: 8 } as const;

function tcpDenied(sockets: Sockets): number {
  switch (sockets) {
    case "internet":
    case "internet and paths":
      return BIND_TCP;
    case "listening":
      return CONNECT_TCP;
    case "local":
    case "none":
      return BIND_TCP | CONNECT_TCP;
  }
}

function allowReading(libc: Libc, ruleset: number, path: string): void {
  allowBeneath(libc, ruleset, path, { folder: READ_FILE | READ_DIR, file: READ_FILE });
}

/** What Landlock's rights to files are called, by linux/landlock.h. */
export const RIGHTS = {
  execute: 1 << 0,
  writeFile: 1 << 1,
  readFile: READ_FILE,
  readDirectory: READ_DIR,
  removeDirectory: 1 << 4,
  removeFile: 1 << 5,
  makeDirectory: 1 << 7,
  makeFile: 1 << 8,
  makeFifo: 1 << 10,
  makeLink: 1 << 12,
  refer: 1 << 13,
  truncate: 1 << 14,
} as const;

/** `ioctl` on a device that was opened. */
export const ASK_DEVICE = 1 << 15;

/** The ABI with which a command is kept from files, from TCP, and from signalling who watches it. */
export const COMMAND_ABI = SCOPE_ABI;

/** A ruleset in which nothing is allowed: no file, no TCP, no signal and no abstract socket of others. The caller closes it.
 *  @throws {ConfineError} where Landlock knows less than {@link COMMAND_ABI}. */
export function emptyRuleset(libc: Libc): number {
  if (landlockAbi(libc) < COMMAND_ABI)
    throw new ConfineError("CONFINE_FAILED", "Landlock here cannot hold a command: Linux 6.12 or later is needed");
  const handled = attributes(COMMAND_ABI, BIND_TCP | CONNECT_TCP, SCOPES);
  const ruleset = Number(libc.call("landlock_create_ruleset", libc.at(handled), handled.byteLength, 0));
  if (ruleset < 0) throw new ConfineError("CONFINE_FAILED", "The system refused a Landlock ruleset");
  return ruleset;
}

/** Allows what lies at or below a path, if there is anything. @param rights for a folder, and for what is none.
 *  @throws {ConfineError} if the system refuses the rule. */
export function allowBeneath(
  libc: Libc,
  ruleset: number,
  path: string,
  rights: { readonly folder: number; readonly file: number },
): void {
  let opened: number;
  try {
    opened = openSync(path, O_PATH);
  } catch {
    return; // It is not on this system.
  }
  try {
    // struct landlock_path_beneath_attr, packed: `u64 rights, i32 descriptor`.
    const rule = new Uint8Array(12);
    const view = new DataView(rule.buffer);
    const folder = fstatSync(opened).isDirectory();
    view.setBigUint64(0, BigInt(folder ? rights.folder : rights.file), true);
    view.setInt32(8, opened, true);
    if (libc.call("landlock_add_rule", ruleset, RULE_PATH_BENEATH, libc.at(rule), 0) !== 0n)
      throw new ConfineError("CONFINE_FAILED", `The system refused a Landlock rule for ${path}`);
  } finally {
    closeSync(opened);
  }
}

/** Who keeps resolv.conf elsewhere replaces it at each change of the network: then its folder is what can be read. `/etc` is never that folder. */
function allowResolver(libc: Libc, ruleset: number): void {
  try {
    const folder = dirname(realpathSync("/etc/resolv.conf"));
    if (folder.startsWith("/run/") && folder !== "/run/NetworkManager") allowReading(libc, ruleset, folder);
  } catch {
    // There is none.
  }
}
