import { setTimeout as delay } from "node:timers/promises";
import { MatrixError } from "matrix-js-sdk/lib/http-api/errors.js";
import { networkFailure, SendFailure, whyUnreachable } from "../failure.ts";

/** The homeserver, asked by HTTP. */

/** An answer may take this long beyond what the question lets the server wait. */
const ANSWER_MS = 30_000;
/** What `/sync` gives after a long absence; rooms are read with their whole lists of members. */
const MAX_ANSWER_BYTES = 32 * 1_048_576;
/** What a server that says "too fast" without saying how much is given, and the most that it is believed. */
const DEFAULT_WAIT_MS = 3_000;
const MAX_WAIT_MS = 300_000;

export interface Question {
  readonly method: "GET" | "PUT" | "POST";
  /** Behind `/_matrix`, its parts encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON: a text is sent as it is. */
  readonly body?: object | string;
  /** Milliseconds that the server is let wait. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
}

/** The server's own no, as the SDK reads it. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly status: number;
  /** `M_…`, or "" where it gave none. */
  readonly code: string;
  /** Milliseconds to wait before it is asked again; null if it is not about that. */
  readonly waitMs: number | null;
  readonly softLogout: boolean;

  constructor(status: number, headers: Headers, body: unknown) {
    const data = typeof body === "object" && body !== null ? body : {};
    const error = new MatrixError({ ...data }, status, undefined, undefined, headers);
    const code = typeof error.errcode === "string" && /^M_[A-Z_]{1,64}$/.test(error.errcode) ? error.errcode : "";
    const words = typeof error.error === "string" ? error.error.slice(0, 300).toWellFormed() : "";
    super(`the homeserver answered ${status}${code === "" ? "" : ` (${code})`}${words === "" ? "" : `: ${words}`}`);
    this.status = status;
    this.code = code;
    this.waitMs = status === 429 ? waitOf(error) : null;
    this.softLogout = "soft_logout" in data && data.soft_logout === true;
  }

  /** It does not know the token (any more). */
  get isToken(): boolean {
    return this.status === 401 && (this.code === "M_UNKNOWN_TOKEN" || this.code === "M_MISSING_TOKEN");
  }
}

function waitOf(error: MatrixError): number {
  try {
    return Math.min(Math.max(error.getRetryAfterMs() ?? DEFAULT_WAIT_MS, 0), MAX_WAIT_MS);
  } catch {
    return DEFAULT_WAIT_MS;
  }
}

/** What it answered is nothing that a homeserver answers. */
export class Garbled extends Error {
  override readonly name = "Garbled";
}

export class Home {
  readonly #base: string;
  #token: string;

  constructor(base: string, token: string) {
    this.#base = base;
    this.#token = token;
  }

  /** What is asked from now on is asked with this one. */
  use(token: string): void {
    this.#token = token;
  }

  /** @returns the answer's JSON as text. What points elsewhere is not followed: the token is shown to one host. @throws {Refused} {@link Garbled}, or a network's error. */
  async text(question: Question): Promise<string> {
    const { body } = question;
    const response = await this.#ask(question, {
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      headers: body === undefined ? {} : { "content-type": "application/json" },
    });
    const text = new TextDecoder().decode(await bytesOf(response, MAX_ANSWER_BYTES));
    if (response.status === 200) return text;
    throw new Refused(response.status, response.headers, parsed(text));
  }

  async json(question: Question): Promise<unknown> {
    const value = parsed(await this.text(question));
    if (value === undefined) throw new Garbled("the homeserver answered with something that is no JSON");
    return value;
  }

  /** The same; null where there is no such thing. */
  async find(question: Question): Promise<unknown> {
    try {
      return await this.json(question);
    } catch (error) {
      if (error instanceof Refused && error.status === 404) return null;
      throw error;
    }
  }

  /** @param limit bytes; what is longer is cut off one byte behind it. */
  async download(path: string, limit: number): Promise<Uint8Array> {
    const response = await this.#ask({ method: "GET", path, waitMs: ANSWER_MS }, { headers: {} });
    if (response.status === 200) return await bytesOf(response, limit, "cut");
    const text = new TextDecoder().decode(await bytesOf(response, MAX_ANSWER_BYTES));
    throw new Refused(response.status, response.headers, parsed(text));
  }

  /** @returns the answer to an upload. */
  async upload(bytes: Uint8Array, type: string, name: string | null): Promise<unknown> {
    const query = name === null ? {} : { query: { filename: name } };
    const response = await this.#ask(
      { method: "POST", path: "media/v3/upload", ...query, waitMs: ANSWER_MS },
      { headers: { "content-type": type }, body: Uint8Array.from(bytes) },
    );
    const value = parsed(new TextDecoder().decode(await bytesOf(response, MAX_ANSWER_BYTES)));
    if (response.status === 200) return value;
    throw new Refused(response.status, response.headers, value);
  }

  async #ask(
    { method, path, query = {}, waitMs = 0, signal }: Question,
    given: { readonly headers: Record<string, string>; readonly body?: string | Uint8Array<ArrayBuffer> },
  ): Promise<Response> {
    const search = new URLSearchParams(query).toString();
    const late = AbortSignal.timeout(waitMs + ANSWER_MS);
    return await fetch(`${this.#base}/_matrix/${path}${search === "" ? "" : `?${search}`}`, {
      method,
      redirect: "manual",
      signal: signal === undefined ? late : AbortSignal.any([late, signal]),
      ...(given.body === undefined ? {} : { body: given.body }),
      headers: { accept: "application/json", authorization: `Bearer ${this.#token}`, ...given.headers },
    });
  }
}

/** A part of a path. */
export function part(text: string): string {
  return encodeURIComponent(text);
}

async function bytesOf(response: Response, limit: number, over: "fail" | "cut" = "fail"): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of response.body ?? []) {
    length += piece.length;
    pieces.push(piece);
    if (length <= limit) continue;
    if (over === "fail") throw new Garbled(`the homeserver answered with more than ${limit} bytes`);
    break;
  }
  return Buffer.concat(pieces);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** What is known of a message that was not taken. One with a transaction id of its own is taken once, however often it is sent: so what may have
 *  arrived is sent again, and that is safe. */
export function sendFailure(error: unknown): SendFailure {
  if (error instanceof SendFailure) return error;
  if (error instanceof Refused) {
    if (error.status === 429) return new SendFailure("rate-limited", error.message, error.waitMs);
    if (error.status >= 500 || error.isToken) return new SendFailure("unreachable", error.message);
    if (error.status === 413 || error.code === "M_TOO_LARGE") return new SendFailure("too-large", error.message);
    return new SendFailure("refused", error.message);
  }
  if (error instanceof Garbled) return new SendFailure("unreachable", error.message);
  const failure = networkFailure("the homeserver", error);
  return failure.code === "unknown" ? new SendFailure("unreachable", failure.message) : failure;
}

/** Why the homeserver could not be asked, for the operator. */
export function troubleWith(error: unknown): string {
  if (error instanceof Refused || error instanceof Garbled) return error.message;
  return `the homeserver cannot be reached (${whyUnreachable(error)})`;
}

/** Waits, unless it is over before. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
