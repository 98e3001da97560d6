/** Bytes of a ClientHello and its records that are held while it is read. One with post-quantum key shares has about 1,800. */
export const MAX_HELLO_BYTES = 32_768;

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;
/** TLSPlaintext.length (RFC 8446, 5.1). */
const MAX_RECORD = 16_384;
const RECORD_HEADER = 5;
const MAX_NAME = 255;

/** What a client's first bytes are. `more`: not all there yet. `hello`: a ClientHello; `name` is its server_name in lower case, or null without one.
 *  `other`: no ClientHello, or one that is malformed or too long. */
export type Hello =
  | { readonly state: "more" }
  | { readonly state: "hello"; readonly name: string | null }
  | { readonly state: "other" };

const MORE: Hello = { state: "more" };
const OTHER: Hello = { state: "other" };

/** Reads the server name of a TLS ClientHello as its bytes come, however they and its records are cut. It looks at nothing else of it. Of an encrypted
 *  ClientHello the name outside counts: that is the one the network sees.
 *  @see https://datatracker.ietf.org/doc/html/rfc8446#section-4.1.2 and https://datatracker.ietf.org/doc/html/rfc6066#section-3 */
export class HelloReader {
  /** Of the record that is being read: what is there of its header, and how much of its fragment is to come. */
  readonly #header = new Uint8Array(RECORD_HEADER);
  #headerLength = 0;
  #left = 0;
  /** The records' fragments, put together. */
  #message = new Uint8Array(2048);
  #length = 0;
  #total = 0;
  #verdict: Hello = MORE;

  /** @returns what all bytes so far are. Once it is not `more`, it stays what it is. */
  push(chunk: Uint8Array): Hello {
    let at = 0;
    while (this.#verdict.state === "more" && at < chunk.length) {
      const taken = this.#left === 0 ? this.#takeHeader(chunk[at] ?? 0) : this.#takeFragment(chunk.subarray(at));
      at += taken;
      this.#total += taken;
      if (this.#verdict.state === "more" && this.#total >= MAX_HELLO_BYTES) this.#verdict = OTHER;
    }
    return this.#verdict;
  }

  #takeHeader(byte: number): number {
    this.#header[this.#headerLength++] = byte;
    if (this.#header[0] !== HANDSHAKE) this.#verdict = OTHER;
    // legacy_record_version: 3.0 to 3.4 have been seen.
    if (this.#headerLength > 1 && this.#header[1] !== 3) this.#verdict = OTHER;
    if (this.#headerLength === RECORD_HEADER) {
      this.#headerLength = 0;
      this.#left = word(this.#header, 3);
      if (this.#left === 0 || this.#left > MAX_RECORD) this.#verdict = OTHER;
    }
    return 1;
  }

  #takeFragment(bytes: Uint8Array): number {
    const fragment = bytes.subarray(0, Math.min(this.#left, MAX_HELLO_BYTES));
    this.#keep(fragment);
    this.#left -= fragment.length;
    if (this.#message[0] !== CLIENT_HELLO) this.#verdict = OTHER;
    else if (this.#length >= 4) {
      const end = 4 + (((this.#message[1] ?? 0) << 16) | word(this.#message, 2));
      if (end > MAX_HELLO_BYTES || this.#length > end) this.#verdict = OTHER;
      // It ends its record: what would follow it there is another message, which no client sends.
      else if (this.#length === end) this.#verdict = this.#left > 0 ? OTHER : helloOf(this.#message.subarray(4, end));
    }
    return fragment.length;
  }

  #keep(fragment: Uint8Array): void {
    const needed = this.#length + fragment.length;
    if (needed > this.#message.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.#message.length));
      larger.set(this.#message.subarray(0, this.#length));
      this.#message = larger;
    }
    this.#message.set(fragment, this.#length);
    this.#length = needed;
  }
}

/** The body of a ClientHello, whole. */
function helloOf(body: Uint8Array): Hello {
  const fields = new Fields(body);
  // legacy_version, random
  fields.skip(2 + 32);
  fields.vector(1); // legacy_session_id
  fields.vector(2); // cipher_suites
  fields.vector(1); // legacy_compression_methods
  if (fields.wrong) return OTHER;
  if (fields.atEnd) return { state: "hello", name: null };
  const extensions = fields.vector(2);
  if (fields.wrong || !fields.atEnd) return OTHER;
  const each = new Fields(extensions);
  let name: string | null = null;
  while (!each.atEnd) {
    const type = each.number(2);
    const data = each.vector(2);
    if (each.wrong) return OTHER;
    if (type !== SERVER_NAME) continue;
    if (name !== null) return OTHER;
    name = nameOf(data);
    if (name === null) return OTHER;
  }
  return { state: "hello", name };
}

/** The one host_name of a server_name extension. */
function nameOf(data: Uint8Array): string | null {
  const outer = new Fields(data);
  const list = new Fields(outer.vector(2));
  if (outer.wrong || !outer.atEnd) return null;
  const type = list.number(1);
  const name = list.vector(2);
  if (list.wrong || !list.atEnd || type !== HOST_NAME || name.length === 0 || name.length > MAX_NAME) return null;
  // No controls, and nothing beyond ASCII: a name is compared as it stands.
  if (name.some((byte) => byte <= 0x20 || byte >= 0x7f)) return null;
  return String.fromCharCode(...name).toLowerCase();
}

/** Reads numbers and vectors of TLS's presentation language; past the end everything is empty and `wrong` is set. */
class Fields {
  readonly #bytes: Uint8Array;
  #at = 0;
  wrong = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.wrong || this.#at === this.#bytes.length;
  }

  skip(length: number): void {
    this.#take(length);
  }

  number(length: 1 | 2): number {
    const bytes = this.#take(length);
    return length === 1 ? (bytes[0] ?? 0) : word(bytes, 0);
  }

  vector(lengthOfLength: 1 | 2): Uint8Array {
    return this.#take(this.number(lengthOfLength));
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length;
    if (this.wrong || end > this.#bytes.length) {
      this.wrong = true;
      return new Uint8Array(0);
    }
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}

function word(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
