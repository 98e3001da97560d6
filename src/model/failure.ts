import { LOCAL_SOCKET_HOST } from "../ipc/local-socket.ts";
import * as z from "zod/mini";
import { tunnelErrorIn } from "../tunnel/tunnel-error.ts";
import { ModelError } from "./model-error.ts";
import { isPassingStatus, retryAfterMs } from "./retry.ts";

/** Whom a sentence is about. */
export interface Peer {
  readonly provider: string;
  /** Scheme, host and path prefix of every request; it holds no credential. */
  readonly baseUrl: string;
  /** Takes keys out of what the provider wrote. */
  redact(sentence: string): string;
}

/** The most that is quoted of what a provider says, in characters. */
const MAX_QUOTE = 300;

/** The shapes in which providers explain themselves: OpenAI's and Anthropic's object, Ollama's string, others' `message`. */
const Explanation = z.union([
  z.object({
    error: z.object({
      message: z.string(),
      type: z.nullish(z.string()),
      code: z.nullish(z.union([z.string(), z.number()])),
    }),
  }),
  z.object({ error: z.string() }),
  z.object({ message: z.string() }),
]);

interface Explained {
  readonly message: string;
  readonly type: string;
  readonly code: string;
}

function explanationOf(body: unknown): Explained {
  const parsed = Explanation.safeParse(body);
  if (!parsed.success) return { message: "", type: "", code: "" };
  if ("message" in parsed.data) return { message: parsed.data.message, type: "", code: "" };
  const { error } = parsed.data;
  if (typeof error === "string") return { message: error, type: "", code: "" };
  return { message: error.message, type: error.type ?? "", code: String(error.code ?? "") };
}

/** One line of at most 300 characters, without controls and without keys. */
export function quote(peer: Peer, message: string): string {
  const line = peer
    .redact(message)
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, " ")
    .trim();
  return line.length > MAX_QUOTE ? `${line.slice(0, MAX_QUOTE).trimEnd()}…` : line;
}

