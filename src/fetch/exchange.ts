import type { IncomingMessage } from "node:http";
import { type Agent, request } from "node:https";
import type { Readable } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import type { HttpOrder } from "../ipc/fetch-frames.ts";
import { tunnelErrorIn } from "../tunnel/tunnel-error.ts";
import { FetchError } from "./fetch-error.ts";

/** From the request to the last byte of the answer. */
export const ANSWER_MS = 30_000;
/** Of an answer, as it comes and as it is decompressed, in bytes. */
export const MAX_ANSWER = 1024 * 1024;
/** Of all headers of an answer, in bytes. */
const MAX_ANSWER_HEADERS = 32 * 1024;

/** What a server answered. */
export interface Exchanged {
  readonly status: number;
  readonly words: string;
  readonly headers: IncomingMessage["headers"];
  /** Decompressed, at most {@link MAX_ANSWER} bytes, or as many as were asked for. */
  readonly body: Uint8Array;
  /** Nothing of the body was left out. */
  readonly whole: boolean;
  /** How the body is encoded still, where that is unknown here. */
  readonly encoding: string | null;
}

/** Who asks: services want to be able to see. */
const USER_AGENT = "Wirken (a personal agent; one request at a time on a person's behalf)";

/** Sends one request and reads its answer. It follows no redirect, keeps no cookie and tries nothing twice.
 *  @param secret headers that carry the credential. @param most bytes of the body that are kept. @throws {FetchError}. */
export async function exchange(
  order: HttpOrder,
  secret: readonly (readonly [name: string, value: string])[],
  agent: Agent,
  most = MAX_ANSWER,
): Promise<Exchanged> {
  const patience = AbortSignal.timeout(ANSWER_MS);
  const { hostname } = new URL(order.url);
  try {
    const response = await sent(order, secret, agent, patience);
    const { body, whole, encoding } = await bodyOf(response, most);
    return {
      status: response.statusCode ?? 0,
      words: response.statusMessage ?? "",
      headers: response.headers,
      body,
      whole,
      encoding,
    };
  } catch (error) {
    if (error instanceof FetchError) throw error;
    if (patience.aborted)
      throw new FetchError("timeout", `${hostname} did not answer within ${ANSWER_MS / 1000} s`, { cause: error });
    throw failureOf(hostname, error);
  }
}

async function sent(
  { method, url, headers, body }: HttpOrder,
  secret: readonly (readonly [name: string, value: string])[],
  agent: Agent,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const own: Record<string, string> = {
    "user-agent": USER_AGENT,
    accept: "text/html, application/json;q=0.9, text/*;q=0.8, */*;q=0.5",
    "accept-encoding": "gzip, br, deflate",
  };
  for (const { name, value } of headers) own[name] = value;
  // Last: what the model wrote never takes its place.
  for (const [name, value] of secret) own[name] = value;
  return await new Promise((resolve, reject) => {
    const asked = request(url, { method, headers: own, agent, signal, maxHeaderSize: MAX_ANSWER_HEADERS });
    asked.once("response", resolve);
    asked.once("error", reject);
    asked.end(body === null ? undefined : Buffer.from(body));
  });
}

const DECODERS: Readonly<Record<string, () => NodeJS.ReadWriteStream & Readable>> = {
  gzip: createGunzip,
  "x-gzip": createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/** Reads at most so many bytes, of what comes and of what it is decompressed to: a bomb is not unpacked beyond that. */
async function bodyOf(
  response: IncomingMessage,
  most: number,
): Promise<Pick<Exchanged, "body" | "whole" | "encoding">> {
  const named = (response.headers["content-encoding"] ?? "identity").trim().toLowerCase();
  const decoder = DECODERS[named]?.() ?? null;
  const encoding = decoder === null && named !== "identity" && named !== "" ? named.slice(0, 64) : null;
  let raw = 0;
  let overrun = false;
  response.on("data", (piece: Uint8Array) => {
    raw += piece.length;
    if (raw <= most || decoder === null) return;
    overrun = true;
    response.destroy();
    decoder.end();
  });
  const stream: Readable = decoder === null ? response : response.pipe(decoder);
  if (decoder !== null) response.once("error", (error) => decoder.destroy(error));
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const piece of stream as AsyncIterable<Uint8Array>) {
      const room = most - bytes;
      pieces.push(piece.subarray(0, room));
      bytes += Math.min(room, piece.length);
      if (piece.length > room) return { body: Buffer.concat(pieces), whole: false, encoding };
    }
  } catch (error) {
    // What was decompressed until then is still worth reading.
    if (overrun) return { body: Buffer.concat(pieces), whole: false, encoding };
    throw error;
  } finally {
    response.destroy();
    decoder?.removeAllListeners("error");
    decoder?.on("error", () => undefined);
  }
  return { body: Buffer.concat(pieces), whole: !overrun, encoding };
}

function failureOf(host: string, error: unknown): FetchError {
  const tunnel = tunnelErrorIn(error);
  if (tunnel !== null)
    return new FetchError(tunnel.final ? "refused" : "unreachable", tunnel.message, { cause: error });
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  if (code === "HPE_HEADER_OVERFLOW")
    return new FetchError("too-large", `${host} answered with headers of more than ${MAX_ANSWER_HEADERS} bytes`);
  if (/CERT|TLS|SSL|ALTNAME|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code))
    return new FetchError("tls", `the certificate of ${host} is not good for it (${code})`, { cause: error });
  if (code.startsWith("HPE_") || code.startsWith("Z_") || code.startsWith("ERR_BROTLI") || code.startsWith("ERR_"))
    return new FetchError("bad-answer", `${host} answered with something that cannot be read (${code})`);
  return new FetchError("unreachable", `${host} cannot be reached, or broke off (${code === "" ? "no code" : code})`);
}
