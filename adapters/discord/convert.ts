import {
  GatewayDispatchEvents,
  InteractionType,
  MessageFlags,
  MessageReferenceType,
  MessageType,
} from "discord-api-types/v10";
import * as z from "zod/mini";
import { type FileRef, MAX_FILES } from "../../src/ipc/adapter-frames.ts";
import type { Inbound, Pressed } from "../adapter.ts";
import { claimedType, kindOf, seen, withinMessage, wordFor } from "../untrusted.ts";
import { isSnowflake, timeOf } from "./cursor.ts";
import { readable } from "./readable.ts";
import { pressOf } from "./press.ts";

/** Where something was said. Whether that is a thread, and of what, its `type` and `parent` tell; null: they were not said. */
export interface Spot {
  readonly channel: string;
  /** Null: somebody alone with us. */
  readonly guild: string | null;
  readonly type: number | null;
  readonly parent: string | null;
}

type Said = Omit<Inbound, "place" | "thread">;

export type Heard =
  | {
      readonly kind: "message";
      readonly spot: Spot;
      readonly message: Said;
      readonly senderName: string;
      readonly text: string;
    }
  /** A message of ours came to be. */
  | { readonly kind: "own"; readonly channel: string; readonly id: string; readonly nonce: string | null }
  | {
      readonly kind: "changed";
      readonly spot: Spot;
      /** Null: it was deleted, and Discord does not say whose it was. */
      readonly sender: string | null;
      readonly message: string;
      readonly dedupe: string;
      readonly change: "edited" | "deleted";
      readonly text: string;
      /** Whether it calls us as it is now. */
      readonly forUs: boolean;
    }
  | {
      readonly kind: "pressed";
      readonly spot: Spot;
      readonly press: Omit<Pressed, "place" | "thread">;
      readonly interaction: Interaction;
    }
  /** We are no longer there: in a channel or thread, or in all of a server. */
  | { readonly kind: "removed"; readonly channel: string | null; readonly guild: string | null; readonly why: string }
  | { readonly kind: "nothing" };

/** What an interaction is answered by, for a quarter of an hour. */
export interface Interaction {
  readonly id: string;
  readonly application: string;
  readonly token: string;
}

/** Whose messages these are. */
export interface Us {
  readonly id: string;
  readonly name: string;
  /** The role of a server that Discord made for us: whoever calls it calls us. */
  readonly role: (guild: string) => string | null;
}

const NOTHING: readonly Heard[] = [];
/** Characters of somebody's or something's name. */
const MAX_NAME = 200;

const Id = z.string().check(z.refine((id) => isSnowflake(id)));
const Anything = z.optional(z.unknown());
const Text = z._default(z.string(), "");
const User = z.object({
  id: Id,
  username: Text,
  global_name: z.nullish(z.string()),
  bot: z._default(z.boolean(), false),
  system: z._default(z.boolean(), false),
});
type User = z.infer<typeof User>;
const Member = z.optional(z.object({ nick: z.nullish(z.string()) }));
const Attachment = z.object({
  id: Id,
  filename: Text,
  content_type: z.nullish(z.string()),
  size: z.nullish(z.int().check(z.gte(0))),
});
type Attachment = z.infer<typeof Attachment>;
const Stickers = z.nullish(z.array(z.object({ name: Text })));
const Content = {
  content: Text,
  flags: z._default(z.int(), 0),
  mentions: z._default(z.array(User), []),
  mention_roles: z._default(z.array(z.string()), []),
  attachments: z._default(z.array(Attachment), []),
  sticker_items: Stickers,
  poll: z.nullish(z.object({ question: z.object({ text: Text }) })),
} as const;
/** @see https://docs.discord.com/developers/resources/message#message-snapshot-object */
const Snapshot = z.object({ message: z.object(Content) });

/** What is read of a message; everything else is left out.
 *  @see https://docs.discord.com/developers/resources/message#message-object */
const Message = z.object({
  ...Content,
  id: Id,
  type: z.int(),
  channel_id: Id,
  channel_type: z.nullish(z.int()),
  guild_id: z.nullish(Id),
  author: User,
  member: Member,
  webhook_id: Anything,
  nonce: z.nullish(z.union([z.string(), z.number()])),
  edited_timestamp: z.nullish(z.string().check(z.maxLength(64))),
  message_reference: z.nullish(z.object({ type: z.nullish(z.int()) })),
  message_snapshots: z.nullish(z.array(Snapshot)),
  referenced_message: z.nullish(z.object({ ...Content, author: User })),
});
type Message = z.infer<typeof Message>;