/** How servers say that a model takes no pictures, or no PDFs. */
const NO_FILES =
  /\b(image|vision|multi-?modal|pdf|document|file)s?\b.{0,80}\b(not (supported|enabled|allowed)|unsupported|only supported)|(not|n't) (support|accept|a multimodal|have vision).{0,40}\b(image|vision|multi-?modal|pdf|document|file|model)|support image input|image_url|mmproj|At most 0 image/i;

/** What an HTTP answer other than 2xx means.
 *  @param body the text of the answer, JSON or not, at most 64 KiB of it. */
export function failureOfStatus(peer: Peer, status: number, headers: Headers, body: string, model: string): ModelError {
  const { provider } = peer;
  const explained = explanationOf(jsonOrNull(body));
  const said = quote(peer, explained.message);
  const because = said === "" ? "" : `: ${said}`;
  const passing = { passing: isPassingStatus(status), retryAfterMs: retryAfterMs(headers, Date.now()) };

  if (status >= 300 && status < 400)
    return new ModelError(
      "other",
      `${provider} points to another address, which is not followed with a key: correct its base URL (now ${peer.baseUrl})`,
    );
  // Gemini's answer to a wrong key is 400.
  if (status === 401 || (status === 400 && /api key not valid|api_key_invalid/i.test(explained.message)))
    return new ModelError("key-refused", `the key for ${provider} was refused`);
  if (status === 402 || explained.code === "insufficient_quota")
    return new ModelError("rate-limited", `the account at ${provider} has no credit left${because}`);
  if (status === 403)
    return new ModelError("key-refused", `the key for ${provider} is not allowed to do this${because}`);
  if (/^4(00|04|15|22)$|^5\d\d$/.test(String(status)) && NO_FILES.test(explained.message) && model !== "")
    return new ModelError("files-refused", `${provider}/${model} does not take what it was shown${because}`);
  if (status === 413 || isTooLong(explained)) return new ModelError("too-long", tooLong(provider, model, because));
  // A server that is somewhere else answers 404 too, but with a page and not with an explanation.
  if (status === 404 && model !== "" && said !== "") return unknownModel(provider, model, because);
  if (status === 404)
    return new ModelError("other", `${provider} knows no such address: is the base URL right (now ${peer.baseUrl})?`);
  if (status === 408) return new ModelError("timeout", `${provider} gave up waiting for the request`, passing);
  if (status === 429) return new ModelError("rate-limited", rateLimited(provider, passing.retryAfterMs), passing);
  if (status === 529 || (status >= 502 && status <= 504))
    return new ModelError("overloaded", `${provider} is overloaded`, passing);
  if (status >= 500) return new ModelError("failing", `${provider} failed with status ${status}${because}`, passing);
  if (isUnknownModel(explained)) return unknownModel(provider, model, because);
  return new ModelError("bad-request", `${provider} refused the request with status ${status}${because}`, passing);
}

/** What an error inside a stream that began well means; providers send these with status 200. */
export function failureInStream(peer: Peer, error: unknown, model: string): ModelError {
  // The SDKs hand on either the provider's own object or a wrapper with the object as `data`.
  const carried = z.object({ data: z.unknown() }).safeParse(error);
  const inner = [error, { error }, carried.success ? carried.data.data : null]
    .map(explanationOf)
    .find((explained) => explained.type !== "" || explained.code !== "");
  const explained = inner ?? explanationOf({ error });
  const kind = `${explained.type} ${explained.code}`;
  const headers = new Headers();
  const as = (status: number) => failureOfStatus(peer, status, headers, JSON.stringify({ error: explained }), model);
  if (/overloaded|unavailable/.test(kind)) return as(529);
  if (/rate_limit|too_many/.test(kind)) return as(429);
  if (/authentication/.test(kind)) return as(401);
  if (/permission/.test(kind)) return as(403);
  if (/not_found/.test(kind)) return as(404);
  if (/invalid_request|too_large/.test(kind)) return as(400);
  if (/^(5\d\d|4\d\d)$/.test(explained.code)) return as(Number(explained.code));
  const said = quote(peer, explained.message);
  return new ModelError("other", `${peer.provider} broke off${said === "" ? "" : `: ${said}`}`, { passing: true });
}

/** What bytes that are no answer mean, with a status that says all is well: a hotel's page, another kind of server. */
export function notACompletion(peer: Peer, cause: unknown): ModelError {
  return new ModelError("other", `${peer.provider} answered with something that is not a completion`, { cause });
}

/** What a connection that never came about, or broke, means. */
export function failureOfNetwork(peer: Peer, error: unknown, answering: boolean): ModelError {
  const { provider, baseUrl } = peer;
  const code = networkCode(error);
  const options = { cause: error, passing: true };
  const tunnel = tunnelErrorIn(error);
  if (tunnel?.final === true)
    return new ModelError("unreachable", `cannot reach ${provider}: ${tunnel.message}`, { cause: error });
  if (answering) return new ModelError("unreachable", `the connection to ${provider} broke in mid-answer`, options);
  if (code.startsWith("ERR_TLS") || code.includes("CERT") || code.includes("SIGNATURE"))
    return new ModelError("unreachable", `the certificate of ${provider} at ${baseUrl} is not trusted (${code})`, {
      cause: error,
    });
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return new ModelError("unreachable", `cannot find ${provider} at ${baseUrl}: is there a network?`, options);
  // What does not run on this machine does not run in a second either.
  if (isLoopback(baseUrl))
    return new ModelError("unreachable", `cannot reach ${provider} at ${origin(baseUrl)}: is it running?`, {
      cause: error,
      passing: code !== "ECONNREFUSED",
    });
  return new ModelError(
    "unreachable",
    `cannot reach ${provider} at ${origin(baseUrl)}${code === "" ? "" : ` (${code})`}`,
    options,
  );
}

function rateLimited(provider: string, waitMs: number | null): string {
  const wait = waitMs === null ? "" : ` and asks to wait ${Math.ceil(waitMs / 1000)} s`;
  return `${provider} has had too many requests${wait}`;
}

function tooLong(provider: string, model: string, because: string): string {
  return `this conversation is too long for ${model === "" ? provider : model}: start a new one with /new${because}`;
}

function unknownModel(provider: string, model: string, because: string): ModelError {
  const hint = isOllama(provider) ? `: fetch it with \`ollama pull ${model}\`` : because;
  return new ModelError("model-unknown", `${provider} has no model ${model}${hint}`);
}

function isTooLong({ message, code, type }: Explained): boolean {
  return (
    code === "context_length_exceeded" ||
    type === "request_too_large" ||
    /context (length|window|size)|prompt is too long|too many (input )?tokens|maximum context/i.test(message)
  );
}

function isUnknownModel({ message, code }: Explained): boolean {
  return code === "model_not_found" || /\bmodel\b.{0,200}\b(not found|does not exist|not a valid model)/i.test(message);
}

/** Ollama is spoken to as OpenAI's, but has a list of its own and models that can be fetched. */
export function isOllama(provider: string): boolean {
  return provider === "ollama" || provider.startsWith("ollama-");
}

/** Is it on this machine? */
export function isLoopback(url: string): boolean {
  const host = URL.canParse(url) ? new URL(url).hostname : "";
  return host === "localhost" || host === LOCAL_SOCKET_HOST || host === "[::1]" || host.startsWith("127.");
}

function origin(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : url;
}

/** How deep a chain of causes is followed. */
const MAX_CAUSES = 8;

/** The system's own code (`ECONNREFUSED`), or "". The message of an error is never quoted: it may hold a header. */
function networkCode(error: unknown): string {
  let current = error;
  for (let depth = 0; depth < MAX_CAUSES && current instanceof Error; depth++) {
    if ("code" in current && typeof current.code === "string" && /^[A-Z][A-Z0-9_]{2,63}$/.test(current.code))
      return current.code;
    if (current instanceof AggregateError && current.errors.length > 0) current = current.errors[0];
    else current = current.cause;
  }
  return "";
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
