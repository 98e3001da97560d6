import * as z from "zod/mini";
import { type Inbound, type Pressed, shortened } from "../adapter.ts";
import type { Account } from "./account.ts";

export type Heard =
  | { readonly kind: "inbound"; readonly message: Inbound; readonly senderName: string; readonly text: string }
  /** A reaction to a message of ours; whether that is a card is known where cards are sent. */
  | {
      readonly kind: "reaction";
      readonly press: Omit<Pressed, "card" | "decision">;
      readonly emoji: string;
      readonly target: string;
    }
  | { readonly kind: "nothing" };

const NOTHING: Heard = { kind: "nothing" };

const Time = z.int().check(z.gte(0));
const Uuid = z.string().check(z.regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i));
const Group = z.string().check(z.regex(/^[A-Za-z0-9+/]{1,128}={0,2}$/));
const Anything = z.optional(z.unknown());
const list = <T extends z.ZodMiniType>(of: T) => z._default(z.nullable(z.array(of)), []);

const Mention = z.object({ uuid: z.optional(z.nullable(z.string())), start: Time, length: Time });
const Attachment = z.object({
  contentType: z._default(z.nullable(z.string()), ""),
  filename: z._default(z.nullable(z.string()), ""),
});
/** What is read of a message; everything else is left out. */
const Data = z.object({
  timestamp: Time,
  message: z._default(z.nullable(z.string()), ""),
  reaction: z.optional(
    z.object({
      emoji: z.string().check(z.maxLength(64)),
      targetAuthorUuid: z.optional(z.nullable(z.string())),
      targetSentTimestamp: Time,
      isRemove: z.boolean(),
    }),
  ),
  quote: z.optional(z.object({ authorUuid: z.optional(z.nullable(z.string())) })),
  mentions: list(Mention),
  attachments: list(Attachment),
  sticker: Anything,
  contacts: Anything,
  payment: Anything,
  pollCreate: Anything,
  remoteDelete: Anything,
  groupInfo: z.optional(z.object({ groupId: Group, type: z._default(z.string(), "DELIVER") })),
  storyContext: Anything,
});
type Data = z.infer<typeof Data>;

const Envelope = z.object({
  sourceUuid: Uuid,
  sourceName: z._default(z.nullable(z.string()), ""),
  sourceDevice: z._default(z.nullable(z.int()), 0),
  dataMessage: Anything,
  syncMessage: z.optional(
    z.object({ sentMessage: z.optional(z.object({ destinationUuid: z.optional(z.nullable(z.string())) })) }),
  ),
});
const Sent = z.object({ syncMessage: z.object({ sentMessage: Data }) });

/** A direct conversation is named by the other side's id, a group by its own behind this. */
const GROUP = "group:";

/** @returns the group's id, or null for somebody's. */
export function groupOf(place: string): string | null {
  return place.startsWith(GROUP) ? place.slice(GROUP.length) : null;
}

/** One envelope as the supervisor is told of it. Nothing: it is no message for us (a receipt, typing, a story, an edit, unmentioned group talk, what the
 *  owner wrote to others from their telephone), or not of a form that we know.
 *  @param sent whether we sent a message with this timestamp ourselves. */
export function convert(envelope: unknown, account: Account, sent: (timestamp: string) => boolean): Heard {
  const known = Envelope.safeParse(envelope);
  if (!known.success) return NOTHING;
  const { sourceUuid, syncMessage, dataMessage, sourceDevice } = known.data;
  const sender = { uuid: sourceUuid.toLowerCase(), name: known.data.sourceName ?? "", device: sourceDevice ?? 0 };
  if (syncMessage?.sentMessage !== undefined) {
    // The owner talks with us by Note to Self. What they write to anybody else is nobody's business here.
    const toSelf = syncMessage.sentMessage.destinationUuid?.toLowerCase() === account.uuid;
    const note = toSelf && sender.uuid === account.uuid ? Sent.safeParse(envelope) : null;
    if (note === null || !note.success) return NOTHING;
    const data = note.data.syncMessage.sentMessage;
    return sent(String(data.timestamp)) ? NOTHING : fromData(data, sender, account);
  }
  const data = Data.safeParse(dataMessage);
  if (!data.success || sender.uuid === account.uuid) return NOTHING;
  return fromData(data.data, sender, account);
}

