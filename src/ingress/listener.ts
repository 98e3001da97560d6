import { createServer, type Server, type Socket } from "node:net";

/** The page is for the person at this machine: no other address is ever listened on. */
const LOOPBACK = "127.0.0.1";
/** Connections accepted at once, those that have not said anything yet included. */
const MAX_SOCKETS = 64;

export type Listening = { state: "listening"; port: number; server: Server } | { state: "taken"; why: string };

/** Listens on 127.0.0.1. @param port 0 lets the system choose. @param accept is given each connection, half-open ends allowed. */
export function listenOnLoopback(port: number, accept: (socket: Socket) => void): Promise<Listening> {
  return new Promise((resolve) => {
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: false }, accept);
    server.maxConnections = MAX_SOCKETS;
    server.once("error", (error: NodeJS.ErrnoException) => {
      resolve({ state: "taken", why: sentenceOf(port, error) });
    });
    // exclusive: nobody else of our user may share the port.
    server.listen({ host: LOOPBACK, port, exclusive: true }, () => {
      const address = server.address();
      if (address === null || typeof address === "string") throw new TypeError("a TCP server without a port");
      server.removeAllListeners("error");
      server.on("error", () => undefined); // accept() failing (no descriptors left) concerns that connection alone
      resolve({ state: "listening", port: address.port, server });
    });
  });
}

function sentenceOf(port: number, error: NodeJS.ErrnoException): string {
  if (error.code === "EADDRINUSE") return `another process listens on ${LOOPBACK}:${port}`;
  if (error.code === "EACCES") return `this user may not listen on port ${port}: choose one above 1023`;
  return `cannot listen on ${LOOPBACK}:${port} (${error.code ?? "no code"})`;
}
