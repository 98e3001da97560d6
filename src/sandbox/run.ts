import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync, statfsSync } from "node:fs";
import { Duplex, type Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { type Command, type CommandEnd, type EndReason, SandboxError } from "./command.ts";
import { usageBelow } from "./usage.ts";

/** How often memory and processes are looked at. */
const WATCH_MS = 100;
/** bubblewrap names its first process within milliseconds; if it does not it is killed alone. */
const UNNAMED_MS = 1_000;
/** What is left of a sandbox ends within microseconds of its first process; after this long something is wrong with the kernel. */
const GONE_MS = 5_000;

/** What is passed to bubblewrap by descriptor: 3 is its status, the others are read by it. */
export interface Inherited {
  /** Descriptors 4 and up, in this order; closed here. The gate comes after them. */
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
  const nothing = openSync("/dev/null", "r");
  try {
    child = spawn(program, [...view, ...command.argv], {
      // Out of the terminal's process group: Ctrl-C is the supervisor's to handle.
      detached: true,
      // Node adds its own flags; `--clearenv` keeps them from the command.
      env: {},
      cwd: "/",
      stdio: [
        command.stdin === null ? "ignore" : "pipe",
        "pipe",
        "pipe",
        "pipe",
        ...inherited.descriptors,
        "pipe",
        ...covers(nothing),
      ],
    });
  } catch (cause) {
    throw new SandboxError("bubblewrap cannot be started", { cause });
  } finally {
    for (const fd of [...inherited.descriptors, nothing]) closeSync(fd);
  }
  const over = ended(child);
  if (child.pid === undefined) await over;
  const { limits } = command;
  let reason: EndReason = "exited";
  const kill = (why: EndReason): void => {
    if (reason !== "exited") return;
    reason = why;
    // Before it has said which its first process is it has not started any, and after that it is not let start the command.
    if (status.first() !== null) end();
    else setTimeout(end, UNNAMED_MS);
  };
  const end = (): void => {
    killFirst(status.first());
    child.kill("SIGKILL");
  };
  const stdout = capture(child.stdout, limits.output, () => kill("output"));
  const stderr = capture(child.stderr, limits.output, () => kill("output"));
  const status = statusOf(child, () => {
    if (reason !== "exited") end();
  });
  openGate(child, 4 + inherited.descriptors.length, () => reason === "exited");
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
    await over;
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

/** The last descriptor of ours: the gate. */
const LAST = 8;
const CLOSED_ON_EXEC = 0o2000000;
let leaking: readonly number[] | null = null;

/** Whoever started us may have left descriptors open that every child inherits: the command gets nothing in their place. */
function covers(nothing: number): (number | "ignore")[] {
  leaking ??= readdirSync("/proc/self/fd")
    .map(Number)
    .filter((fd) => fd > LAST && !isClosedOnExec(fd));
  const covered = leaking;
  return Array.from({ length: Math.max(LAST, ...covered) - LAST }, (_, index) =>
    covered.includes(index + LAST + 1) ? nothing : "ignore",
  );
}

function isClosedOnExec(fd: number): boolean {
  try {
    const flags = /^flags:\s+([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1] ?? "0";
    return (Number.parseInt(flags, 8) & CLOSED_ON_EXEC) !== 0;
  } catch {
    // Closed since it was listed.
    return true;
  }
}

/** Resolves when it is gone, and rejects if it never came. After the exit, the pipes close as the last holder dies; whoever still holds them after that long holds them in vain. */
async function ended(child: ChildProcess): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    child.on("error", (cause) => {
      // A signal that cannot be sent is no failure: whoever it was for is gone.
      if (child.pid === undefined) reject(new SandboxError("bubblewrap cannot be started", { cause }));
    });
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
function statusOf(child: ChildProcess, named: () => void): { first(): First | null; exit(): number | null } {
  let text = "";
  let first: First | null = null;
  const stream = child.stdio[3];
  stream?.on("data", (piece: Buffer) => {
    text += piece.toString("utf8");
    const pid = /"child-pid": (\d+)/.exec(text)?.[1];
    if (first !== null || pid === undefined) return;
    first = { pid: Number(pid), started: startOf(Number(pid)) };
    named();
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

/** Lets the command start when it says that everything else is in place: see view.ts. */
function openGate(child: ChildProcess, at: number, wanted: () => boolean): void {
  const gate = child.stdio[at];
  if (!(gate instanceof Duplex)) throw new TypeError("this descriptor is no gate");
  gate.once("data", () => {
    if (wanted()) gate.end("\n");
    else gate.destroy();
  });
  gate.on("error", () => {
    // Ends with the process.
  });
}

/** Ends a namespace: the kernel kills what is in it. */
function killFirst(first: First | null): void {
  if (first === null || first.started === "" || startOf(first.pid) !== first.started) return;
  try {
    process.kill(first.pid, "SIGKILL");
  } catch {
    // Gone meanwhile.
  }
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
