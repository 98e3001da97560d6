import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import { encodeFrame, encodeHead, FrameError, MAX_PAYLOAD_BYTES } from "./frame.ts";
import {
  MAX_STREAM_BYTES,
  OutgoingStream,
  RINSE_BYTES,
  STREAM_PREFIX,
  StreamError,
  type StreamFrame,
} from "./stream.ts";

export class PipeError extends Error {
  override readonly name = "PipeError";
  /** `PIPE_CLOSED`: the pipe ended before the frame was written. `PIPE_TOO_LARGE`: no such frame can be sent. */
  readonly code: "PIPE_CLOSED" | "PIPE_TOO_LARGE";
  constructor(code: PipeError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A payload up to this size is copied behind its header; a larger one is written from where it lies. */
const COPY_BYTES = 4096;
/** What may wait to be written: a peer that does not read cannot make this side grow for ever. */
export const MAX_QUEUED_BYTES = 128 * 1_048_576;
export const NO_PAYLOAD = new Uint8Array(0);

interface Outgoing {
  readonly head: Buffer;
  /** What is still to be written after the head: empty if it was copied into it. */
  readonly payload: Uint8Array;
  readonly wipe: boolean;
  readonly stream: OutgoingStream | null;
  readonly sent: PromiseWithResolvers<void>;
}

/** The writing half of a pipe: frames in order, each waiting for room. A frame behind a stream waits for the stream's end. */
export class Outbox {
  readonly #stream: Duplex;
  /** What waits to be written, from `#queueAt` on: shifting a long array is slow. */
  #queue: Outgoing[] = [];
  #queueAt = 0;
  #queuedBytes = 0;
  #current: Outgoing | null = null;
  #lastStream = 0;
  #corked = false;
  #over: PipeError | null = null;

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on("drain", () => this.#pump());
  }

  /** Whether more waits than may. */
  get overfull(): boolean {
    return this.#queue.length - this.#queueAt > 1 && this.#queuedBytes > MAX_QUEUED_BYTES;
  }

  /** @returns when the bytes were handed to the system. @throws {PipeError} `PIPE_TOO_LARGE` */
  send(header: { type: string }, payload: Uint8Array, wipe: boolean): Promise<void> {
    const next = this.#encode(header, payload, wipe);
    // Whoever does not await it hears of the end of the pipe from the pipe.
    next.sent.promise.catch(() => undefined);
    this.#queue.push(next);
    this.#queuedBytes += next.head.length + next.payload.length;
    this.#pump();
    return next.sent.promise;
  }

  /** Ahead of everything that waits: the other side's stream does not depend on ours. */
  credit(id: number, chunks: number): void {
    if (this.#over === null) this.#write(encodeHead({ type: "stream.credit", id, chunks } satisfies StreamFrame, 0));
  }

  /** Credit came for a stream of ours. @throws {StreamError} if there is no such stream, or more than there is to give. */
  granted(id: number, chunks: number): void {
    const stream = this.#current?.stream ?? null;
    if (stream === null || stream.id !== id)
      throw new StreamError("protocol", "credit was given for a stream that is not open");
    stream.grant(chunks);
    this.#pump();
  }

  /** Nothing more is written; what waits is refused with `error`, and wiped where that was asked. */
  end(error: PipeError): void {
    this.#over = error;
    const waiting = this.#queue.slice(this.#queueAt);
    if (this.#current !== null) waiting.unshift(this.#current);
    this.#current = null;
    this.#queue = [];
    this.#queueAt = 0;
    this.#queuedBytes = 0;
    for (const one of waiting) this.#settle(one, error);
  }

  #encode(header: { type: string }, payload: Uint8Array, wipe: boolean): Outgoing {
    if (header.type.startsWith(STREAM_PREFIX)) throw new TypeError(`${header.type} is a type of the pipe's own`);
    const sent = Promise.withResolvers<void>();
    const bytes = payload.length;
    if (bytes > MAX_STREAM_BYTES)
      throw new PipeError("PIPE_TOO_LARGE", `a payload has ${bytes} bytes; the limit is ${MAX_STREAM_BYTES}`);
    try {
      if (bytes > MAX_PAYLOAD_BYTES) {
        const id = ++this.#lastStream;
        const open = { type: "stream.open", id, bytes, header } satisfies StreamFrame;
        return { head: encodeHead(open, 0), payload, wipe, stream: new OutgoingStream(id, payload), sent };
      }
      // What is to be wiped is not copied.
      if (bytes <= COPY_BYTES && !wipe)
        return { head: encodeFrame(header, payload), payload: NO_PAYLOAD, wipe, stream: null, sent };
      return { head: encodeHead(header, bytes), payload, wipe, stream: null, sent };
    } catch (cause) {
      if (cause instanceof FrameError) throw new PipeError("PIPE_TOO_LARGE", cause.message, { cause });
      throw cause;
    }
  }

  /** Writes what the stream takes. */
  #pump(): void {
    while (this.#over === null && !this.#stream.writableNeedDrain) {
      if (this.#current === null) {
        const next = this.#shift();
        if (next === undefined) return;
        if (next.stream === null) {
          this.#write(next.head, next.payload, (error) => this.#settle(next, error));
          if (next.wipe && next.payload.length > 0) this.#rinse();
          continue;
        }
        this.#write(next.head);
        this.#current = next;
      }
      if (!this.#pumpStream(this.#current)) return;
    }
  }

  #shift(): Outgoing | undefined {
    const next = this.#queue[this.#queueAt];
    if (next === undefined) return undefined;
    this.#queueAt++;
    this.#queuedBytes -= next.head.length + next.payload.length;
    if (this.#queueAt === this.#queue.length || this.#queueAt === 1024) {
      this.#queue.splice(0, this.#queueAt);
      this.#queueAt = 0;
    }
    return next;
  }

  /** @returns whether more could be written now. */
  #pumpStream(current: Outgoing): boolean {
    const { stream } = current;
    if (stream === null) return false;
    const chunk = stream.next();
    if (chunk !== null) {
      this.#write(encodeHead({ type: "stream.chunk", id: stream.id } satisfies StreamFrame, chunk.length), chunk);
      return true;
    }
    if (!stream.complete) return false;
    const close = { type: "stream.close", id: stream.id, sha256: stream.sha256() } satisfies StreamFrame;
    this.#current = null;
    this.#write(encodeHead(close, 0), NO_PAYLOAD, (error) => this.#settle(current, error));
    if (current.wipe) this.#rinse();
    return true;
  }

  /** What is wiped here is not to stay in what the other side reads into. */
  #rinse(): void {
    this.#write(encodeHead({ type: "stream.rinse" } satisfies StreamFrame, RINSE_BYTES), new Uint8Array(RINSE_BYTES));
  }

  /** Everything written in one turn goes in one system call. */
  #write(head: Buffer, payload: Uint8Array = NO_PAYLOAD, done?: (error?: Error | null) => void): void {
    if (!this.#corked) {
      this.#corked = true;
      this.#stream.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#stream.uncork();
      });
    }
    if (payload.length === 0) {
      this.#stream.write(head, done);
      return;
    }
    this.#stream.write(head);
    this.#stream.write(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength), done);
  }

  #settle(one: Outgoing, error?: Error | null): void {
    if (one.wipe) one.payload.fill(0);
    if (error === undefined || error === null) one.sent.resolve();
    else if (error instanceof PipeError) one.sent.reject(error);
    else one.sent.reject(new PipeError("PIPE_CLOSED", "The pipe broke before the frame was written", { cause: error }));
  }
}
