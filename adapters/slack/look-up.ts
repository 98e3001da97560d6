import type { MessageMetadata } from "@slack/web-api";
import * as z from "zod/mini";
import type { Frame, LookUp } from "../adapter.ts";
import type { Calls } from "./calls.ts";
import type { Identity } from "./identity.ts";

/** Finds what became of a message: each part of it carries our key where people do not see it. */

/** One part of a message. */
export interface Key {
  readonly key: string;
  readonly part: number;
  readonly parts: number;
  /** Files that go along; they carry no key. */
  readonly files: number;
}

const EVENT = "wirken_message";
const Ours = z.object({
  event_type: z.literal(EVENT),
  event_payload: z.object({ key: z.string(), part: z.int(), parts: z.int(), files: z.int() }),
});
const Message = z.object({
  ts: z.string().check(z.maxLength(64)),
  user: z.optional(z.string()),
  metadata: z.optional(z.unknown()),
  files: z.optional(z.array(z.unknown())),
});

export function metadataOf({ key, part, parts, files }: Key): MessageMetadata {
  return { event_type: EVENT, event_payload: { key, part, parts, files } };
}

/** Messages of one answer, and answers that are asked for. */
const PAGE = 200;
const MAX_PAGES = 5;
/** Our clock and Slack's may be so far apart. */
const SKEW_MS = 300_000;

/** @returns `unknown` where Slack does not say, where a part is missing, and where files may or may not have gone along. @throws {SendFailure} */
export async function lookUp(
  calls: Calls,
  identity: Identity | null,
  { place, thread, key, since }: LookUp,
): Promise<Pick<Frame<"looked-up">, "outcome" | "ids">> {
  const oldest = (Math.max(0, since - SKEW_MS) / 1_000).toFixed(6);
  const found = new Map<number, string>();
  let wanted = { parts: 0, files: 0 };
  let files = false;
  let cursor = "";
  let pages = 0;
  do {
    const page = {
      channel: place,
      oldest,
      limit: PAGE,
      include_all_metadata: true,
      ...(cursor === "" ? {} : { cursor }),
    };
    const method = thread === null ? "conversations.history" : "conversations.replies";
    const answer = await calls.do({ method, place: null, again: true }, async (web) =>
      thread === null
        ? await web.conversations.history(page)
        : await web.conversations.replies({ ...page, ts: thread }),
    );
    for (const given of answer.messages ?? []) {
      const message = Message.safeParse(given);
      if (!message.success || identity === null || message.data.user !== identity.user) continue;
      const ours = Ours.safeParse(message.data.metadata);
      if (ours.success && ours.data.event_payload.key === key) {
        found.set(ours.data.event_payload.part, message.data.ts);
        wanted = ours.data.event_payload;
      } else if ((message.data.files ?? []).length > 0) files = true;
    }
    cursor = answer.response_metadata?.next_cursor ?? "";
    pages += 1;
  } while (cursor !== "" && pages < MAX_PAGES);
  const ids = [...found]
    .toSorted(([one], [other]) => one - other)
    .map(([, ts]) => ts)
    .slice(0, MAX_IDS);
  if (found.size === 0) return { outcome: cursor === "" && !files && identity !== null ? "absent" : "unknown", ids };
  return { outcome: found.size === wanted.parts && wanted.files === 0 ? "sent" : "unknown", ids };
}
/** As many as a frame names. */
const MAX_IDS = 64;
