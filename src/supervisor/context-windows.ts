/** What a model takes in one request, and what a request of ours is to it. */

/** A model whose provider does not say, in tokens: what nearly every one of the last years takes. */
const UNKNOWN_WINDOW = 128_000;
const UNKNOWN_LOCAL_WINDOW = 32_000;
/** Of one answer, in tokens. */
const MAX_OUTPUT_TOKENS = 16_384;
/** Bytes that are one token, until a model's own count says otherwise: JSON and English have about four, other scripts fewer. */
const BYTES_A_TOKEN = 3.5;
/** What one count changes of what was known. */
const WEIGHT = 0.3;
/** A shorter request says little: most of it is what a provider adds. */
const LEAST_BYTES = 4_000;
/** What a count cannot be beyond, in bytes a token. */
const MOST_DENSE = 0.5;
const LEAST_DENSE = 12;
/** After a provider found a request too long, its window is taken to be this much of it. */
const BELOW = 0.9;
/** What a picture or a page of a document is taken to be, in tokens. */
const TOKENS_A_FILE = 1_600;
/** Bytes of a document that are one token at least. */
const FILE_BYTES_A_TOKEN = 40;

/** A model, by its provider's name and its own. */
export interface ModelRef {
  readonly provider: string;
  readonly model: string;
  readonly local: boolean;
}

/** What is known of how much models take: said by the operator or a provider, and learnt from what providers count. */
export class ContextWindows {
  /** @param said what the operator wrote, or the provider says, in tokens; null: nobody does. */
  readonly #said: (ref: ModelRef) => number | null;
  readonly #density = new Map<string, number>();
  readonly #refused = new Map<string, number>();

  constructor(said: (ref: ModelRef) => number | null) {
    this.#said = said;
  }

  /** Tokens of a request and its answer together. */
  windowOf(ref: ModelRef): number {
    const said = this.#said(ref) ?? (ref.local ? UNKNOWN_LOCAL_WINDOW : UNKNOWN_WINDOW);
    return Math.max(1_000, Math.min(said, this.#refused.get(keyOf(ref)) ?? said));
  }

  /** Tokens that an answer may have. */
  outputOf(ref: ModelRef): number {
    return Math.min(MAX_OUTPUT_TOKENS, Math.floor(this.windowOf(ref) / 4));
  }

  /** Tokens that a request may have. */
  roomOf(ref: ModelRef): number {
    return this.windowOf(ref) - this.outputOf(ref);
  }

  /** @param files bytes of each file that is shown. @returns tokens, as estimated. */
  tokensOf(ref: ModelRef, bytes: number, files: readonly number[] = []): number {
    const shown = files.reduce((sum, size) => sum + Math.max(TOKENS_A_FILE, size / FILE_BYTES_A_TOKEN), 0);
    return Math.ceil(bytes / this.#densityOf(ref) + shown);
  }

  /** Bytes of words that so many tokens are. */
  bytesOf(ref: ModelRef, tokens: number): number {
    return Math.floor(tokens * this.#densityOf(ref));
  }

  /** A provider counted a request that showed no file. */
  counted(ref: ModelRef, bytes: number, tokens: number): void {
    if (bytes < LEAST_BYTES || tokens <= 0) return;
    const seen = Math.min(LEAST_DENSE, Math.max(MOST_DENSE, bytes / tokens));
    const before = this.#density.get(keyOf(ref));
    this.#density.set(keyOf(ref), before === undefined ? seen : before * (1 - WEIGHT) + seen * WEIGHT);
  }

  /** A provider found a request of so many tokens, as estimated, too long. */
  tooLong(ref: ModelRef, tokens: number): void {
    this.#refused.set(keyOf(ref), Math.floor(Math.min(this.windowOf(ref), tokens) * BELOW));
  }

  #densityOf(ref: ModelRef): number {
    return this.#density.get(keyOf(ref)) ?? BYTES_A_TOKEN;
  }
}

function keyOf({ provider, model }: ModelRef): string {
  return `${provider}/${model}`;
}
