import { createHash, type Hash } from "node:crypto";
import * as z from "zod/mini";
import { MAX_PAYLOAD_BYTES } from "./frame.ts";
import { Ref } from "./frame-common.ts";

/** A payload too large for a frame goes in chunks on the same pipe, so that the frames of the other direction are not held up, and no
 *  side holds more than it agreed to. Every chunk but the last is exactly this long. */
export const CHUNK_BYTES = 262_144;
/** Chunks a sender may be ahead of the receiver. */
export const CREDIT_CHUNKS = 4;
/** The largest payload there is, in bytes. */
export const MAX_STREAM_BYTES = 50 * 1_048_576;
/** Streams open at once in one direction of a pipe. */
export const MAX_STREAMS = 8;
/** What the open streams of one pipe may hold together, in bytes. */
export const MAX_OPEN_BYTES = 64 * 1_048_576;
/** A stream with no chunk for this long has failed, unless its pipe was paused. */
export const STREAM_IDLE_MS = 30_000;

/** What Node reads a socket into is a block of its own that is neither ours to wipe nor freed before the next reading: what is read next takes the place of what
 *  was read before. */
export const RINSE_BYTES = 65_536;

/** No frame of any union may have a type that begins so: these are the pipe's own. */
export const STREAM_PREFIX = "stream.";

export const StreamFrame = z.discriminatedUnion("type", [
  /** `header` is the frame that is delivered, with `bytes` of payload, when the stream closes. */
  z.strictObject({ type: z.literal("stream.open"), id: Ref, bytes: z.int(), header: z.unknown() }),
  z.strictObject({ type: z.literal("stream.chunk"), id: Ref }),
  z.strictObject({ type: z.literal("stream.close"), id: Ref, sha256: z.string().check(z.regex(/^[0-9a-f]{64}$/)) }),
  /** From the receiver: so many more chunks may be sent. */
  /** Behind a payload that is wiped, with {@link RINSE_BYTES} of zeros: nobody is told of it. */
  z.strictObject({ type: z.literal("stream.rinse") }),
  z.strictObject({ type: z.literal("stream.credit"), id: Ref, chunks: z.int().check(z.gte(1), z.lte(CREDIT_CHUNKS)) }),
]);
export type StreamFrame = z.infer<typeof StreamFrame>;

