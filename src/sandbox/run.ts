import { closeSync, statfsSync } from "node:fs";
import { AnonymousFile } from "./anonymous-file.ts";
import { type Command, type CommandEnd, type EndReason, SandboxError } from "./command.ts";
import type { FifoPool } from "./fifo.ts";
import type { CommandGroup } from "./group.ts";
import { OutputPipe } from "./output-pipe.ts";
import type { Running, Stdio } from "./running.ts";

/** How often memory, processes and the disk are looked at. */
const WATCH_MS = 100;

/** Runs a command until it and everything it started are gone, within its limits.
 *  @param start starts it.
 *  @param group that it is started in: it is removed here.
 *  @throws {SandboxError} if it could not be started at all. */
export async function runWithin(
  start: (stdio: Stdio) => Running,
  command: Command,
  pipes: FifoPool,
  group: CommandGroup | null,
  signal: AbortSignal,
): Promise<Omit<CommandEnd, "setAside">> {
  const began = performance.now();
  const { limits } = command;
  let reason: EndReason = "exited";
  let running: Running | null = null;
  const kill = (why: EndReason): void => {
    if (reason !== "exited") return;
    reason = why;
    running?.end();
  };
  using input = command.stdin === null ? null : new AnonymousFile(command.stdin);
  const stdin = input === null ? "ignore" : input.reopen();
  const flooded = command.flood === "end" ? () => kill("output") : null;
  const stdout = new OutputPipe(pipes, limits.output, flooded);
  const stderr = new OutputPipe(pipes, limits.output, flooded);
  const timer = setTimeout(() => kill("time"), limits.seconds * 1000);
  const floor = command.write ? Math.min(limits.diskReserve, free(command.workspace) / 2) : 0;
  const watch = setInterval(() => {
    const reached = group?.reached ?? null;
    if (reached !== null) kill(reached);
    const usage = running?.usage(limits.memory) ?? null;
    if (usage === null) return;
    const { tasks, memory } = usage;
    if (tasks > limits.processes) kill("processes");
    else if (memory > limits.memory) kill("memory");
    else if (command.write && free(command.workspace) < floor) kill("disk");
  }, WATCH_MS);
  const stop = (): void => kill("stopped");
  signal.addEventListener("abort", stop, { once: true });
  let status: number | null;
  try {
    running = start([stdin, stdout.theirs, stderr.theirs]);
    for (const pipe of [stdout, stderr]) pipe.handedOver();
    if (signal.aborted) stop();
    command.began?.(() => running?.pid ?? null);
    command.live?.(() => ({ stdout: stdout.output, stderr: stderr.output }));
    status = await running.over;
    // The kernel may have ended it, between two looks.
    const reached = group?.reached ?? null;
    if (reached !== null) kill(reached);
  } finally {
    clearTimeout(timer);
    clearInterval(watch);
    signal.removeEventListener("abort", stop);
    if (stdin !== "ignore") closeSync(stdin);
    for (const pipe of [stdout, stderr]) {
      pipe.handedOver();
      await pipe.finish();
    }
    await group?.remove();
  }
  const [out, err] = [stdout.output, stderr.output];
  // Whatever came of a kill, the reason is the kill's; it may have come too late to change how the command ended.
  const ended: EndReason = reason;
  if (ended === "exited" && status === null) {
    throw new SandboxError(new TextDecoder().decode(err.bytes).trim() || "the sandbox ended without a word");
  }
  return {
    reason: ended,
    status: ended === "exited" ? status : null,
    stdout: out.bytes,
    stderr: err.bytes,
    left: { stdout: out.left, stderr: err.left },
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
