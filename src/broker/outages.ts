import type { Clock } from "../../audit/ports.ts";
import type { CompletionFailure } from "../ipc/model-frames.ts";

/** Why a model was not there to answer: another one may be asked instead. */
export const OUTAGES = ["unreachable", "overloaded", "failing", "timeout", "died"] as const;
export type Outage = (typeof OUTAGES)[number];

/** A model that was not there is not waited for again before then, where another one can be asked. */
export const SPARED_MS = 2 * 60_000;
/** Models of which it is remembered. */
const MAX_REMEMBERED = 256;

export function outageOf(code: CompletionFailure): Outage | null {
  return OUTAGES.find((outage) => outage === code) ?? null;
}

/** Which models were not there a moment ago: a turn of many calls does not wait for each of them anew. */
export class Outages {
  readonly #clock: Clock;
  readonly #since = new Map<string, { readonly at: number; readonly why: Outage }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  began(ref: string, why: Outage): void {
    if (this.#since.size >= MAX_REMEMBERED) this.#since.clear();
    this.#since.set(ref, { at: this.#clock.now(), why });
  }
  ended(ref: string): void {
    this.#since.delete(ref);
  }

  /** Null: it is asked. */
  of(ref: string): Outage | null {
    const known = this.#since.get(ref);
    if (known === undefined) return null;
    const age = this.#clock.now() - known.at;
    return age >= 0 && age < SPARED_MS ? known.why : null;
  }
}
