/** Messages to an agent that one person may write on one channel in one go. */
export const MESSAGES_AT_ONCE = 60;
/** After them, one more in this time, in milliseconds. */
export const ONE_MORE_MS = 3_000;
/** Somebody is told that they write too much once in this time, in milliseconds. */
const TELL_MS = 60_000;

interface Pace {
  /** Messages that may still come at once. */
  left: number;
  at: number;
  toldAt: number;
}

/** How much each person may write to agents on one channel. What is beyond it is refused before it is recorded: one who floods fills neither the log
 *  nor the time in which another's message is taken. */
export class MessageRate {
  readonly #now: () => number;
  readonly #paces = new Map<string, Pace>();

  /** @param now milliseconds since 1970. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** @returns `refused`: it is not taken. `told`: nor is that said again, it was said within the minute. */
  take(principal: string): "taken" | "refused" | "told" {
    const now = this.#now();
    const pace = this.#paces.get(principal) ?? { left: MESSAGES_AT_ONCE, at: now, toldAt: Number.NEGATIVE_INFINITY };
    this.#paces.set(principal, pace);
    // A clock that was set back gives nothing, and takes nothing.
    const more = Math.max(0, now - pace.at) / ONE_MORE_MS;
    pace.left = Math.min(MESSAGES_AT_ONCE, pace.left + more);
    pace.at = now;
    if (pace.left >= 1) {
      pace.left -= 1;
      return "taken";
    }
    if (Math.abs(now - pace.toldAt) < TELL_MS) return "told";
    pace.toldAt = now;
    return "refused";
  }
}
