import { ErrorCode, type Logger, LogLevel, WebClient, type WebClientOptions } from "@slack/web-api";
import type { Credentials, Start } from "../adapter.ts";
import { networkFailure, SendFailure, whyUnreachable } from "../failure.ts";
import { laneFetch } from "./way.ts";

/** One call may take this long. */
const CALL_MS = 30_000;

/** The SDKs' own lines quote what was said and where to: none is kept. What matters is told by `state` frames. */
export const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  setLevel: () => undefined,
  getLevel: () => LogLevel.ERROR,
  setName: () => undefined,
};

/** Slack's API, or the server that the operator named. The SDK is kept from trying again by itself: ten times over half an hour, it would
 *  show a message twice. */
export function options(start: Start): WebClientOptions {
  const root = start.apiRoot;
  const fetch = laneFetch();
  return {
    logger: SILENT,
    ...(fetch === null ? {} : { fetch }),
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    timeout: CALL_MS,
    allowAbsoluteUrls: false,
    ...(root === null ? {} : { slackApiUrl: root.endsWith("/") ? root : `${root}/` }),
  };
}

/** Whether an address is one that files lie at: the token is shown to no other. */
export function isFileHost(url: string, start: Start): boolean {
  const at = URL.parse(url);
  if (at === null) return false;
  if (start.apiRoot !== null) return at.origin === URL.parse(start.apiRoot)?.origin;
  return at.origin === "https://files.slack.com";
}

export interface Tokens {
  readonly bot: string;
  readonly app: string;
}

export type TokenProblem = { readonly failure: "refused" | "mixed-up"; readonly sentence: string };

export const MIXED_UP =
  "the two Slack tokens are mixed up: the bot token begins with xoxb- (OAuth & Permissions), the app token with xapp- (Basic Information, App-Level Tokens)";

/** What can be seen of two tokens without asking anybody. */
export function tokensOf(credentials: Credentials): Tokens | TokenProblem {
  const bot = (credentials.get("bot-token") ?? "").trim();
  const app = (credentials.get("app-token") ?? "").trim();
  if (bot.startsWith("xapp-") || app.startsWith("xoxb-")) return { failure: "mixed-up", sentence: MIXED_UP };
  if (![bot, app].every((token) => /^[A-Za-z0-9._-]{5,1000}$/.test(token))) {
    return { failure: "refused", sentence: "what was given is no Slack token: run `wirken vault add slack` again" };
  }
  return { bot, app };
}

export function client(token: string, start: Start): WebClient {
  return new WebClient(token, options(start));
}

/** The code of a no from Slack itself; null: it is something else, or not in Slack's words (a page of a proxy's, say). */
export function platformCode(error: unknown): string | null {
  if (!(error instanceof Error) || !("code" in error) || error.code !== ErrorCode.PlatformError) return null;
  const data: unknown = "data" in error ? error.data : null;
  if (typeof data !== "object" || data === null || !("error" in data)) return null;
  return typeof data.error === "string" && /^[a-z][a-z0-9_]{0,79}$/.test(data.error) ? data.error : null;
}

/** Milliseconds that Slack wants us to wait; null if it does not. */
export function rateLimit(error: unknown): number | null {
  if (!(error instanceof Error) || !("code" in error) || error.code !== ErrorCode.RateLimitedError) return null;
  return "retryAfter" in error && typeof error.retryAfter === "number" ? error.retryAfter * 1_000 : 0;
}

/** Slack's servers failed after they had read the message: nobody can tell. */
const AMBIGUOUS: ReadonlySet<string> = new Set([
  "internal_error",
  "fatal_error",
  "service_unavailable",
  "request_timeout",
]);
const FORMATTING = /^(invalid_blocks|invalid_blocks_format|msg_blocks_too_long|invalid_attachments)$/;
const TOO_LARGE = /^(msg_too_long|too_many_characters)$/;

