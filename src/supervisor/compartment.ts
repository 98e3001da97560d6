import type { LifeEnd } from "./life.ts";

/** What a compartment needs of each of its processes: a `Life` has it. */
export interface Member {
  readonly id: string;
  readonly pid: number | null;
  readonly ready: Promise<boolean>;
  readonly ended: Promise<LifeEnd>;
  stop(): Promise<LifeEnd>;
}

/** When a compartment is started again, in milliseconds and starts. */
export interface Timing {
  /** The first wait; each further one is twice as long. */
  readonly firstMs: number;
  readonly mostMs: number;
  /** Up for so long, and the next wait is the first again. */
  readonly resetMs: number;
  /** Starts in a row that never became ready, after which it is given up. */
  readonly starts: number;
}

export const TIMING: Timing = { firstMs: 1000, mostMs: 60_000, resetMs: 60_000, starts: 8 };

export interface CompartmentOptions {
  /** Records and starts its processes: one, or two that are joined. They live and die together. */
  readonly open: () => Promise<readonly Member[]>;
  /** All of them are ready. */
  readonly ready?: () => void;
  /** They are gone, for this reason: that of the first to go. It comes for each start, ready or not. */
  readonly down?: (end: LifeEnd) => void;
  /** It is not started again, until {@link Compartment.start}. The sentence says why. */
  readonly givenUp: (detail: string) => void;
  readonly timing?: Timing;
}

/** `waiting`: between two starts. `up`: ready. */
export type CompartmentState = "stopped" | "starting" | "up" | "waiting" | "given-up";

export interface CompartmentStatus {
  readonly state: CompartmentState;
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly processes: readonly { readonly id: string; readonly pid: number | null }[];
  /** Starts after the first one since {@link Compartment.start}. */
  readonly restarts: number;
  /** Why it went down the last time. */
  readonly last: string | null;
}

