import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { SandboxError } from "./command.ts";

/** What is left of a namespace ends within microseconds of its first process; after this long something is wrong with the kernel. */
const GONE_MS = 5_000;

/** The first process of a namespace, as this machine numbers it: with it goes everything that is in there. */
export interface FirstProcess {
  readonly pid: number;
  /** In clock ticks since the machine started: tells it from a later process of the same number. */
  readonly started: string;
}

export function firstProcess(pid: number): FirstProcess {
  return { pid, started: startOf(pid) };
}

/** Ends a namespace: the kernel kills what is in it. */
export function endNamespace(first: FirstProcess | null): void {
  if (first === null || first.started === "" || startOf(first.pid) !== first.started) return;
  try {
    process.kill(first.pid, "SIGKILL");
  } catch {
    // Gone meanwhile.
  }
}

/** Waits until it is gone: the kernel ends it only after all the others. */
export async function namespaceGone(first: FirstProcess | null): Promise<void> {
  if (first === null || first.started === "") return;
  const until = performance.now() + GONE_MS;
  while (startOf(first.pid) === first.started) {
    if (performance.now() > until) {
      throw new SandboxError(`processes of a command that was killed are still there (${first.pid})`);
    }
    await sleep(1);
  }
}

/** Field 22 of `/proc/<pid>/stat`; empty for a process that is gone or only waits to be reaped. */
function startOf(pid: number): string {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? "" : (fields[19] ?? "");
  } catch {
    return "";
  }
}
