import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream";
import { TunnelError } from "../tunnel/tunnel-error.ts";
import type { Tunnel } from "../tunnel/tunnel.ts";
import { endToEnd } from "./headers.ts";

/** Connections of foreign programs at once. */
export const RELAY_CONNECTIONS = 128;
/** Bytes of one request's headers. */
const MAX_HEADER_BYTES = 65_536;

/** An HTTP proxy for programs that know nothing of lanes: it listens where only they are, and every connection of theirs becomes one of the lane's.
 *  What may be reached is not its affair: egress says so, and it hands on what egress said.
 *
 *  It takes `CONNECT host:port`, and requests with an absolute URI (`GET http://host/path`), as RFC 9110 and 9112 have them. */
export class Relay {
  readonly #tunnel: Tunnel;
  readonly #server: Server;

  constructor(tunnel: Tunnel) {
    this.#tunnel = tunnel;
    // A command's own limits end an upload that takes too long.
    this.#server = createServer({ maxHeaderSize: MAX_HEADER_BYTES, requestTimeout: 0 });
    this.#server.maxConnections = RELAY_CONNECTIONS;
    this.#server.on("connect", (asked, socket, head) => this.#connect(asked, socket, head));
    this.#server.on("request", (asked, answer) => this.#forward(asked, answer));
    this.#server.on("clientError", (_error, socket) => refuse(socket, 400, "malformed", "this is no HTTP request"));
  }

  /** Listens on 127.0.0.1. @throws if the port is taken, or is none. @returns the port. */
  async listen(port: number): Promise<number> {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    return address === null || typeof address === "string" ? port : address.port;
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  #connect(asked: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => undefined); // its `close` says it
    const target = authority(asked.url ?? "");
    if (target === null) {
      refuse(socket, 400, "malformed", "a CONNECT names a host and a port");
      return;
    }
    const way = this.#tunnel.connect(target.host, target.port);
    const refused = (error: Error): void => {
      const { status, reason } = meaningOf(error);
      refuse(socket, status, reason, error.message);
    };
    way.once("error", refused);
    socket.once("close", () => way.destroy());
    way.once("connect", () => {
      way.off("error", refused);
      way.on("error", () => socket.destroy());
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      if (head.length > 0) way.write(head);
      socket.pipe(way);
      way.pipe(socket);
    });
  }

  #forward(asked: IncomingMessage, answer: ServerResponse): void {
    const url = URL.parse(asked.url ?? "");
    if (url?.protocol !== "http:" || url.username !== "" || url.password !== "") {
      const sentence = "this is a proxy: it takes http:// URIs, and CONNECT for everything else";
      say(answer, 400, "malformed", sentence);
      return;
    }
    const { hostname, port, host } = url;
    const way = this.#tunnel.connect(hostname, port === "" ? 80 : Number(port));
    const onward = request({
      createConnection: () => way,
      method: asked.method ?? "GET",
      path: `${url.pathname}${url.search}`,
      headers: [
        ...endToEnd(asked.rawHeaders, ["host"]),
        ...(asked.headers["transfer-encoding"] === undefined ? [] : ["Transfer-Encoding", "chunked"]),
        "Host",
        host,
        "Connection",
        "close",
      ],
      setDefaultHeaders: false,
    });
    onward.once("response", (got) => {
      answer.writeHead(got.statusCode ?? 502, got.statusMessage, endToEnd(got.rawHeaders));
      // What broke on one side is torn on the other: a body that ends early is not to look whole.
      pipeline(got, answer, () => undefined);
    });
    onward.once("error", (error) => {
      const { status, reason } = meaningOf(error);
      if (answer.headersSent) answer.destroy();
      else say(answer, status, reason, error.message);
    });
    answer.once("close", () => way.destroy());
    asked.pipe(onward);
  }
}

/** What a program is told. `reason` as egress has it. */
function meaningOf(error: Error): { status: number; reason: string } {
  if (!(error instanceof TunnelError)) return { status: 502, reason: "unreachable" };
  switch (error.reason) {
    case "malformed":
      return { status: 400, reason: error.reason };
    case "busy":
      return { status: 503, reason: error.reason };
    case "timeout":
      return { status: 504, reason: error.reason };
    default:
      return { status: error.final ? 403 : 502, reason: error.reason };
  }
}

const REASON = "Wirken-Reason";

function say(answer: ServerResponse, status: number, reason: string, sentence: string): void {
  answer.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", [REASON]: reason, Connection: "close" });
  answer.end(`${sentence}\n`);
}

/** The same on a bare connection. */
function refuse(socket: Duplex, status: number, reason: string, sentence: string): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = Buffer.from(`${sentence}\n`);
  const lines = [
    `HTTP/1.1 ${status} Refused`,
    "Content-Type: text/plain; charset=utf-8",
    `Content-Length: ${body.length}`,
    `${REASON}: ${reason}`,
    "Connection: close",
  ];
  socket.end(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), body]));
}

/** `host:port`; egress looks closer. */
function authority(text: string): { host: string; port: number } | null {
  const [, host, port] = /^(\[[^\]]+\]|[^[\]:]+):(\d{1,5})$/.exec(text) ?? [];
  return host === undefined || port === undefined ? null : { host, port: Number(port) };
}
