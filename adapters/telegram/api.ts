import { Api, GrammyError, HttpError } from "grammy/web";
import type { Credentials, Start } from "../adapter.ts";
import { networkFailure, SendFailure, whyUnreachable } from "../failure.ts";

/** One call may take this long; a poll asks Telegram to answer well before. */
const CALL_SECONDS = 45;

export interface TokenCheck {
  /** Null: what was given is no bot token, and nothing was sent anywhere. */
  readonly api: Api | null;
  /** Takes the token out of anything that may quote an address. */
  readonly redact: (text: string) => string;
  /** Where a file lies that `getFile` named. The token is part of it. */
  readonly fileAt: (path: string) => string;
}

const PUBLIC_ROOT = "https://api.telegram.org";

/** The SDK on Telegram's API, or on the server that the operator named. The token is part of every address, so it is looked at first.
 *  @param ends asked at each call: what ends it early. */
export function openApi(credentials: Credentials, start: Start, ends?: () => AbortSignal): TokenCheck {
  const token = (credentials.get("bot-token") ?? "").trim();
  const redact = (text: string): string => (token === "" ? text : text.replaceAll(token, "[token]"));
  const root = start.apiRoot?.replace(/\/+$/, "");
  const fileAt = (path: string): string =>
    `${root ?? PUBLIC_ROOT}/file/bot${token}/${path.split("/").map(encodeURIComponent).join("/")}`;
  if (!/^[0-9]{1,20}:[A-Za-z0-9_-]{1,200}$/.test(token)) return { api: null, redact, fileAt };
  // The SDK's own signal parameter has the type of a package that is not there.
  const call = async (url: string | URL, init: RequestInit): Promise<Response> =>
    await fetch(url, {
      ...init,
      signal: AbortSignal.any([init.signal, ends?.()].filter((one) => one instanceof AbortSignal)),
    });
  const api = new Api(token, {
    timeoutSeconds: CALL_SECONDS,
    fetch: call,
    ...(root === undefined ? {} : { apiRoot: root }),
  });
  return { api, redact, fileAt };
}

export const BAD_TOKEN =
  "Telegram does not accept the bot token: ask @BotFather for it (/mybots, API Token) and run `wirken vault add telegram` again";

/** A picture that Telegram will not show as one: as a file it takes it. */
const NO_PICTURE = /PHOTO_|IMAGE_PROCESS_FAILED|wrong type of the web page content|wrong file type/i;

/** What an error says about a message that was to be sent. */
export function sendFailure(error: unknown, redact: (text: string) => string): SendFailure {
  if (error instanceof SendFailure) return error;
  if (!(error instanceof GrammyError)) return networkFailure("Telegram", error);
  const { error_code: code, parameters } = error;
  const words = saidBy(error, redact);
  if (code === 429) return new SendFailure("rate-limited", words, (parameters.retry_after ?? 0) * 1_000 || null);
  // Below 400 or above 499 it is not Telegram's no, but something on the way: it may have been sent.
  if (typeof code !== "number" || code < 400 || code > 499) return new SendFailure("unknown", words);
  if (code === 400 && (/can't parse|entit/i.test(words) || NO_PICTURE.test(words)))
    return new SendFailure("formatting", words);
  if (code === 413 || /message is too long/i.test(words)) return new SendFailure("too-large", words);
  return new SendFailure("refused", words);
}

/** Telegram's own words, short and without the token. */
export function saidBy(error: GrammyError, redact: (text: string) => string): string {
  const words = typeof error.description === "string" ? error.description : "no description";
  return redact(`Telegram answered ${String(error.error_code)}: ${words.slice(0, 500).toWellFormed()}`);
}

/** Why a call that is not a message failed, and what is to be done about it. */
export interface Trouble {
  /** `refused`: of no use to try again. `webhook`: another program has the bot's messages sent elsewhere; `other-program`: it asks for them as we do. */
  readonly kind: "refused" | "webhook" | "other-program" | "waiting";
  readonly sentence: string;
  /** Milliseconds to wait at least. */
  readonly waitMs: number;
}

/** Another program's poll, or that of our own process before us: it ends within the time of one poll. */
const OTHER_POLL_MS = 5_000;
const MAX_WAIT_MS = 300_000;

export function trouble(error: unknown, redact: (text: string) => string): Trouble {
  if (!(error instanceof GrammyError)) {
    const detail = error instanceof HttpError ? whyUnreachable(error) : "an error of ours";
    return { kind: "waiting", sentence: `Telegram cannot be reached (${detail})`, waitMs: 0 };
  }
  switch (error.error_code) {
    case 401:
    case 404: // what Telegram says to a token that never was one
      return { kind: "refused", sentence: BAD_TOKEN, waitMs: 0 };
    case 409:
      if (/webhook/i.test(error.description)) return { kind: "webhook", sentence: saidBy(error, redact), waitMs: 0 };
      return {
        kind: "other-program",
        sentence:
          "another program reads this bot's messages: stop it, or make a bot of its own for each with @BotFather",
        waitMs: OTHER_POLL_MS,
      };
    case 429:
      return {
        kind: "waiting",
        sentence: saidBy(error, redact),
        waitMs: Math.min((error.parameters.retry_after ?? 1) * 1_000, MAX_WAIT_MS),
      };
    default:
      return { kind: "waiting", sentence: saidBy(error, redact), waitMs: 0 };
  }
}
