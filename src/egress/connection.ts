import { constants, type ServerHttp2Stream } from "node:http2";
import type { EgressReason, LaneEntry } from "../ipc/egress-frames.ts";
import { HelloReader } from "./hello.ts";
import { lookUp, permits } from "./list.ts";
import { Refusal, statusOf } from "./refusal.ts";
import type { Target } from "./target.ts";
import type { Way } from "./way.ts";

/** A connection on which nothing passes in either direction for so long is cut. Some models think for ten minutes before they say a word. */
const IDLE_MS = 15 * 60_000;
/** From the answer to the CONNECT until the TLS hello is there. */
const HELLO_MS = 30_000;
export const PATIENCE: Patience = { idleMs: IDLE_MS, helloMs: HELLO_MS };

/** How long a connection is waited for. */
export interface Patience {
  /** On which nothing passes. */
  readonly idleMs: number;
  /** Whose TLS hello is not there. */
  readonly helloMs: number;
}

/** A client that was refused ends its side in this time, or it is ended. */
const REFUSED_MS = 1000;
/** The header of a refusal. */
const REASON = "wirken-reason";

/** What a connection needs of its lane. */
export interface ConnectionHost {
  /** The list in force. */
  readonly list: readonly LaneEntry[];
  reach(target: Target, entries: readonly LaneEntry[], signal: AbortSignal): Promise<Way>;
  /** What became of it: once, and `withdrawn` after it where the list changed. */
  tell(target: Target, reason: EgressReason | null): void;
  readonly patience: Patience;
}

/** One CONNECT of a lane: refused, or bytes both ways until both have ended. */
export class Connection {
  /** Settles when it is over. */
  readonly over: Promise<void>;
  readonly #stream: ServerHttp2Stream;
  readonly #target: Target;
  readonly #host: ConnectionHost;
  readonly #gone = new AbortController();
  #way: Way | null = null;
  #hello: "unasked" | "awaited" | "checked" = "unasked";

  constructor(stream: ServerHttp2Stream, target: Target, host: ConnectionHost) {
    this.#stream = stream;
    this.#target = target;
    this.#host = host;
    const over = Promise.withResolvers<void>();
    this.over = over.promise;
    stream.once("close", () => {
      this.#gone.abort(new Refusal("unreachable"));
      // What the child has sent still leaves, where it ended its side; otherwise it is torn.
      if (stream.rstCode === constants.NGHTTP2_NO_ERROR) this.#way?.socket.destroySoon();
      else this.#way?.socket.destroy();
      over.resolve();
    });
  }

  /** Never rejects. */
  async open(): Promise<void> {
    const listed = lookUp(this.#host.list, this.#target);
    if (listed.entries === null) {
      this.#refuse(listed.reason);
      return;
    }
    try {
      const way = await this.#host.reach(this.#target, listed.entries, this.#gone.signal);
      if (this.#gone.signal.aborted) way.socket.destroy();
      else this.#join(way);
    } catch (error) {
      // A child that went away in the meantime hears nothing; that it asked is told all the same.
      this.#refuse(error instanceof Refusal ? error.code : "unreachable");
    }
  }

  /** The list changed. */
  recheck(): void {
    if (this.#way === null || this.#isPermitted(this.#way, this.#hello !== "unasked")) return;
    this.#tear(constants.NGHTTP2_CANCEL);
    this.#host.tell(this.#target, "withdrawn");
  }

  #isPermitted({ address, path }: Way, helloChecked: boolean): boolean {
    return permits(this.#host.list, this.#target, { address, path, helloChecked });
  }

  #refuse(reason: EgressReason): void {
    refuse(this.#stream, reason);
    this.#host.tell(this.#target, reason);
  }

  #join(way: Way): void {
    const stream = this.#stream;
    const { socket } = way;
    // The list may have changed while the connection was made.
    if (!this.#isPermitted(way, true)) {
      socket.destroy();
      this.#refuse("withdrawn");
      return;
    }
    this.#way = way;
    socket.on("error", () => this.#tear(constants.NGHTTP2_CONNECT_ERROR));
    socket.once("close", () => {
      if (!stream.writableEnded) this.#tear(constants.NGHTTP2_CONNECT_ERROR);
    });
    stream.respond({ ":status": 200 });
    if (this.#isPermitted(way, false)) {
      this.#host.tell(this.#target, null);
      this.#pipe(way, null);
    } else {
      this.#hello = "awaited";
      this.#readHello(way);
    }
  }

  /** Holds everything back until the hello is whole and names the host that was asked for. */
  #readHello(way: Way): void {
    const stream = this.#stream;
    const reader = new HelloReader();
    const held: Uint8Array[] = [];
    const expected = this.#target.kind === "host" ? this.#target.host : null;
    const wrong = (reason: EgressReason): void => {
      done();
      this.#tear(constants.NGHTTP2_REFUSED_STREAM);
      this.#host.tell(this.#target, reason);
    };
    const onData = (chunk: Uint8Array): void => {
      held.push(chunk);
      const hello = reader.push(chunk);
      if (hello.state === "more") return;
      // A client names no host to an address (RFC 6066, 3).
      if (hello.state === "other" || hello.name !== expected) {
        wrong("server-name");
        return;
      }
      done();
      this.#hello = "checked";
      this.#host.tell(this.#target, null);
      this.#pipe(way, Buffer.concat(held));
    };
    const onEnd = (): void => {
      if (held.length > 0) {
        wrong("server-name");
        return;
      }
      done();
      this.#host.tell(this.#target, null);
      this.#tear(constants.NGHTTP2_NO_ERROR);
    };
    const onClose = (): void => done();
    const late = setTimeout(() => wrong("timeout"), this.#host.patience.helloMs);
    const done = (): void => {
      clearTimeout(late);
      stream.off("data", onData);
      stream.off("end", onEnd);
      stream.off("close", onClose);
    };
    stream.on("data", onData);
    stream.on("end", onEnd);
    stream.on("close", onClose);
  }

  #pipe({ socket }: Way, first: Uint8Array | null): void {
    socket.setTimeout(this.#host.patience.idleMs, () => this.#tear(constants.NGHTTP2_CANCEL));
    if (first !== null) socket.write(first);
    this.#stream.pipe(socket);
    socket.pipe(this.#stream);
  }

  #tear(code: number): void {
    this.#way?.socket.destroy();
    if (!this.#stream.closed) this.#stream.close(code);
  }
}

/** Answers a stream that gets no connection. */
export function refuse(stream: ServerHttp2Stream, reason: EgressReason): void {
  if (stream.destroyed || stream.closed || stream.headersSent) return;
  stream.respond({ ":status": statusOf(reason), [REASON]: reason }, { endStream: true });
  // What the child sends on is read by nobody.
  stream.resume();
  // A reset overtakes an answer that is still on its way.
  const late = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), REFUSED_MS);
  stream.once("close", () => clearTimeout(late));
}
