import type { ServerResponse } from "node:http";
import type { OperatorFailure } from "../ipc/operator.ts";
import type { StreamMessage } from "./api.ts";
import type { Ask, Calls } from "./calls.ts";
import { SECURITY_HEADERS } from "./security-headers.ts";

/** Streams at once; the page keeps one for all its tabs. */
const MAX_STREAMS = 32;
/** Shorter than ingress's idle limit by far, so that a quiet stream is not taken for a dead one. */
const KEEP_ALIVE_MS = 25_000;
/** A browser that does not read is let go: it comes back and reads the transcript. */
const MAX_UNREAD = 4 * 1_048_576;

interface Stream {
  readonly session: string;
  readonly response: ServerResponse;
  end(last: StreamMessage): void;
}

/** Server-sent events: what happens, told to every logged-in page that listens. */
export class EventStreams {
  readonly #calls: Calls;
  readonly #version: string;
  readonly #streams = new Set<Stream>();

  constructor(calls: Calls, version: string) {
    this.#calls = calls;
    this.#version = version;
  }

  /** @returns false when there are too many. */
  open(session: string, response: ServerResponse): boolean {
    if (this.#streams.size >= MAX_STREAMS) return false;
    response.writeHead(200, { ...SECURITY_HEADERS, "content-type": "text/event-stream", "x-accel-buffering": "no" });
    // Pieces of text are bytes: one may end inside a character.
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    const ask = this.#calls.call(session, { call: "watch" }, undefined, (event, payload) => {
      const text = decoder.decode(payload, { stream: event.event === "text" });
      write(response, { type: "event", event, text });
    });
    const timer = setInterval(() => response.write(":\n\n"), KEEP_ALIVE_MS);
    const stream: Stream = {
      session,
      response,
      end(last) {
        write(response, last);
        response.end();
      },
    };
    this.#streams.add(stream);
    response.on("close", () => {
      clearInterval(timer);
      this.#streams.delete(stream);
      ask.cancel();
    });
    write(response, { type: "hello", version: this.#version });
    void this.#endWith(stream, ask);
    return true;
  }

  async #endWith(stream: Stream, ask: Ask): Promise<void> {
    const outcome = await ask.outcome;
    if (outcome.state === "refused") write(stream.response, { type: "refused", failure: outcome.failure });
    stream.end({ type: "over", because: outcome.state === "unauthenticated" ? "session" : "stopped" });
  }

  /** Tells the streams of one session what became of something that it said. */
  refuse(session: string, failure: OperatorFailure): void {
    for (const stream of this.#streams) {
      if (stream.session === session) write(stream.response, { type: "refused", failure });
    }
  }

  endSession(session: string): void {
    for (const stream of this.#streams) {
      if (stream.session === session) stream.end({ type: "over", because: "session" });
    }
  }

  endAll(): void {
    for (const stream of this.#streams) stream.end({ type: "over", because: "stopped" });
  }
}

function write(response: ServerResponse, message: StreamMessage): void {
  if (response.destroyed || response.writableEnded) return;
  response.write(`data: ${JSON.stringify(message)}\n\n`);
  if (response.writableLength > MAX_UNREAD) response.destroy();
}
