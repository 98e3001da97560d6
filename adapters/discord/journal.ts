import { createHash } from "node:crypto";
import type { REST } from "@discordjs/rest";
import { Routes } from "discord-api-types/v10";
import * as z from "zod/mini";
import type { LookUp } from "../adapter.ts";
import { idAt, laterId } from "./cursor.ts";

/** Messages of ours, by what Discord knows a repeated one by: it makes no second message of the same nonce within a few minutes. */

/** Characters of a nonce: so many of the key's digest, and two each for which part it is, and of how many. Discord takes 25. */
const DIGEST = 20;
/** Messages whose parts are remembered. */
const MAX_MESSAGES = 256;
/** Ids of ours that we know to belong to some message. */
const MAX_IDS = 2_048;
/** Between our clock and Discord's. */
const SKEW_MS = 60_000;
const PAGE = 100;
const MAX_PAGES = 10;

const History = z.array(
  z.object({
    id: z.string(),
    author: z.object({ id: z.string() }),
    nonce: z.nullish(z.union([z.string(), z.number()])),
  }),
);

/** @param part from 0. @param parts at most 64. */
export function nonceOf(key: string, part: number, parts: number): string {
  return `${digestOf(key)}${two(part)}${two(parts)}`;
}

function digestOf(key: string): string {
  return createHash("sha256").update(key).digest("base64url").slice(0, DIGEST);
}

function two(number: number): string {
  return number.toString(36).padStart(2, "0");
}

export class Journal {
  readonly #messages = new Map<string, { readonly parts: number; readonly ids: Map<number, string> }>();
  readonly #ids = new Set<string>();

  /** A message of ours is there. @param nonce null where Discord does not say; one that says no number of parts is a draft's, and says nothing. */
  seen(id: string, nonce: string | null): void {
    if (nonce === null || nonce.length !== DIGEST + 4) return;
    const digest = nonce.slice(0, DIGEST);
    const parts = Number.parseInt(nonce.slice(DIGEST + 2), 36);
    if (!(parts > 0)) return;
    const known = this.#messages.get(digest) ?? { parts, ids: new Map() };
    known.ids.set(Number.parseInt(nonce.slice(DIGEST, DIGEST + 2), 36), id);
    this.#messages.set(digest, known);
    this.#ids.add(id);
    const [oldest] = this.#messages.keys();
    if (this.#messages.size > MAX_MESSAGES && oldest !== undefined) this.#messages.delete(oldest);
    const [first] = this.#ids;
    if (this.#ids.size > MAX_IDS && first !== undefined) this.#ids.delete(first);
  }

  /** What we saw of it ourselves, and else what its conversation holds. A history does not have to say nonces: a message of ours there that we know nothing of
   *  may be this one. @throws what the SDK throws */
  async lookUp(
    rest: REST,
    us: string,
    asked: LookUp,
  ): Promise<{ outcome: "sent" | "absent" | "unknown"; ids: string[] }> {
    const before = this.#found(asked.key);
    if (before.whole) return { outcome: "sent", ids: before.ids };
    const { strangers, whole } = await this.#read(rest, us, asked);
    const found = this.#found(asked.key);
    if (found.whole) return { outcome: "sent", ids: found.ids };
    return { outcome: found.ids.length === 0 && !strangers && whole ? "absent" : "unknown", ids: found.ids };
  }

  #found(key: string): { ids: string[]; whole: boolean } {
    const known = this.#messages.get(digestOf(key));
    if (known === undefined) return { ids: [], whole: false };
    const ids = [...known.ids].toSorted(([a], [b]) => a - b).map(([, id]) => id);
    return { ids, whole: ids.length === known.parts };
  }

  async #read(
    rest: REST,
    us: string,
    { place, thread, since }: LookUp,
  ): Promise<{ strangers: boolean; whole: boolean }> {
    let after = idAt(since - SKEW_MS);
    let strangers = false;
    for (let page = 0; page < MAX_PAGES; page++) {
      const query = new URLSearchParams({ after, limit: String(PAGE) });
      const history = History.parse(await rest.get(Routes.channelMessages(thread ?? place), { query }));
      for (const { id, author, nonce } of history) {
        after = laterId(after, id);
        if (author.id !== us) continue;
        if (nonce !== null && nonce !== undefined) this.seen(id, String(nonce));
        strangers ||= !this.#ids.has(id);
      }
      if (history.length < PAGE) return { strangers, whole: true };
    }
    return { strangers, whole: false };
  }
}
