import type { CredentialPlace, SearchService } from "../ipc/fetch-frames.ts";
import type { ActionOfType } from "./action.ts";
import { boundText, MAX_RESULT } from "./bound.ts";
import type { ToolResult } from "./tool.ts";
import { urlOf } from "./web-url.ts";
import { MAX_HOPS } from "./web-action.ts";

type HttpRequest = ActionOfType<"http.request">;
type WebSearch = ActionOfType<"web.search">;

/** What is known of a credential that a request may carry. */
export interface CarriedCredential {
  readonly name: string;
  /** It goes to these hosts and to no other. */
  readonly hosts: readonly string[];
  readonly place: CredentialPlace;
}

/** What became of a request. */
export type WebAnswer =
  /** `bytes`: of a file that was asked for as it is. */
  | { readonly state: "answered"; readonly status: number; readonly text: string; readonly bytes?: Uint8Array }
  /** The server named another address; nothing was asked there. */
  | { readonly state: "redirected"; readonly status: number; readonly url: string }
  /** `asked`: it may have reached the server. */
  | { readonly state: "failed"; readonly sentence: string; readonly asked: boolean }
  | { readonly state: "stopped" };

/** Requests to the web, each in a process of its own. Filled by the supervisor. It never throws for what a server or that process does. */
export interface WebPort {
  /** @returns in words why none may be carried, where there is none of that name, or it cannot be had. */
  credential(name: string): CarriedCredential | string;
  /** Whom searches are asked of; in words why of nobody. */
  searching(): { readonly service: SearchService; readonly host: string } | string;
  /** May that host be asked on that port at all? @returns in words why not; null: it may, once it is decided. */
  barred(host: string, port: number): string | null;
  request(action: HttpRequest, cause: number, signal: AbortSignal): Promise<WebAnswer>;
  search(action: WebSearch, cause: number, signal: AbortSignal): Promise<WebAnswer>;
}

/** Performs one decided request. A redirect is not followed: it is said, with the request that it would be, which is decided anew. */
export async function runRequest(
  action: HttpRequest,
  cause: number,
  web: WebPort,
  signal: AbortSignal,
): Promise<ToolResult> {
  const answer = await web.request(action, cause, signal);
  const at = action.from === null ? "" : `redirected to ${action.url}\n`;
  if (answer.state === "redirected") return redirected(action, answer.status, answer.url, web);
  if (answer.state !== "answered") {
    const told = unanswered(answer);
    // What only reads may be read again.
    const reads = action.method === "GET" || action.method === "HEAD" || action.method === "OPTIONS";
    const lost = answer.state === "stopped" || answer.asked;
    if (reads || !lost) return told;
    return { ...told, text: `${told.text}; whether the server acted on it is not known`, unsure: true };
  }
  return { outcome: "done", status: answer.status, text: boundText(`${at}${answer.text}`, MAX_RESULT) };
}

export async function runWebSearch(
  action: WebSearch,
  cause: number,
  web: WebPort,
  signal: AbortSignal,
): Promise<ToolResult> {
  const answer = await web.search(action, cause, signal);
  if (answer.state === "answered")
    return { outcome: "done", status: answer.status, text: boundText(answer.text, MAX_RESULT) };
  return unanswered(
    answer.state === "redirected" ? { state: "failed", sentence: "the search service has moved", asked: true } : answer,
  );
}

function unanswered(answer: Extract<WebAnswer, { state: "failed" | "stopped" }>): ToolResult {
  return answer.state === "stopped"
    ? {
        outcome: "stopped",
        status: null,
        text: "stopped: the turn was ended",
      }
    : { outcome: "failed", status: null, text: boundText(`failed: ${answer.sentence}`, MAX_RESULT) };
}

function redirected(action: HttpRequest, status: number, to: string, web: WebPort): ToolResult {
  const text = `${status}: the server leads to ${to}`;
  const next = followed(action, status, to, web);
  if (typeof next === "string") return { outcome: "failed", status, text: `${text}, which is not followed: ${next}` };
  return { outcome: "done", status, text, next };
}

/** The request that a redirect asks for. To another host no credential goes along.
 *  @returns in words why there is none. */
function followed(action: HttpRequest, status: number, to: string, web: WebPort): HttpRequest | string {
  if (action.hop >= MAX_HOPS) return `${MAX_HOPS} redirects are followed at the most`;
  const url = urlOf(to);
  if (typeof url === "string") return url;
  const barred = web.barred(url.host, url.port);
  if (barred !== null) return barred;
  // As browsers do: 303 asks for the answer to be got, 301 and 302 after a POST mean the same.
  const gets =
    action.method !== "HEAD" && (status === 303 || (status !== 307 && status !== 308 && action.method === "POST"));
  const same = url.host === action.host && url.port === action.port;
  return {
    ...action,
    ...url,
    written: null,
    method: gets ? "GET" : action.method,
    headers: gets ? action.headers.filter(({ name }) => !name.startsWith("content-")) : action.headers,
    body: gets ? null : action.body,
    credential: same ? action.credential : null,
    from: action.url,
    hop: action.hop + 1,
  };
}