function fromData(
  data: Data,
  sender: { readonly uuid: string; readonly name: string; readonly device: number },
  account: Account,
): Heard {
  if (data.storyContext !== undefined || data.remoteDelete !== undefined) return NOTHING;
  const group = data.groupInfo?.groupId ?? null;
  const from = {
    place: group === null ? sender.uuid : `${GROUP}${group}`,
    thread: null,
    sender: sender.uuid,
    dedupe: `${sender.uuid}:${sender.device}:${data.timestamp}`,
  };
  const senderName = shortened(sender.name);
  const { reaction } = data;
  if (reaction !== undefined) {
    const ours = reaction.targetAuthorUuid?.toLowerCase() === account.uuid;
    if (!ours || reaction.isRemove) return NOTHING;
    const { emoji, targetSentTimestamp } = reaction;
    return { kind: "reaction", press: { ...from, senderName }, emoji, target: String(targetSentTimestamp) };
  }
  if (group !== null && !isForUs(data, account)) return NOTHING;
  const said = withoutMention(data, account);
  const text = [...(data.attachments ?? []).map(mediaOf), otherOf(data), said.trim()]
    .filter((part) => part !== "")
    .join("\n");
  if (text === "") return NOTHING;
  return { kind: "inbound", message: { ...from, talk: group === null ? "direct" : "group" }, senderName, text };
}

function isForUs({ mentions, quote }: Data, { uuid }: Account): boolean {
  if (quote?.authorUuid?.toLowerCase() === uuid) return true;
  return (mentions ?? []).some((mention) => mention.uuid?.toLowerCase() === uuid);
}

/** Signal puts one character (U+FFFC) where a mention stands. At the beginning it is how a group calls us, not what it asks. */
function withoutMention({ message, mentions }: Data, { uuid }: Account): string {
  const text = message ?? "";
  const first = (mentions ?? []).find(({ start }) => text.slice(0, start).trim() === "");
  if (first === undefined || first.uuid?.toLowerCase() !== uuid) return text;
  return text.slice(first.start + first.length).replace(/^[\s,:]+/, "");
}

/** A word for what we cannot read. */
function mediaOf({ contentType, filename }: z.infer<typeof Attachment>): string {
  const type = contentType ?? "";
  const name = filename ?? "";
  // A long text comes as one beside its beginning.
  if (type === "text/x-signal-plain") return "[the rest of a long message, which cannot be read here]";
  if (type.startsWith("audio/")) return name === "" ? "[voice message]" : worded("audio", name);
  if (type.startsWith("image/")) return "[photo]";
  if (type.startsWith("video/")) return "[video]";
  return worded("document", name);
}

function otherOf(data: Data): string {
  if (data.sticker !== undefined) return "[sticker]";
  if (data.contacts !== undefined) return "[contact]";
  if (data.pollCreate !== undefined) return "[poll]";
  if (data.payment !== undefined) return "[payment]";
  return "";
}

/** A name inside a bracket of ours cannot close the bracket, nor begin a line. */
function worded(what: string, name: string): string {
  const safe = shortened(name.replaceAll(/[[\]\p{C}\p{Zl}\p{Zp}]/gu, " ").trim());
  return safe === "" ? `[${what}]` : `[${what} ${safe}]`;
}

/** What a reaction to a card decides; null: it says something else. A skin tone changes nothing. */
export function decisionOf(emoji: string): "approve" | "deny" | null {
  const bare = emoji.replaceAll(/[\u{1f3fb}-\u{1f3ff}]|\u{fe0f}/gu, "");
  if (bare === "👍" || bare === "✅" || bare === "✔") return "approve";
  if (bare === "👎" || bare === "❌" || bare === "✖") return "deny";
  return null;
}
