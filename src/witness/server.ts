import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { judge, type Judged, MAX_REQUEST } from "./judge.ts";
import type { WitnessKey } from "./key.ts";
import type { WitnessState } from "./state.ts";
import { WitnessError } from "./witness-error.ts";

/** Connections at once, and how long one may take to say what it wants, in milliseconds. */
const MAX_SOCKETS = 64;
const REQUEST_MS = 10_000;

export interface WitnessServer extends AsyncDisposable {
  /** `http://<host>:<port>`. */
  readonly url: string;
}

/** Serves a witness. @param port 0 lets the system choose. @param line told of each request: what was decided, of which log. @throws {WitnessError} WITNESS_PORT. */
export async function serve(
  parts: { readonly witness: WitnessKey; readonly state: WitnessState; readonly line: (line: string) => void },
  at: { readonly host: string; readonly port: number },
): Promise<WitnessServer> {
  const server = createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS }, (request, response) => {
    handle(request, response).catch((error: unknown) => {
      parts.line(error instanceof WitnessError ? error.message : `a request failed: ${nameOf(error)}`);
      end(response, { status: 503, type: "text/plain", body: "not now\n" });
    });
  });
  server.maxConnections = MAX_SOCKETS;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url !== "/add-checkpoint") return end(response, other(404, "there is nothing here\n"));
    if (request.method !== "POST") return end(response, other(405, "post a checkpoint here\n"));
    const body = await bodyOf(request);
    const judged: Judged =
      body === null
        ? { status: 400, type: "text/plain", body: "the request is too long\n" }
        : judge(body, parts.witness, parts.state, () => Math.floor(Date.now() / 1000));
    parts.line(`add-checkpoint: ${judged.status}`);
    end(response, judged);
  }

  await listening(server, at);
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("a TCP server without a port");
  const host = at.host.includes(":") ? `[${at.host}]` : at.host;
  return {
    url: `http://${host}:${address.port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

function other(status: number, body: string): Answer {
  return { status, type: "text/plain; charset=utf-8", body };
}

function end(response: ServerResponse, { status, type, body }: Answer): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { "content-type": type, "cache-control": "no-store" });
  response.end(body);
}

/** @returns null for more than a request can have. */
async function bodyOf(request: IncomingMessage): Promise<Uint8Array | null> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request) {
    const chunk = Buffer.from(piece);
    bytes += chunk.length;
    if (bytes > MAX_REQUEST) return null;
    pieces.push(chunk);
  }
  return Buffer.concat(pieces);
}

async function listening(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const why = cause.code === "EADDRINUSE" ? "another process listens there" : (cause.code ?? cause.message);
      reject(new WitnessError("WITNESS_PORT", `cannot listen on ${host}:${port}: ${why}`, { cause }));
    });
    server.listen({ host, port, exclusive: true }, () => {
      server.removeAllListeners("error");
      server.on("error", () => undefined); // accept() failing concerns that connection alone
      resolve();
    });
  });
}

function nameOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : typeof error;
}
