import type { ToAdapter } from "../src/ipc/adapter-frames.ts";
import type { Attachment } from "./adapter.ts";

type Attach = Extract<ToAdapter, { type: "attach" }>;

interface Expected {
  readonly files: Map<number, Attachment>;
  wanted: number | null;
  readonly whole: PromiseWithResolvers<readonly Attachment[]>;
}

/** Files that go with messages: a large one arrives in pieces, and so maybe after the message that it belongs to. */
export class Attachments {
  readonly #expected = new Map<number, Expected>();

  take({ ref, index, name, mime }: Attach, bytes: Uint8Array): void {
    const expected = this.#at(ref);
    expected.files.set(index, { name, mime, bytes });
    this.#look(ref, expected);
  }

  /** @returns the files of message `ref`, once all of them are here. */
  async of(ref: number, count: number): Promise<readonly Attachment[]> {
    if (count === 0) return [];
    const expected = this.#at(ref);
    expected.wanted = count;
    this.#look(ref, expected);
    return await expected.whole.promise;
  }

  #at(ref: number): Expected {
    const known = this.#expected.get(ref) ?? { files: new Map(), wanted: null, whole: Promise.withResolvers() };
    this.#expected.set(ref, known);
    return known;
  }

  #look(ref: number, { files, wanted, whole }: Expected): void {
    if (wanted === null || files.size < wanted) return;
    this.#expected.delete(ref);
    whole.resolve([...files].toSorted(([a], [b]) => a - b).map(([, file]) => file));
  }
}
