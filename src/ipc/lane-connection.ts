import { callbackify } from "node:util";
import type { LaneFrame } from "./ingress-frames.ts";
import { SocketStream } from "./socket-stream.ts";

/** What may be on its way, unread, in one direction of a connection. */
export const LANE_CREDIT = 262_144;
/** A `data` frame carries at most this. */
export const LANE_DATA = 65_536;

/** What a connection needs of its lane. */
export interface LaneLine {
  /** Resolves when the frame may be considered written. Frames leave in the order of the calls. */
  send(frame: LaneFrame, payload?: Uint8Array): Promise<void>;
  closed(connection: number): void;
}

/** The connection was reset by the other end of the lane, or the lane itself is gone. */
export class LaneError extends Error {
  override readonly name = "LaneError";
  readonly code: "LANE_RESET" | "LANE_CLOSED";
  constructor(code: LaneError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** One connection of a lane as a stream, with the methods of a socket that node:http calls on one. */
export class LaneConnection extends SocketStream {
  readonly ref: number;
  readonly #line: LaneLine;
  /** Bytes we may send before the other end says that it has read some. */
  #credit = LANE_CREDIT;
  /** Bytes the other end may still send. */
  #window = LANE_CREDIT;
  /** Bytes read here that the other end does not know of yet. */
  #unacknowledged = 0;
  #received: Uint8Array[] = [];
  #wanted = false;
  #endSent = false;
  #endReceived = false;
  #resetReceived = false;
  #waiting: (() => void) | null = null;

  constructor(ref: number, line: LaneLine) {
    super({ highWaterMark: LANE_DATA, allowHalfOpen: true });
    this.ref = ref;
    this.#line = line;
  }

  // ——— what the lane tells it; each answers with what was wrong, or null ———

  receive(bytes: Uint8Array): string | null {
    if (this.#endReceived) return "data after its end";
    if (bytes.length === 0 || bytes.length > LANE_DATA) return `a data frame of ${bytes.length} bytes`;
    if (bytes.length > this.#window) return "more data than there was credit for";
    this.#window -= bytes.length;
    this.#received.push(bytes);
    this.active();
    this.#pass();
    this.#acknowledge();
    return null;
  }

  grant(bytes: number): string | null {
    if (this.#credit + bytes > LANE_CREDIT) return "more credit than was used";
    this.#credit += bytes;
    this.active();
    const go = this.#waiting;
    this.#waiting = null;
    go?.();
    return null;
  }

  remoteEnd(): string | null {
    if (this.#endReceived) return "a second end";
    this.#endReceived = true;
    this.#pass();
    return null;
  }

  /** After an `end`, what came before it can still be read; otherwise the connection is torn. */
  remoteReset(): void {
    this.#resetReceived = true;
    if (!this.#endReceived) {
      this.destroy(new LaneError("LANE_RESET", "the connection was reset"));
    } else if (this.readableEnded) {
      this.destroy();
    } else {
      this.once("end", () => this.destroy());
      const go = this.#waiting;
      this.#waiting = null;
      go?.();
    }
  }

  // ——— the stream ———

  #pass(): void {
    while (this.#wanted) {
      const bytes = this.#received.shift();
      if (bytes === undefined) {
        if (this.#endReceived && !this.destroyed) {
          this.#wanted = false;
          this.push(null);
        }
        return;
      }
      this.#unacknowledged += bytes.length;
      this.#wanted = this.push(bytes);
    }
  }

  #acknowledge(): void {
    if (this.#unacknowledged < LANE_DATA || this.#endReceived || this.#resetReceived || this.destroyed) return;
    const bytes = this.#unacknowledged;
    this.#unacknowledged = 0;
    this.#window += bytes;
    this.#line.send({ type: "credit", connection: this.ref, bytes }).catch((error: unknown) => this.#fail(error));
  }

  override _read(): void {
    this.#wanted = true;
    this.#pass();
    this.#acknowledge();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    callbackify(() => this.#sendAll(chunk))(done);
  }

  /** Small writes that had to wait leave together. */
  override _writev(chunks: { chunk: Buffer; encoding: BufferEncoding }[], done: (error?: Error | null) => void): void {
    const together = Buffer.concat(chunks.map(({ chunk }) => chunk));
    callbackify(() => this.#sendAll(together))(done);
  }

  async #sendAll(bytes: Uint8Array): Promise<void> {
    let at = 0;
    while (at < bytes.length) {
      if (this.#resetReceived || this.destroyed) return; // nobody reads it any more
      if (this.#credit === 0) {
        await new Promise<void>((resolve) => {
          this.#waiting = resolve;
        });
        continue;
      }
      const piece = bytes.subarray(at, at + Math.min(this.#credit, LANE_DATA));
      at += piece.length;
      this.#credit -= piece.length;
      this.active();
      await this.#line.send({ type: "data", connection: this.ref }, piece);
    }
  }

  override _final(done: (error?: Error | null) => void): void {
    callbackify(() => this.#sendEnd())(done);
  }

  async #sendEnd(): Promise<void> {
    if (this.#resetReceived || this.destroyed) return;
    this.#endSent = true;
    await this.#line.send({ type: "end", connection: this.ref });
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.atRest();
    this.#received = [];
    const go = this.#waiting;
    this.#waiting = null;
    this.#sendReset();
    this.#line.closed(this.ref);
    done(error);
    go?.();
  }

  #sendReset(): void {
    const over = (this.#endSent && this.#endReceived) || this.#resetReceived;
    // The lane may be gone by now: then there is nobody to tell.
    if (!over) this.#line.send({ type: "reset", connection: this.ref }).catch(() => undefined);
  }

  #fail(error: unknown): void {
    this.destroy(asError(error));
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new LaneError("LANE_CLOSED", "the lane is gone", { cause: error });
}
