import { type ApiKey, redactKeys } from "./key.ts";
import { failureOfNetwork, failureOfStatus, isLoopback, type Peer } from "./failure.ts";
import { ModelError, modelErrorIn } from "./model-error.ts";
import type { RetryPolicy } from "./retry.ts";

export interface HttpLimits {
  /** From the request to the headers, and from the headers to the first byte. */
  readonly firstByteMs: number;
  /** Between two pieces of the answer. Providers that think longer send comments meanwhile. */
  readonly idleMs: number;
  /** Of a whole answer, as it comes from the network. */
  readonly answerBytes: number;
}

const HTTP_LIMITS: HttpLimits = { firstByteMs: 60_000, idleMs: 60_000, answerBytes: 32 * 1024 * 1024 };
/** A model on this machine may have to be loaded first. */
const LOCAL_FIRST_BYTE_MS = 180_000;

/** Of the body of an error: enough for every explanation. */
const ERROR_BYTES = 64 * 1024;

/** How the key travels: Azure, Anthropic and Google have headers of their own. */
type KeyHeader = "authorization" | "api-key" | "x-api-key" | "x-goog-api-key";

export interface HttpPeer extends Peer {
  readonly key: ApiKey | null;
  readonly keyHeader: KeyHeader;
  readonly limits: HttpLimits;
}

/** One provider, as it is opened. The limits and tries are ours unless given. */
export interface ProviderSettings {
  readonly provider: string;
  /** With its version path, such as `https://api.openai.com/v1`. */
  readonly baseUrl: string;
  /** null: none is sent. */
  readonly key: ApiKey | null;
  readonly limits?: HttpLimits;
  readonly retry?: RetryPolicy;
}

export function peerOf(settings: ProviderSettings, keyHeader: KeyHeader): HttpPeer {
  const { provider, baseUrl, key } = settings;
  const patient = isLoopback(baseUrl) ? { ...HTTP_LIMITS, firstByteMs: LOCAL_FIRST_BYTE_MS } : HTTP_LIMITS;
  const { limits = patient } = settings;
  return {
    provider,
    baseUrl: baseUrl.replace(/\/+$/, ""),
    key,
    keyHeader,
    limits,
    redact: (sentence) => key?.redact(sentence) ?? redactKeys(sentence),
  };
}

/** A `fetch` for one request to one provider: adds the key, keeps the limits, follows no redirect (it would carry the
 *  key elsewhere), and throws only {@link ModelError}s, for every status but 2xx too.
 *  @param model for the sentences, "" if the request names none. */
export function guardedFetch(peer: HttpPeer, signal: AbortSignal, model: string) {
  return async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    signal.throwIfAborted();
    const headers = new Headers(init?.headers);
    // The SDKs never see the key, so they cannot quote it: what they put here is a placeholder.
    headers.delete(peer.keyHeader);
    if (peer.key !== null)
      headers.set(peer.keyHeader, peer.key.header(peer.provider, peer.keyHeader === "authorization" ? "Bearer " : ""));

    const guard = new AbortController();
    const both = AbortSignal.any([signal, guard.signal]);
    const silent = setTimeout(() => guard.abort(silence(peer, peer.limits.firstByteMs)), peer.limits.firstByteMs);
    let response: Response;
    try {
      response = await fetch(input, { ...init, headers, redirect: "manual", signal: both });
    } catch (error) {
      throw modelErrorIn(error) ?? failureOfNetwork(peer, error, false);
    } finally {
      clearTimeout(silent);
    }
    const body = response.body === null ? null : guarded(response.body, peer, guard);
    if (response.ok) return new Response(body, { status: response.status, headers: response.headers });
    const text = body === null ? "" : await firstBytes(body).catch(() => "");
    signal.throwIfAborted();
    throw failureOfStatus(peer, response.status, response.headers, text, model);
  };
}

/** Gets JSON of any shape. @throws {ModelError} */
export async function getJson(peer: HttpPeer, path: string, signal: AbortSignal, init?: RequestInit) {
  const response = await guardedFetch(peer, signal, "")(peer.baseUrl + path, init);
  let text: string;
  try {
    text = await response.text();
  } catch (error) {
    throw modelErrorIn(error) ?? failureOfNetwork(peer, error, true);
  }
  try {
    const body: unknown = JSON.parse(text);
    return { body, headers: response.headers };
  } catch (error) {
    throw new ModelError("other", `${peer.provider} answered with something that is not JSON`, { cause: error });
  }
}

function silence(peer: Peer, ms: number): ModelError {
  return new ModelError("timeout", `${peer.provider} was silent for ${Math.round(ms / 1000)} s`, { passing: true });
}

/** Passes a body on, piece by piece as it is asked for. The clock runs only while a piece is waited for, so that a slow
 *  reader on our side is never taken for a silent provider. */
function guarded(body: ReadableStream<Uint8Array>, peer: HttpPeer, guard: AbortController): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  const { firstByteMs, idleMs, answerBytes } = peer.limits;
  let seen = 0;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const limit = seen === 0 ? firstByteMs : idleMs;
        const timer = setTimeout(() => guard.abort(silence(peer, limit)), limit);
        try {
          const { done, value } = await reader.read();
          if (done) {
            controller.close();
            return;
          }
          seen += value.length;
          if (seen > answerBytes) {
            const error = tooBig(peer, answerBytes);
            guard.abort(error);
            throw error;
          }
          controller.enqueue(value);
        } catch (error) {
          throw modelErrorIn(error) ?? failureOfNetwork(peer, error, true);
        } finally {
          clearTimeout(timer);
        }
      },
      async cancel(reason) {
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

function tooBig(peer: Peer, bytes: number): ModelError {
  return new ModelError("other", `${peer.provider} answered with more than ${Math.floor(bytes / 1_048_576)} MiB`);
}

async function firstBytes(body: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let seen = 0;
  for await (const piece of body) {
    text += decoder.decode(piece, { stream: true });
    seen += piece.length;
    if (seen >= ERROR_BYTES) break;
  }
  return text.slice(0, ERROR_BYTES);
}
