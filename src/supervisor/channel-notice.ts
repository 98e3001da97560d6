import type { AuditLog } from "../../audit/log.ts";
import type { FromAdapter } from "../ipc/adapter-frames.ts";
import type { AdapterChannel } from "../ipc/channel.ts";
import { ConversationId } from "../ipc/ids.ts";
import type { ChannelTalk } from "./channel-talk.ts";
import type { State } from "./state.ts";

/** The last moment with a year of four figures. */
const LAST_DATE_MS = 253_402_300_799_999;

export interface NoticeParts {
  readonly log: Pick<AuditLog, "append">;
  readonly state: Pick<State, "conversationAt" | "directOf">;
  readonly owner: () => string;
  readonly talk: Pick<ChannelTalk<symbol>, "tell">;
}

/** A channel's process says something that the owner should know. What was written and cannot be had is told where it was written, or to the owner there. */
export async function recordNotice(
  channel: AdapterChannel,
  { about, place, from, to }: Extract<FromAdapter, { type: "notice" }>,
  sentence: string,
  { log, state, owner, talk }: NoticeParts,
): Promise<void> {
  const where = place === null ? null : state.conversationAt(channel, place, null);
  const row = await log.append(
    {
      kind: "channel.noticed",
      channel,
      about,
      conversation: where === null ? null : ConversationId.parse(where.conversation),
      from: timeOf(from),
      to: timeOf(to),
    },
    { cause: null, content: { sentence } },
  );
  if (about !== "gap") return;
  const told = where ?? state.directOf(owner()).find((one) => one.channel === channel);
  if (told === undefined) return;
  const span = `${from === null ? "" : ` from ${spoken(from)}`}${to === null ? "" : ` until ${spoken(to)}`}`;
  const words = `What was written here${span} did not reach me, and the platform does not give it again: say it again if I should know.`;
  // Not waited for: the platform may be slow, and what comes in next waits for this.
  void talk.tell(told, null, words, row.seq, owner()).catch(() => undefined);
}

function timeOf(ms: number | null): string | null {
  return ms === null ? null : new Date(Math.min(ms, LAST_DATE_MS)).toISOString();
}

/** In this machine's own time. */
function spoken(ms: number): string {
  return new Date(Math.min(ms, LAST_DATE_MS)).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}
