import type { REST } from "@discordjs/rest";
import { Routes } from "discord-api-types/v10";
import * as z from "zod/mini";
import { laterId } from "./cursor.ts";
import { answered, NOT_THERE } from "./waiting.ts";

/** What was written in one conversation while Discord had no session of ours. */

const PAGE = 100;
/** Messages that are fetched of one conversation: what is beyond them is said to be lost. */
const MAX_PAGES = 20;

const Page = z.array(z.looseObject({ id: z.string().check(z.regex(/^[0-9]{1,20}$/)) }));
type Missed = z.infer<typeof Page>[number];

export type CaughtUp =
  | { readonly state: "whole" }
  | { readonly state: "gone" }
  /** More than is fetched: all up to this message is told. */
  | { readonly state: "cut"; readonly last: string };

/** @param tell takes the messages of one page, oldest first; resolves when they are on the log. @throws when `signal` ends it. */
export async function catchUp(
  rest: REST,
  channel: string,
  last: string,
  tell: (messages: readonly Missed[]) => Promise<void>,
  signal: AbortSignal,
): Promise<CaughtUp> {
  let after = last;
  for (let page = 0; page < MAX_PAGES; page++) {
    const query = new URLSearchParams({ after, limit: String(PAGE) });
    const answer = await answered(async () => await rest.get(Routes.channelMessages(channel), { query }), signal);
    if (answer === NOT_THERE) return { state: "gone" };
    const messages = (Page.safeParse(answer).data ?? []).toSorted((a, b) => (laterId(a.id, b.id) === a.id ? 1 : -1));
    await tell(messages);
    after = messages.at(-1)?.id ?? after;
    if (messages.length < PAGE) return { state: "whole" };
  }
  return { state: "cut", last: after };
}
