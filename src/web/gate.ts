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

export type Gate = { pass: Path } | { status: number; sentence: string; allow?: string };

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
  if (!isPath(url)) return { status: 404, sentence: "There is nothing here." };
  const method = ROUTES[url];
  if (request.method !== method && !(request.method === "HEAD" && method === "GET" && !isApi(url)))
    return { status: 405, sentence: `${url} takes ${method} only.`, allow: method };

  const from = one("origin");
  const site = one("sec-fetch-site");
  const foreign = { status: 403, sentence: "This was asked for by another page than Wirken's own." };
  if (from !== null && from !== origin) return foreign;
  // A link from elsewhere may lead to the page itself: it shows nothing without the key of its own origin, and cannot be framed.
  if (url === "/")
    return site === null || one("sec-fetch-mode") === "navigate" || site === "same-origin" ? { pass: url } : foreign;
  if (site !== null && site !== "same-origin" && !(site === "none" && !isApi(url))) return foreign;
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