export class CompartmentError extends Error {
  override readonly name = "CompartmentError";
  /** `COMPARTMENT_DOWN`: given up or stopped. `COMPARTMENT_LATE`: not up in time. */
  readonly code: "COMPARTMENT_DOWN" | "COMPARTMENT_LATE";
  constructor(code: CompartmentError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/** From a start to the next stop: the wait between two starts can be ended. */
interface Run {
  stopping: boolean;
  /** What happened last was no failure of its own: the next start comes at once, and nothing is counted. */
  excused: boolean;
  wake: (() => void) | null;
  readonly over: Promise<void>;
}

/** Keeps its processes running: started again with back-off when they die, given up when they never become ready. Nothing that happens
 *  to it reaches another compartment. */
export class Compartment {
  readonly #options: CompartmentOptions;
  readonly #timing: Timing;
  readonly #waiters = new Set<(error: CompartmentError | null) => void>();
  #state: CompartmentState = "stopped";
  #since = Date.now();
  #members: readonly Member[] = [];
  #restarts = 0;
  #last: string | null = null;
  #run: Run | null = null;

  constructor(options: CompartmentOptions) {
    this.#options = options;
    this.#timing = options.timing ?? TIMING;
  }

  get status(): CompartmentStatus {
    const processes = this.#members.map(({ id, pid }) => ({ id, pid }));
    return { state: this.#state, since: this.#since, processes, restarts: this.#restarts, last: this.#last };
  }

  /** Starts it, also after it was given up or stopped. While it runs this does nothing but end the wait between two starts. */
  start(): void {
    if (this.#run !== null && !this.#run.stopping) {
      this.#run.wake?.();
      return;
    }
    const before = this.#run?.over;
    const over = Promise.withResolvers<void>();
    const run: Run = { stopping: false, excused: false, wake: null, over: over.promise };
    this.#run = run;
    this.#become("starting");
    void this.#keep(run, before).finally(() => {
      if (this.#run === run) this.#run = null;
      over.resolve();
    });
  }

  /** What its processes rest on is gone, and that is no failure of theirs: they are ended and started again at once, and the wait before a
   *  further start does not grow. @param gone its processes noticed first and have ended already: where others run meanwhile, they stay. */
  excuse({ gone } = { gone: false }): void {
    const run = this.#run;
    if (run === null || run.stopping || (gone && run.wake === null)) return;
    run.excused = true;
    run.wake?.();
    for (const member of this.#members) void member.stop();
  }

  /** Ends its processes, for good. @returns when they are gone. */
  async stop(): Promise<void> {
    const run = this.#run;
    if (run === null) {
      this.#become("stopped");
      return;
    }
    run.stopping = true;
    run.wake?.();
    await Promise.all(this.#members.map((member) => member.stop()));
    await run.over;
  }

  /** @throws {CompartmentError} when it is not up within `ms`, given up or stopped. */
  async whenUp(ms: number): Promise<void> {
    if (this.#state === "up") return;
    if (this.#state === "stopped" || this.#state === "given-up")
      throw new CompartmentError("COMPARTMENT_DOWN", this.#last ?? "It is not running");
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter = (error: CompartmentError | null): void => (error === null ? resolve() : reject(error));
    this.#waiters.add(waiter);
    const timer = setTimeout(
      () => reject(new CompartmentError("COMPARTMENT_LATE", `It was not up within ${ms / 1000} s`)),
      ms,
    );
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
    }
  }

  async #keep(run: Run, before: Promise<void> | undefined): Promise<void> {
    await before;
    const { firstMs, mostMs, resetMs, starts } = this.#timing;
    let wait = firstMs;
    let neverReady = 0;
    this.#last = null;
    for (let start = 0; !run.stopping; start++) {
      this.#restarts = start;
      this.#become("starting");
      const { end, upMs } = await this.#once(run);
      if (run.stopping) break;
      if (end?.foreign === true) {
        this.#giveUp(end.detail);
        return;
      }
      if (takeExcuse(run)) continue;
      const counted = { wait, neverReady };
      if (upMs !== null) neverReady = 0;
      // What could not be recorded was not started: it counts for nothing, and is tried again.
      else if (end !== null) neverReady++;
      if (neverReady >= starts) {
        this.#giveUp(`started ${starts} times and never ready; the last time: ${this.#last ?? "unknown"}`);
        return;
      }
      if (upMs !== null && upMs >= resetMs) wait = firstMs;
      this.#become("waiting");
      await sleep(run, wait);
      wait = Math.min(wait * 2, mostMs);
      if (takeExcuse(run)) ({ wait, neverReady } = counted);
    }
    // Unless it was started again meanwhile.
    if (this.#run === run) this.#become("stopped");
  }

  /** One start. `end` is null if it could not be recorded; `upMs` is how long all were ready, or null. */
  async #once(run: Run): Promise<{ end: LifeEnd | null; upMs: number | null }> {
    let members: readonly Member[];
    try {
      members = await this.#options.open();
    } catch (error) {
      this.#last = error instanceof Error ? error.message : String(error);
      return { end: null, upMs: null };
    }
    this.#members = members;
    const stopAll = (): void => {
      for (const member of members) void member.stop();
    };
    if (run.stopping) stopAll();
    const first = Promise.race(members.map((member) => member.ended));
    const ready = await Promise.race([
      Promise.all(members.map((member) => member.ready)).then((all) => all.every(Boolean)),
      first.then(() => false),
    ]);
    const upAt = performance.now();
    if (ready && !run.stopping) {
      this.#become("up");
      this.#options.ready?.();
    }
    const end = await first;
    const upMs = ready ? performance.now() - upAt : null;
    stopAll();
    await Promise.all(members.map((member) => member.ended));
    this.#members = [];
    this.#last = end.detail;
    this.#options.down?.(end);
    return { end, upMs };
  }

  #giveUp(detail: string): void {
    this.#last = detail;
    this.#become("given-up");
    this.#options.givenUp(detail);
  }

  #become(state: CompartmentState): void {
    if (this.#state !== state) this.#since = Date.now();
    this.#state = state;
    if (state === "starting" || state === "waiting") return;
    const error = state === "up" ? null : new CompartmentError("COMPARTMENT_DOWN", this.#last ?? "It was stopped");
    for (const waiter of this.#waiters) waiter(error);
  }
}

function takeExcuse(run: Run): boolean {
  const { excused } = run;
  run.excused = false;
  return excused;
}

async function sleep(run: Run, ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  run.wake = resolve;
  if (run.stopping) resolve();
  await promise;
  clearTimeout(timer);
  run.wake = null;
}
