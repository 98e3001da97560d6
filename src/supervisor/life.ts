import type { Duplex } from "node:stream";
import type { ActionOf, ContentOf } from "../../audit/action.ts";
import type { Recorded } from "../../audit/recorded.ts";
import { BUILD } from "../ipc/build.ts";
import { Ready } from "../ipc/frame-common.ts";
import { mint, type ProcessId } from "../ipc/ids.ts";
import type { PipeEnd } from "../ipc/pipe.ts";
import {
  type Child,
  type ChildEvents,
  type ChildExit,
  type ChildOptions,
  spawnChild,
  spawnJoinedPair,
  spawnWithLane,
} from "./child.ts";
import type { Lane } from "./egress-lane.ts";

/** Where starts and ends of processes are recorded. */
export interface ProcessLog {
  /** Before the process is started. A log that cannot be written starts none. */
  record(action: ActionOf<"process.started">): Promise<Recorded<"process.started">>;
  ended(
    action: ActionOf<"process.ended">,
    given: { readonly cause: number; readonly content: ContentOf<"process.ended"> },
  ): Promise<unknown>;
}

export type EndReason = ActionOf<"process.ended">["reason"];

/** How a process's life ended. */
export interface LifeEnd {
  readonly reason: EndReason;
  readonly status: number | null;
  /** A sentence that quotes nothing the process sent. */
  readonly detail: string;
  /** Whether it had become ready. */
  readonly ready: boolean;
  /** It is of another build than this process: to start it again is useless. */
  readonly foreign: boolean;
  /** What this side's own handler threw, if that is why. */
  readonly cause?: unknown;
}

export interface LifeSpec<In extends { type: string }, Out extends { type: string }>
  extends Omit<ChildOptions<In, Out>, "on" | "extraStdio"> {
  /** Which of its kind: a channel, a provider; null where there is one only. */
  readonly subject: string | null;
  readonly records: ProcessLog;
  /** Every frame but `ready`. */
  readonly frame: (header: In, payload: Uint8Array, life: Life<In, Out>) => void;
  /** Sends what the process needs to begin: its secrets, its `start`. A rejection ends the process. */
  readonly begin?: (life: Life<In, Out>) => Promise<void> | void;
  /** The build it must say it is: our own if not given. */
  readonly build?: string;
  /** Milliseconds until it must have said `ready`: 10,000 if not given. */
  readonly readyMs?: number;
  /** Its one way out, as its descriptor 4. It has no network without one. */
  readonly lane?: Lane | null;
  /** Further pipes to it, as its descriptors from 4 on; {@link Life.extra} is this side of each. It then has no lane. */
  readonly pipes?: number;
}

const READY_MS = 10_000;
/** What a process has written may still be read after it is gone: so long at most, in milliseconds. */
const LAST_WORDS_MS = 1000;

/** One process from its record to its end: it must say `ready`, of this build, then it is told to begin. */
export class Life<In extends { type: string }, Out extends { type: string }> {
  readonly id: ProcessId;
  /** True once it is ready, recorded so and told to begin; false if it ends before. Never rejects. */
  readonly ready: Promise<boolean>;
  /** Settles when the process is gone and its end is recorded (or cannot be). Never rejects. */
  readonly ended: Promise<LifeEnd>;
  readonly #spec: LifeSpec<In, Out>;
  readonly #recorded: Recorded<"process.started">;
  readonly #child: Child<In, Out>;
  readonly #ready = Promise.withResolvers<boolean>();
  readonly #pipeEnd = Promise.withResolvers<PipeEnd>();
  #phase: "awaited" | "beginning" | "up" | "over" = "awaited";
  /** Why this side ended it. */
  #why: { reason: "timeout" | "protocol" | "build" | "failed"; detail: string; cause?: unknown } | null = null;

