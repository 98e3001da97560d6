import { closeSync, openSync, readdirSync, statSync, writeSync } from "node:fs";
import { ConfineError } from "../confine/error.ts";
import { allowBeneath, emptyRuleset, RIGHTS } from "../confine/landlock.ts";
import { type Libc, openLibc } from "../confine/libc.ts";
import { knownMachine } from "../confine/syscalls.ts";
import { installFilter } from "../confine/walls.ts";
import type { LaunchOrder } from "../sandbox/launch-order.ts";
import type { Limits } from "../sandbox/limits.ts";
import { launchedFilter } from "../sandbox/seccomp.ts";
import { PROGRAMS, SETTINGS } from "../sandbox/seen.ts";
import { environment } from "../sandbox/view.ts";

/** Walls that this thread builds around itself; the program that it then becomes keeps them, and every other thread ends with that. */

// linux/prctl.h, asm-generic/resource.h, linux/capability.h, linux/close_range.h, asm-generic/errno-base.h
const PR_SET_PDEATHSIG = 1;
const PR_CAPBSET_DROP = 24;
const PR_CAPBSET_READ = 23;
const PR_SET_NO_NEW_PRIVS = 38;
const SIGKILL = 9;
/** Node ignores both, and what is ignored stays so in another program. */
const IGNORED = [13, 25];
const RLIMIT = { CPU: 0, FSIZE: 1, DATA: 2, CORE: 4, NPROC: 6, NOFILE: 7 } as const;
const CAPABILITY_VERSION = 0x2008_0522;
const CLOSE_RANGE_CLOEXEC = 4;
const MOST = 0xffff_ffff;
const F_SETFD = 2;
const ENOENT = 2;
const ENOEXEC = 8;
const EACCES = 13;
const AF_UNIX = 1;
const AF_INET = 2;
const SOCK_STREAM = 1;

const { execute, readFile, readDirectory, writeFile, truncate } = RIGHTS;
const READING = { folder: execute | readFile | readDirectory, file: execute | readFile };
const WRITING = { folder: Object.values(RIGHTS).reduce((sum, right) => sum | right, 0), file: READING.file };
const DEVICES = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/** The status of a command that cannot be run, as shells have it. */
const CANNOT_RUN = 127;

/** Becomes the command, inside its walls; ends where there is no such program. @throws {ConfineError} if a wall cannot be built or does not stand: nothing of the command ran. */
export function becomeCommand(order: LaunchOrder): void {
  const machine = knownMachine(process.arch);
  const filter = launchedFilter(process.arch, order.write);
  if (machine === null || filter === null)
    throw new ConfineError("CONFINE_FAILED", `There is no seccomp filter for ${process.arch}`);
  process.chdir(order.workspace);
  using libc = openLibc(machine);
  for (const signal of IGNORED) libc.handle(signal, 0n, 0);
  const ruleset = emptyRuleset(libc);
  for (const path of [...PROGRAMS, ...SETTINGS, ...order.toolchains]) allowBeneath(libc, ruleset, path, READING);
  for (const path of DEVICES) allowBeneath(libc, ruleset, path, { folder: 0, file: readFile | writeFile | truncate });
  // By what it is now: whoever renames it meanwhile renames what is allowed with it.
  allowBeneath(libc, ruleset, ".", order.write ? WRITING : READING);
  for (const { path, write } of order.folders) allowBeneath(libc, ruleset, path, write ? WRITING : READING);
  limit(libc, order.limits, order.runAs);
  giveUpRights(libc, order.runAs);
  done(libc.call("prctl", PR_SET_NO_NEW_PRIVS, 1), "PR_SET_NO_NEW_PRIVS");
  // A change of the user ends this promise: it comes after that.
  done(libc.call("prctl", PR_SET_PDEATHSIG, SIGKILL), "PR_SET_PDEATHSIG");
  done(libc.call("landlock_restrict_self", ruleset, 0), "to restrict this process by Landlock");
  closeSync(ruleset);
  done(libc.call("close_range", 3, MOST, CLOSE_RANGE_CLOEXEC), "to close what is open");
  // Node keeps even these from other programs.
  for (const descriptor of [0, 1, 2]) done(libc.call("fcntl", descriptor, F_SETFD, 0), "to keep input and output");
  installFilter(libc, filter);
  assertStands(libc);
  replaceBy(libc, order);
  writeSync(2, `cannot run ${order.argv[0] ?? ""}\n`);
  // At once: a ring that libuv made can be entered no more, and its own way out would try.
  libc.call("exit_group", CANNOT_RUN);
}

