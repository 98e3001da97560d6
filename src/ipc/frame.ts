import { Buffer } from "node:buffer";

/** The bytes of one frame:
 *
 *  `u32 length ‖ u32 header length ‖ header (strict JSON, UTF-8) ‖ payload`
 *
 *  Both numbers are big-endian; `length` counts everything after itself. */
const PREFIX_BYTES = 8;
/** A header is small by design: what is large is payload. */
export const MAX_HEADER_BYTES = 65_536;
/** Deeper than any header of ours, and far from what a recursive reader minds. */
export const MAX_HEADER_DEPTH = 16;
/** A larger payload goes as a stream (stream.ts). */
export const MAX_PAYLOAD_BYTES = 1_048_576;

export interface RawFrame {
  /** Parsed JSON, not yet checked against any schema. */
  readonly header: unknown;
  /** A buffer of its own: keeping it keeps nothing else alive, and it may be wiped. */
  readonly payload: Uint8Array;
}

/** Bytes that are no frame. `malformed`: not the form above; `oversized`: over a limit; `deep`: nested too deeply. */
export class FrameError extends Error {
  override readonly name = "FrameError";
  readonly code: "malformed" | "oversized" | "deep";
  constructor(code: FrameError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** @returns everything of a frame but its payload.
 *  @throws {FrameError} `oversized` if the header is over 64 KiB or the payload over 1 MiB. */
export function encodeHead(header: object, payloadBytes: number): Buffer {
  return encode(header, payloadBytes, null);
}

/** @returns a whole frame, with a copy of the payload. @throws {FrameError} as {@link encodeHead}. */
export function encodeFrame(header: object, payload: Uint8Array): Buffer {
  return encode(header, payload.length, payload);
}

function encode(header: object, payloadBytes: number, payload: Uint8Array | null): Buffer {
  const json = JSON.stringify(header);
  const headerBytes = Buffer.byteLength(json);
  if (headerBytes > MAX_HEADER_BYTES)
    throw new FrameError("oversized", `a header has ${headerBytes} bytes; the limit is ${MAX_HEADER_BYTES}`);
  if (payloadBytes > MAX_PAYLOAD_BYTES)
    throw new FrameError("oversized", `a payload has ${payloadBytes} bytes; the limit is ${MAX_PAYLOAD_BYTES}`);
  const head = Buffer.allocUnsafe(PREFIX_BYTES + headerBytes + (payload === null ? 0 : payloadBytes));
  head.writeUInt32BE(4 + headerBytes + payloadBytes, 0);
  head.writeUInt32BE(headerBytes, 4);
  head.write(json, PREFIX_BYTES, headerBytes, "utf8");
  if (payload !== null) head.set(payload, PREFIX_BYTES + headerBytes);
  return head;
}

const NOTHING = new Uint8Array(0);

/** Makes frames of a stream of bytes. It holds the chunk it is reading and at most one frame, and looks at every length before it
 *  allocates. After an error it is of no more use: where the next frame begins is unknown. */
export class FrameDecoder {
  readonly #wipes: boolean;
  #chunk: Buffer = Buffer.alloc(0);
  /** Bytes of `#chunk` that were read. */
  #at = 0;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  /** Bytes of the present stage (prefix, header or payload) that are there. */
  #have = 0;
  #stage: "prefix" | "header" | "payload" = "prefix";
  #headerBytes = 0;
  #payloadBytes = 0;
  #partial: Uint8Array = NOTHING;
  #header: unknown = null;

  /** @param options.wipes zero each chunk once it was read: only for chunks that nobody else holds. */
  constructor(options: { wipes: boolean } = { wipes: false }) {
    this.#wipes = options.wipes;
  }

  /** Whether a frame has begun and not ended. */
  get inFrame(): boolean {
    return this.#stage !== "prefix" || this.#have > 0;
  }

  /** Bytes held for frames that are not complete, and of the chunk that is not yet read. */
  get held(): number {
    return this.#partial.length + this.#chunk.length - this.#at;
  }

  /** Adds bytes. Call it when {@link next} has said null: what was not read is copied otherwise. */
  push(chunk: Uint8Array): void {
    const view = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (this.#chunk.length === 0) {
      this.#chunk = view;
      return;
    }
    const rest = this.#chunk;
    this.#chunk = Buffer.concat([rest.subarray(this.#at), view]);
    this.#at = 0;
    if (this.#wipes) {
      rest.fill(0);
      view.fill(0);
    }
  }

  /** @returns the next frame, or null if more bytes are needed. @throws {FrameError} */
  next(): RawFrame | null {
    for (;;) {
      switch (this.#stage) {
        case "prefix":
          if (this.#have === 0 && this.#chunk.length - this.#at >= PREFIX_BYTES) {
            this.#readPrefix(this.#chunk, this.#at);
            this.#advance(PREFIX_BYTES);
          } else if (this.#fill(this.#prefix, PREFIX_BYTES)) this.#readPrefix(this.#prefix, 0);
          else return null;
          break;
        case "header": {
          const bytes = this.#view(this.#headerBytes);
          if (bytes === null) return null;
          this.#header = parseHeader(bytes);
          this.#partial = NOTHING;
          this.#stage = "payload";
          break;
        }
        case "payload": {
          if (this.#partial.length !== this.#payloadBytes) this.#partial = fresh(this.#payloadBytes);
          if (!this.#fill(this.#partial, this.#payloadBytes)) return null;
          const frame = { header: this.#header, payload: this.#partial };
          this.#partial = NOTHING;
          this.#header = null;
          this.#stage = "prefix";
          return frame;
        }
      }
    }
  }

  #readPrefix(bytes: Buffer, at: number): void {
    const length = bytes.readUInt32BE(at);
    const headerBytes = bytes.readUInt32BE(at + 4);
    if (headerBytes > MAX_HEADER_BYTES)
      throw new FrameError(
        "oversized",
        `a header of ${headerBytes} bytes is announced; the limit is ${MAX_HEADER_BYTES}`,
      );
    if (length > 4 + headerBytes + MAX_PAYLOAD_BYTES)
      throw new FrameError(
        "oversized",
        `a frame of ${length} bytes is announced; a payload has at most ${MAX_PAYLOAD_BYTES}`,
      );
    if (headerBytes < 2 || length < 4 + headerBytes)
      throw new FrameError("malformed", `a frame of ${length} bytes with a header of ${headerBytes} is announced`);
    this.#headerBytes = headerBytes;
    this.#payloadBytes = length - 4 - headerBytes;
    this.#stage = "header";
  }

  /** Copies what is there into `target`. @returns whether it is full; the count then starts again. */
  #fill(target: Uint8Array, size: number): boolean {
    const take = Math.min(size - this.#have, this.#chunk.length - this.#at);
    if (take > 0) {
      target.set(this.#chunk.subarray(this.#at, this.#at + take), this.#have);
      this.#have += take;
      this.#advance(take);
    }
    if (this.#have < size) return false;
    this.#have = 0;
    return true;
  }

  /** @returns `size` bytes, in place where the chunk has them all; null if they are not all there. */
  #view(size: number): Buffer | null {
    if (this.#have === 0 && this.#chunk.length - this.#at >= size) {
      const copy = this.#wipes && this.#chunk.length - this.#at === size;
      const view = this.#chunk.subarray(this.#at, this.#at + size);
      const bytes = copy ? Buffer.from(view) : view;
      this.#advance(size);
      return bytes;
    }
    if (this.#partial.length !== size) this.#partial = fresh(size);
    if (!this.#fill(this.#partial, size)) return null;
    return Buffer.from(this.#partial.buffer, this.#partial.byteOffset, size);
  }

  #advance(bytes: number): void {
    this.#at += bytes;
    if (this.#at < this.#chunk.length) return;
    if (this.#wipes) this.#chunk.fill(0);
    this.#chunk = this.#chunk.subarray(0, 0);
    this.#at = 0;
  }
}

/** Memory of its own, not of Node's shared pool: it may be wiped or handed on. */
function fresh(size: number): Uint8Array {
  return size === 0 ? NOTHING : new Uint8Array(new ArrayBuffer(size));
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Strict JSON: UTF-8, no byte order mark, at most 16 deep, no key twice in an object, no half of a surrogate pair. */
function parseHeader(bytes: Buffer): unknown {
  let depth = 0;
  let members = 0;
  let inString = false;
  let ascii = true;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0;
    if (byte >= 0x80) ascii = false;
    if (inString) {
      if (byte === BACKSLASH) i++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (byte === COLON) members++;
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > MAX_HEADER_DEPTH)
        throw new FrameError("deep", `a header is nested more than ${MAX_HEADER_DEPTH} deep`);
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  let value: unknown;
  try {
    // No detail of a parser's message goes on: it quotes the text.
    value = JSON.parse(ascii ? bytes.toString("latin1") : utf8.decode(bytes));
  } catch {
    throw new FrameError("malformed", "a header is not JSON");
  }
  // JSON.parse keeps the last of two members with one name: then the value has fewer than the text.
  if (countMembers(value) !== members) throw new FrameError("malformed", "a header has a key twice");
  return value;
}

function countMembers(value: unknown): number {
  if (typeof value === "string") {
    if (!value.isWellFormed()) throw new FrameError("malformed", "a header has half of a surrogate pair");
    return 0;
  }
  if (typeof value !== "object" || value === null) return 0;
  let members = 0;
  if (Array.isArray(value)) {
    for (const item of value) members += countMembers(item);
    return members;
  }
  for (const key of Object.keys(value)) members += 1 + countMembers(key) + countMembers(Reflect.get(value, key));
  return members;
}
