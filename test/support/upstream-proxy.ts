import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { connect, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Certificate } from "./certificate.ts";

/** A company's proxy: HTTP CONNECT, with a Basic credential where one is set. It resolves names by `names`. */
export function upstreamProxy(options: {
  readonly names: Readonly<Record<string, number>>;
  readonly credential?: string;
  readonly tls?: Certificate;
}): { readonly server: Server; readonly asked: string[] } {
  const asked: string[] = [];
  const server =
    options.tls === undefined ? createHttpServer() : createHttpsServer({ ...options.tls, allowHalfOpen: true });
  server.on("connect", (request: { url?: string; headers: Record<string, unknown> }, socket: Duplex, head: Buffer) => {
    socket.on("error", () => undefined);
    const authority = request.url ?? "";
    asked.push(authority);
    const wanted = options.credential;
    const given = request.headers["proxy-authorization"];
    if (wanted !== undefined && given !== `Basic ${Buffer.from(wanted).toString("base64")}`) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="proxy"\r\n\r\n');
      return;
    }
    const port = options.names[authority];
    if (port === undefined) {
      socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
      return;
    }
    const upstream: Socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    upstream.on("error", () => socket.destroy());
    upstream.once("connect", () => {
      // The head and the first bytes in one packet: what follows the answer is not lost.
      socket.write("HTTP/1.1 200 Connection established\r\nVia: proxy\r\n\r\n");
      upstream.write(head);
      upstream.pipe(socket);
      socket.pipe(upstream);
    });
  });
  return { server, asked };
}
