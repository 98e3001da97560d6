import type { Delivery, LiveReply } from "../session/link.ts";

/** What platforms let a message be edited without being asked to wait. */
const EVERY_MS = 1_000;
/** A reply that is whole by then goes out once, and is not edited at all. */
const FIRST_MS = 250;
/** What is longer takes more than one message on any platform: the beginning is shown, and the whole at its end. */
const MAX_SHOWN_BYTES = 16_384;

export interface DraftParts {
  /** Shows what there is so far. */
  readonly show: (text: Uint8Array) => void;
  /** Sends the whole. @param shown something of it was shown. */
  readonly send: (text: Uint8Array, shown: boolean) => Promise<Delivery>;
}

/** A reply that is shown on a platform while it grows, at most once a second, and is sent when it is whole. */
export class DraftReply implements LiveReply {
  readonly #parts: DraftParts;
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | null = null;
  #shown = false;

  constructor(parts: DraftParts) {
    this.#parts = parts;
  }

  piece(text: Uint8Array): void {
    this.#pieces.push(text);
    this.#bytes += text.length;
    if (this.#bytes > MAX_SHOWN_BYTES) return;
    this.#timer ??= setTimeout(() => this.#show(), this.#shown ? EVERY_MS : FIRST_MS);
  }

  #show(): void {
    this.#timer = null;
    if (this.#bytes > MAX_SHOWN_BYTES) return;
    this.#shown = true;
    this.#parts.show(Buffer.concat(this.#pieces));
  }

  async end(): Promise<Delivery> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    return await this.#parts.send(Buffer.concat(this.#pieces), this.#shown);
  }
}
