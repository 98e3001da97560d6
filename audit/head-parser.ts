const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const BRACE_END = 0x7d;
const AT = text('{"$at":"');
const AT_LENGTH = 24;
/** Of a time, up to the minute. */
const MINUTE_LENGTH = 16;
const CAUSE = text('","$cause":');
const NULL = 0x6e_75_6c_6c;
const NULL_LENGTH = "null".length;
const KIND = text(',"$kind":"');
const SEQ_TEXT = '","$seq":';
const SEQ = text(SEQ_TEXT);
const MAX_KIND = 64;
const MAX_DIGITS = 16;
/** Kinds whose characters need not be looked at again. A hostile file may have as many kinds as rows. */
const MAX_KINDS = 1_000;
/** What the longest head has, up to the character after the row's number. */
export const MAX_HEAD =
  AT.length + AT_LENGTH + CAUSE.length + MAX_DIGITS + KIND.length + MAX_KIND + SEQ.length + MAX_DIGITS + 1;

/** Characters as they stand in a head, all of them ASCII: compared eight at a time (the last eight maybe twice), as doubles. Those of eight such characters are
 *  neither zero nor no number, so that they are equal only where their bytes are. */
interface Text {
  readonly length: number;
  readonly at: readonly number[];
  readonly eights: readonly number[];
}

interface Kind {
  readonly kind: string;
  /** With what stands behind it. */
  readonly text: Text;
}

/** Reads where a row stands from the beginning of its body, forward and without a JSON parser, where the body lies as bytes. One parser is used for many
 *  rows, and makes no object or string for any of them: at a million rows a regular expression for the head takes a quarter of a second. */
export class HeadParser {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #kinds = new Map<number, Kind>();
  /** The minute that was read last, and is one: most rows are of the same. At first it is no number. */
  readonly #minute = new Uint8Array(MINUTE_LENGTH).fill(0xff);
  readonly #minuteView = new DataView(this.#minute.buffer);
  #minuteTime = 0;
  #end = 0;
  /** Of two rows, the later one has the larger. In milliseconds, with 31 days in each month: times are only compared. */
  time = 0;
  /** -1 for null. */
  cause = -1;
  kind = "";
  seq = -1;

  /** @param bytes where the bodies are written. A zero stands behind each: no head goes on where its body ends. */
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** @param at where a body begins, at least {@link MAX_HEAD} before the end of the bytes. @returns false if it does not begin as every body does.
   *
   *  Each step looks only at what follows the one before, so that nothing behind the end is taken for the body's. */
  parse(at: number): boolean {
    const view = this.#view;
    if (!stands(view, at, AT) || !this.#time(at + AT.length)) return false;
    this.#end = at + AT.length + AT_LENGTH;
    if (!stands(view, this.#end, CAUSE)) return false;
    this.#end += CAUSE.length;
    this.cause = -1;
    if (view.getUint32(this.#end) === NULL) this.#end += NULL_LENGTH;
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
    const bytes = this.#bytes;
    if (view.getFloat64(at) !== known.getFloat64(0) || view.getFloat64(at + 8) !== known.getFloat64(8)) {
      if (!isMinute(bytes, at)) return false;
      this.#minute.set(bytes.subarray(at, at + MINUTE_LENGTH));
      this.#minuteTime = timeOf(bytes, at);
    }
    const second = bytes[at + 16] === 0x3a ? twoDigits(bytes, at + 17) : -1;
    if (second < 0 || second > 59 || bytes[at + 19] !== 0x2e) return false;
    const hundredths = twoDigits(bytes, at + 20);
    const thousandths = digit(bytes, at + 22);
    this.time = this.#minuteTime + second * 1_000 + hundredths * 10 + thousandths;
    return hundredths >= 0 && thousandths >= 0 && bytes[at + 23] === 0x5a;
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
}

/** The time in a body that {@link HeadParser} has read. */
export function atOf(body: string): string {
  return body.slice(AT.length, AT.length + AT_LENGTH);
}

/** @param characters at least eight. */
function text(characters: string): Text {
  const bytes = Buffer.from(characters, "latin1");
  const at = [...Array.from({ length: Math.floor(bytes.length / 8) }, (_, index) => 8 * index), bytes.length - 8];
  return { length: bytes.length, at, eights: at.map((place) => bytes.readDoubleBE(place)) };
}

function stands(view: DataView, at: number, { at: places, eights }: Text): boolean {
  for (let index = 0; index < eights.length; index++) {
    if (view.getFloat64(at + (places[index] ?? 0)) !== eights[index]) return false;
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

/** The beginning of a minute. */
function timeOf(bytes: Uint8Array, at: number): number {
  const year = twoDigits(bytes, at) * 100 + twoDigits(bytes, at + 2);
  const days = (year * 12 + twoDigits(bytes, at + 5) - 1) * 31 + twoDigits(bytes, at + 8) - 1;
  return ((days * 24 + twoDigits(bytes, at + 11)) * 60 + twoDigits(bytes, at + 14)) * 60_000;
}

/** @returns -1 unless it is one. */
function digit(bytes: Uint8Array, at: number): number {
  const unit = bytes[at] ?? 0;
  return unit >= 48 && unit <= 57 ? unit - 48 : -1;
}

/** @returns -1 unless both are digits. */
function twoDigits(bytes: Uint8Array, at: number): number {
  const tens = digit(bytes, at);
  const ones = digit(bytes, at + 1);
  return tens < 0 || ones < 0 ? -1 : tens * 10 + ones;
}
