import type { IncomingMessage } from "node:http";

/** What may be asked for, and how. Everything else is refused before anything of it is read. */
export const ROUTES = {
  "/": "GET",
  "/style.css": "GET",
  "/main.js": "GET",
  "/api/events": "GET",
  "/api/call": "POST",
  "/api/login": "POST",
  "/api/logout": "POST",
} as const;
export type Path = keyof typeof ROUTES;

/** A browser comes back from logging in elsewhere: from any page, with nothing but an address that nobody can guess. */
export interface CameBack {
  readonly id: string;
  /** All that stood behind the question mark. */
  readonly query: string;
}

export type Gate = { pass: Path } | { back: CameBack } | { status: number; sentence: string; allow?: string };

/** Of what a browser comes back with, in characters. */
const BACK = /^\/authorized\/([A-Za-z0-9_-]{32})\?([\x21-\x7e]{1,8192})$/;

const FOREIGN = { status: 403, sentence: "This was asked for by another page than Wirken's own." };

/** Lets a request through if it was sent to this origin, by this origin's page, for one of {@link ROUTES}.
 *  @param origin what the page is served from, `http://127.0.0.1:port`. */
export function gate(request: Pick<IncomingMessage, "method" | "url" | "headersDistinct">, origin: string): Gate {
  const one = (name: string) => {
    const all = request.headersDistinct[name];
    return all === undefined ? null : all.length === 1 ? (all[0] ?? "") : "";
  };
  const host = new URL(origin).host;
  if (one("host") !== host)
    return { status: 421, sentence: `This page is served at ${origin}/ and under no other name.` };

  const url = request.url ?? "";
  const [, id, query] = BACK.exec(url) ?? [];
  if (id !== undefined && query !== undefined) {
    if (request.method !== "GET") return { status: 405, sentence: "This takes GET only.", allow: "GET" };
    const mode = one("sec-fetch-mode");
    // A script of another page may not: what comes here is typed, or followed.
    return mode === null || mode === "navigate" ? { back: { id, query } } : FOREIGN;
  }
  if (!isPath(url)) return { status: 404, sentence: "There is nothing here." };
  const method = ROUTES[url];
  if (request.method !== method && !(request.method === "HEAD" && method === "GET" && !isApi(url)))
    return { status: 405, sentence: `${url} takes ${method} only.`, allow: method };

  const from = one("origin");
  const site = one("sec-fetch-site");
  if (from !== null && from !== origin) return FOREIGN;
  // A link from elsewhere may lead to the page itself: it shows nothing without the key of its own origin, and cannot be framed.
  if (url === "/")
    return site === null || one("sec-fetch-mode") === "navigate" || site === "same-origin" ? { pass: url } : FOREIGN;
  if (site !== null && site !== "same-origin" && !(site === "none" && !isApi(url))) return FOREIGN;
  if (method === "POST" && from === null)
    return { status: 403, sentence: "A request that changes something names its origin." };
  if (url === "/api/events" && from === null && site === null)
    return { status: 403, sentence: "This browser does not say which page asks: use a current one." };
  return { pass: url };
}

function isPath(url: string): url is Path {
  return Object.hasOwn(ROUTES, url);
}

function isApi(path: Path): boolean {
  return path.startsWith("/api/");
}