  /** The start is recorded: `start` runs it, at once. */
  constructor(
    id: ProcessId,
    spec: LifeSpec<In, Out>,
    recorded: Recorded<"process.started">,
    start: (on: ChildEvents<In>) => Child<In, Out>,
  ) {
    this.id = id;
    this.#spec = spec;
    this.#recorded = recorded;
    this.ready = this.#ready.promise;
    this.#child = start({
      frame: (header, payload) => this.#hear(header, payload),
      end: (end) => this.#pipeEnd.resolve(end),
    });
    const patience = setTimeout(() => {
      if (this.#phase !== "awaited") return;
      this.#end("timeout", `did not say that it is ready within ${(spec.readyMs ?? READY_MS) / 1000} s`);
    }, spec.readyMs ?? READY_MS);
    this.ended = this.#child.exited.then(async (exit) => {
      clearTimeout(patience);
      return await this.#over(exit);
    });
  }

  /** Null if it could not be started. */
  get pid(): number | null {
    return this.#child.pid;
  }

  /** This process's end of one of its further pipes. */
  extra(fd: number): Duplex {
    return this.#child.extra(fd);
  }

  /** The row of its start: the cause of what is done for it. */
  get seq(): number {
    return this.#recorded.seq;
  }

  /** @throws {PipeError} see `Pipe.send`. */
  send(header: Out, payload?: Uint8Array, options?: { wipe?: boolean }): Promise<void> {
    return this.#child.send(header, payload, options);
  }

  /** Holds the other side back, and lets it go on. */
  pause(): void {
    this.#child.pipe.pause();
  }

  resume(): void {
    this.#child.pipe.resume();
  }

  /** Asks it to end, and kills it after five seconds. */
  async stop(): Promise<LifeEnd> {
    void this.#child.stop();
    return await this.ended;
  }

  /** It broke what its frames promise: it ends, and the record says so. @param detail quotes nothing it sent. */
  accuse(detail: string): void {
    this.#end("protocol", detail);
  }

  async kill(): Promise<LifeEnd> {
    void this.#child.kill();
    return await this.ended;
  }

  #hear(header: In, payload: Uint8Array): void {
    if (this.#phase === "over") return;
    if (header.type !== "ready") {
      if (this.#phase === "awaited") this.#end("protocol", `sent ${header.type} before it was ready`);
      else this.#spec.frame(header, payload, this);
      return;
    }
    if (this.#phase !== "awaited") {
      this.#end("protocol", "said twice that it is ready");
      return;
    }
    const ready = Ready.safeParse(header);
    const build = this.#spec.build ?? BUILD;
    if (!ready.success) this.#end("protocol", "speaks another protocol");
    else if (ready.data.build !== build)
      this.#end("build", "is of another build than the running daemon: restart to finish the upgrade");
    else {
      this.#phase = "beginning";
      // Nothing more is heard from it until it is on the log that it is ready.
      this.#child.pipe.pause();
      void this.#begin(build);
    }
  }

  async #begin(build: string): Promise<void> {
    try {
      await this.#recorded.finish<"process.ready">({ kind: "process.ready", build });
      this.#child.pipe.resume();
      if (this.#phase !== "beginning") return;
      await this.#spec.begin?.(this);
      if (this.#phase !== "beginning") return;
      this.#phase = "up";
      this.#ready.resolve(true);
    } catch (cause) {
      const name = cause instanceof Error ? cause.name : typeof cause;
      this.#end("failed", `could not be told to begin: ${name}`, cause);
    }
  }

  #end(reason: "timeout" | "protocol" | "build" | "failed", detail: string, cause?: unknown): void {
    this.#why ??= { reason, detail, cause };
    void this.#child.kill();
  }

  async #over(exit: ChildExit): Promise<LifeEnd> {
    const late = setTimeout(
      () => this.#pipeEnd.resolve({ reason: "closed", detail: "not read to its end" }),
      LAST_WORDS_MS,
    );
    const pipe = await this.#pipeEnd.promise;
    clearTimeout(late);
    const ready = this.#phase === "up" || this.#phase === "beginning";
    const end: LifeEnd = { ...explain(exit, pipe, this.#why), ready: this.#phase === "up" };
    this.#phase = "over";
    this.#ready.resolve(false);
    try {
      if (!ready)
        await this.#recorded.finish<"process.unready">({
          kind: "process.unready",
          reason: end.foreign ? "build" : UNREADY[end.reason],
        });
      await this.#spec.records.ended(
        { kind: "process.ended", process: this.id, reason: end.reason, status: end.status },
        { cause: this.#recorded.seq, content: { detail: end.detail } },
      );
    } catch {
      // The log says so itself, and stops every action: this process is over either way.
    }
    return end;
  }
}

