/** The longest that text is held back, so that a fast model does not make a frame of every token. */
const PAUSE_MS = 25;
/** Of one piece, in UTF-16 units: at most 48 KiB as UTF-8, far below a frame's limit. */
const MAX_PIECE = 16_384;

/** Makes few and middling pieces of text that comes in many and small, or large, ones. The first goes out at once. A
 *  character is never cut in two: half of a surrogate pair waits for its other half. */
export class Deltas {
  readonly #send: (text: string) => Promise<void>;
  #text = "";
  #sentAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;
  #sending: Promise<void> = Promise.resolve();
  #streamed = false;

  /** @param send never rejects: a pipe that is over is its own affair. */
  constructor(send: (text: string) => Promise<void>) {
    this.#send = send;
  }

  /** Whether anything was given out. */
  get streamed(): boolean {
    return this.#streamed;
  }

  /** @returns when there is room for more. */
  async add(text: string): Promise<void> {
    this.#text += text;
    if (this.#text.length >= MAX_PIECE || performance.now() - this.#sentAt >= PAUSE_MS) {
      this.#flush(false);
      await this.#sending;
      return;
    }
    this.#timer ??= setTimeout(() => this.#flush(false), PAUSE_MS);
  }

  /** Sends what is left. */
  async end(): Promise<void> {
    this.#flush(true);
    await this.#sending;
  }

  #flush(all: boolean): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    while (this.#text !== "") {
      let end = Math.min(this.#text.length, MAX_PIECE);
      if (isHighSurrogate(this.#text.charCodeAt(end - 1)) && !(all && end === this.#text.length)) end--;
      if (end === 0) return;
      const piece = this.#text.slice(0, end);
      this.#text = this.#text.slice(end);
      this.#streamed = true;
      this.#sentAt = performance.now();
      this.#sending = this.#sending.then(() => this.#send(piece));
    }
  }
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