const Deleted = z.object({ id: Id, channel_id: Id, guild_id: z.nullish(Id) });
const DeletedMany = z.object({ ids: z.array(Id).check(z.maxLength(100)), channel_id: Id, guild_id: z.nullish(Id) });
const Press = z.object({
  id: Id,
  application_id: Id,
  type: z.literal(InteractionType.MessageComponent),
  token: z.string().check(z.minLength(1), z.maxLength(1_024)),
  data: z.object({ custom_id: z.string().check(z.maxLength(100)) }),
  channel_id: Id,
  channel: z.nullish(z.object({ type: z.nullish(z.int()), parent_id: z.nullish(Id) })),
  guild_id: z.nullish(Id),
  member: z.nullish(z.object({ nick: z.nullish(z.string()), user: User })),
  user: z.nullish(User),
});
const GoneChannel = z.object({ id: Id, guild_id: z.nullish(Id) });
const GoneGuild = z.object({ id: Id, unavailable: z._default(z.boolean(), false) });

/** Messages that a person wrote: all other types are Discord's notices. */
const WRITTEN: ReadonlySet<number> = new Set([MessageType.Default, MessageType.Reply]);

/** One dispatch as it matters to us: nothing where it is no message for us (a bot's, a webhook's, unmentioned group talk, a change of what Discord itself
 *  added), or not of a form that we know. */
export function convert(name: GatewayDispatchEvents, data: unknown, us: Us): readonly Heard[] {
  switch (name) {
    case GatewayDispatchEvents.MessageCreate:
      return message(data, us);
    case GatewayDispatchEvents.MessageUpdate:
      return edited(data, us);
    case GatewayDispatchEvents.MessageDelete:
      return deleted(Deleted.safeParse(data).data ?? null);
    case GatewayDispatchEvents.MessageDeleteBulk: {
      const many = DeletedMany.safeParse(data).data;
      return (many?.ids ?? []).flatMap((id) => deleted({ ...many, id, channel_id: many?.channel_id ?? "" }));
    }
    case GatewayDispatchEvents.InteractionCreate:
      return pressed(data);
    case GatewayDispatchEvents.ChannelDelete:
    case GatewayDispatchEvents.ThreadDelete: {
      const gone = GoneChannel.safeParse(data);
      if (!gone.success) return NOTHING;
      const { id: channel, guild_id: guild } = gone.data;
      return [{ kind: "removed", channel, guild: guild ?? null, why: "it was deleted" }];
    }
    case GatewayDispatchEvents.GuildDelete: {
      const gone = GoneGuild.safeParse(data);
      // An outage of Discord's takes a server away for a while, too.
      if (!gone.success || gone.data.unavailable) return NOTHING;
      return [{ kind: "removed", channel: null, guild: gone.data.id, why: "the bot was removed from the server" }];
    }
    default:
      return NOTHING;
  }
}

function message(data: unknown, us: Us): readonly Heard[] {
  const known = Message.safeParse(data);
  if (!known.success) return NOTHING;
  const said = known.data;
  if (said.author.id === us.id) {
    const nonce = said.nonce === null || said.nonce === undefined ? null : String(said.nonce);
    return [{ kind: "own", channel: said.channel_id, id: said.id, nonce }];
  }
  if (!isPersons(said) || !isForUs(said, us)) return NOTHING;
  const files = filesOf(said);
  const text = textOf(said, us);
  if (text === "") return NOTHING;
  const quote = quoteOf(said, us);
  const refs = files.slice(0, MAX_FILES);
  return [
    {
      kind: "message",
      spot: spotOf(said),
      message: {
        sender: said.author.id,
        dedupe: said.id,
        talk: said.guild_id === undefined || said.guild_id === null ? "direct" : "group",
        sentAt: timeOf(said.id),
        ...(quote === null ? {} : { quote }),
        ...(refs.length === 0 ? {} : { files: refs }),
        ...(files.length > refs.length ? { filesLeft: files.length - refs.length } : {}),
      },
      senderName: nameOf(said.author, said.member?.nick),
      text,
    },
  ];
}

function isPersons({ author, webhook_id: webhook, type }: Message): boolean {
  return !author.bot && !author.system && webhook === undefined && WRITTEN.has(type);
}

/** In a direct message everything is; elsewhere what calls us, or answers us. */
function isForUs(said: Message, us: Us): boolean {
  const { guild_id: guild, referenced_message: to } = said;
  if (guild === undefined || guild === null || to?.author.id === us.id) return true;
  const role = us.role(guild);
  return said.mentions.some(({ id }) => id === us.id) || (role !== null && said.mention_roles.includes(role));
}

function spotOf(said: {
  readonly channel_id: string;
  readonly guild_id?: string | null | undefined;
  readonly channel_type?: number | null | undefined;
}): Spot {
  return {
    channel: said.channel_id,
    guild: said.guild_id ?? null,
    type: said.channel_type ?? null,
    parent: null,
  };
}

