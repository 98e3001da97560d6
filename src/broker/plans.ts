import type { Clock } from "../../audit/ports.ts";

/** Sessions whose plans are kept; the oldest is forgotten first, and its actions are asked for again. */
const MAX_SESSIONS = 200;

interface Planned {
  /** The row of the decision. */
  readonly rests: number;
  /** Milliseconds since 1970. */
  readonly until: number;
}

/** Exact actions that were approved before they are called, each for once. They are in memory only: a restart ends every plan. */
export class Plans {
  readonly #clock: Clock;
  readonly #sessions = new Map<string, Map<string, Planned[]>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param digests SHA-256 of the actions' bytes; one that stands there twice may run twice. */
  add(session: string, digests: readonly string[], planned: Planned): void {
    const actions = this.#sessions.get(session) ?? new Map<string, Planned[]>();
    this.#sessions.set(session, actions);
    for (const digest of digests) actions.set(digest, [...(actions.get(digest) ?? []), planned]);
    const oldest = this.#sessions.keys().next();
    if (this.#sessions.size > MAX_SESSIONS && oldest.done !== true) this.#sessions.delete(oldest.value);
  }

  /** Takes an action off the plan that it is on. @returns the row that it rests on; null: it is on none that goes on. */
  take(session: string, digest: string): number | null {
    const actions = this.#sessions.get(session);
    const going = (actions?.get(digest) ?? []).filter(({ until }) => until > this.#clock.now());
    const [first, ...rest] = going;
    actions?.set(digest, rest);
    return first?.rests ?? null;
  }
}
