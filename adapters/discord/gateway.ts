import type { REST } from "@discordjs/rest";
import { Routes } from "discord-api-types/v10";
import * as z from "zod/mini";
import type { Start } from "../adapter.ts";
import { OddAnswer } from "./identity.ts";

/** Where Discord's line is, and how often it may be begun anew. */

/** Of the thousand new sessions a day so many are left for somebody who tries by hand: at the end Discord takes the token away. */
const RESERVE = 10;

/** @see https://docs.discord.com/developers/events/gateway#get-gateway-bot */
const Answer = z.object({
  url: z.string().check(z.maxLength(512)),
  session_start_limit: z.object({
    remaining: z.int().check(z.gte(0)),
    /** Milliseconds. */
    reset_after: z.int().check(z.gte(0)),
  }),
});

export interface Gateway {
  readonly url: string;
  /** New sessions that are left today, ours and those of anybody else with this token. */
  readonly left: number;
  readonly resetMs: number;
  /** So long no session is to be begun. */
  readonly waitMs: number;
  readonly sentence: string;
}

/** @throws what the SDK throws, or {@link OddAnswer} */
export async function gatewayOf(rest: REST, start: Start): Promise<Gateway> {
  const answer = Answer.safeParse(await rest.get(Routes.gatewayBot()));
  const url = answer.success ? lineAddress(answer.data.url, start) : null;
  if (!answer.success || url === null) throw new OddAnswer("Discord did not say where its line is");
  const { remaining: left, reset_after: resetMs } = answer.data.session_start_limit;
  const used = left <= RESERVE;
  const sentence = used
    ? `Discord takes no more new sessions of this bot for ${Math.ceil(resetMs / 60_000)} minutes: something connects again and again with its token`
    : "";
  return { url, left, resetMs, waitMs: used ? Math.max(resetMs, 1_000) : 0, sentence };
}

/** Discord says where its line is and where it goes on: it is only followed to Discord, or to the server that the operator named.
 *  @returns null if it leads elsewhere. */
export function lineAddress(said: string, start: Start): string | null {
  const url = URL.parse(said);
  if (url === null) return null;
  const own = start.apiRoot === null ? null : URL.parse(start.apiRoot);
  const bare = `${url.protocol}//${url.host}${url.pathname}`;
  if (own !== null) return url.host === own.host && /^wss?:$/.test(url.protocol) ? bare : null;
  const discord =
    url.protocol === "wss:" && url.port === "" && /^[a-z0-9-]+(\.[a-z0-9-]+)*\.discord\.gg$/.test(url.hostname);
  return discord ? bare : null;
}
