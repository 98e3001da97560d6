import { spawn } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { cleanEnvironment, type Ran } from "./daemon.ts";

/** What `/proc` says of the sockets of other processes. A socket that is not in the kernel's list of local ones is of a network: also one
 *  that was only opened, and is in no list at all. */

/** Inodes of the sockets that a process has open; none if it is gone, or not ours to look at. */
function socketsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => inodeAt(pid, fd) ?? []);
  } catch {
    return [];
  }
}

function inodeAt(pid: number, fd: string): string | null {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? null;
  } catch {
    return null; // closed meanwhile
  }
}

/** Inodes of its sockets that are not local ones. */
export function networkSockets(pid: number): string[] {
  const before = socketsOf(pid);
  if (before.length === 0) return [];
  try {
    const local = new Set(
      readFileSync(`/proc/${pid}/net/unix`, "utf8")
        .split("\n")
        .map((line) => line.trim().split(/\s+/)[6]),
    );
    // One that was closed before the list was read is not in it, whatever it was.
    const after = new Set(socketsOf(pid));
    return before.filter((inode) => after.has(inode) && !local.has(inode));
  } catch {
    return [];
  }
}

/** Which of these processes have the client's end of a connection on loopback. @param from the client's port. */
export function holdersOf(from: number, pids: Iterable<number>): number[] {
  const port = from.toString(16).toUpperCase().padStart(4, "0");
  const inodes = new Set(
    ["tcp", "tcp6"].flatMap((list) =>
      readFileSync(`/proc/net/${list}`, "utf8")
        .split("\n")
        .map((line) => line.trim().split(/\s+/))
        .flatMap((fields) => (fields[1]?.endsWith(`:${port}`) === true ? (fields[9] ?? []) : [])),
    ),
  );
  return [...pids].filter((pid) => socketsOf(pid).some((inode) => inodes.has(inode)));
}

/** How a watched process ended, and every network socket that it was seen to have. */
export interface Watched extends Ran {
  readonly sockets: readonly string[];
  /** How often it was looked at. */
  readonly looks: number;
}

interface WatchOptions {
  readonly environment?: Record<string, string>;
  readonly stdin?: string;
  /** Told its process id. */
  readonly began?: (pid: number) => void;
  /** Asked after each look: enough was seen, and it is killed. */
  readonly enough?: (sockets: number, looks: number) => boolean;
}

/** Runs a program and looks at its sockets every millisecond or so until it ends. */
export async function watched(command: string, words: readonly string[], options: WatchOptions = {}): Promise<Watched> {
  const environment = options.environment ?? cleanEnvironment("/nonexistent");
  const child = spawn(command, words, { env: environment, stdio: ["pipe", "pipe", "pipe"] });
  options.began?.(child.pid ?? 0);
  const text = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (piece: string) => (text.stdout += piece));
  child.stderr.setEncoding("utf8").on("data", (piece: string) => (text.stderr += piece));
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.stdin ?? "");
  const ended = new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (...end) => resolve(end));
  });
  const sockets = new Set<string>();
  let looks = 0;
  while (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
    looks += 1;
    for (const inode of networkSockets(child.pid)) sockets.add(inode);
    if (options.enough?.(sockets.size, looks) === true) child.kill("SIGKILL");
    await delay(1);
  }
  const [status, signal] = await ended;
  return { status, signal, ...text, sockets: [...sockets], looks };
}
