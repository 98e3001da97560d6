import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { z } from "zod/mini";
import { FrameDecoder, FrameError, type RawFrame } from "./frame.ts";
import { MAX_QUEUED_BYTES, NO_PAYLOAD, Outbox, PipeError } from "./outbox.ts";
import { END_AT, Pace } from "./pace.ts";
import {
  IncomingStreams,
  MAX_STREAM_BYTES,
  RINSE_BYTES,
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

/** One end of a private pipe between two processes: frames both ways, each header checked by a strict schema.
 *
 *  Whatever the other side sends, it ends this pipe at worst: `end` says why. Nothing it does makes this side hold more than a frame, a
 *  chunk and the streams it agreed to. While a pipe is paused its streams stand still in both directions: do not await the sending of
 *  more than 1 MiB on a pipe that you have paused. */
export class Pipe<In extends { type: string }, Out extends { type: string }> {
  readonly #stream: Duplex;
  readonly #accepts: z.ZodMiniType<In>;
  readonly #on: PipeEvents<In>;
  readonly #decoder: FrameDecoder;
  readonly #incoming: IncomingStreams<In>;
  readonly #outbox: Outbox;
  readonly #largest: number;
  readonly #flood: "ends" | "pauses" | "trusted";
  readonly #pace = new Pace(() => performance.now());
  #ended: PipeEnd | null = null;
  #paused = false;
  #breather: NodeJS.Timeout | null = null;
  #reading = false;
  #granting = false;

  constructor(stream: Duplex, accepts: z.ZodMiniType<In>, on: PipeEvents<In>, options: PipeOptions = {}) {
    this.#stream = stream;
    this.#accepts = accepts;
    this.#on = on;
    this.#outbox = new Outbox(stream);
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
  send(header: Out, payload: Uint8Array = NO_PAYLOAD, options: { wipe?: boolean } = {}): Promise<void> {
    const wipe = options.wipe ?? false;
    if (this.#ended !== null) {
      if (wipe) payload.fill(0);
      const refused = Promise.reject<void>(closed(this.#ended));
      refused.catch(() => undefined);
      return refused;
    }
    let sent: Promise<void>;
    try {
      sent = this.#outbox.send(header, payload, wipe);
    } catch (error) {
      if (wipe) payload.fill(0);
      return Promise.reject(error);
    }
    if (this.#outbox.overfull)
      this.#finish({ reason: "protocol", detail: `over ${MAX_QUEUED_BYTES} bytes wait for the other side to read` });
    return sent;
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
      this.#finish({ reason: "flood", detail: `${END_AT} frames in 10 s` });
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
    const carries = frame.type === "stream.chunk" || (frame.type === "stream.rinse" && payload.length === RINSE_BYTES);
    if (!carries && payload.length > 0) throw new StreamError("protocol", `a ${frame.type} frame has a payload`);
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
      case "stream.rinse":
        break;
      case "stream.credit":
        this.#outbox.granted(frame.id, frame.chunks);
        break;
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
      for (const { id, chunks } of this.#incoming.grants()) this.#outbox.credit(id, chunks);
    });
  }

  #finish(end: PipeEnd): void {
    if (this.#ended !== null) return;
    this.#ended = end;
    if (this.#breather !== null) clearTimeout(this.#breather);
    this.#breather = null;
    this.#incoming.end();
    this.#outbox.end(closed(end));
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
  accepts: z.ZodMiniType<In>,
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

/** Which fields are wrong, without a word of what they hold: a key may be the other side's own. */
function where(error: z.core.$ZodError): string {
  const places = error.issues.slice(0, 3).map(({ path, code }) => {
    const keys = path.map((key) => (/^[A-Za-z0-9]{1,32}$/.test(String(key)) ? String(key) : "?"));
    return `${keys.join(".") || "header"}: ${code}`;
  });
  return places.join(", ").slice(0, 200);
}

function closed(end: PipeEnd): PipeError {
  return new PipeError("PIPE_CLOSED", `The pipe is over: ${end.detail}`);
}

function codeOf(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}
