import type { Connection, Drafting } from "./adapter.ts";

/** Replies that are shown while they grow. What came while one state was being shown is shown next: states in between are left out. */
export class Drafts {
  readonly #shown = new Map<number, { next: (() => Promise<unknown>) | null; busy: Promise<void> | null }>();

  /** Shows what there is, unless this draft is over. */
  show(connection: Connection, draft: Drafting, text: string): void {
    if (connection.draft === undefined) return;
    const known = this.#shown.get(draft.ref) ?? { next: null, busy: null };
    this.#shown.set(draft.ref, known);
    known.next = async () => await connection.draft?.(draft, text);
    known.busy ??= this.#run(known);
  }

  async #run(known: { next: (() => Promise<unknown>) | null; busy: Promise<void> | null }): Promise<void> {
    for (let next = known.next; next !== null; next = known.next) {
      known.next = null;
      // What was not shown is shown with the next, or with the whole.
      await next().catch(() => undefined);
    }
    known.busy = null;
  }

  /** Nothing more is shown of it. Resolves when what is under way has settled: its last message may then be edited. */
  async end(ref: number): Promise<void> {
    const known = this.#shown.get(ref);
    if (known === undefined) return;
    this.#shown.delete(ref);
    known.next = null;
    await known.busy;
  }
}