/** A peer that broke the rules of streams: `code` is why its pipe ends. */
export class StreamError extends Error {
  override readonly name = "StreamError";
  readonly code: "protocol" | "oversized";
  constructor(code: StreamError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/** One payload on its way out. */
export class OutgoingStream {
  readonly id: number;
  readonly #payload: Uint8Array;
  readonly #hash: Hash = createHash("sha256");
  #at = 0;
  #credit = CREDIT_CHUNKS;

  constructor(id: number, payload: Uint8Array) {
    this.id = id;
    this.#payload = payload;
  }

  get complete(): boolean {
    return this.#at === this.#payload.length;
  }

  /** @returns a view of the next chunk, or null without credit or when complete. */
  next(): Uint8Array | null {
    if (this.#credit === 0 || this.complete) return null;
    this.#credit--;
    const chunk = this.#payload.subarray(this.#at, this.#at + CHUNK_BYTES);
    this.#hash.update(chunk);
    this.#at += chunk.length;
    return chunk;
  }

  /** Call once, when complete. @returns lower-case hex. */
  sha256(): string {
    return this.#hash.digest("hex");
  }

  /** @throws {StreamError} for more credit than a receiver has to give. */
  grant(chunks: number): void {
    this.#credit += chunks;
    if (this.#credit > CREDIT_CHUNKS) throw new StreamError("protocol", "more credit than there is was given");
  }
}

interface Assembly<In> {
  readonly header: In;
  readonly payload: Uint8Array;
  readonly hash: Hash;
  readonly idle: NodeJS.Timeout;
  at: number;
  /** Chunks the sender may still send, as far as it has been told. */
  allowed: number;
  /** Chunks taken and not yet granted again. */
  owed: number;
}

/** The payloads on their way in on one pipe. `idle` is called with a sentence when a stream has failed by silence. */
export class IncomingStreams<In> {
  readonly #open = new Map<number, Assembly<In>>();
  readonly #largest: number;
  readonly #idleMs: number;
  readonly #idle: (detail: string) => void;
  #lastId = 0;
  #bytes = 0;

  /** @param largest the largest payload taken, in bytes. */
  constructor(largest: number, idleMs: number, idle: (detail: string) => void) {
    this.#largest = Math.min(largest, MAX_STREAM_BYTES);
    this.#idleMs = idleMs;
    this.#idle = idle;
  }

  /** @throws {StreamError} */
  open(id: number, bytes: number, header: In): void {
    if (id <= this.#lastId) throw new StreamError("protocol", "a stream's id was used before");
    if (bytes <= MAX_PAYLOAD_BYTES)
      throw new StreamError("protocol", `a stream of ${bytes} bytes is opened; so little fits in a frame`);
    if (bytes > this.#largest)
      throw new StreamError("oversized", `a stream of ${bytes} bytes is opened; the limit is ${this.#largest}`);
    if (this.#open.size >= MAX_STREAMS)
      throw new StreamError("protocol", `more than ${MAX_STREAMS} streams are open at once`);
    if (this.#bytes + bytes > MAX_OPEN_BYTES)
      throw new StreamError("oversized", `open streams have more than ${MAX_OPEN_BYTES} bytes together`);
    this.#lastId = id;
    this.#bytes += bytes;
    this.#open.set(id, {
      header,
      payload: new Uint8Array(new ArrayBuffer(bytes)),
      hash: createHash("sha256"),
      idle: setTimeout(() => this.#idle(`a stream had no chunk for ${this.#idleMs / 1000} s`), this.#idleMs).unref(),
      at: 0,
      allowed: CREDIT_CHUNKS,
      owed: 0,
    });
  }

  /** @throws {StreamError} */
  chunk(id: number, bytes: Uint8Array): void {
    const stream = this.#find(id);
    if (stream.allowed === 0) throw new StreamError("protocol", "a chunk came without credit");
    if (bytes.length !== Math.min(CHUNK_BYTES, stream.payload.length - stream.at) || bytes.length === 0)
      throw new StreamError("protocol", `a chunk of ${bytes.length} bytes is not the next one of its stream`);
    stream.payload.set(bytes, stream.at);
    stream.hash.update(bytes);
    stream.at += bytes.length;
    stream.allowed--;
    stream.owed++;
    stream.idle.refresh();
  }

  /** @returns the frame that the stream was. @throws {StreamError} */
  close(id: number, sha256: string): { header: In; payload: Uint8Array } {
    const stream = this.#find(id);
    if (stream.at !== stream.payload.length)
      throw new StreamError("protocol", `a stream closed with ${stream.at} of ${stream.payload.length} bytes`);
    if (stream.hash.digest("hex") !== sha256)
      throw new StreamError("protocol", "a stream's bytes do not have its SHA-256");
    clearTimeout(stream.idle);
    this.#open.delete(id);
    this.#bytes -= stream.payload.length;
    return stream;
  }

  /** Takes note of the credit that is given now, for as many chunks as are still to come. */
  *grants(): Generator<{ id: number; chunks: number }> {
    for (const [id, stream] of this.#open) {
      const toCome = Math.ceil((stream.payload.length - stream.at) / CHUNK_BYTES) - stream.allowed;
      const chunks = Math.min(stream.owed, toCome);
      stream.owed = 0;
      if (chunks <= 0) continue;
      stream.allowed += chunks;
      yield { id, chunks };
    }
  }

  /** The pipe was not read for a while: nobody was silent. */
  refresh(): void {
    for (const stream of this.#open.values()) stream.idle.refresh();
  }

  /** Drops what is incomplete. */
  end(): void {
    for (const stream of this.#open.values()) clearTimeout(stream.idle);
    this.#open.clear();
    this.#bytes = 0;
  }

  #find(id: number): Assembly<In> {
    const stream = this.#open.get(id);
    if (stream === undefined) throw new StreamError("protocol", "no such stream is open");
    return stream;
  }
}
