import { setTimeout as delay } from "node:timers/promises";
import { type FailureCode, SendFailure } from "./failure.ts";

/** One message of the platform's size, ready to go. */
export interface Draft {
  /** Sends it once. @param formatted false: as plain text. @returns the platform's id of it. @throws {SendFailure} */
  post(formatted: boolean): Promise<string>;
}

export type Outcome =
  | { readonly state: "delivered"; readonly ids: string[] }
  | {
      readonly state: "undelivered";
      readonly reason: Exclude<FailureCode, "formatting">;
      readonly ids: string[];
      readonly sentence: string;
    };

/** A message has this long from when it was handed over, waits included; the supervisor gives up a minute later. */
const PATIENCE_MS = 240_000;
/** Waits between tries of a message that found no connection; then it is given back. */
const RECONNECT_MS = [1_000, 2_000, 4_000, 8_000, 15_000] as const;
/** What a platform that says "too fast" without saying how much is given. */
const DEFAULT_WAIT_MS = 3_000;

/** Time as the outbox needs it: milliseconds of no particular beginning, and waits that a signal ends early. */
export interface Clock {
  now(): number;
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

export const CLOCK: Clock = {
  now: () => performance.now(),
  wait: async (ms, signal) => {
    await delay(ms, undefined, { signal }).catch(() => undefined);
  },
};

/** Messages out: in order within a place, side by side between places. A message is only ever sent again where the platform did not take
 *  it; where nobody can tell, it is reported so. */
export class Outbox {
  /** The end of the line at each place. */
  readonly #lines = new Map<string, Promise<unknown>>();
  readonly #closing = new AbortController();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param place messages of one place go out in the order of the calls. */
  async deliver(place: string, drafts: readonly Draft[]): Promise<Outcome> {
    const deadline = this.#clock.now() + PATIENCE_MS;
    const before = this.#lines.get(place) ?? Promise.resolve();
    const mine = before.then(async () => await this.#send(drafts, deadline));
    this.#lines.set(place, mine);
    try {
      return await mine;
    } finally {
      if (this.#lines.get(place) === mine) this.#lines.delete(place);
    }
  }

  /** Ends every wait: what is on its way is finished, what waits is given back. Resolves when all is said. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#lines.values());
  }

  async #send(drafts: readonly Draft[], deadline: number): Promise<Outcome> {
    const ids: string[] = [];
    for (const draft of drafts) {
      try {
        ids.push(await this.#post(draft, deadline));
      } catch (error) {
        const failure =
          error instanceof SendFailure ? error : new SendFailure("unknown", "the message met an error of ours");
        const reason = failure.code === "formatting" ? "refused" : failure.code;
        return { state: "undelivered", reason, ids, sentence: failure.message };
      }
    }
    return { state: "delivered", ids };
  }

  async #post(draft: Draft, deadline: number): Promise<string> {
    let formatted = true;
    let failed = 0;
    for (;;) {
      if (this.#closing.signal.aborted)
        throw new SendFailure("unreachable", "the channel was stopped before it was sent");
      if (this.#clock.now() > deadline) throw new SendFailure("rate-limited", "its turn did not come within 4 minutes");
      try {
        return await draft.post(formatted);
      } catch (error) {
        if (!(error instanceof SendFailure)) throw error;
        if (error.code === "formatting" && formatted) {
          formatted = false;
        } else if (error.code === "rate-limited") {
          await this.#wait(error.waitMs ?? DEFAULT_WAIT_MS, deadline, error);
        } else if (error.code === "unreachable" && failed < RECONNECT_MS.length) {
          await this.#wait(RECONNECT_MS[failed] ?? DEFAULT_WAIT_MS, deadline, error);
          failed += 1;
        } else throw error;
      }
    }
  }

  /** @throws `error` where the wait would outlast the patience, or the channel is stopped. */
  async #wait(ms: number, deadline: number, error: SendFailure): Promise<void> {
    const { signal } = this.#closing;
    if (signal.aborted || this.#clock.now() + ms > deadline) throw error;
    await this.#clock.wait(ms, signal);
    if (signal.aborted) throw error;
  }
}
