import { statSync } from "node:fs";
import { isSea } from "node:sea";
import * as confine from "../confine/confine.ts";
import {
  buildLocalSocketsWall,
  closeOnExec,
  forbidRings,
  hideFromDumps,
  kernelLandlock,
  letGoOfStart,
} from "../confine/walls.ts";
import { CommandGroups, ownCgroup } from "../sandbox/group.ts";
import { findBubblewrap } from "../sandbox/state.ts";

/** The walls of those who start the children: the daemon, and the owner's commands. They stand in the executable; a process that runs the
 *  sources, such as a unit test, is not ours alone to wall in. */

let held = false;

/** A command opens no socket but a local one, and neither does what it starts: the kernel sees to it, where there is seccomp. It comes before
 *  anything else, but in a command that may have to ask a platform about a candidate by a child of its own, while no daemon runs.
 *  @throws {ConfineError} if the wall does not stand: nothing may run then. */
export function holdCommand(): void {
  if (held || !isSea() || process.platform !== "linux") return;
  buildLocalSocketsWall();
  held = true;
}

let ringless = false;
const SET_USER_ID = 0o4000;

/** Before the first child of the daemon is started: none of them then has a descriptor that whoever started us left open, or an io_uring, with which native code opens sockets that no filter sees. What goes
 *  with it is that no program gets more rights than we have. Where bubblewrap has to (it is set-user-ID where users may make no namespaces), this
 *  wall is left out, and every child's status says so. @throws {ConfineError} if it does not stand. */
export function forbidRingsToChildren(): void {
  if (ringless || !isSea() || process.platform !== "linux") return;
  landlock = kernelLandlock();
  closeOnExec();
  const bubblewrap = findBubblewrap();
  if (bubblewrap !== null && (statSync(bubblewrap).mode & SET_USER_ID) !== 0) return;
  forbidRings();
  ringless = true;
}

let landlock: number | null = null;

/** What children are held by on this system, as the record of a start names it: what the kernel answered when it was asked, and nothing of which it was
 *  not. Each child tries its own walls and does not begin without them. */
export function offered(): string {
  if (process.platform !== "linux") return "permissions";
  const layers = ["permissions", ...(landlock === null ? [] : [`landlock:${landlock}`]), "seccomp"];
  return [...layers, ...(ringless ? ["no-ring"] : []), ...(hidden ? ["not-dumpable"] : [])].join("+");
}

/** Takes the cgroup that this process is in, so that the kernel holds commands to their limits. @param started what it has started already.
 *  @returns in a sentence why there is none. */
export function claimGroups(started: readonly number[]): CommandGroups | string {
  if (!isSea() || process.platform !== "linux") return "only the executable asks for one, on Linux";
  return CommandGroups.claim(ownCgroup(started));
}

let hidden = false;

/** What this process holds in memory is read by nobody else of this account, and goes into no core file. It comes after the passphrase was taken out of the
 *  environment: from here on a process of an ordinary user may not look at its own memory through `/proc` either. @throws {ConfineError} if it does not hold. */
export function hideMemory(): void {
  if (hidden || !isSea() || process.platform !== "linux") return;
  hideFromDumps();
  hidden = true;
}

/** Once a start is over: what was read of the executable's file for it alone is not held any longer. */
export function giveBack(): void {
  if (isSea() && process.platform === "linux") letGoOfStart();
}

/** The daemon once it listens on its control socket, a command once it has its line to it or knows that there is none: from here on this
 *  process connects nowhere, listens nowhere else and resolves no name. Its children have permissions of their own.
 *  @throws {ConfineError} if the network does not go. */
export function closeNetwork(): void {
  if (isSea()) confine.closeNetwork();
}
