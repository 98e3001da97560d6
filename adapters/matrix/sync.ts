import * as z from "zod/mini";
import { jsonOf } from "../json-cursor.ts";

/** What `/sync` answers, as far as it is read; and where to go on.
 *  @see https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3sync */

const Events = z._default(z.object({ events: z._default(z.array(z.unknown()), []) }), { events: [] });
const Rooms = <T extends z.ZodMiniType>(of: T) => z._default(z.record(z.string(), of), {});
const Timeline = z._default(
  z.object({
    events: z._default(z.array(z.unknown()), []),
    limited: z._default(z.boolean(), false),
    prev_batch: z.optional(z.string()),
  }),
  { events: [], limited: false },
);
const Joined = z.object({ timeline: Timeline, state: Events });
export type Joined = z.infer<typeof Joined>;

const Sync = z.object({
  next_batch: z.string().check(z.minLength(1), z.maxLength(8_192)),
  rooms: z._default(
    z.object({
      join: Rooms(Joined),
      invite: Rooms(z.object({ invite_state: Events })),
      leave: Rooms(z.object({ timeline: Timeline, state: Events })),
    }),
    { join: {}, invite: {}, leave: {} },
  ),
  to_device: Events,
  device_lists: z._default(
    z.object({ changed: z._default(z.array(z.string()), []), left: z._default(z.array(z.string()), []) }),
    { changed: [], left: [] },
  ),
  device_one_time_keys_count: z._default(z.record(z.string(), z.int()), {}),
  device_unused_fallback_key_types: z.optional(z.array(z.string())),
});
export type Sync = z.infer<typeof Sync>;

export function syncOf(answer: unknown): Sync | null {
  return Sync.safeParse(answer).data ?? null;
}

/** Only what is of use: no presence, no receipts, and of members only those who wrote. */
export const FILTER = JSON.stringify({
  presence: { types: [] },
  account_data: { types: [] },
  room: {
    timeline: { limit: 50 },
    state: { lazy_load_members: true },
    ephemeral: { types: [] },
    account_data: { types: [] },
  },
});

const Pair = z.tuple([z.string(), z.string()]);
const Cursor = z.object({
  since: z.string(),
  /** Room and event of messages that could not be read yet. */
  unread: z._default(z.array(Pair), []),
  /** Room and inviter of invitations that were not taken yet. */
  invited: z._default(z.array(Pair), []),
  /** Message and card of those that are not decided: a reaction is a press of one. */
  cards: z._default(z.array(Pair), []),
});
export type Cursor = z.infer<typeof Cursor>;

export function decodeCursor(cursor: string | null): Cursor | null {
  return Cursor.safeParse(jsonOf(cursor)).data ?? null;
}

export function encodeCursor(cursor: Cursor): string {
  return JSON.stringify(cursor);
}