/** What it says; where it has no words of its own, those that stand for its files. */
function textOf(said: Message, us: Us): string {
  const forwarded = said.message_reference?.type === MessageReferenceType.Forward;
  const calls =
    said.guild_id === undefined || said.guild_id === null ? null : { id: us.id, role: us.role(said.guild_id) };
  const pieces = [
    ...(said.message_snapshots ?? []).map((one) => bodyOf(one.message, us, null)),
    bodyOf(said, us, calls),
  ].filter((piece) => piece !== "");
  const words = pieces.length > 0 ? pieces : filesOf(said).slice(0, MAX_FILES).map(wordFor);
  const mark = forwarded && words.length > 0 ? ["[forwarded message]"] : [];
  return withinMessage([...mark, ...words].join("\n"));
}

/** What was written, with a word for what cannot be. */
function bodyOf(
  said: z.infer<typeof Snapshot>["message"],
  us: Us,
  calls: { readonly id: string; readonly role: string | null } | null,
): string {
  const poll = said.poll?.question.text ?? "";
  const words = [
    ...(said.sticker_items ?? []).map(({ name }) => worded("sticker", name)),
    said.poll === null || said.poll === undefined ? "" : worded("poll", poll),
    readable(said.content, [{ id: us.id, name: us.name }, ...said.mentions.map(named)], calls).trim(),
  ];
  return words.filter((word) => word !== "").join("\n");
}

function named(user: User): { id: string; name: string } {
  return { id: user.id, name: nameOf(user, null) };
}

/** A name inside a bracket of ours cannot close the bracket. */
function worded(what: string, name: string): string {
  const safe = seen(name, MAX_NAME).replaceAll(/[[\]]/g, " ").trim();
  return safe === "" ? `[${what}]` : `[${what} ${safe}]`;
}

function nameOf({ global_name: global, username }: User, nick: string | null | undefined): string {
  const names = [nick, global, username].map((name) => seen(name ?? "", MAX_NAME));
  return names.find((name) => name !== "") ?? "";
}

/** As much of it as a frame takes. */
const MAX_QUOTE = 2_048;

function quoteOf(said: Message, us: Us): Inbound["quote"] | null {
  const to = said.referenced_message;
  if (to === undefined || to === null) return null;
  const files = to.attachments.map(({ filename }) => worded("file", filename));
  const text = [...files, bodyOf(to, us, null)].filter((piece) => piece !== "").join("\n");
  const by = to.author.id === us.id ? "us" : to.author.id === said.author.id ? "sender" : "other";
  return { by, text: text.slice(0, MAX_QUOTE).toWellFormed() };
}

function filesOf(said: Message): FileRef[] {
  const forwarded = (said.message_snapshots ?? []).flatMap((one) => one.message.attachments);
  return said.attachments.concat(forwarded).map((file) => fileOf(file, said));
}

/** Its address is signed and good for a day: the message is asked for it when it is wanted. */
function fileOf(file: Attachment, said: Message): FileRef {
  // What else it says of the type, such as of its letters, is left out.
  const type = claimedType((file.content_type ?? "").split(";", 1)[0] ?? "");
  const voice = (said.flags & MessageFlags.IsVoiceMessage) !== 0;
  return {
    handle: `${said.channel_id}/${said.id}/${file.id}`,
    name: seen(file.filename, 255),
    type,
    bytes: file.size ?? null,
    what: voice ? "voice" : kindOf(type),
  };
}

function edited(data: unknown, us: Us): readonly Heard[] {
  const known = Message.safeParse(data);
  if (!known.success) return NOTHING;
  const said = known.data;
  const at = said.edited_timestamp ?? null;
  // Discord tells of what it added itself (a preview, a pin) in the same way.
  if (at === null || said.author.id === us.id || !isPersons(said)) return NOTHING;
  return [
    {
      kind: "changed",
      spot: spotOf(said),
      sender: said.author.id,
      message: said.id,
      dedupe: `${said.id}:edited:${at}`,
      change: "edited",
      text: textOf(said, us),
      forUs: isForUs(said, us),
    },
  ];
}

function deleted(gone: z.infer<typeof Deleted> | null): readonly Heard[] {
  if (gone === null) return NOTHING;
  return [
    {
      kind: "changed",
      spot: spotOf(gone),
      sender: null,
      message: gone.id,
      dedupe: `${gone.id}:deleted`,
      change: "deleted",
      text: "",
      forUs: false,
    },
  ];
}

function pressed(data: unknown): readonly Heard[] {
  const known = Press.safeParse(data);
  if (!known.success) return NOTHING;
  const { id, application_id: application, token, member, channel } = known.data;
  const user = member?.user ?? known.data.user ?? null;
  const press = pressOf(known.data.data.custom_id);
  if (user === null || user.bot || press === null) return NOTHING;
  return [
    {
      kind: "pressed",
      spot: {
        channel: known.data.channel_id,
        guild: known.data.guild_id ?? null,
        type: channel?.type ?? null,
        parent: channel?.parent_id ?? null,
      },
      press: { sender: user.id, senderName: nameOf(user, member?.nick), dedupe: `press:${id}`, ...press },
      interaction: { id, application, token },
    },
  ];
}
