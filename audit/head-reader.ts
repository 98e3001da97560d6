import { hash } from "node:crypto";
import { atOf, HeadParser, MAX_HEAD } from "./head-parser.ts";

const encoder = new TextEncoder();

/** Before the previous hash, and between it and what a body has after its first brace. */
export const PREFIX = '\0{"#prev":"';
export const HASH_LENGTH = 64;
/** Where a body is written, so that what it is hashed with fits before it: its brace gives way to a comma. */
export const BODY_AT = PREFIX.length + HASH_LENGTH + 1;
export const COMMA = 0x2c;
const QUOTE = 0x22;
/** Bodies of so many UTF-16 units are written whole: nearly all. Of a longer one only the head is. */
const USUAL = 4_096;
/** Their bytes, and a zero behind them: no head goes on where the body ends. */
const ROOM = BODY_AT + 3 * USUAL + 1 + MAX_HEAD;

/** Reads a row's head and hashes it. One reader is used for many rows: it writes each as bytes once, in one place. A string of the body with the previous
 *  hash before it costs a quarter of a second at a million rows. */
export class HeadReader {
  readonly #bytes = Buffer.alloc(ROOM);
  readonly #head = new HeadParser(this.#bytes);
  readonly #previous = this.#bytes.subarray(PREFIX.length, PREFIX.length + HASH_LENGTH);
  readonly #entries: (Uint8Array | undefined)[] = Array.from({ length: USUAL }, () => undefined);
  #body = "";
  /** In bytes; -1 unless the body is a row, all of it is here, and it is ASCII. */
  #length = -1;

  constructor() {
    this.#bytes.write(PREFIX, "latin1");
    this.#bytes[BODY_AT - 1] = QUOTE;
  }

  /** @returns false if the body does not begin as every body does. */
  read(body: string): boolean {
    const whole = body.length <= USUAL;
    const length = this.#bytes.write(whole ? body : body.slice(0, MAX_HEAD), BODY_AT);
    this.#bytes[BODY_AT + length] = 0;
    this.#length = -1;
    if (!this.#head.parse(BODY_AT)) return false;
    this.#body = body;
    if (length === body.length) this.#length = length;
    return true;
  }

  /** The hash of the row that was read last, if it stands after one with the hash `previous`.
   *  @returns null if it was no row, or not a usual one: then `entryHash` says. */
  hash(previous: string): string | null {
    if (this.#length < 0 || previous.length !== HASH_LENGTH) return null;
    encoder.encodeInto(previous, this.#previous);
    this.#bytes[BODY_AT] = COMMA;
    return hash("sha256", this.#entry(BODY_AT + this.#length));
  }

  #entry(length: number): Uint8Array {
    if (length >= USUAL) return this.#bytes.subarray(0, length);
    return (this.#entries[length] ??= this.#bytes.subarray(0, length));
  }

  /** -1 for null. */
  get cause(): number {
    return this.#head.cause;
  }
  get kind(): string {
    return this.#head.kind;
  }
  get seq(): number {
    return this.#head.seq;
  }
  get time(): number {
    return this.#head.time;
  }
  get at(): string {
    return atOf(this.#body);
  }
}
