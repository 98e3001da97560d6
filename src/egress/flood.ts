/** What a client may send in {@link WINDOW_MS}, answered or not, before its lane ends. An honest one sends a handful of settings and pings; a package
 *  manager opens some hundred connections. */
export const FLOODS = {
  request: { most: 2000, sentence: "it asked for too many connections" },
  control: { most: 200, sentence: "it sent too many pings or settings" },
} as const;
export const WINDOW_MS = 10_000;

/** Counts what one lane's client sends. `now` is monotonic, in milliseconds. */
export class Flood {
  readonly #now: () => number;
  #counts = { request: 0, control: 0 };
  #since: number;

  constructor(now: () => number) {
    this.#now = now;
    this.#since = now();
  }

  /** @returns why the lane ends, or null while it does not. */
  count(what: keyof typeof FLOODS): string | null {
    const now = this.#now();
    if (now - this.#since >= WINDOW_MS) {
      this.#since = now;
      this.#counts = { request: 0, control: 0 };
    }
    const { most, sentence } = FLOODS[what];
    return ++this.#counts[what] > most ? sentence : null;
  }
}