function limit(libc: Libc, limits: Limits, runAs: number | null): void {
  // All that are root's commands share one count; a user's own processes count with the command's.
  const processes = runAs === null ? tasksOf(process.getuid?.() ?? 0) + 2 * limits.processes : 4 * limits.processes;
  const each: readonly (readonly [resource: number, most: number])[] = [
    [RLIMIT.NPROC, processes],
    [RLIMIT.FSIZE, limits.file],
    [RLIMIT.NOFILE, limits.openFiles],
    [RLIMIT.CPU, limits.seconds + 1],
    [RLIMIT.CORE, 0],
  ];
  for (const [resource, most] of each) done(BigInt(libc.setrlimit(resource, most)), `limit ${resource}`);
}

function tasksOf(user: number): number {
  return readdirSync("/proc").reduce((sum, name) => {
    try {
      return /^\d+$/.test(name) && statSync(`/proc/${name}`).uid === user
        ? sum + readdirSync(`/proc/${name}/task`).length
        : sum;
    } catch {
      return sum; // It has ended.
    }
  }, 0);
}

/** Of this thread alone: the others end when it becomes the command. @param user whom it becomes, when it is root; null: nobody else. */
function giveUpRights(libc: Libc, user: number | null): void {
  for (let one = 0; libc.call("prctl", PR_CAPBSET_READ, one) >= 0n; one += 1) {
    const dropped = libc.call("prctl", PR_CAPBSET_DROP, one);
    // Who has no right to that has none to lose either; root of a user namespace has.
    if (user !== null) done(dropped, "to drop a capability");
  }
  if (user !== null) {
    done(libc.call("setgroups", 0, 0), "to leave its groups");
    done(libc.call("setresgid", user, user, user), "another group");
    done(libc.call("setresuid", user, user, user), "another user");
  }
  // struct __user_cap_header_struct: `u32 version, i32 pid`; then two of `u32 effective, permitted, inheritable`.
  const header = new Uint32Array([CAPABILITY_VERSION, 0]);
  const none = new Uint32Array(6);
  done(libc.call("capset", libc.at(header), libc.at(none)), "to have no capability");
}

/** Tried, not believed. */
function assertStands(libc: Libc): void {
  if (opens("/proc/self/status") || opens("/"))
    throw new ConfineError("CONFINE_FAILED", "Landlock does not stand around a command");
  if (
    libc.call("socket", AF_INET, SOCK_STREAM, 0) >= 0n ||
    libc.call("socket", AF_UNIX, SOCK_STREAM, 0) >= 0n ||
    libc.call("kill", process.ppid, 0) === 0n
  )
    throw new ConfineError("CONFINE_FAILED", "A wall does not stand around a command");
}

function opens(path: string): boolean {
  try {
    closeSync(openSync(path, "r"));
    return true;
  } catch {
    return false;
  }
}

/** As execvp(3) goes about it. */
function replaceBy(libc: Libc, { argv, workspace, toolchains, limits }: LaunchOrder): void {
  const [name = ""] = argv;
  const given = new Map(environment(workspace, toolchains));
  const variables = pointers(
    libc,
    [...given].map(([variable, value]) => `${variable}=${value}`),
  );
  const folders = (given.get("PATH") ?? "").split(":");
  const made = (path: string, words: readonly string[]) => ({ program: text(path), list: pointers(libc, words) });
  const tries = (name.includes("/") ? [name] : folders.map((folder) => `${folder}/${name}`)).map((path) => ({
    itself: made(path, argv),
    asScript: made("/bin/sh", ["/bin/sh", path, ...argv.slice(1)]),
  }));
  const run = ({ program, list }: ReturnType<typeof made>): void => {
    libc.call("execve", libc.at(program), libc.at(list), libc.at(variables));
  };
  // Last of all: Node itself may have more by now, and would end itself with the next thing that it needs.
  done(BigInt(libc.setrlimit(RLIMIT.DATA, 2 * limits.memory)), `limit ${RLIMIT.DATA}`);
  for (const { itself, asScript } of tries) {
    run(itself);
    const wrong = libc.errno();
    if (wrong === ENOEXEC) run(asScript);
    if (wrong !== ENOENT && wrong !== EACCES) return;
  }
}

function text(value: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(value);
  const ended = new Uint8Array(new ArrayBuffer(bytes.length + 1));
  ended.set(bytes);
  return ended;
}

/** Addresses are no references: what they point to is kept here until another program is in this one's place. */
const kept: Uint8Array[] = [];

/** An array of pointers to words, that ends with none. */
function pointers(libc: Libc, values: readonly string[]): BigUint64Array<ArrayBuffer> {
  const words = values.map(text);
  kept.push(...words);
  return new BigUint64Array([...words.map((bytes) => libc.at(bytes)), 0n]);
}

function done(status: bigint, what: string): void {
  if (status !== 0n) throw new ConfineError("CONFINE_FAILED", `The system refused ${what}`);
}
