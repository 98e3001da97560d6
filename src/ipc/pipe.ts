import { Buffer } from "node:buffer";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { z } from "zod";
import { encodeFrame, encodeHead, FrameDecoder, FrameError, MAX_PAYLOAD_BYTES, type RawFrame } from "./frame.ts";
import { Pace } from "./pace.ts";
import {
  IncomingStreams,
  MAX_STREAM_BYTES,
  OutgoingStream,
  STREAM_IDLE_MS,
  STREAM_PREFIX,
  StreamError,
  StreamFrame,
} from "./stream.ts";

/** Why a pipe is over. `closed`: by either side, or by the other's death; the others: by what the other side sent. */
export type PipeEnd = {
  reason: "closed" | "malformed" | "oversized" | "deep" | "flood" | "protocol";
  /** A sentence of ours: it quotes nothing that came over the pipe. */
  detail: string;
  /** What this side's own handler threw, if that is why. */
  cause?: unknown;
};

export interface PipeEvents<In> {
  /** Frames come in the order they were sent. The payload is the receiver's own buffer. */
  frame(header: In, payload: Uint8Array): void;
  /** Once, and nothing after it. */
  end(end: PipeEnd): void;
}

export interface PipeOptions {
  /** The largest payload taken, in bytes: 50 MiB if not given. */
  readonly largest?: number;
  /** What becomes of a peer that floods: `ends` (if not given): it is paused, then the pipe ends; `pauses`: it is paused only;
   *  `trusted`: it is read as fast as it writes, which is right for the supervisor only. */
  readonly flood?: "ends" | "pauses" | "trusted";
  /** Milliseconds after which a stream with no chunk has failed: 30,000 if not given. */
  readonly streamIdleMs?: number;
}

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
const MAX_QUEUED_BYTES = 128 * 1_048_576;
const NOTHING = new Uint8Array(0);

interface Outgoing {
  readonly head: Buffer;
  /** What is still to be written after the head: empty if it was copied into it. */
  readonly payload: Uint8Array;
  readonly wipe: boolean;
  readonly stream: OutgoingStream | null;
  readonly sent: PromiseWithResolvers<void>;
}

/** One end of a private pipe between two processes: frames both ways, each header checked by a strict schema.
 *
 *  Whatever the other side sends, it ends this pipe at worst: `end` says why. Nothing it does makes this side hold more than a frame, a
 *  chunk and the streams it agreed to. While a pipe is paused its streams stand still in both directions: do not await the sending of
 *  more than 1 MiB on a pipe that you have paused. */
export class Pipe<In extends { type: string }, Out extends { type: string }> {
  readonly #stream: Duplex;
  readonly #accepts: z.ZodType<In>;
  readonly #on: PipeEvents<In>;
  readonly #decoder: FrameDecoder;
  readonly #incoming: IncomingStreams<In>;
  readonly #largest: number;
  readonly #flood: "ends" | "pauses" | "trusted";
  readonly #pace = new Pace(() => performance.now());
  #ended: PipeEnd | null = null;
  #paused = false;
  #breather: NodeJS.Timeout | null = null;
  #reading = false;
  #granting = false;
  #corked = false;
  /** What waits to be written, from `#queueAt` on: shifting a long array is slow. */
  #queue: Outgoing[] = [];
  #queueAt = 0;
  #queuedBytes = 0;
  #current: Outgoing | null = null;
  #lastStream = 0;

