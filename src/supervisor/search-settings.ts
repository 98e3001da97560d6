import type { Config } from "../config/schema.ts";
import { urlOf } from "../effect/web-url.ts";
import type { SearchService } from "../ipc/fetch-frames.ts";

/** Whom searches are asked of, as the configuration says. */
export interface SearchSettings {
  readonly service: SearchService;
  /** Where an instance is that is not the shipped one; null: it is that. */
  readonly base: string | null;
  readonly language: string;
  readonly host: string;
  readonly port: number;
  /** The name of its key in the vault, below `secret/`; null: it takes none. */
  readonly key: string | null;
}

/** Where each service is, and whether it wants a key. SearXNG is everybody's own. */
const SERVICES: Readonly<Record<SearchService, { readonly host: string | null; readonly key: boolean }>> = {
  wikipedia: { host: ".wikipedia.org", key: false },
  searxng: { host: null, key: false },
  brave: { host: "api.search.brave.com", key: true },
  tavily: { host: "api.tavily.com", key: true },
  kagi: { host: "kagi.com", key: true },
  marginalia: { host: "api2.marginalia-search.com", key: true },
};

/** @returns in words why searches are asked of nobody. */
export function searchSettings({ search }: Pick<Config, "search">): SearchSettings | string {
  const { service, language } = search;
  if (service === "off") return "web search is off: config.json says so (search.service)";
  const { host, key } = SERVICES[service];
  const base = search.url ?? null;
  const named = key ? service : null;
  if (base !== null) {
    const url = urlOf(base);
    if (typeof url === "string") return `web search is off: search.url in config.json: ${url}`;
    return { service, base: url.url, language, host: url.host, port: url.port, key: named };
  }
  if (host === null) return `web search is off: say where your ${service} is, in config.json as search.url`;
  const shipped = service === "wikipedia" ? `${language}${host}` : host;
  return { service, base, language, host: shipped, port: 443, key: named };
}

/** What a start and the status say of it. */
export function searchSentence({ service, host }: Pick<SearchSettings, "service" | "host">): string {
  return service === "wikipedia"
    ? `asks Wikipedia (${host}), without a key; for the whole web say search.service in config.json`
    : `asks ${service} (${host})`;
}
