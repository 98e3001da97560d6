import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import type { EgressReason } from "../../src/ipc/egress-frames.ts";

const STATUS: Readonly<Record<EgressReason, number>> = {
  unlisted: 403,
  literal: 403,
  private: 403,
  "server-name": 403,
  withdrawn: 403,
  malformed: 400,
  busy: 429,
  unresolved: 502,
  unreachable: 502,
  timeout: 504,
};

/** What becomes of a CONNECT to a host: a port of this machine, a refusal, or no answer at all. */
export type Route = number | EgressReason | "silent";

/** The other end of a lane whose child may reach this machine, and nothing else. */
export function loopbackLane(lane: Duplex): ConnectServer {
  return new ConnectServer(lane, (authority) => {
    const [, port] = /^(?:127\.0\.0\.1|localhost):(\d+)$/.exec(authority) ?? [];
    return port === undefined ? "unlisted" : Number(port);
  });
}

/** The other end of a lane, as small as it can be: HTTP/2, CONNECT, bytes both ways. */
export class ConnectServer {
  readonly #session: ServerHttp2Session;
  readonly #lane: Duplex;
  readonly #route: (authority: string) => Route;
  readonly #streams = new Set<ServerHttp2Stream>();
  /** Every authority that was asked for. */
  readonly asked: string[] = [];

  constructor(lane: Duplex, route: (authority: string) => Route) {
    this.#lane = lane;
    this.#route = route;
    this.#session = performServerHandshake(lane, { settings: { maxConcurrentStreams: 1000 } });
    this.#session.on("error", () => undefined);
    this.#session.on("stream", (stream, headers) => this.#take(stream, headers[":authority"] ?? ""));
  }

  get open(): number {
    return this.#streams.size;
  }

  /** Ends as a process that was killed. */
  die(): void {
    this.#lane.destroy();
  }

  /** Resets every connection. @param code of RFC 9113. */
  reset(code: number): void {
    for (const stream of this.#streams) stream.close(code);
  }

  #take(stream: ServerHttp2Stream, authority: string): void {
    this.asked.push(authority);
    stream.on("error", () => undefined);
    const route = this.#route(authority);
    if (route === "silent") return;
    if (typeof route === "string") {
      stream.respond({ ":status": STATUS[route], "wirken-reason": route }, { endStream: true });
      return;
    }
    const far = connect({ port: route, host: "127.0.0.1", allowHalfOpen: true });
    this.#streams.add(stream);
    stream.once("close", () => {
      this.#streams.delete(stream);
      if (stream.rstCode === 0) far.end();
      else far.destroy();
    });
    far.once("error", () => {
      if (stream.headersSent) stream.close(10);
      else stream.respond({ ":status": 502, "wirken-reason": "unreachable" }, { endStream: true });
    });
    far.once("connect", () => {
      stream.respond({ ":status": 200 });
      stream.pipe(far);
      far.pipe(stream);
    });
  }
}
