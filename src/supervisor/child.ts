import type { ChildProcess } from "node:child_process";
import { Duplex } from "node:stream";
import type { z } from "zod/mini";
import { Pipe, type PipeEnd, type PipeOptions } from "../ipc/pipe.ts";
import { readLines } from "./output-lines.ts";
import { type ProcessSpec, startProcess } from "./start-process.ts";

/** How a process ended: by its status or by a signal, or (both null) it was never there. */
export interface ChildExit {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it could not be started. */
  readonly error: Error | null;
  /** Whether this side asked for it, by {@link Child.stop} or {@link Child.kill}. */
  readonly asked: boolean;
}

export interface ChildEvents<In> {
  frame(header: In, payload: Uint8Array): void;
  /** The pipe is over. A child whose pipe is over is killed: at once for what it sent, after a second if it was closed. */
  end?(end: PipeEnd): void;
  /** The process is gone. It comes once, and it may come before `end`. */
  exit?(exit: ChildExit): void;
}

export interface ChildOptions<In, Out> extends ProcessSpec {
  readonly accepts: z.ZodMiniType<In>;
  readonly on: ChildEvents<In>;
  /** What the child prints, line by line, bounded and made safe to show. */
  readonly log: (line: string) => void;
  /** The frame that asks it to end. Without one it is killed when it is to stop. */
  readonly stop?: Out;
  readonly pipe?: PipeOptions;
}

/** A child that was asked to stop and goes on is killed after this. */
const STOP_MS = 5000;
/** A child that closed its pipe is about to exit, or it is of no use. */
const LINGER_MS = 1000;

/** A running child of our own executable, and the pipe to it. */
export class Child<In extends { type: string }, Out extends { type: string }> {
  readonly pipe: Pipe<In, Out>;
  /** Settles when the process is gone; never rejects. */
  readonly exited: Promise<ChildExit>;
  readonly #process: ChildProcess | null;
  readonly #stop: Out | null;
  #asked = false;
  #gone = false;

  /** @param started what was started, or why nothing was. */
  constructor(started: ChildProcess | Error, options: ChildOptions<In, Out>) {
    const process = started instanceof Error ? null : started;
    this.#process = process;
    this.#stop = options.stop ?? null;
    const { on } = options;
    this.exited = new Promise((resolve) => {
      const over = (status: number | null, signal: NodeJS.Signals | null, error: Error | null): void => {
        if (this.#gone) return;
        this.#gone = true;
        const exit = { status, signal, error, asked: this.#asked };
        on.exit?.(exit);
        resolve(exit);
      };
      process?.on("exit", (status, signal) => over(status, signal, null));
      // Also for a kill that fails, when the process is there and stays so: `exit` comes then.
      process?.on("error", (error) => {
        if (process.pid === undefined) over(null, null, error);
      });
      if (started instanceof Error) setImmediate(() => over(null, null, started));
      // One that was started a while ago may have ended before anybody listened.
      else if (started.exitCode !== null || started.signalCode !== null)
        setImmediate(() => over(started.exitCode, started.signalCode, null));
    });
    for (const output of [process?.stdout, process?.stderr])
      if (output !== undefined && output !== null) readLines(output, options.log);
    const events = {
      frame: (header: In, payload: Uint8Array) => on.frame(header, payload),
      end: (end: PipeEnd) => {
        if (end.reason !== "closed") this.#process?.kill("SIGKILL");
        else if (!this.#gone && !this.#asked) this.#killAfter(LINGER_MS);
        on.end?.(end);
      },
    };
    this.pipe = new Pipe<In, Out>(ownEnd(process, 3), options.accepts, events, options.pipe);
  }

  /** Null if it could not be started. */
  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  send(header: Out, payload?: Uint8Array, options?: { wipe?: boolean }): Promise<void> {
    return this.pipe.send(header, payload, options);
  }

  /** This process's end of a further descriptor that was given as "pipe"; one that has ended if the child could not be started. */
  extra(fd: number): Duplex {
    return ownEnd(this.#process, fd);
  }

  /** Asks it to end and kills it after five seconds. @returns when it is gone. */
  stop(): Promise<ChildExit> {
    if (this.#gone) return this.exited;
    const again = this.#asked;
    this.#asked = true;
    if (this.#stop === null || this.pipe.ended !== null) this.#process?.kill("SIGKILL");
    else if (!again) {
      // A pipe that breaks now says so by its end.
      this.pipe.send(this.#stop).catch(() => undefined);
      this.#killAfter(STOP_MS);
    }
    return this.exited;
  }

  /** Ends it now. @returns when it is gone. */
  kill(): Promise<ChildExit> {
    this.#asked = true;
    if (!this.#gone) this.#process?.kill("SIGKILL");
    return this.exited;
  }

  #killAfter(ms: number): void {
    const timer = setTimeout(() => this.#process?.kill("SIGKILL"), ms);
    void this.exited.then(() => clearTimeout(timer));
  }
}

/** Starts a process of our own executable in `role`, with a minimal environment and its pipe as descriptor 3.
 *
 *  It throws nothing: a process that cannot be started ends with `exit` and its error. The caller has recorded the start. */
export function spawnChild<In extends { type: string }, Out extends { type: string }>(
  options: ChildOptions<In, Out>,
): Child<In, Out> {
  return new Child<In, Out>(startProcess(options), options);
}

/** Starts a child whose descriptor 4 is `lane`, this process's end of a pipe to another child that is there already: from then on the two
 *  share it, and this process keeps nothing of it. The caller has made sure that nothing was read from it, which would be lost. */
export function spawnWithLane<In extends { type: string }, Out extends { type: string }>(
  options: Omit<ChildOptions<In, Out>, "extraStdio">,
  lane: Duplex,
): Child<In, Out> {
  const child = spawnChild<In, Out>({ ...options, extraStdio: [lane] });
  // In the same turn of the event loop: nothing can have been read here since.
  lane.destroy();
  return child;
}

/** Starts two children that share a private socketpair: it is descriptor 4 of both, and this process keeps neither end. If one cannot be
 *  started, the other is ended. */
export function spawnJoinedPair<
  InA extends { type: string },
  OutA extends { type: string },
  InB extends { type: string },
  OutB extends { type: string },
>(
  first: Omit<ChildOptions<InA, OutA>, "extraStdio">,
  second: Omit<ChildOptions<InB, OutB>, "extraStdio">,
): { first: Child<InA, OutA>; second: Child<InB, OutB> } {
  const a = spawnChild<InA, OutA>({ ...first, extraStdio: ["pipe"] });
  const lane = a.extra(4);
  const b = a.pid === null ? spawnChild<InB, OutB>(second) : spawnWithLane<InB, OutB>(second, lane);
  if (a.pid === null) void b.kill();
  if (b.pid === null) void a.kill();
  return { first: a, second: b };
}

function ownEnd(process: ChildProcess | null, fd: number): Duplex {
  // A process that could not be started may have no streams, whatever the types say: its pipe is then one that has ended.
  const streams: readonly unknown[] | undefined = process?.stdio;
  const stream = streams?.[fd];
  return stream instanceof Duplex ? stream : Duplex.from([]);
}
