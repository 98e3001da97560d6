import { SendFailure } from "./failure.ts";

/** Replies that are shown while they grow, in messages of their own that are edited until the reply is whole. */

/** Replies that are remembered; the oldest is forgotten, and its end is sent as a message of its own. */
const MAX_GROWING = 64;

/** How one part is shown. */
export interface Screen<P> {
  post(part: P): Promise<string>;
  edit(id: string, part: P): Promise<void>;
}

/** A part that is to be seen. */
export interface Stand<P> {
  readonly id: string;
  readonly part: P;
}

export class Growing<P> {
  readonly #same: (one: P, other: P) => boolean;
  readonly #known = new Map<number, { stands: Stand<P>[]; lost: boolean }>();

  constructor(same: (one: P, other: P) => boolean) {
    this.#same = same;
  }

  /** Shows `parts` in the place of what was shown of reply `ref`. @returns the ids of its messages. @throws {SendFailure} what is shown by then stays. */
  async show(ref: number, parts: readonly P[], screen: Screen<P>): Promise<readonly string[]> {
    const known = this.#known.get(ref) ?? { stands: [], lost: false };
    this.#known.set(ref, known);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_GROWING && oldest !== undefined) this.#known.delete(oldest);
    for (const [i, part] of parts.entries()) {
      const stand = known.stands[i];
      if (stand !== undefined && this.#same(stand.part, part)) continue;
      if (stand !== undefined) {
        await screen.edit(stand.id, part);
        known.stands[i] = { id: stand.id, part };
      } else if (!known.lost) await this.#post(known, part, screen);
    }
    return known.stands.map(({ id }) => id);
  }

  async #post(known: { stands: Stand<P>[]; lost: boolean }, part: P, screen: Screen<P>): Promise<void> {
    try {
      known.stands.push({ id: await screen.post(part), part });
    } catch (error) {
      // Maybe it is there, and nobody knows under which id: nothing more is begun.
      known.lost = !(error instanceof SendFailure) || error.code === "unknown";
      throw error;
    }
  }

  /** Reply `ref` is over. @returns what is shown of it, which its last message begins with. */
  end(ref: number | undefined): readonly Stand<P>[] {
    if (ref === undefined) return [];
    const known = this.#known.get(ref);
    this.#known.delete(ref);
    return known?.stands ?? [];
  }
}
