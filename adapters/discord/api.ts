import { DiscordAPIError, HTTPError, REST, RateLimitError, type RESTOptions } from "@discordjs/rest";
import type { Credentials, Start } from "../adapter.ts";
import { networkFailure, SendFailure, whyUnreachable } from "../failure.ts";

/** Discord's own API. The SDK puts `/v10` behind it. */
const API = "https://discord.com/api";
export const VERSION = "10";
/** One call may take this long; one that carries files longer. */
const CALL_MS = 30_000;
export const UPLOAD_MS = 180_000;
/** A hundred messages with all that they can hold are below this. */
const MAX_ANSWER_BYTES = 16 * 1_048_576;

/** @returns the token, or null: what was given is none, and is sent nowhere. */
export function tokenOf(credentials: Credentials): string | null {
  const token = (credentials.get("bot-token") ?? "").trim();
  return /^[A-Za-z0-9_-]{10,100}\.[A-Za-z0-9_-]{4,20}\.[A-Za-z0-9_-]{20,200}$/.test(token) ? token : null;
}

export const BAD_TOKEN =
  "Discord refuses the bot token: reset it on discord.com/developers/applications, under Bot, and copy the new one (`wirken vault rotate discord`)";

/** The SDK on Discord's API, or on the server that the operator named. It is kept from trying again and from waiting by itself: what was not sent is told,
 *  and sent again by whoever knows whether that is right. */
export function openApi(token: string, start: Start, timeout = CALL_MS): REST {
  const rest = new REST({
    api: start.apiRoot?.replace(/\/+$/, "") ?? API,
    version: VERSION,
    retries: 0,
    rejectOnRateLimit: () => true,
    timeout,
    makeRequest: call,
  });
  return rest.setToken(token);
}

type Call = RESTOptions["makeRequest"];

/** By Node's own client, which goes out by this process's lane. What points elsewhere is not followed, and an answer without an end is none. */
async function call(...[url, init]: Parameters<Call>): ReturnType<Call> {
  // The SDK types what it hands over as another version's of the same client.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const { method, headers, body, signal } = init as unknown as RequestInit;
  const response = await fetch(url, {
    ...(method === undefined ? {} : { method }),
    ...(headers === undefined ? {} : { headers }),
    ...(signal === undefined ? {} : { signal }),
    ...(body === undefined ? {} : { body }),
    redirect: "error",
  });
  const bytes = await readAtMost(response, MAX_ANSWER_BYTES);
  if (bytes === null) throw new Error("the answer has no end");
  const named = new Headers(response.headers);
  // The SDK reads JSON wherever it is promised, also where there is none.
  if (bytes.length === 0) named.delete("content-type");
  const { status, ok } = response;
  const read = new Response(bytes);
  return {
    status,
    ok,
    statusText: "",
    headers: named,
    body: null,
    bodyUsed: false,
    arrayBuffer: async () => await read.arrayBuffer(),
    json: async () => await read.json(),
    text: async () => await read.text(),
  };
}

/** @returns null if there is more than `limit` bytes. */
async function readAtMost(response: Response, limit: number): Promise<Uint8Array<ArrayBuffer> | null> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of response.body ?? []) {
    length += piece.length;
    if (length > limit) return null;
    pieces.push(piece);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** Discord's own number of a no, such as 10003 for a channel that is not there; null: it is not in Discord's words. */
export function errorCode(error: unknown): number | null {
  return error instanceof DiscordAPIError && typeof error.code === "number" ? error.code : null;
}

export const UNKNOWN_CHANNEL = 10_003;
export const UNKNOWN_MESSAGE = 10_008;
export const MISSING_ACCESS = 50_001;
const ENTITY_TOO_LARGE = 40_005;
const INVALID_FORM = 50_035;

/** Whether the token is no longer good for anything. */
export function isUnauthorised(error: unknown): boolean {
  return error instanceof DiscordAPIError && error.status === 401;
}

/** Milliseconds that Discord wants us to wait; null if it does not. */
export function rateLimit(error: unknown): number | null {
  return error instanceof RateLimitError ? Math.max(0, error.timeToReset, error.sublimitTimeout) : null;
}

/** What an error says about a message that was to be sent. */
export function sendFailure(error: unknown): SendFailure {
  if (error instanceof SendFailure) return error;
  const wait = rateLimit(error);
  if (wait !== null) return new SendFailure("rate-limited", "Discord asked us to slow down", wait === 0 ? null : wait);
  if (error instanceof HTTPError) return new SendFailure("unknown", `Discord answered ${error.status}`);
  if (!(error instanceof DiscordAPIError)) return networkFailure("Discord", error);
  const words = saidBy(error);
  const tooLong = error.code === INVALID_FORM && /BASE_TYPE_MAX_LENGTH/.test(error.message);
  if (error.status === 413 || error.code === ENTITY_TOO_LARGE || tooLong) return new SendFailure("too-large", words);
  return new SendFailure("refused", words);
}

/** Discord's own words, short. */
function saidBy(error: DiscordAPIError): string {
  const code = typeof error.code === "number" ? ` (${error.code})` : "";
  return `Discord answered ${error.status}${code}: ${error.message.slice(0, 500).toWellFormed()}`;
}

/** Why a call that is not a message failed. */
export interface Trouble {
  readonly failure: "refused" | "unreachable" | "other";
  readonly sentence: string;
  /** Milliseconds to wait at least before the next try. */
  readonly waitMs: number;
}

export function trouble(error: unknown): Trouble {
  if (isUnauthorised(error)) return { failure: "refused", sentence: BAD_TOKEN, waitMs: 0 };
  const wait = rateLimit(error);
  if (wait !== null) return { failure: "other", sentence: "Discord asked us to slow down", waitMs: wait };
  if (error instanceof DiscordAPIError) return { failure: "other", sentence: saidBy(error), waitMs: 0 };
  if (error instanceof HTTPError)
    return { failure: "unreachable", sentence: `Discord cannot be reached (HTTP ${error.status})`, waitMs: 0 };
  return { failure: "unreachable", sentence: `Discord cannot be reached (${whyUnreachable(error)})`, waitMs: 0 };
}
