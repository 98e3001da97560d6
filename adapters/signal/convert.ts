import * as z from "zod/mini";
import { MAX_FILES } from "../../src/ipc/adapter-frames.ts";
import { type Changed, type Inbound, type Pressed, shortened } from "../adapter.ts";
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
  | { readonly kind: "changed"; readonly change: Changed; readonly text: string }
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
  /** By which signal-cli is asked for it. */
  id: z.optional(z.nullable(z.string())),
  size: z.optional(z.nullable(z.number())),
});
type Attachment = z.infer<typeof Attachment>;
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
  quote: z.optional(
    z.object({
      id: z.optional(z.nullable(z.int())),
      authorUuid: z.optional(z.nullable(z.string())),
      text: z.optional(z.nullable(z.string())),
    }),
  ),
  mentions: list(Mention),
  attachments: list(Attachment),
  sticker: Anything,
  contacts: Anything,
  payment: Anything,
  pollCreate: Anything,
  remoteDelete: z.optional(z.object({ timestamp: Time })),
  groupInfo: z.optional(z.object({ groupId: Group, type: z._default(z.string(), "DELIVER") })),
  storyContext: Anything,
});
type Data = z.infer<typeof Data>;

/** A message that takes the place of one of before. */
const Edit = z.object({ targetSentTimestamp: Time, dataMessage: Data });

const Envelope = z.object({
  sourceUuid: Uuid,
  sourceName: z._default(z.nullable(z.string()), ""),
  sourceDevice: z._default(z.nullable(z.int()), 0),
  /** By Signal's clock, and not by the sender's. */
  serverReceivedTimestamp: z.optional(z.nullable(Time)),
  dataMessage: Anything,
  editMessage: Anything,
  syncMessage: z.optional(
    z.object({
      sentMessage: z.optional(z.object({ destinationUuid: z.optional(z.nullable(z.string())), editMessage: Anything })),
    }),
  ),
});
const Sent = z.object({ syncMessage: z.object({ sentMessage: Data }) });

/** Characters of a quote that are told: enough to know it by. */
const MAX_QUOTE = 2_048;
/** Of signal-cli's own name of an attachment. */
const MAX_ID = 512;

/** A direct conversation is named by the other side's id, a group by its own behind this. */
const GROUP = "group:";

/** @returns the group's id, or null for somebody's. */
export function groupOf(place: string): string | null {
  return place.startsWith(GROUP) ? place.slice(GROUP.length) : null;
}

/** One envelope as the supervisor is told of it. Nothing: it is no message for us (a receipt, typing, a story, unmentioned group talk, what the
 *  owner wrote to others from their telephone), or not of a form that we know.
 *  @param sent whether we sent a message with this timestamp ourselves. */
export function convert(envelope: unknown, account: Account, sent: (timestamp: string) => boolean): Heard {
  const known = Envelope.safeParse(envelope);
  if (!known.success) return NOTHING;
  const { sourceUuid, syncMessage, dataMessage, editMessage, sourceDevice, serverReceivedTimestamp } = known.data;
  const from: From = {
    uuid: sourceUuid.toLowerCase(),
    name: known.data.sourceName ?? "",
    device: sourceDevice ?? 0,
    at: serverReceivedTimestamp ?? null,
    account,
    sent,
  };
  if (syncMessage?.sentMessage !== undefined) {
    // The owner talks with us by Note to Self. What they write to anybody else is nobody's business here.
    const { sentMessage } = syncMessage;
    if (sentMessage.destinationUuid?.toLowerCase() !== account.uuid || from.uuid !== account.uuid) return NOTHING;
    if (sentMessage.editMessage !== undefined) return fromEdit(sentMessage.editMessage, from);
    const note = Sent.safeParse(envelope);
    if (!note.success) return NOTHING;
    const data = note.data.syncMessage.sentMessage;
    return sent(String(data.timestamp)) ? NOTHING : fromData(data, from);
  }
  if (from.uuid === account.uuid) return NOTHING;
  if (editMessage !== undefined) return fromEdit(editMessage, from);
  const data = Data.safeParse(dataMessage);
  return data.success ? fromData(data.data, from) : NOTHING;
}

/** Whoever wrote it, and to whom. */
interface From {
  readonly uuid: string;
  readonly name: string;
  readonly device: number;
  readonly at: number | null;
  readonly account: Account;
  readonly sent: (timestamp: string) => boolean;
}

function placeIn(data: Data, { uuid }: From): string {
  const group = data.groupInfo?.groupId ?? null;
  return group === null ? uuid : `${GROUP}${group}`;
}

/** Signal names a message by its author and when they sent it. */
function messageId(uuid: string, timestamp: number): string {
  return `${uuid}:${timestamp}`;
}