/** What an error says about a message that was to be sent. */
export function sendFailure(error: unknown): SendFailure {
  if (error instanceof SendFailure) return error;
  const wait = rateLimit(error);
  if (wait !== null) return new SendFailure("rate-limited", "Slack asked us to slow down", wait === 0 ? null : wait);
  const code = platformCode(error);
  if (code === null) return networkFailure("Slack", error);
  if (code === "missing_scope") return new SendFailure("refused", lacking(error));
  const words = `Slack answered ${code}`;
  if (code === "ratelimited" || code === "rate_limited") return new SendFailure("rate-limited", words);
  if (AMBIGUOUS.has(code)) return new SendFailure("unknown", words);
  if (FORMATTING.test(code)) return new SendFailure("formatting", words);
  if (TOO_LARGE.test(code)) return new SendFailure("too-large", words);
  return new SendFailure("refused", words);
}

/** What the app may not do, and how it may. */
function lacking(error: unknown): string {
  const data: unknown = error instanceof Error && "data" in error ? error.data : null;
  const needed: unknown = typeof data === "object" && data !== null && "needed" in data ? data.needed : null;
  const scope = typeof needed === "string" && /^[a-z:.,_]{1,200}$/.test(needed) ? needed : "a scope that this needs";
  return `Slack answered missing_scope: the app lacks ${scope}; add it under OAuth & Permissions on api.slack.com/apps and install the app again`;
}

/** Answers after which trying again is useless. */
const FATAL: ReadonlySet<string> = new Set([
  "not_authed",
  "invalid_auth",
  "account_inactive",
  "user_removed_from_team",
  "team_disabled",
  "token_revoked",
  "token_expired",
  "no_permission",
  "org_login_required",
  "ekm_access_denied",
  "access_denied",
  "forbidden_team",
]);

/** Why a call that is not a message failed, and what is to be done about it. */
export interface Trouble {
  readonly failure: "refused" | "mixed-up" | "scope-missing" | "unreachable" | "other";
  readonly sentence: string;
  /** Milliseconds to wait at least before the next try. */
  readonly waitMs: number;
}

/** A token of Slack's that is a person's, not a bot's. */
export class NotABot extends Error {
  override readonly name = "NotABot";
  readonly code = "NOT_A_BOT";
}

/** @param which the token that was shown to Slack. */
export function trouble(error: unknown, which: "bot" | "app"): Trouble {
  if (error instanceof NotABot) return { failure: "mixed-up", sentence: MIXED_UP, waitMs: 0 };
  const wait = rateLimit(error);
  if (wait !== null) return { failure: "other", sentence: "Slack asked us to slow down", waitMs: wait };
  const code = platformCode(error);
  const name = which === "bot" ? "bot token (xoxb-…)" : "app token (xapp-…)";
  if (code === null) {
    const detail = httpStatus(error) ?? whyUnreachable(error);
    return { failure: "unreachable", sentence: `Slack cannot be reached (${detail})`, waitMs: 0 };
  }
  if (code === "not_allowed_token_type") return { failure: "mixed-up", sentence: MIXED_UP, waitMs: 0 };
  if (code === "missing_scope") {
    const scope = which === "app" ? "connections:write" : "one of its scopes";
    return {
      failure: "scope-missing",
      sentence: `the ${name} lacks ${scope}: add it on api.slack.com/apps and install the app again`,
      waitMs: 0,
    };
  }
  if (FATAL.has(code)) {
    return {
      failure: "refused",
      sentence: `Slack refuses the ${name} (${code}): make a new one on api.slack.com/apps and run \`wirken vault add slack\` again`,
      waitMs: 0,
    };
  }
  return { failure: "other", sentence: `Slack answered ${code}`, waitMs: 0 };
}

function httpStatus(error: unknown): string | null {
  return error instanceof Error && "statusCode" in error && typeof error.statusCode === "number"
    ? `HTTP ${error.statusCode}`
    : null;
}
