import { hash } from "node:crypto";

const encoder = new TextEncoder();

/** Before the previous hash, and between it and what a body has after its first brace. */
const PREFIX = '\0{"#prev":"';
const HASH_LENGTH = 64;
/** Where a body is written, so that what it is hashed with fits before it: its brace gives way to a comma. */
const BODY_AT = PREFIX.length + HASH_LENGTH + 1;
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const BRACE_END = 0x7d;
const AT = text('{"$at":"');
const AT_LENGTH = 24;
/** Of a time, up to the minute. */
const MINUTE_LENGTH = 16;
const CAUSE = text('","$cause":');
const NULL = text("null");
const KIND = text(',"$kind":"');
const SEQ_TEXT = '","$seq":';
const SEQ = text(SEQ_TEXT);
const MAX_KIND = 64;
const MAX_DIGITS = 16;
/** Kinds whose characters need not be looked at again. A hostile file may have as many kinds as rows. */
const MAX_KINDS = 1_000;
/** What the longest head has, up to the character after the row's number. */
const MAX_HEAD =
  AT.length + AT_LENGTH + CAUSE.length + MAX_DIGITS + KIND.length + MAX_KIND + SEQ.length + MAX_DIGITS + 1;
/** Bodies of so many UTF-16 units are written whole: nearly all. Of a longer one only the head is. */
const USUAL = 4_096;
/** Their bytes, and a zero behind them: no head goes on where the body ends. */
const ROOM = BODY_AT + 3 * USUAL + 1;

/** Characters as they stand in a head: compared four at a time, the last four of them maybe twice. At least four, all of them ASCII. */
interface Text {
  readonly length: number;
  readonly at: readonly number[];
  readonly words: readonly number[];
}

interface Kind {
  readonly kind: string;
  /** With what stands behind it. */
  readonly text: Text;
}

/** Reads where a row stands from the beginning of its body, forward and without a JSON parser, and hashes it.
 *
 *  One reader is used for many rows. It writes each as bytes once, in one place, and makes no object or string for any of them: at a million rows a regular
 *  expression for the head, and a string of the body with the previous hash before it, take a quarter of a second each. */
