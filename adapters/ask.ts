import { whyUnreachable } from "./failure.ts";

/** One question to a platform's HTTP interface and its answer in JSON, for what needs no SDK. */

/** An answer may take this long. */
const ANSWER_MS = 15_000;
/** Whose account something is takes a few kilobytes. */
const MAX_ANSWER_BYTES = 262_144;

export interface Question {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as a form, by POST. */
  readonly form?: Readonly<Record<string, string>>;
  /** Sent as JSON, by POST. */
  readonly json?: object;
}

/** `unreachable`: nobody answered, or not in time; `detail` names no address. An answer that is no JSON has an undefined body. */
export type Answer =
  | { readonly state: "answered"; readonly status: number; readonly body: unknown }
  | { readonly state: "unreachable"; readonly detail: string };

/** Asks once. What points elsewhere is not followed: what was shown to one host is not shown to the next. Never rejects. */
export async function ask({ url, headers = {}, form, json }: Question): Promise<Answer> {
  try {
    const response = await fetch(url, {
      method: form === undefined && json === undefined ? "GET" : "POST",
      headers: {
        accept: "application/json",
        ...(json === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      redirect: "manual",
      signal: AbortSignal.timeout(ANSWER_MS),
      ...(form === undefined ? {} : { body: new URLSearchParams(form) }),
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    });
    return { state: "answered", status: response.status, body: jsonOf(await bodyOf(response)) };
  } catch (error) {
    return { state: "unreachable", detail: whyUnreachable(error) };
  }
}

async function bodyOf(response: Response): Promise<string | null> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of response.body ?? []) {
    length += piece.length;
    if (length > MAX_ANSWER_BYTES) return null;
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function jsonOf(text: string | null): unknown {
  try {
    return text === null ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}

/** @returns the address without a `/` at its end, or why no secret is sent there: the way must be encrypted, or not leave this machine or its private
 *  network of WireGuard's kind (100.64.0.0/10). */
export function baseOf(address: string): { readonly base: string } | { readonly sentence: string } {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    return { sentence: "the address is none: it begins with https:// and a host" };
  }
  const near = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.\d+\.\d+)$/;
  if (url.protocol !== "https:" && !near.test(url.hostname))
    return { sentence: "the address does not begin with https://: the secret would be readable on its way" };
  return { base: `${url.origin}${url.pathname}`.replace(/\/+$/, "") };
}