function explain(
  exit: ChildExit,
  pipe: PipeEnd,
  why: { reason: "timeout" | "protocol" | "build" | "failed"; detail: string; cause?: unknown } | null,
): Omit<LifeEnd, "ready"> {
  // A status is what the process itself gave: a negative one (Windows) is as good as none.
  const status = exit.status !== null && exit.status >= 0 ? exit.status : null;
  if (why !== null) {
    const reason = why.reason === "timeout" ? "timeout" : why.reason === "failed" ? "stopped" : "protocol";
    return { reason, status, detail: why.detail, foreign: why.reason === "build", cause: why.cause };
  }
  const foreign = false;
  if (pipe.reason !== "closed") return { reason: pipe.reason, status, detail: pipe.detail, foreign, cause: pipe.cause };
  if (exit.error !== null)
    return { reason: "exit", status, detail: `could not be started: ${exit.error.message}`, foreign };
  if (exit.asked) return { reason: "stopped", status, detail: "was asked to end", foreign };
  if (exit.signal !== null) return { reason: "signal", status, detail: `was ended by ${exit.signal}`, foreign };
  return { reason: "exit", status, detail: `exited with status ${exit.status ?? "none"}`, foreign };
}

const UNREADY: Readonly<Record<EndReason, ActionOf<"process.unready">["reason"]>> = {
  exit: "exit",
  signal: "exit",
  timeout: "timeout",
  stopped: "stopped",
  malformed: "protocol",
  oversized: "protocol",
  deep: "protocol",
  flood: "protocol",
  protocol: "protocol",
};

/** Records the start of a process, then starts it. @throws {AuditError} if it cannot be recorded, {LaneError} if its lane is not as it was made:
 *  then nothing was started. */
export async function startLife<In extends { type: string }, Out extends { type: string }>(
  spec: LifeSpec<In, Out>,
): Promise<Life<In, Out>> {
  const id = mint("process");
  const recorded = await record(id, spec);
  const { lane = null, pipes = 0 } = spec;
  if (lane === null) {
    recorded.redeem();
    const extraStdio = Array.from({ length: pipes }, () => "pipe" as const);
    return new Life(id, spec, recorded, (on) => spawnChild({ ...spec, extraStdio, on }));
  }
  let end: Duplex;
  try {
    end = lane.take();
  } catch (error) {
    await recorded.fail(error);
    throw error;
  }
  recorded.redeem();
  const life = new Life(id, spec, recorded, (on) => spawnWithLane({ ...spec, on }, end));
  lane.held(life);
  return life;
}

/** The same for two processes that share descriptor 4, a private socketpair. Both are recorded before either is started. */
export async function startJoinedLives<
  InA extends { type: string },
  OutA extends { type: string },
  InB extends { type: string },
  OutB extends { type: string },
>(
  first: LifeSpec<InA, OutA>,
  second: LifeSpec<InB, OutB>,
): Promise<{ first: Life<InA, OutA>; second: Life<InB, OutB> }> {
  const ids = [mint("process"), mint("process")] as const;
  // Together they share one sync.
  const [one, other] = await Promise.allSettled([record(ids[0], first), record(ids[1], second)]);
  if (one.status === "rejected" || other.status === "rejected") {
    const error: unknown = one.status === "rejected" ? one.reason : other.status === "rejected" ? other.reason : null;
    for (const half of [one, other])
      if (half.status === "fulfilled") await half.value.fail(error).catch(() => undefined);
    throw error;
  }
  const [recordedFirst, recordedSecond] = [one.value, other.value];
  recordedFirst.redeem();
  recordedSecond.redeem();
  const heard: { first: ChildEvents<InA> | null; second: ChildEvents<InB> | null } = { first: null, second: null };
  const pair = spawnJoinedPair<InA, OutA, InB, OutB>(
    { ...first, on: forward(() => heard.first) },
    { ...second, on: forward(() => heard.second) },
  );
  // Nothing is heard before this turn of the event loop ends.
  return {
    first: new Life(ids[0], first, recordedFirst, (on) => {
      heard.first = on;
      return pair.first;
    }),
    second: new Life(ids[1], second, recordedSecond, (on) => {
      heard.second = on;
      return pair.second;
    }),
  };
}

function forward<In>(to: () => ChildEvents<In> | null): ChildEvents<In> {
  return {
    frame: (header, payload) => to()?.frame(header, payload),
    end: (end) => to()?.end?.(end),
  };
}

async function record<In extends { type: string }, Out extends { type: string }>(
  id: ProcessId,
  spec: LifeSpec<In, Out>,
): Promise<Recorded<"process.started">> {
  return await spec.records.record({ kind: "process.started", process: id, role: spec.role, subject: spec.subject });
}
