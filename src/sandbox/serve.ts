import { statfsSync } from "node:fs";
import { SandboxError, type Service, type ServiceEnd } from "./command.ts";
import type { CommandGroup } from "./group.ts";
import type { Running } from "./running.ts";

/** How often memory, processes and the disk are looked at. */
const WATCH_MS = 100;

/** Runs a service until it and everything it started are gone, within its limits. It has as long as it wants.
 *  @param start starts it. @param group that it is started in: it is removed here. @throws {SandboxError} if it could not be started at all. */
export async function serveWithin(
  start: () => Running,
  service: Service,
  group: CommandGroup | null,
  signal: AbortSignal,
): Promise<ServiceEnd> {
  const began = performance.now();
  const { limits, workspace } = service;
  let reason: ServiceEnd["reason"] = "exited";
  let running: Running | null = null;
  const kill = (why: ServiceEnd["reason"]): void => {
    if (reason !== "exited") return;
    reason = why;
    running?.end();
  };
  const reachedOf = (): "memory" | "processes" | null => group?.reached ?? null;
  const floor = Math.min(limits.diskReserve, free(workspace) / 2);
  const watch = setInterval(() => {
    const reached = reachedOf();
    if (reached !== null) kill(reached);
    const usage = running?.usage(limits.memory) ?? null;
    if (usage === null) return;
    if (usage.tasks > limits.processes) kill("processes");
    else if (usage.memory > limits.memory) kill("memory");
    else if (free(workspace) < floor) kill("disk");
  }, WATCH_MS);
  const stop = (): void => kill("stopped");
  signal.addEventListener("abort", stop, { once: true });
  let status: number | null;
  try {
    running = start();
    const started = running;
    service.began?.(() => started.pid);
    if (signal.aborted) stop();
    status = await running.over;
    const reached = reachedOf();
    if (reached !== null) kill(reached);
  } finally {
    clearInterval(watch);
    signal.removeEventListener("abort", stop);
    await group?.remove();
  }
  const ended: ServiceEnd["reason"] = reason;
  if (ended === "exited" && status === null) throw new SandboxError("the sandbox ended before the program was run");
  return {
    reason: ended,
    status: ended === "exited" ? status : null,
    milliseconds: Math.round(performance.now() - began),
  };
}

/** Bytes that are free for us on the file system of a path. Where that is gone, nothing fills it. */
function free(path: string): number {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
