/** After a week without updates Telegram numbers them anew, maybe lower; an older place to go on from could then hide what is new. What it
 *  forgets after a day anyway is not lost by not asking for it. */
const MAX_AGE_MS = 6 * 24 * 60 * 60 * 1_000;

/** @param next the first update that is not on the log. @param now milliseconds since 1970. */
export function encodeCursor(next: number, now: number): string {
  return `${next}@${Math.floor(now / 1_000)}`;
}

/** @returns where to go on, or null: from the oldest that Telegram still has. */
export function decodeCursor(cursor: string | null, now: number): number | null {
  const [, next, at] = /^(\d{1,16})@(\d{1,12})$/.exec(cursor ?? "") ?? [];
  if (next === undefined || at === undefined) return null;
  const age = now - Number(at) * 1_000;
  return Math.abs(age) > MAX_AGE_MS || !Number.isSafeInteger(Number(next)) ? null : Number(next);
}

/** Updates of one answer that are on their way to the log. */
export class Batch {
  readonly #ids: readonly number[];
  readonly #done: boolean[];
  #taken = 0;
  constructor(ids: readonly number[]) {
    this.#ids = ids;
    this.#done = ids.map(() => false);
  }

  /** The update at `i` is on the log, or is none for us. */
  done(i: number): void {
    this.#done[i] = true;
  }

  /** @returns the number behind the last of those from the first on that are done; null if that was said before. */
  take(): number | null {
    const before = this.#taken;
    while (this.#done[this.#taken] === true) this.#taken += 1;
    const last = this.#ids[this.#taken - 1];
    return this.#taken === before || last === undefined ? null : last + 1;
  }
}
