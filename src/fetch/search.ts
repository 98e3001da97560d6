import * as z from "zod/mini";
import type { HttpOrder, SearchService, ToFetch } from "../ipc/fetch-frames.ts";
import type { Exchanged } from "./exchange.ts";
import { FetchError } from "./fetch-error.ts";
import { htmlToText } from "./html-text.ts";

type Asked = Extract<ToFetch, { type: "search" }>;

export interface Found {
  readonly title: string;
  readonly url: string;
  readonly snippet: string;
}

interface Service {
  /** Where its credential goes; null: it takes none. */
  readonly place: { readonly header: string; readonly prefix: string } | null;
  order(query: string, asked: Asked): HttpOrder;
  read(body: unknown, asked: Asked): readonly Found[];
}

const Text = z.optional(z.nullable(z.string()));

const WikipediaAnswer = z.object({
  pages: z.array(z.object({ key: z.string(), title: z.string(), excerpt: Text, description: Text })),
});
const BraveAnswer = z.object({
  web: z.optional(
    z.nullable(z.object({ results: z.array(z.object({ title: z.string(), url: z.string(), description: Text })) })),
  ),
});
const WithContent = z.object({ results: z.array(z.object({ title: Text, url: z.string(), content: Text })) });
const KagiAnswer = z.object({
  data: z.array(z.object({ t: z.number(), url: z.optional(z.string()), title: Text, snippet: Text })),
});
const MarginaliaAnswer = z.object({
  results: z.array(z.object({ title: Text, url: z.string(), description: Text })),
});

/** How each service is asked, and how its answer is read. */
const SERVICES: Readonly<Record<SearchService, Service>> = {
  // https://api.wikimedia.org/wiki/Core_REST_API: no key; whoever asks says who they are.
  wikipedia: {
    place: null,
    order: (query, { language, limit, base }) =>
      get(base ?? `https://${language}.wikipedia.org`, "/w/rest.php/v1/search/page", {
        q: query,
        limit: String(limit),
      }),
    read: (body, { language }) =>
      WikipediaAnswer.parse(body).pages.map(({ key, title, excerpt, description }) => ({
        title: description ? `${title} (${description})` : title,
        url: `https://${language}.wikipedia.org/wiki/${encodeURIComponent(key)}`,
        snippet: excerpt ?? "",
      })),
  },
  // https://docs.searxng.org/dev/search_api.html
  searxng: {
    place: null,
    order: (query, { base }) => get(base ?? "", "/search", { q: query, format: "json" }),
    read: (body) => WithContent.parse(body).results.map(contentFound),
  },
  // https://api-dashboard.search.brave.com/app/documentation/web-search/get-started
  brave: {
    place: { header: "x-subscription-token", prefix: "" },
    order: (query, { limit, base }) =>
      get(base ?? "https://api.search.brave.com", "/res/v1/web/search", { q: query, count: String(limit) }),
    read: (body) =>
      (BraveAnswer.parse(body).web?.results ?? []).map(({ title, url, description }) => ({
        title,
        url,
        snippet: description ?? "",
      })),
  },
  // https://docs.tavily.com/documentation/api-reference/endpoint/search
  tavily: {
    place: { header: "authorization", prefix: "Bearer " },
    order: (query, { limit, base }) => ({
      method: "POST",
      url: new URL("/search", base ?? "https://api.tavily.com").href,
      headers: [{ name: "content-type", value: "application/json" }, ...JSON_ONLY],
      body: JSON.stringify({ query, max_results: limit }),
    }),
    read: (body) => WithContent.parse(body).results.map(contentFound),
  },
  // https://help.kagi.com/kagi/api/search.html; kind 0 is a result, 1 a list of related searches.
  kagi: {
    place: { header: "authorization", prefix: "Bot " },
    order: (query, { limit, base }) =>
      get(base ?? "https://kagi.com", "/api/v0/search", { q: query, limit: String(limit) }),
    read: (body) =>
      KagiAnswer.parse(body).data.flatMap(({ t, url, title, snippet }) =>
        t === 0 && url !== undefined ? [{ title: title ?? url, url, snippet: snippet ?? "" }] : [],
      ),
  },
  // https://about.marginalia-search.com/article/api
  marginalia: {
    place: { header: "api-key", prefix: "" },
    order: (query, { limit, base }) =>
      get(base ?? "https://api2.marginalia-search.com", "/search", { query, count: String(limit) }),
    read: (body) =>
      MarginaliaAnswer.parse(body).results.map(({ title, url, description }) => ({
        title: title ?? url,
        url,
        snippet: description ?? "",
      })),
  },
};

const JSON_ONLY = [{ name: "accept", value: "application/json" }] as const;

function get(base: string, path: string, query: Readonly<Record<string, string>>): HttpOrder {
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/+$/, "")}${path}`;
  url.search = new URLSearchParams(query).toString();
  return { method: "GET", url: url.href, headers: [...JSON_ONLY], body: null };
}

function contentFound({ title, url, content }: z.infer<typeof WithContent>["results"][number]): Found {
  return { title: title ?? url, url, snippet: content ?? "" };
}

/** The request that asks a service, and where its credential goes. */
export function searchOrder(query: string, asked: Asked): { order: HttpOrder; place: Service["place"] } {
  const service = SERVICES[asked.service];
  return { order: service.order(query, asked), place: service.place };
}

/** Of what is shown of one result, in characters. */
const MAX_TITLE = 200;
const MAX_SNIPPET = 600;
const MAX_ADDRESS = 1_000;

/** What a service found, as a model reads it: at most as many as were asked for. @throws {FetchError} for an answer that says none. */
export function searchText(answer: Exchanged, asked: Asked): string {
  const { service, limit } = asked;
  if (answer.status !== 200) throw refusal(service, answer.status);
  let found: readonly Found[];
  try {
    const body: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(answer.body));
    found = SERVICES[service].read(body, asked);
  } catch (cause) {
    throw new FetchError("bad-answer", `${service} answered with something that is no list of results`, { cause });
  }
  if (found.length === 0) return `[${service} found nothing]`;
  return found
    .filter(({ url }) => /^https?:\/\//.test(url) && url.length <= MAX_ADDRESS)
    .slice(0, limit)
    .map(({ title, url, snippet }, at) =>
      [`${at + 1}. ${plain(title, MAX_TITLE)}`, `   ${oneLine(url)}`, `   ${plain(snippet, MAX_SNIPPET)}`]
        .filter((one) => one.trim() !== "")
        .join("\n"),
    )
    .join("\n\n");
}

function refusal(service: SearchService, status: number): FetchError {
  if (status === 401 || status === 402 || (status === 403 && service !== "searxng"))
    return new FetchError("refused", `${service} refused: its key is not good, or used up (status ${status})`);
  if (status === 403)
    return new FetchError("refused", "searxng refused: its settings do not allow answers in JSON (search.formats)");
  if (status === 429 || status === 503)
    return new FetchError("unreachable", `${service} takes no more searches for the moment (status ${status})`);
  return new FetchError("bad-answer", `${service} answered with status ${status}`);
}

/** Services mark what they found with tags and entities, and break lines as they like. */
function plain(text: string, max: number): string {
  const bare = oneLine(htmlToText(text.slice(0, max * 8), "https://invalid.invalid/"));
  return bare.length <= max ? bare : `${bare.slice(0, max)}…`;
}

function oneLine(text: string): string {
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
}
