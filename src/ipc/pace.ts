/** Frames in one second after which a pipe is not read until the next second. */
export const PAUSE_AT = 2000;
/** Frames in ten seconds after which the pipe ends: a peer that was held back in each of them. */
export const END_AT = 20_000;
const WINDOW_MS = 1000;
const WINDOWS = 10;

/** Counts the frames of one pipe. `now` is monotonic, in milliseconds. */
export class Pace {
  readonly #now: () => number;
  readonly #counts: number[] = Array.from({ length: WINDOWS }, () => 0);
  #window: number;
  #total = 0;

  constructor(now: () => number) {
    this.#now = now;
    this.#window = Math.floor(now() / WINDOW_MS);
  }

  /** One frame came. @returns milliseconds to leave the pipe unread (0: go on), or "flood". */
  count(): number | "flood" {
    const now = this.#now();
    const window = Math.floor(now / WINDOW_MS);
    for (let passed = Math.min(window - this.#window, WINDOWS); passed > 0; passed--) {
      const slot = (window - passed + 1) % WINDOWS;
      this.#total -= this.#counts[slot] ?? 0;
      this.#counts[slot] = 0;
    }
    this.#window = window;
    const slot = window % WINDOWS;
    const count = (this.#counts[slot] ?? 0) + 1;
    this.#counts[slot] = count;
    this.#total++;
    if (this.#total >= END_AT) return "flood";
    return count >= PAUSE_AT ? Math.max(1, Math.ceil((window + 1) * WINDOW_MS - now)) : 0;
  }
}
