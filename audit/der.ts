/** The strict part of ASN.1's encodings: definite lengths, in their shortest form. */

export interface Tlv {
  readonly tag: number;
  readonly body: Buffer;
  /** Tag, length and body. */
  readonly whole: Buffer;
}

export class DerError extends Error {
  override readonly name = "DerError";
}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  octets: 0x04,
  nothing: 0x05,
  oid: 0x06,
  bits: 0x03,
  utcTime: 0x17,
  time: 0x18,
  sequence: 0x30,
  set: 0x31,
  /** Context-specific: primitive, then constructed. */
  p0: 0x80,
  c0: 0xa0,
  c1: 0xa1,
  c2: 0xa2,
  c3: 0xa3,
} as const;

/** Reads a value's parts one after the other. */
export class DerReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** @throws {DerError} unless the next part has this tag. */
  next(tag: number): Tlv {
    const read = this.#read();
    if (read.tag !== tag) throw new DerError(`a part has tag ${read.tag}, and ${tag} was expected`);
    return read;
  }

  /** The next part if it has this tag. */
  maybe(tag: number): Tlv | null {
    return this.#bytes[this.#at] === tag ? this.#read() : null;
  }

  /** The next part, whatever it is. */
  any(): Tlv {
    return this.#read();
  }

  /** @throws {DerError} if something is left. */
  end(): void {
    if (!this.done) throw new DerError("there is more than there should be");
  }

  #read(): Tlv {
    const start = this.#at;
    const tag = this.#byte();
    if ((tag & 0x1f) === 0x1f) throw new DerError("a tag has more than one byte");
    const first = this.#byte();
    let length = first;
    if (first >= 0x80) {
      const count = first & 0x7f;
      if (count === 0 || count > 3) throw new DerError("a length is indefinite or too large");
      length = 0;
      for (let i = 0; i < count; i++) length = length * 256 + this.#byte();
      if (length < 0x80 || length < 256 ** (count - 1)) throw new DerError("a length is not in its shortest form");
    }
    const body = this.#bytes.subarray(this.#at, this.#at + length);
    if (body.length !== length) throw new DerError("it ends too early");
    this.#at += length;
    return { tag, body, whole: this.#bytes.subarray(start, this.#at) };
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new DerError("it ends too early");
    this.#at += 1;
    return byte;
  }
}

/** Writes one value. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const length: number[] = [];
  for (let rest = body.length; rest > 0; rest = Math.floor(rest / 256)) length.unshift(rest % 256);
  const head = body.length < 0x80 ? [body.length] : [0x80 + length.length, ...length];
  return Buffer.concat([Buffer.of(tag, ...head), body]);
}

/** A number from 0 up, without the leading zeros that DER forbids. */
export function derInteger(magnitude: Uint8Array): Buffer {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start += 1;
  const rest = magnitude.subarray(start);
  return der(TAG.integer, ...((rest[0] ?? 0) >= 0x80 ? [Buffer.of(0), rest] : [rest]));
}
