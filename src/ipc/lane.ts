import type { Duplex } from "node:stream";
import { LaneFrame } from "./ingress-frames.ts";
import { LANE_DATA, LaneConnection, LaneError } from "./lane-connection.ts";
import { Pipe, type PipeEnd } from "./pipe.ts";

/** Connections open at once on one lane. */
export const LANE_CONNECTIONS = 64;

/** A pipe is not read for the rest of a second with 2,000 frames, and ends for 20,000 in ten. This end stays below both: a burst, and then so
 *  many a second. Writes that must wait run together into larger frames, so that a peer who sends byte by byte slows itself down and nobody else. */
const FRAMES_BURST = 500;
const FRAMES_A_SECOND = 1200;
const TICK_MS = 10;

export interface LaneEvents {
  /** The other end opened a connection. Absent where only this end opens them: then an `open` ends the lane. */
  connection?(connection: LaneConnection): void;
  /** The lane is over; every connection on it is destroyed. Called once, and not after {@link Lane.close}. */
  end(end: PipeEnd): void;
}

/** Many byte streams over one pipe, each with its own credit: what ingress and web say to each other. */
export class Lane {
  readonly #pipe: Pipe<LaneFrame, LaneFrame>;
  readonly #on: LaneEvents;
  readonly #connections = new Map<number, LaneConnection>();
  readonly #queue: {
    frame: LaneFrame;
    payload: Uint8Array | undefined;
    sent: () => void;
    failed: (e: unknown) => void;
  }[] = [];
  #lastRef = 0;
  #tokens = FRAMES_BURST;
  #refilled = performance.now();
  #tick: NodeJS.Timeout | null = null;
  #over = false;

  constructor(stream: Duplex, on: LaneEvents) {
    this.#on = on;
    const hear = {
      frame: (frame: LaneFrame, payload: Uint8Array) => this.#hear(frame, payload),
      end: (end: PipeEnd) => this.#finish(end),
    };
    this.#pipe = new Pipe<LaneFrame, LaneFrame>(stream, LaneFrame, hear, { largest: LANE_DATA });
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** @returns null when {@link LANE_CONNECTIONS} are open, or the lane is over. */
  open(): LaneConnection | null {
    if (this.#over || this.#connections.size >= LANE_CONNECTIONS) return null;
    const connection = this.#add(++this.#lastRef);
    this.#send({ type: "open", connection: connection.ref }).catch((error: unknown) => {
      connection.destroy(new LaneError("LANE_CLOSED", "the lane is gone", { cause: error }));
    });
    return connection;
  }

  close(): void {
    if (this.#over) return;
    this.#shut();
    this.#pipe.close();
  }

  #add(ref: number): LaneConnection {
    const connection = new LaneConnection(ref, {
      send: (frame, payload) => this.#send(frame, payload),
      closed: (closed) => this.#connections.delete(closed),
    });
    this.#connections.set(ref, connection);
    return connection;
  }

  #hear(frame: LaneFrame, payload: Uint8Array): void {
    if (this.#over) return;
    const wrong = this.#handle(frame, payload);
    if (wrong !== null) {
      this.#finish({ reason: "protocol", detail: `connection ${frame.connection}: ${wrong}` });
      this.#pipe.close();
    }
  }

  /** @returns what was wrong with the frame, or null. */
  #handle(frame: LaneFrame, payload: Uint8Array): string | null {
    if (frame.type !== "data" && payload.length > 0) return `${frame.type} with a payload`;
    if (frame.type === "open") return this.#accept(frame.connection);
    const connection = this.#connections.get(frame.connection);
    if (connection === undefined) {
      // Frames that crossed our own reset on the way are late, not wrong.
      return frame.connection > this.#lastRef ? `${frame.type} before its open` : null;
    }
    if (frame.type === "data") return connection.receive(payload);
    if (frame.type === "credit") return connection.grant(frame.bytes);
    if (frame.type === "end") return connection.remoteEnd();
    connection.remoteReset();
    return null;
  }

  #accept(ref: number): string | null {
    if (this.#on.connection === undefined) return "opened by the end that does not open";
    if (ref <= this.#lastRef) return "opened twice";
    if (this.#connections.size >= LANE_CONNECTIONS) return `more than ${LANE_CONNECTIONS} connections`;
    this.#lastRef = ref;
    this.#on.connection(this.#add(ref));
    return null;
  }

  async #send(frame: LaneFrame, payload?: Uint8Array): Promise<void> {
    if (this.#over) throw new LaneError("LANE_CLOSED", "the lane is gone");
    if (this.#queue.length === 0 && this.#takeToken()) return await this.#pipe.send(frame, payload);
    return await new Promise<void>((sent, failed) => {
      this.#queue.push({ frame, payload, sent, failed });
      this.#tick ??= setTimeout(() => this.#drain(), TICK_MS);
    });
  }

  #takeToken(): boolean {
    const now = performance.now();
    this.#tokens = Math.min(FRAMES_BURST, this.#tokens + ((now - this.#refilled) / 1000) * FRAMES_A_SECOND);
    this.#refilled = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  #drain(): void {
    this.#tick = null;
    while (this.#queue.length > 0) {
      if (!this.#takeToken()) {
        this.#tick = setTimeout(() => this.#drain(), TICK_MS);
        return;
      }
      const next = this.#queue.shift();
      if (next !== undefined) this.#pipe.send(next.frame, next.payload).then(next.sent, next.failed);
    }
  }

  #finish(end: PipeEnd): void {
    if (this.#over) return;
    this.#shut();
    this.#on.end(end);
  }

  #shut(): void {
    this.#over = true;
    if (this.#tick !== null) clearTimeout(this.#tick);
    const gone = new LaneError("LANE_CLOSED", "the lane is gone");
    for (const { failed } of this.#queue.splice(0)) failed(gone);
    for (const connection of this.#connections.values()) connection.destroy(gone);
    this.#connections.clear();
  }
}
