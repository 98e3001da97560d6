import { hash } from "node:crypto";
import { USUAL_BODY } from "./bounded.ts";
import { atOf, HeadParser, MAX_HEAD } from "./head-parser.ts";
import { BODY_AT, COMMA, HASH_LENGTH, PREFIX } from "./head-reader.ts";

/** A page of rows: how many, and each body with what stands between it and what the next one has after its first brace. Left out is what is not text (only blobs sort
 *  behind it; a function for it would be called for every row), a hash of another length, which could hold a row in itself, and a body that is longer than any. */
export const PAGE_OF_ROWS = `SELECT count(*), group_concat(body || (char(0) || '${PREFIX.slice(1)}') || hash, '"')
  FROM entry NOT INDEXED WHERE seq >= ? AND seq <= ? AND ${USUAL_BODY} AND octet_length(hash) = ${HASH_LENGTH} AND body < x'' AND hash < x''`;

const BRACE = 0x7b;
/** Bytes that a page has at the most. */
const USUAL = 256 * 1024;
/** Most entries are not longer, in bytes. */
const ENTRY = 4_096;
/** Where a page is written: behind what is hashed, and what its first row follows from. */
const PAGE_AT = ENTRY + BODY_AT;

/** Reads rows that were read as one text. Nearly every page of a log can be read so, and at a million rows that takes a third of a second less than three values a
 *  row; whatever is not as usual is left to who reads row by row. */
export class PageReader {
  readonly #bytes = Buffer.alloc(PAGE_AT + USUAL + 1 + MAX_HEAD);
  readonly #head = new HeadParser(this.#bytes);
  /** By length, what is hashed: a view of its own for each row would be garbage a million times. */
  readonly #entries: (Uint8Array | undefined)[] = Array.from({ length: ENTRY + 1 }, () => undefined);
  #text = "";
  /** Where the bodies end: a zero stands behind each. */
  readonly #ends: number[] = [];
  readonly #hashes: string[] = [];
  #row = -1;
  #begin = 0;
  #end = -1;

  /** @param page what {@link PAGE_OF_ROWS} reads. @param previous the hash that its first row follows from.
   *  @returns false where it is to be read row by row: unless each row is usual, and its hash follows from it and the row before. */
  open(page: unknown, previous: string): boolean {
    const [rows, text]: unknown[] = Array.isArray(page) ? page : [];
    if (typeof rows !== "number" || typeof text !== "string") return false;
    if (text.length > USUAL || previous.length !== HASH_LENGTH) return false;
    const bytes = this.#bytes;
    bytes.write(`${PREFIX}${previous}"`, ENTRY, "latin1");
    if (bytes.write(text, PAGE_AT) !== text.length) return false;
    bytes[PAGE_AT + text.length] = 0;
    const ends = this.#ends;
    ends.length = 0;
    for (let end = text.indexOf("\0"); end >= 0; end = text.indexOf("\0", end + BODY_AT)) ends.push(end);
    [this.#text, this.#row, this.#end] = [text, -1, -BODY_AT];
    // A zero within a body would make two rows of one.
    return ends.length === rows && this.#follow();
  }

  #follow(): boolean {
    const hashes = this.#hashes;
    hashes.length = 0;
    let begin = 0;
    for (const end of this.#ends) {
      // It gives way to a comma, and would be taken for a brace afterwards whatever it was.
      if (this.#bytes[PAGE_AT + begin] !== BRACE) return false;
      this.#bytes[PAGE_AT + begin] = COMMA;
      // An entry begins as far before its body as everything is written behind the scratch.
      const hashed = hash("sha256", this.#entry(ENTRY + begin, PAGE_AT + end));
      const at = end + PREFIX.length;
      if (this.#text.slice(at, at + HASH_LENGTH) !== hashed) return false;
      hashes.push(hashed);
      this.#bytes[PAGE_AT + begin] = BRACE;
      begin = end + BODY_AT;
    }
    return true;
  }

  #entry(from: number, to: number): Uint8Array {
    const length = to - from;
    if (length > ENTRY) return this.#bytes.subarray(from, to);
    this.#bytes.copyWithin(0, from, to);
    return (this.#entries[length] ??= this.#bytes.subarray(0, length));
  }

  /** Goes on to the next row. @returns false if there is none, or it does not begin as every row does. */
  next(): boolean {
    this.#row += 1;
    this.#begin = this.#end + BODY_AT;
    const end = this.#ends[this.#row];
    if (end === undefined) return false;
    this.#end = end;
    return this.#head.parse(PAGE_AT + this.#begin);
  }

  get body(): string {
    return this.#text.slice(this.#begin, this.#end);
  }
  get hash(): string {
    return this.#hashes[this.#row] ?? "";
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
    return atOf(this.body);
  }
}
