import type { WayOut } from "./action.ts";
import type { Labels } from "./labels.ts";
import type { TurnCounters } from "./turn.ts";
import type { Words } from "./words.ts";

/** Addresses out of results that one turn may fetch, although untrusted and private bytes are both there. Which of several links is followed says
 *  something by itself: so much, and no more. */
export const MAX_FETCHED = 20;
/** Of them, those of one site in a session: whoever writes a page with a link for each letter gets so many letters. */
export const MAX_OF_SITE = 5;
/** Bytes of addresses, or of searches, that the model composes after somebody has let it fetch there for the session. */
export const COMPOSED_BYTES = 512;

/** Why a way out may be open although untrusted and private bytes are both in the conversation: what is kept of that, for one session. It is not kept over a
 *  restart, after which it is asked again. */
export class Exemptions {
  readonly #words: Words;
  /** Bytes that may still be composed, by what was let through. */
  readonly #composed = new Map<string, number>();
  /** Addresses out of results that were fetched, by site. */
  readonly #sites = new Map<string, number>();

  constructor(words: Words) {
    this.#words = words;
  }

  /** Somebody has let this through for the session. */
  cover(way: WayOut): void {
    const over = coverOf(way);
    if (over !== null) this.#composed.set(over.key, COMPOSED_BYTES);
  }

  /** @returns the reason, in words, and what to call once it is used; null: there is none. */
  find(
    way: WayOut,
    turn: { readonly principal: string; readonly counters: TurnCounters; readonly labels: Labels },
  ): { readonly reason: string; readonly use: () => void } | null {
    const { principal, counters } = turn;
    if (way.by === "message") {
      if (way.own === true && turn.labels.private.every((person) => person === principal))
        return unbounded("it goes to nobody but the person whom it belongs to");
      const named = [way.conversation, ...(way.readers?.length === 1 ? way.readers : [])];
      return named.some((name) => this.#words.hasTyped(name, principal))
        ? unbounded("the person named that recipient")
        : null;
    }
    if (way.by === "search" && this.#words.hasTyped(way.query, principal))
      return unbounded("the person typed these words");
    if (way.by === "get") {
      const stands = this.#words.addressIn(way.url, principal);
      if (stands === "typed") return unbounded("the person typed that address");
      const site = siteOf(way.host);
      const fetched = this.#sites.get(site) ?? 0;
      if (stands === "result" && counters.fetched < MAX_FETCHED && fetched < MAX_OF_SITE)
        return {
          reason: "that address stands in a result",
          use: () => {
            counters.fetched += 1;
            this.#sites.set(site, fetched + 1);
          },
        };
    }
    const over = coverOf(way);
    const left = over === null ? 0 : (this.#composed.get(over.key) ?? 0);
    if (over === null || over.bytes > left) return null;
    return {
      reason: "that was approved for this session",
      use: () => void this.#composed.set(over.key, left - over.bytes),
    };
  }
}

function unbounded(reason: string): { reason: string; use: () => void } {
  return { reason, use: () => undefined };
}

/** What an approval for the session covers, and how much of it this takes. */
function coverOf(way: WayOut): { readonly key: string; readonly bytes: number } | null {
  switch (way.by) {
    case "get": {
      const url = URL.parse(way.url);
      const origin = url === null ? 0 : url.origin.length;
      return { key: `get ${way.host}`, bytes: Math.max(0, Buffer.byteLength(url?.href ?? way.url) - origin) };
    }
    case "search":
      return { key: "search", bytes: Buffer.byteLength(way.query) };
    default:
      return null;
  }
}

/** The part of a name that somebody has to register, as far as that can be told without a list: whoever has it has all names below it. */
function siteOf(host: string): string {
  return host.split(".").slice(-2).join(".");
}
