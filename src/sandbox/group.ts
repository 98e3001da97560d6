import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Limits } from "./limits.ts";

/** Where the kernel itself holds all that a command starts to its limits: a cgroup of the second version that was given to us, as systemd does for a unit or
 *  a scope with `Delegate=yes`. No process of it leaves it, and between two looks none has more than it may.
 *  @see https://docs.kernel.org/admin-guide/cgroup-v2.html, https://systemd.io/CGROUP_DELEGATION/ */

/** The daemon's own: what has processes gives its children no limits. */
const DAEMON = "wirken";
const COMMAND = "wirken-command-";
/** Processes and threads of ours among a command's: two shells, two of bubblewrap, and with a way out one shell and a relay with a dozen threads. */
const OURS = 32;
/** What was killed is gone within milliseconds. */
const EMPTY_MS = 2_000;
const CONTROLLERS = ["memory", "pids"] as const;

/** What the kernel says of itself; another in tests. */
export interface CgroupPlaces {
  /** `/proc/self/mountinfo` and `/proc/self/cgroup`. */
  readonly mounts: string;
  readonly own: string;
  /** This process, and those that it has started already. */
  readonly pids: readonly number[];
}

/** Of this process. @param started what it has started already. */
export function ownCgroup(started: readonly number[]): CgroupPlaces {
  return { mounts: read("/proc/self/mountinfo"), own: read("/proc/self/cgroup"), pids: [process.pid, ...started] };
}

/** Groups for commands below a cgroup that is ours alone. */
export class CommandGroups {
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  /** Takes the cgroup that this process is in, if it was given to us: this process moves to a group of its own in it, where what it starts is too.
   *  @returns in a sentence why there is none. */
  static claim(places: CgroupPlaces): CommandGroups | string {
    const root = directoryOf(places);
    if (root === null) return "this system has no cgroup of the second version for it";
    const offered = read(join(root, "cgroup.controllers")).trim().split(" ");
    const missing = CONTROLLERS.filter((name) => !offered.includes(name));
    if (missing.length > 0) return `the cgroup that it is in has no controller ${missing.join(" and none called ")}`;
    const members = read(join(root, "cgroup.procs")).trim().split("\n").map(Number);
    if (members.some((pid) => !places.pids.includes(pid)))
      return "it is not alone in its cgroup, so that was not given to it";
    const own = join(root, DAEMON);
    try {
      mkdirSync(own, { recursive: true });
      moveTo(own, members);
    } catch {
      return "the cgroup that it is in was not given to it";
    }
    try {
      writeFileSync(join(root, "cgroup.subtree_control"), CONTROLLERS.map((name) => `+${name}`).join(" "));
      for (const name of readdirSync(root)) if (name.startsWith(COMMAND)) removeIfEmpty(join(root, name));
      return new CommandGroups(root);
    } catch {
      moveTo(root, members);
      removeIfEmpty(own);
      return "its cgroup cannot be divided";
    }
  }

  /** A group for one command. @throws {Error} of the system's. */
  make({ memory, processes }: Limits): CommandGroup {
    const path = join(this.#root, `${COMMAND}${randomBytes(8).toString("hex")}`);
    mkdirSync(path);
    const set = (name: string, value: number): void => writeFileSync(join(path, name), String(value));
    try {
      set("memory.max", memory);
      set("pids.max", processes + OURS);
      // All of it, not the one process that asked last: the rest would go on with half of what it was.
      set("memory.oom.group", 1);
    } catch (cause) {
      removeIfEmpty(path);
      throw cause;
    }
    try {
      // Where memory is swapped, it would be another limit's.
      set("memory.swap.max", 0);
    } catch {
      // A kernel without swap has no such file.
    }
    return new CommandGroup(path);
  }
}

/** What one command starts. */
export class CommandGroup {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Whoever writes `0` to it is in the group. */
  get entrance(): string {
    return join(this.#path, "cgroup.procs");
  }

  /** The limit that the kernel held it to; null: none so far. */
  get reached(): "memory" | "processes" | null {
    if (countOf(read(join(this.#path, "memory.events")), "oom_kill") > 0) return "memory";
    return countOf(read(join(this.#path, "pids.events")), "max") > 0 ? "processes" : null;
  }

  /** Ends all of it at once. */
  kill(): void {
    try {
      writeFileSync(join(this.#path, "cgroup.kill"), "1");
    } catch {
      // Before Linux 5.14 there is no such file; it is ended otherwise, too.
    }
  }

  /** Once nothing of it is left. */
  async remove(): Promise<void> {
    const until = performance.now() + EMPTY_MS;
    while (!removeIfEmpty(this.#path) && performance.now() < until) await sleep(2);
  }
}

function moveTo(group: string, pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      writeFileSync(join(group, "cgroup.procs"), String(pid));
    } catch (cause) {
      // One of those that it has started has ended.
      if (!(cause instanceof Error && "code" in cause && cause.code === "ESRCH")) throw cause;
    }
  }
}

/** Where the cgroup of this process lies; null: nowhere. */
function directoryOf({ mounts, own }: CgroupPlaces): string | null {
  const path = /^0::(\/.*)$/m.exec(own)?.[1];
  if (path === undefined) return null;
  for (const line of mounts.split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    if (!after.startsWith("cgroup2 ")) continue;
    const [, , , root = "/", mounted = ""] = before.split(" ");
    const below = relative(root, path);
    // In a namespace of its own it may be shown from another place than it is mounted from.
    if (!below.startsWith("..")) return join(mounted, below);
  }
  return null;
}

function removeIfEmpty(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (cause) {
    return cause instanceof Error && "code" in cause && cause.code === "ENOENT";
  }
}

/** `name 3` in a file of such lines. */
function countOf(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1] ?? 0);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
