import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { AnonymousFile } from "./anonymous-file.ts";
import { SandboxError } from "./command.ts";
import type { FifoPool } from "./fifo.ts";
import type { CommandGroup } from "./group.ts";
import { covers } from "./inheritance.ts";
import { entering } from "./keeper.ts";
import { LAUNCHED, type LaunchOrder, NOT_RUN } from "./launch-order.ts";
import { OutputPipe } from "./output-pipe.ts";
import type { Running, Stdio } from "./running.ts";
import { childrenOf, type Usage, usageOf } from "./usage.ts";

/** The keeper ends everything within milliseconds; if it does not, its group is killed without it. */
const KEEPER_MS = 1_000;
/** What was killed is gone within milliseconds; after this long something is wrong with the kernel. */
const GONE_MS = 5_000;
/** Bytes of status that are kept. */
const MAX_STATUS = 256;
/** The keeper and its other half. */
const KEEPERS = 2;

const { order, status, lifeline } = LAUNCHED;

/** A shell that leads the command's process group. The command cannot leave that group (its filter refuses `setsid` and `setpgid`) and cannot signal
 *  the shell (Landlock), and the kernel kills a group at once: a process that is being made is in it or is not made. So when the command has ended, or
 *  the lifeline has, the whole group goes, the shell with it. */
const KEEP = `{ read -r _ <&${lifeline}; kill -KILL 0; } </dev/null >/dev/null 2>&1 ${order}<&- ${status}>&- &
exec 9>&2 2>/dev/null ${lifeline}<&-
"$@" 2>&9 9>&-
echo "ended $?" >&${status}
kill -KILL 0
`;

/** A command below a launcher below its keeper, where there are no namespaces. */
export class Launched implements Running {
  readonly #child: ChildProcess;
  readonly #status: OutputPipe;
  readonly #lifeline: Duplex | null;
  #said = "";
  #ended = false;
  readonly #group: CommandGroup | null;
  readonly over: Promise<number | null>;

  /** @param launcher the program whose role `launch` it is, and its arguments. @throws {SandboxError} if it cannot be started. */
  constructor(
    launcher: readonly string[],
    what: LaunchOrder,
    stdio: Stdio,
    pipes: FifoPool,
    group: CommandGroup | null,
  ) {
    this.#group = group;
    const nothing = openSync("/dev/null", "r");
    using file = new AnonymousFile(new TextEncoder().encode(JSON.stringify(what)));
    const told = file.reopen();
    this.#status = new OutputPipe(
      pipes,
      MAX_STATUS,
      () => this.end(),
      (piece) => (this.#said += piece.toString("utf8")),
    );
    try {
      this.#child = spawn("/bin/sh", ["-c", [...entering(group), KEEP].join("\n"), "sh", ...launcher], {
        // The head of a session and a group of its own, without a terminal.
        detached: true,
        env: {},
        cwd: "/",
        stdio: [...stdio, told, this.#status.theirs, "pipe", ...covers(lifeline, nothing)],
      });
    } catch (cause) {
      this.#status.handedOver();
      void this.#status.finish();
      throw new SandboxError("a command cannot be started", { cause });
    } finally {
      closeSync(nothing);
      closeSync(told);
    }
    this.#status.handedOver();
    this.over = this.#whole();
    this.over.catch(() => undefined);
    this.#lifeline = lineOf(this.#child);
  }

  /** The keeper starts its other half first. */
  get pid(): number | null {
    return this.#child.pid === undefined ? null : (childrenOf(this.#child.pid)[1] ?? null);
  }

  /** Sums over the group: who is not in it is not the command's. */
  usage(exactAbove: number): Usage | null {
    const group = this.#child.pid;
    if (group === undefined) return null;
    const { tasks, memory } = usageOf(membersOf(group), exactAbove);
    return { tasks: Math.max(0, tasks - KEEPERS), memory };
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#lifeline?.destroy();
    this.#group?.kill();
    setTimeout(() => {
      // Until its head was waited for, the number is nobody else's.
      if (this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null)
        process.kill(-this.#child.pid, "SIGKILL");
    }, KEEPER_MS).unref();
  }

  async #whole(): Promise<number | null> {
    try {
      await new Promise<void>((resolve, reject) => {
        this.#child.on("error", (cause) => {
          if (this.#child.pid === undefined) reject(new SandboxError("a command cannot be started", { cause }));
        });
        this.#child.once("exit", () => resolve());
      });
      // If the shell did not end by its own hand, its other half ends the group now.
      this.#lifeline?.destroy();
      if (this.#child.pid !== undefined) await gone(this.#child.pid);
    } finally {
      await this.#status.finish();
    }
    const code = /^ended (\d+)$/m.exec(this.#said)?.[1];
    return this.#ended || code === undefined || this.#said.startsWith(NOT_RUN) ? null : Number(code);
  }
}

async function gone(group: number): Promise<void> {
  const until = performance.now() + GONE_MS;
  while (membersOf(group).length > 0) {
    if (performance.now() > until)
      throw new SandboxError(`processes of a command that was killed are still there (group ${group})`);
    await sleep(1);
  }
}

/** The processes of a group that have not ended. */
function membersOf(group: number): number[] {
  return readdirSync("/proc")
    .filter((name) => isMember(name, group))
    .map(Number);
}

function isMember(name: string, group: number): boolean {
  if (!/^\d+$/.test(name)) return false;
  try {
    const text = readFileSync(`/proc/${name}/stat`, "utf8");
    const [state, , found] = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return Number(found) === group && state !== "Z" && state !== "X";
  } catch {
    return false; // It has ended.
  }
}

function lineOf(child: ChildProcess): Duplex | null {
  const line: unknown = child.stdio.at(lifeline);
  if (!(line instanceof Duplex)) return null;
  line.resume();
  line.on("error", () => {
    // Ends with the process.
  });
  return line;
}