  constructor(stream: Duplex, accepts: z.ZodType<In>, on: PipeEvents<In>, options: PipeOptions = {}) {
    this.#stream = stream;
    this.#accepts = accepts;
    this.#on = on;
    this.#largest = options.largest ?? MAX_STREAM_BYTES;
    this.#flood = options.flood ?? "ends";
    // Only a socket's chunks are ours alone: those of a stream within this process may be the sender's own memory.
    this.#decoder = new FrameDecoder({ wipes: stream instanceof Socket });
    this.#incoming = new IncomingStreams(this.#largest, options.streamIdleMs ?? STREAM_IDLE_MS, (detail) => {
      if (this.#held) this.#incoming.refresh();
      else this.#finish({ reason: "protocol", detail });
    });
    stream.on("error", (error) => this.#finish({ reason: "closed", detail: `the pipe broke: ${codeOf(error)}` }));
    stream.on("end", () => this.#finish({ reason: "closed", detail: this.#atEnd() }));
    stream.on("close", () => this.#finish({ reason: "closed", detail: this.#atEnd() }));
    stream.on("drain", () => this.#pump());
    stream.on("data", (chunk: unknown) => {
      if (this.#ended !== null) return;
      if (!(chunk instanceof Uint8Array)) throw new TypeError("A pipe reads bytes: its stream has an encoding");
      this.#decoder.push(chunk);
      this.#read();
    });
  }

  /** Why this pipe is over, or null while it is not. */
  get ended(): PipeEnd | null {
    return this.#ended;
  }

  /** Queues a frame. A payload over 1 MiB goes as a stream: the other side still gets one frame.
   *  The payload must not be changed before the promise settles; with `wipe` it is zeroed by then, whatever happened.
   *  @returns when the bytes were handed to the system: await it, or memory grows with what the other side has not read.
   *  @throws {PipeError} `PIPE_CLOSED` (also when nobody awaits it, that is no unhandled rejection: `end` tells), or
   *  `PIPE_TOO_LARGE` for a header over 64 KiB or a payload over 50 MiB. */
  send(header: Out, payload: Uint8Array = NOTHING, options: { wipe?: boolean } = {}): Promise<void> {
    const wipe = options.wipe ?? false;
    let next: Outgoing;
    try {
      if (this.#ended !== null) throw closed(this.#ended);
      next = this.#encode(header, payload, wipe);
    } catch (error) {
      if (wipe) payload.fill(0);
      const refused = Promise.reject<void>(error);
      if (error instanceof PipeError && error.code === "PIPE_CLOSED") refused.catch(() => undefined);
      return refused;
    }
    next.sent.promise.catch(() => undefined);
    this.#queue.push(next);
    this.#queuedBytes += next.head.length + next.payload.length;
    this.#pump();
    if (this.#queue.length - this.#queueAt > 1 && this.#queuedBytes > MAX_QUEUED_BYTES)
      this.#finish({ reason: "protocol", detail: `over ${MAX_QUEUED_BYTES} bytes wait for the other side to read` });
    return next.sent.promise;
  }

  /** Reads no more until {@link resume}: the other side is held back. One frame may be underway: none is delivered. */
  pause(): void {
    this.#paused = true;
    this.#stream.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#readOn();
  }

  /** Ends the pipe; what was sent and awaited was written before. `end` is called with "closed". */
  close(): void {
    this.#finish({ reason: "closed", detail: "closed by this side" });
  }

  get #held(): boolean {
    return this.#paused || this.#breather !== null;
  }

  #atEnd(): string {
    return this.#decoder.inFrame ? "the other side closed in the middle of a frame" : "the other side closed";
  }

  /** Delivers what is decoded, until more bytes are needed or the pipe is held. */
  #read(): void {
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (this.#ended === null && !this.#held) {
        const frame = this.#decoder.next();
        if (frame === null) break;
        this.#count();
        if (this.#ended === null) this.#take(frame);
      }
    } catch (error) {
      if (!(error instanceof FrameError || error instanceof StreamError)) throw error;
      this.#finish({ reason: error.code, detail: error.message });
    } finally {
      this.#reading = false;
    }
  }

  #readOn(): void {
    queueMicrotask(() => {
      if (this.#ended !== null || this.#held) return;
      this.#incoming.refresh();
      this.#read();
      if (this.#ended === null && !this.#held) this.#stream.resume();
    });
  }

  #count(): void {
    if (this.#flood === "trusted") return;
    const verdict = this.#pace.count();
    if (verdict === 0) return;
    if (verdict === "flood" && this.#flood === "ends") {
      this.#finish({ reason: "flood", detail: "20000 frames in 10 s" });
      return;
    }
    if (this.#breather !== null) return;
    this.#stream.pause();
    // Not unref'd: an unread pipe does not keep a process alive, and this process is not done.
    this.#breather = setTimeout(
      () => {
        this.#breather = null;
        this.#readOn();
      },
      verdict === "flood" ? 1000 : verdict,
    );
  }

  #take(frame: RawFrame): void {
    const { header, payload } = frame;
    if (isStreamFrame(header)) {
      const known = StreamFrame.safeParse(header);
      if (!known.success)
        throw new FrameError("malformed", `a frame of a stream is not of its form: ${where(known.error)}`);
      this.#takeStreamFrame(known.data, payload);
      return;
    }
    if (payload.length > this.#largest)
      throw new FrameError("oversized", `a payload has ${payload.length} bytes; the limit here is ${this.#largest}`);
    this.#deliver(this.#check(header), payload);
  }

  #check(header: unknown): In {
    const known = this.#accepts.safeParse(header);
    if (known.success) return known.data;
    throw new FrameError("malformed", `a header is not one that is spoken here: ${where(known.error)}`);
  }

  #takeStreamFrame(frame: StreamFrame, payload: Uint8Array): void {
    if (frame.type !== "stream.chunk" && payload.length > 0)
      throw new StreamError("protocol", `a ${frame.type} frame has a payload`);
    switch (frame.type) {
      case "stream.open":
        this.#incoming.open(frame.id, frame.bytes, this.#check(frame.header));
        break;
      case "stream.chunk":
        this.#incoming.chunk(frame.id, payload);
        this.#grantSoon();
        break;
      case "stream.close": {
        const whole = this.#incoming.close(frame.id, frame.sha256);
        this.#deliver(whole.header, whole.payload);
        break;
      }
      case "stream.credit": {
        const stream = this.#current?.stream ?? null;
        if (stream === null || stream.id !== frame.id)
          throw new StreamError("protocol", "credit was given for a stream that is not open");
        stream.grant(frame.chunks);
        this.#pump();
        break;
      }
    }
  }

  /** A fault of ours in handling a frame is kept to the pipe that the frame came on: `end` has it as its cause. */
  #deliver(header: In, payload: Uint8Array): void {
    try {
      this.#on.frame(header, payload);
    } catch (cause) {
      const name = cause instanceof Error ? cause.name : typeof cause;
      this.#finish({ reason: "protocol", detail: `this side failed on a ${header.type} frame: ${name}`, cause });
    }
  }

  /** Credit is given once a turn of the event loop: a sender that does not wait for it is found out. */
  #grantSoon(): void {
    if (this.#granting) return;
    this.#granting = true;
    setImmediate(() => {
      this.#granting = false;
      if (this.#ended !== null) return;
      for (const { id, chunks } of this.#incoming.grants())
        this.#write(encodeHead({ type: "stream.credit", id, chunks } satisfies StreamFrame, 0), NOTHING);
    });
  }

  #encode(header: Out, payload: Uint8Array, wipe: boolean): Outgoing {
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
        return { head: encodeFrame(header, payload), payload: NOTHING, wipe, stream: null, sent };
      return { head: encodeHead(header, bytes), payload, wipe, stream: null, sent };
    } catch (cause) {
      if (cause instanceof FrameError) throw new PipeError("PIPE_TOO_LARGE", cause.message, { cause });
      throw cause;
    }
  }

  /** Writes what the stream takes. Frames go in order: one behind a stream waits for the stream's end. */
  #pump(): void {
    while (this.#ended === null && !this.#stream.writableNeedDrain) {
      if (this.#current === null) {
        const next = this.#shift();
        if (next === undefined) return;
        if (next.stream === null) {
          this.#write(next.head, next.payload, (error) => this.#settle(next, error));
          continue;
        }
        this.#write(next.head, NOTHING);
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
    this.#write(encodeHead(close, 0), NOTHING, (error) => this.#settle(current, error));
    return true;
  }

  /** Everything written in one turn goes in one system call. */
  #write(head: Buffer, payload: Uint8Array, done?: (error?: Error | null) => void): void {
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

  #settle(sent: Outgoing, error?: Error | null): void {
    if (sent.wipe) sent.payload.fill(0);
    if (error === undefined || error === null) sent.sent.resolve();
    else sent.sent.reject(closed(this.#ended, error));
  }

  #finish(end: PipeEnd): void {
    if (this.#ended !== null) return;
    this.#ended = end;
    if (this.#breather !== null) clearTimeout(this.#breather);
    this.#breather = null;
    this.#incoming.end();
    const waiting = this.#queue.slice(this.#queueAt);
    if (this.#current !== null) waiting.unshift(this.#current);
    this.#current = null;
    this.#queue = [];
    this.#queueAt = 0;
    this.#queuedBytes = 0;
    for (const one of waiting) this.#settle(one, closed(end));
    const stream = this.#stream;
    // What was written before goes out; what the other side still says is not listened to.
    if (end.reason === "closed" && !stream.destroyed) {
      stream.resume();
      stream.end(() => stream.destroy());
    } else stream.destroy();
    this.#on.end(end);
  }
}

/** The child's own end. Descriptor 3 is the pipe to the supervisor: when it ends, for whatever reason, this process exits after
 *  `on.end` (status 0 if it was closed, else 1), for nothing it could still do would be recorded. Another descriptor is a lane to
 *  another compartment, which is held to the same limits as any child. */
export function ownPipe<In extends { type: string }, Out extends { type: string }>(
  accepts: z.ZodType<In>,
  on: PipeEvents<In>,
  fd = 3,
  options: PipeOptions = {},
): Pipe<In, Out> {
  const socket = new Socket({ fd, readable: true, writable: true });
  if (fd !== 3) return new Pipe<In, Out>(socket, accepts, on, options);
  const exits: PipeEvents<In> = {
    frame: (header, payload) => on.frame(header, payload),
    end: (end) => {
      try {
        on.end(end);
      } finally {
        process.exit(end.reason === "closed" ? 0 : 1);
      }
    },
  };
  return new Pipe<In, Out>(socket, accepts, exits, { flood: "trusted", ...options });
}

function isStreamFrame(header: unknown): boolean {
  return (
    typeof header === "object" &&
    header !== null &&
    "type" in header &&
    typeof header.type === "string" &&
    header.type.startsWith(STREAM_PREFIX)
  );
}

/** Which fields are wrong, without a word of what they hold. */
function where(error: z.ZodError): string {
  const places = error.issues
    .slice(0, 3)
    .map((issue) => `${issue.path.map(String).join(".") || "header"}: ${issue.code}`);
  return places.join(", ").slice(0, 200);
}

function closed(end: PipeEnd | null, cause?: Error): PipeError {
  return new PipeError("PIPE_CLOSED", `The pipe is over: ${end?.detail ?? "it broke"}`, { cause });
}

function codeOf(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}