export class HeadReader {
  readonly #bytes = Buffer.alloc(ROOM);
  readonly #view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, ROOM);
  readonly #previous = this.#bytes.subarray(PREFIX.length, PREFIX.length + HASH_LENGTH);
  readonly #entries: (Uint8Array | undefined)[] = Array.from({ length: USUAL }, () => undefined);
  readonly #kinds = new Map<number, Kind>();
  /** The minute that was read last, and is one: most rows are of the same. */
  readonly #minute = new Uint8Array(MINUTE_LENGTH).fill(0xff);
  readonly #minuteView = new DataView(this.#minute.buffer);
  #body = "";
  /** In bytes; -1 unless the body is a row, all of it is here, and it is ASCII. */
  #length = -1;
  #end = 0;
  /** -1 for null. */
  cause = -1;
  kind = "";
  seq = -1;

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
    if (!this.#head()) return false;
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

  /** Each step looks only at what follows the one before, so that nothing behind the end is taken for the body's. */
  #head(): boolean {
    const view = this.#view;
    if (!stands(view, BODY_AT, AT) || !this.#time(BODY_AT + AT.length)) return false;
    this.#end = BODY_AT + AT.length + AT_LENGTH;
    if (!stands(view, this.#end, CAUSE)) return false;
    this.#end += CAUSE.length;
    this.cause = -1;
    if (stands(view, this.#end, NULL)) this.#end += NULL.length;
    else {
      this.cause = this.#wholeNumber();
      if (this.cause < 0) return false;
    }
    if (!stands(view, this.#end, KIND)) return false;
    this.#end += KIND.length;
    if (!this.#kind()) return false;
    this.seq = this.#wholeNumber();
    const next = this.#bytes[this.#end];
    return this.seq >= 0 && (next === COMMA || next === BRACE_END);
  }

  /** `2026-11-23T22:31:00.000Z`, with a month, a day, an hour and so on that there are. */
  #time(at: number): boolean {
    const view = this.#view;
    const known = this.#minuteView;
    for (let word = 0; word < MINUTE_LENGTH; word += 4) {
      if (view.getUint32(at + word) === known.getUint32(word)) continue;
      if (!isMinute(this.#bytes, at)) return false;
      this.#minute.set(this.#bytes.subarray(at, at + MINUTE_LENGTH));
      break;
    }
    const bytes = this.#bytes;
    const second = bytes[at + 16] === 0x3a ? twoDigits(bytes, at + 17) : -1;
    if (second < 0 || second > 59 || bytes[at + 19] !== 0x2e) return false;
    return twoDigits(bytes, at + 20) >= 0 && isDigit(bytes[at + 22] ?? 0) && bytes[at + 23] === 0x5a;
  }

  /** Reads a kind, and what stands between it and the row's number. */
  #kind(): boolean {
    const view = this.#view;
    const from = this.#end;
    // So many bytes are the kind's, or what stands behind every kind. Two kinds may have the same number; what is looked up is compared.
    const key =
      (Math.imul(Math.imul(view.getInt32(from), 31) + view.getInt32(from + 4), 31) + view.getInt32(from + 8)) | 0;
    const known = this.#kinds.get(key);
    if (known !== undefined && stands(view, from, known.text)) {
      this.kind = known.kind;
      this.#end = from + known.text.length;
      return true;
    }
    const kind = this.#newKind(from);
    if (kind === null) return false;
    if (known === undefined && this.#kinds.size < MAX_KINDS)
      this.#kinds.set(key, { kind, text: text(`${kind}${SEQ_TEXT}`) });
    this.kind = kind;
    this.#end = from + kind.length + SEQ.length;
    return true;
  }

  /** What prints in ASCII, without quote and backslash. */
  #newKind(from: number): string | null {
    const bytes = this.#bytes;
    let end = from;
    for (let unit = bytes[end] ?? 0; unit > 0x20 && unit < 0x7f && unit !== QUOTE; unit = bytes[end] ?? 0) {
      if (unit === BACKSLASH || end - from === MAX_KIND) return null;
      end += 1;
    }
    return end > from && stands(this.#view, end, SEQ) ? bytes.toString("latin1", from, end) : null;
  }

  /** Reads digits from where it is. @returns -1 for none, a leading zero, or more than a double holds. */
  #wholeNumber(): number {
    const bytes = this.#bytes;
    const from = this.#end;
    let end = from;
    let value = 0;
    for (let unit = bytes[end] ?? 0; unit >= 48 && unit <= 57; unit = bytes[end] ?? 0) {
      value = value * 10 + (unit - 48);
      end += 1;
    }
    this.#end = end;
    if (end === from || end - from > MAX_DIGITS || (end - from > 1 && bytes[from] === 48)) return -1;
    return Number.isSafeInteger(value) ? value : -1;
  }

  get at(): string {
    return atOf(this.#body);
  }
}

/** The time in a body that {@link HeadReader} has read. */
export function atOf(body: string): string {
  return body.slice(AT.length, AT.length + AT_LENGTH);
}

function text(characters: string): Text {
  const bytes = Buffer.from(characters, "latin1");
  const at = [...Array.from({ length: Math.floor(bytes.length / 4) }, (_, word) => 4 * word), bytes.length - 4];
  return { length: bytes.length, at, words: at.map((place) => bytes.readUInt32BE(place)) };
}

function stands(view: DataView, at: number, { at: places, words }: Text): boolean {
  for (let index = 0; index < words.length; index++) {
    if (view.getUint32(at + (places[index] ?? 0)) !== words[index]) return false;
  }
  return true;
}

/** `2026-11-23T22:31`. */
function isMinute(bytes: Uint8Array, at: number): boolean {
  if (twoDigits(bytes, at) < 0 || twoDigits(bytes, at + 2) < 0 || bytes[at + 4] !== 0x2d) return false;
  const month = twoDigits(bytes, at + 5);
  if (month < 1 || month > 12 || bytes[at + 7] !== 0x2d) return false;
  const day = twoDigits(bytes, at + 8);
  if (day < 1 || day > 31 || bytes[at + 10] !== 0x54) return false;
  const hour = twoDigits(bytes, at + 11);
  if (hour < 0 || hour > 23 || bytes[at + 13] !== 0x3a) return false;
  const minute = twoDigits(bytes, at + 14);
  return minute >= 0 && minute <= 59;
}

function isDigit(unit: number): boolean {
  return unit >= 48 && unit <= 57;
}

/** @returns -1 unless both are digits. */
function twoDigits(bytes: Uint8Array, at: number): number {
  const tens = bytes[at] ?? 0;
  const ones = bytes[at + 1] ?? 0;
  return isDigit(tens) && isDigit(ones) ? (tens - 48) * 10 + (ones - 48) : -1;
}
