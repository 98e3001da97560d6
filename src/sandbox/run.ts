import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, readFileSync, statfsSync } from "node:fs";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { type Command, type CommandEnd, type EndReason, SandboxError } from "./command.ts";
import { usageBelow } from "./usage.ts";

/** How often memory and processes are looked at. */
const WATCH_MS = 100;
/** What is left of a sandbox ends within microseconds of its first process; after this long something is wrong with the kernel. */
const GONE_MS = 5_000;

/** What is passed to bubblewrap by descriptor: 3 is its status, the others are read by it. */
export interface Inherited {
  /** Descriptors 4 and up, in this order; closed here. */
  readonly descriptors: readonly number[];
}

/** Runs bubblewrap until the command and everything it started are gone.
 *  @param program bubblewrap, @param view its arguments before the command.
 *  @throws {SandboxError} if the command could not be started at all. */
export async function runIn(
  program: string,
  view: readonly string[],
  command: Command,
  inherited: Inherited,
  signal: AbortSignal,
): Promise<Omit<CommandEnd, "setAside">> {
  const start = performance.now();
  let child: ChildProcess;
  try {
    child = spawn(program, [...view, ...command.argv], {
      // Out of the terminal's process group: Ctrl-C is the supervisor's to handle.
      detached: true,
      // Node adds its own flags; `--clearenv` keeps them from the command.
      env: {},
      cwd: "/",
      stdio: [command.stdin === null ? "ignore" : "pipe", "pipe", "pipe", "pipe", ...inherited.descriptors],
    });
  } catch (cause) {
    throw new SandboxError("bubblewrap cannot be started", { cause });
  } finally {
    for (const fd of inherited.descriptors) closeSync(fd);
  }
  const { limits } = command;
  let reason: EndReason = "exited";
  const kill = (why: EndReason): void => {
    if (reason !== "exited") return;
    reason = why;
    // Its first process dies with it, and with that one the whole namespace.
    child.kill("SIGKILL");
  };
  const stdout = capture(child.stdout, limits.output, () => kill("output"));
  const stderr = capture(child.stderr, limits.output, () => kill("output"));
  const status = statusOf(child);
  child.stdin?.on("error", () => {
    // The command did not want its input.
  });
  if (command.stdin !== null) child.stdin?.end(command.stdin);

  const timer = setTimeout(() => kill("time"), limits.seconds * 1000);
  const watch = setInterval(() => {
    if (child.pid === undefined) return;
    const { tasks, memory } = usageBelow(child.pid, limits.memory);
    // Its first process and bubblewrap's own helper are not the command's.
    if (tasks > limits.processes + 1) kill("processes");
    else if (memory > limits.memory) kill("memory");
    else if (command.write && free(command.workspace) < floor) kill("disk");
  }, WATCH_MS);
  const floor = command.write ? Math.min(limits.diskReserve, free(command.workspace) / 2) : 0;
  const stop = (): void => kill("stopped");
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    await ended(child);
  } catch (cause) {
    throw new SandboxError("bubblewrap cannot be started", { cause });
  } finally {
    clearTimeout(timer);
    clearInterval(watch);
    signal.removeEventListener("abort", stop);
  }
  await gone(status.first());
  if (reason === "exited" && status.exit() === null) {
    throw new SandboxError(new TextDecoder().decode(stderr.bytes()).trim() || "bubblewrap ended without a word");
  }
  return {
    reason,
    status: reason === "exited" ? status.exit() : null,
    stdout: stdout.bytes(),
    stderr: stderr.bytes(),
    milliseconds: Math.round(performance.now() - start),
  };
}

/** After the exit, the pipes close as the last holder dies; whoever still holds them after that long holds them in vain. */
async function ended(child: ChildProcess): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", () => resolve());
    child.once("exit", () => {
      setTimeout(() => {
        for (const stream of child.stdio) stream?.destroy();
      }, GONE_MS).unref();
    });
  });
}

function capture(stream: Readable | null, limit: number, over: () => void): { bytes(): Uint8Array } {
  const pieces: Buffer[] = [];
  let length = 0;
  stream?.on("data", (piece: Buffer) => {
    const room = limit - length;
    if (room > 0) pieces.push(piece.length > room ? piece.subarray(0, room) : piece);
    length += piece.length;
    if (length > limit) over();
  });
  stream?.on("error", () => {
    // Ends with the process.
  });
  return { bytes: () => Buffer.concat(pieces) };
}

interface First {
  readonly pid: number;
  /** In clock ticks since the machine started: tells it from a later process of the same number. */
  readonly started: string;
}

/** What bubblewrap says about itself: `{"child-pid": 12, …}` once it has made the namespaces, `{"exit-code": 0}` if the command was run at all. */
function statusOf(child: ChildProcess): { first(): First | null; exit(): number | null } {
  let text = "";
  let first: First | null = null;
  const stream = child.stdio[3];
  stream?.on("data", (piece: Buffer) => {
    text += piece.toString("utf8");
    const pid = /"child-pid": (\d+)/.exec(text)?.[1];
    if (first === null && pid !== undefined) first = { pid: Number(pid), started: startOf(Number(pid)) };
  });
  stream?.on("error", () => {
    // Ends with the process.
  });
  return {
    first: () => first,
    exit: () => {
      const code = /"exit-code": (\d+)/.exec(text)?.[1];
      return code === undefined ? null : Number(code);
    },
  };
}

/** Waits until the first process of the namespace is gone: the kernel ends it only after all the others. */
async function gone(first: First | null): Promise<void> {
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

/** Bytes that are free for us on the file system of a path. */
function free(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}
