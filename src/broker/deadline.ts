import type { Clock } from "../../audit/ports.ts";

/** How often the clock on the wall is looked at. */
const LOOK_MS = 1_000;

/** A time by the wall: it passes while the machine sleeps, and a clock that is set back does not put it off. */
export class Deadline {
  readonly #timer: NodeJS.Timeout;
  readonly #look: NodeJS.Timeout;

  /** @param over is told once. */
  constructor(clock: Clock, lastsMs: number, over: () => void) {
    const until = clock.now() + lastsMs;
    const passed = (): void => {
      this.clear();
      over();
    };
    this.#timer = setTimeout(passed, lastsMs);
    this.#look = setInterval(() => {
      if (clock.now() >= until) passed();
    }, LOOK_MS);
    this.#timer.unref();
    this.#look.unref();
  }

  clear(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#look);
  }
}
