import * as z from "zod/mini";
import { MAX_CURSOR } from "../../src/ipc/adapter-frames.ts";
import type { Session } from "./line.ts";

/** Where to go on: the session, and, for when Discord no longer knows that, the last message of each conversation. */

/** Conversations that are caught up with; those that were silent longest are forgotten. Two hundred take some twenty kilobytes. */
export const MAX_CONVERSATIONS = 200;

/** Discord's ids: a time in milliseconds and a count. */
const Snowflake = z.string().check(z.regex(/^[0-9]{1,20}$/));

export interface Conversation {
  /** The last message before which all is on the log. */
  readonly last: string;
  /** Null: somebody alone with us. */
  readonly guild: string | null;
  /** The channel that it is a thread of. */
  readonly parent: string | null;
}

/** New sessions that are left of a day's. */
export interface Starts {
  readonly left: number;
  /** Unix milliseconds; then there are all of them again. */
  readonly until: number;
}

export interface Kept {
  readonly bot: string;
  readonly session: Session | null;
  readonly starts: Starts | null;
  /** When Discord was last heard of, Unix milliseconds; null: never. */
  readonly at: number | null;
  /** By channel, the one that spoke last at the end. */
  readonly conversations: ReadonlyMap<string, Conversation>;
}

const Encoded = z.object({
  v: z.literal(1),
  bot: Snowflake,
  session: z.nullable(
    z.tuple([z.string().check(z.maxLength(256)), z.int().check(z.gte(0)), z.string().check(z.maxLength(512))]),
  ),
  starts: z.nullable(z.tuple([z.int(), z.int()])),
  at: z.nullable(z.int()),
  seen: z.array(z.tuple([Snowflake, Snowflake, z.nullable(Snowflake), z.nullable(Snowflake)])),
});

/** @returns at most as many characters as a cursor has; where they would be more, conversations are left out. */
export function encodeCursor({ bot, session, starts, at, conversations }: Kept): string {
  const newest = [...conversations].slice(-MAX_CONVERSATIONS);
  for (let from = 0; ; from += Math.max(1, newest.length >> 3)) {
    const encoded: z.infer<typeof Encoded> = {
      v: 1,
      bot,
      session: session === null ? null : [session.id, session.seq, session.url],
      starts: starts === null ? null : [starts.left, starts.until],
      at,
      seen: newest.slice(from).map(([channel, { last, guild, parent }]) => [channel, last, guild, parent]),
    };
    const text = JSON.stringify(encoded);
    if (text.length <= MAX_CURSOR || from >= newest.length) return text;
  }
}

/** @returns null where there is none, or none that is known: then all begins anew. */
export function decodeCursor(cursor: string | null): Kept | null {
  if (cursor === null) return null;
  let parsed: unknown;
  try {
    parsed = JSON.parse(cursor);
  } catch {
    return null;
  }
  const known = Encoded.safeParse(parsed);
  if (!known.success) return null;
  const { bot, session, starts, at, seen } = known.data;
  return {
    bot,
    session: session === null ? null : { id: session[0], seq: session[1], url: session[2] },
    starts: starts === null ? null : { left: starts[0], until: starts[1] },
    at,
    conversations: new Map(seen.map(([channel, last, guild, parent]) => [channel, { last, guild, parent }])),
  };
}

/** Discord counts from the first second of 2015. */
const EPOCH = 1_420_070_400_000;

/** @returns when something of this id came to be, Unix milliseconds. */
export function timeOf(id: string): number {
  return Number(BigInt(id) >> 22n) + EPOCH;
}

/** @returns an id before all that came to be at that time. */
export function idAt(ms: number): string {
  return String(BigInt(Math.max(0, Math.floor(ms) - EPOCH)) << 22n);
}

export function isSnowflake(id: string): boolean {
  return Snowflake.safeParse(id).success && BigInt(id) <= 0x7fff_ffff_ffff_ffffn;
}

export function laterId(a: string, b: string): string {
  return BigInt(a) >= BigInt(b) ? a : b;
}
