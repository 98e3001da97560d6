/** How far each conversation is on the log: what came after that is asked for after an outage. */

/** Conversations that are remembered; the one that was quiet longest is forgotten. */
const MAX_HEADS = 200;

export interface Head {
  readonly place: string;
  readonly thread: string | null;
  /** Slack's time of the last message that is on the log. */
  readonly ts: string;
}

const HEAD = /^([A-Z0-9]{2,64}):(\d{1,20}\.\d{1,10})?:(\d{1,20}\.\d{1,10})$/;

export class Heads {
  readonly #known = new Map<string, Head>();

  /** @param cursor as {@link encoded}; what is not of that form is left out. */
  constructor(cursor: string | null) {
    for (const one of (cursor ?? "").split(" ")) {
      const [, place, thread, ts] = HEAD.exec(one) ?? [];
      if (place !== undefined && ts !== undefined) this.#set({ place, thread: thread ?? null, ts });
    }
  }

  /** Newest last. */
  get all(): readonly Head[] {
    return [...this.#known.values()];
  }

  has(place: string, thread: string | null): boolean {
    return this.#known.has(keyOf(place, thread));
  }

  /** The message of that time is on the log. */
  advance(head: Head): void {
    const known = this.#known.get(keyOf(head.place, head.thread));
    this.#set(known !== undefined && after(known.ts, head.ts) ? known : head);
  }

  /** We wrote there: what is answered is ours to hear, and what was heard before stays where it is. */
  begin(head: Head): void {
    if (!this.has(head.place, head.thread)) this.#set(head);
  }

  /** We are not there any more. */
  leave(place: string): void {
    for (const [key, head] of this.#known) if (head.place === place) this.#known.delete(key);
  }

  encoded(): string {
    return this.all.map(({ place, thread, ts }) => `${place}:${thread ?? ""}:${ts}`).join(" ");
  }

  #set(head: Head): void {
    const key = keyOf(head.place, head.thread);
    this.#known.delete(key);
    this.#known.set(key, head);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_HEADS && oldest !== undefined) this.#known.delete(oldest);
  }
}

function keyOf(place: string, thread: string | null): string {
  return `${place}:${thread ?? ""}`;
}

/** Whether `one` is later than `other`. Both are seconds and a fraction of as many digits. */
export function after(one: string, other: string): boolean {
  const [whole = "", part = ""] = one.split(".");
  const [otherWhole = "", otherPart = ""] = other.split(".");
  if (whole.length !== otherWhole.length) return whole.length > otherWhole.length;
  if (whole !== otherWhole) return whole > otherWhole;
  return part.padEnd(10, "0") > otherPart.padEnd(10, "0");
}