function fromEdit(edit: unknown, from: From): Heard {
  const known = Edit.safeParse(edit);
  // The edits of our own messages come to none of our devices; were one to, it is known.
  if (!known.success || from.sent(String(known.data.dataMessage.timestamp))) return NOTHING;
  const { targetSentTimestamp, dataMessage: data } = known.data;
  return changed(data, from, "edited", targetSentTimestamp, withoutMention(data, from.account).trim());
}

function changed(data: Data, from: From, change: Changed["change"], target: number, text: string): Heard {
  return {
    kind: "changed",
    change: {
      place: placeIn(data, from),
      thread: null,
      sender: from.uuid,
      dedupe: `${from.uuid}:${from.device}:${data.timestamp}`,
      message: messageId(from.uuid, target),
      change,
    },
    text,
  };
}

function fromData(data: Data, from: From): Heard {
  const { account, uuid } = from;
  if (data.storyContext !== undefined) return NOTHING;
  if (data.remoteDelete !== undefined) return changed(data, from, "deleted", data.remoteDelete.timestamp, "");
  const group = data.groupInfo?.groupId ?? null;
  const place = { place: placeIn(data, from), thread: null };
  const dedupe = `${uuid}:${from.device}:${data.timestamp}`;
  const senderName = shortened(from.name);
  const { reaction } = data;
  if (reaction !== undefined) {
    const ours = reaction.targetAuthorUuid?.toLowerCase() === account.uuid;
    if (!ours || reaction.isRemove) return NOTHING;
    const { emoji, targetSentTimestamp } = reaction;
    const press = { ...place, sender: uuid, dedupe, senderName };
    return { kind: "reaction", press, emoji, target: String(targetSentTimestamp) };
  }
  if (group !== null && !isForUs(data, account)) return NOTHING;
  const text = [otherOf(data), withoutMention(data, account).trim()].filter((part) => part !== "").join("\n");
  const all = (data.attachments ?? []).flatMap((one) => fileOf(one, place.place) ?? []);
  if (text === "" && all.length === 0) return NOTHING;
  const files = all.slice(0, MAX_FILES);
  const message: Inbound = {
    ...place,
    sender: uuid,
    dedupe,
    message: messageId(uuid, data.timestamp),
    talk: group === null ? "direct" : "group",
    sentAt: from.at ?? data.timestamp,
    ...quoteOf(data, from),
    ...(files.length === 0 ? {} : { files, filesLeft: all.length - files.length }),
  };
  return { kind: "inbound", message, senderName, text };
}

function quoteOf({ quote }: Data, { uuid, account, sent }: From): Pick<Inbound, "quote"> {
  const text = (quote?.text ?? "").trim();
  if (quote === undefined || text === "") return {};
  const author = quote.authorUuid?.toLowerCase() ?? "";
  // In a note to oneself both are the same account: what we sent is known by when that was.
  const ours = author === account.uuid && (author !== uuid || sent(String(quote.id ?? "")));
  const by = ours ? "us" : author === uuid ? "sender" : "other";
  return { quote: { by, text: text.slice(0, MAX_QUOTE).toWellFormed() } };
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

/** @param place signal-cli wants to know where it came in, to hand it out. @returns null: it cannot be had. */
function fileOf(
  { contentType, filename, id, size }: Attachment,
  place: string,
): NonNullable<Inbound["files"]>[number] | null {
  if (typeof id !== "string" || id === "" || id.length > MAX_ID) return null;
  const type = (contentType ?? "").slice(0, 127).toWellFormed();
  const name = (filename ?? "").slice(0, 255).toWellFormed();
  // A long text comes as one beside its beginning.
  const rest = type === "text/x-signal-plain";
  return {
    handle: `${place}\n${id}`,
    name: rest ? "rest-of-the-message.txt" : name,
    type,
    bytes: typeof size === "number" && Number.isSafeInteger(size) && size >= 0 ? size : null,
    what: kindOf(type, name),
  };
}

/** What Signal's programs record has no name; a file that somebody chose has. */
function kindOf(type: string, name: string): "file" | "image" | "audio" | "voice" | "video" {
  if (type.startsWith("audio/")) return name === "" ? "voice" : "audio";
  if (type.startsWith("image/")) return "image";
  return type.startsWith("video/") ? "video" : "file";
}

function otherOf(data: Data): string {
  if (data.sticker !== undefined) return "[sticker]";
  if (data.contacts !== undefined) return "[contact]";
  if (data.pollCreate !== undefined) return "[poll]";
  if (data.payment !== undefined) return "[payment]";
  return "";
}

/** What a reaction to a card decides; null: it says something else. A skin tone changes nothing. */
export function decisionOf(emoji: string): "approve" | "deny" | null {
  const bare = emoji.replaceAll(/[\u{1f3fb}-\u{1f3ff}]|\u{fe0f}/gu, "");
  if (bare === "👍" || bare === "✅" || bare === "✔") return "approve";
  if (bare === "👎" || bare === "❌" || bare === "✖") return "deny";
  return null;
}
