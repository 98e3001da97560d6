/** The dispatches of one session, by Discord's numbers: which of them are on the log. A session goes on behind the last one before which nothing is missing. */

/** Where a conversation stands once what comes before is on the log, too. */
export interface Mark {
  readonly channel: string;
  readonly message: string;
}

export class Sequence {
  #durable: number;
  readonly #open = new Map<number, { done: boolean; mark: Mark | null }>();

  /** @param durable the last dispatch that is on the log. */
  constructor(durable: number) {
    this.#durable = durable;
  }

  get durable(): number {
    return this.#durable;
  }

  /** @returns false: it is on the log, or on its way there, and came again. */
  begin(number: number): boolean {
    if (number <= this.#durable || this.#open.has(number)) return false;
    this.#open.set(number, { done: false, mark: null });
    return true;
  }

  /** @returns the marks that hold from now on, in order. */
  done(number: number, mark: Mark | null): Mark[] {
    const mine = this.#open.get(number);
    if (mine !== undefined) Object.assign(mine, { done: true, mark });
    const marks: Mark[] = [];
    // Dispatches begin in the order of their numbers: so does the map.
    for (const [at, one] of this.#open) {
      if (!one.done) break;
      this.#open.delete(at);
      this.#durable = at;
      if (one.mark !== null) marks.push(one.mark);
    }
    return marks;
  }
}
