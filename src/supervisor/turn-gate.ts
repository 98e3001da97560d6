/** Who waits for a turn to begin. */
interface Waiting {
  readonly principal: string;
  readonly go: () => void;
}

/** Turns that run at one time, shared out among people: one of them may have several conversations, and does not keep others waiting by it.
 *
 *  A turn that may begin at once does. Else it waits; when one ends, the next is of whoever has the fewest running, and of those who waited longest. */
export class TurnGate {
  readonly #most: number;
  readonly #mostOfOne: number;
  readonly #running = new Map<string, number>();
  readonly #waiting: Waiting[] = [];
  #all = 0;

  /** @param most turns in all. @param mostOfOne of one person, fewer than that: so there is always room for somebody else soon. */
  constructor(most: number, mostOfOne: number) {
    this.#most = most;
    this.#mostOfOne = mostOfOne;
  }

  /** Resolves when a turn of this person may begin; {@link leave} is called once for each. @throws what the signal is aborted with, if it is first. */
  async enter(principal: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#mayRun(principal) && !this.#waiting.some((one) => this.#mayRun(one.principal))) {
      this.#begin(principal);
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const waiting: Waiting = {
        principal,
        go: () => {
          signal.removeEventListener("abort", give);
          resolve();
        },
      };
      const give = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(signal.reason instanceof Error ? signal.reason : new Error("stopped"));
      };
      signal.addEventListener("abort", give, { once: true });
      this.#waiting.push(waiting);
    });
  }

  /** A turn of this person has ended. */
  leave(principal: string): void {
    const left = this.#runningOf(principal) - 1;
    this.#all -= 1;
    if (left > 0) this.#running.set(principal, left);
    else this.#running.delete(principal);
    for (let next = this.#next(); next !== null; next = this.#next()) {
      this.#waiting.splice(this.#waiting.indexOf(next), 1);
      this.#begin(next.principal);
      next.go();
    }
  }

  #next(): Waiting | null {
    let found: Waiting | null = null;
    for (const one of this.#waiting) {
      if (!this.#mayRun(one.principal)) continue;
      if (found === null || this.#runningOf(one.principal) < this.#runningOf(found.principal)) found = one;
    }
    return found;
  }

  #mayRun(principal: string): boolean {
    return this.#all < this.#most && this.#runningOf(principal) < this.#mostOfOne;
  }

  #begin(principal: string): void {
    this.#all += 1;
    this.#running.set(principal, this.#runningOf(principal) + 1);
  }

  #runningOf(principal: string): number {
    return this.#running.get(principal) ?? 0;
  }
}
