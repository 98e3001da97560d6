import type { Channel } from "../ipc/channel.ts";

/** Cards that are over are remembered, so that a late press gets its sentence. */
const MAX_CLOSED = 1000;

export interface ClosedCard {
  readonly code: string;
  readonly state: "approved" | "denied" | "expired" | "withdrawn";
  /** Where the card was sent; null: before a restart, nobody knows any more. */
  readonly shown: ReadonlySet<Channel> | null;
}

/** How the cards that are over ended, the oldest forgotten first. */
export class ClosedCards {
  readonly #cards = new Map<string, ClosedCard>();

  add(approval: string, card: ClosedCard): void {
    this.#cards.set(approval, card);
    const oldest = this.#cards.keys().next();
    if (this.#cards.size > MAX_CLOSED && oldest.done !== true) this.#cards.delete(oldest.value);
  }

  /** @param name its id, or the code that was typed. The newest of a code counts. */
  find(name: string): ({ readonly approval: string } & ClosedCard) | null {
    const known = this.#cards.get(name);
    if (known !== undefined) return { approval: name, ...known };
    const code = name.toUpperCase();
    const found = [...this.#cards].findLast(([, card]) => card.code !== "" && card.code === code);
    return found === undefined ? null : { approval: found[0], ...found[1] };
  }
}
