import * as z from "zod/mini";
import { type FileRef, MAX_FILES } from "../../src/ipc/adapter-frames.ts";
import type { Changed, Inbound, Pressed } from "../adapter.ts";
import { seen, withinMessage, wordFor } from "../untrusted.ts";
import { held, MEDIA } from "./media.ts";

/** Whose messages these are: what `getMe` said. */
export interface Bot {
  readonly id: number;
  readonly username: string;
}

export type Heard =
  | { readonly kind: "inbound"; readonly message: Inbound; readonly senderName: string; readonly text: string }
  /** `calls`: it is for us by itself. Otherwise only if the message was before. */
  | { readonly kind: "changed"; readonly change: Changed; readonly text: string; readonly calls: boolean }
  | { readonly kind: "pressed"; readonly press: Pressed; readonly query: string }
  /** A group became a supergroup, which has another number. */
  | { readonly kind: "moved"; readonly from: number; readonly to: number }
  /** We are not in that chat any more. */
  | { readonly kind: "removed"; readonly place: string; readonly sentence: string }
  | { readonly kind: "nothing" };

const NOTHING: Heard = { kind: "nothing" };
/** As much of what is replied to as a frame takes. */
const MAX_QUOTE = 2_048;

const Id = z.int();
const User = z.object({
  id: Id,
  is_bot: z.boolean(),
  first_name: z._default(z.string(), ""),
  last_name: z._default(z.string(), ""),
  username: z._default(z.string(), ""),
});
type User = z.infer<typeof User>;
const Chat = z.object({ id: Id, type: z.enum(["private", "group", "supergroup", "channel"]) });
const Entity = z.object({
  type: z.string(),
  offset: z.int().check(z.gte(0)),
  length: z.int().check(z.gte(0)),
  user: z.optional(z.object({ id: Id })),
});
type Entity = z.infer<typeof Entity>;
const Entities = z._default(z.array(Entity), []);
const Anything = z.optional(z.unknown());

/** @see https://core.telegram.org/bots/api#message */
const Replied = z.object({
  message_id: z.optional(Id),
  from: z.optional(z.object({ id: Id })),
  sender_chat: Anything,
  text: z._default(z.string(), ""),
  caption: z._default(z.string(), ""),
  ...MEDIA,
});

/** What is read of a message; everything else is left out. */
const Message = z.object({
  message_id: Id,
  date: z.optional(z.int().check(z.gte(0))),
  from: z.optional(User),
  sender_chat: Anything,
  chat: Chat,
  message_thread_id: z.optional(Id),
  is_topic_message: z._default(z.boolean(), false),
  reply_to_message: z.optional(Replied),
  quote: z.optional(z.object({ text: z.string() })),
  forward_origin: Anything,
  text: z.optional(z.string()),
  entities: Entities,
  caption: z._default(z.string(), ""),
  caption_entities: Entities,
  media_group_id: z.optional(z.string()),
  migrate_to_chat_id: z.optional(Id),
  migrate_from_chat_id: z.optional(Id),
  ...MEDIA,
});
type Message = z.infer<typeof Message>;

const CallbackQuery = z.object({
  id: z.string().check(z.minLength(1), z.maxLength(256)),
  from: User,
  data: z.string().check(z.maxLength(64)),
  message: z.object({
    message_id: Id,
    chat: Chat,
    message_thread_id: z.optional(Id),
    is_topic_message: z._default(z.boolean(), false),
  }),
});
const Membership = z.object({ chat: Chat, new_chat_member: z.object({ status: z.string() }) });

const Update = z.object({
  update_id: z._default(Id, 0),
  message: z.optional(z.unknown()),
  edited_message: z.optional(z.unknown()),
  callback_query: z.optional(z.unknown()),
  my_chat_member: z.optional(z.unknown()),
});

/** Pictures that were sent together come as messages of their own. @returns what they have in common, or null. */
export function albumOf(update: unknown): string | null {
  const known = Update.safeParse(update);
  const message = known.success ? Message.safeParse(known.data.message) : null;
  if (message?.success !== true || message.data.media_group_id === undefined) return null;
  return `${message.data.chat.id}:${message.data.from?.id ?? ""}:${message.data.media_group_id}`;
}

/** One update as the supervisor is told of it. Nothing: it is no message for us (another bot's, unmentioned group talk, somebody
 *  behind a channel's name), or not of a form that we know.
 *  @param rest of the same album: they are told as one message with the first. */
export function convert(update: unknown, bot: Bot, rest: readonly unknown[] = []): Heard {
  const known = Update.safeParse(update);
  if (!known.success) return NOTHING;
  const { message, edited_message: edited, callback_query: query, my_chat_member: membership } = known.data;
  if (message !== undefined) {
    const others = rest.map((one) => Update.safeParse(one)).map((one) => (one.success ? one.data.message : undefined));
    return fromMessage([message, ...others], bot);
  }
  if (edited !== undefined) return fromEdit(edited, known.data.update_id, bot);
  if (query !== undefined) {
    const pressed = CallbackQuery.safeParse(query);
    return pressed.success ? fromQuery(pressed.data) : NOTHING;
  }
  return membership === undefined ? NOTHING : fromMembership(membership);
}

/** A message that a person wrote: not another bot, nor we, nor somebody in the name of a chat, who is nobody in particular whatever `from` says. */
function writtenBy(message: Message, bot: Bot): User | null {
  const { from, chat, sender_chat: behind } = message;
  if (from === undefined || from.is_bot || from.id === bot.id || behind !== undefined) return null;
  return chat.type === "channel" ? null : from;
}

function fromMessage(given: readonly unknown[], bot: Bot): Heard {
  const messages = given.map((one) => Message.safeParse(one)).flatMap((one) => (one.success ? [one.data] : []));
  const [message] = messages;
  if (message === undefined) return NOTHING;
  const { chat, migrate_to_chat_id: to, migrate_from_chat_id: old } = message;
  if (to !== undefined) return { kind: "moved", from: chat.id, to };
  if (old !== undefined) return { kind: "moved", from: old, to: chat.id };
  const from = writtenBy(message, bot);
  if (from === null) return NOTHING;
  const bodies = messages.map(bodyOf).filter((body) => body !== null);
  const direct = chat.type === "private";
  if (!direct && !messages.some((one) => isForUs(one, bot))) return NOTHING;
  const files = bodies.flatMap((body) => (body.file === null ? [] : [body.file]));
  const text = wordsOf(message, bodies, direct ? null : bot);
  if (text === "" && files.length === 0) return NOTHING;
  const quote = quoteOf(message, from, bot);
  return {
    kind: "inbound",
    message: {
      place: String(chat.id),
      thread: threadOf(message),
      sender: String(from.id),
      dedupe: idOf(message),
      talk: direct ? "direct" : "group",
      ...(message.date === undefined ? {} : { sentAt: message.date * 1_000 }),
      ...(quote === null ? {} : { quote }),
      ...(files.length === 0 ? {} : { files: files.slice(0, MAX_FILES) }),
      ...(files.length > MAX_FILES ? { filesLeft: files.length - MAX_FILES } : {}),
    },
    senderName: nameOf(from),
    text,
  };
}

/** What was changed is named by the message; the change by the number of its update, as a message may be changed twice in a second. */
function fromEdit(given: unknown, update: number, bot: Bot): Heard {
  const known = Message.safeParse(given);
  const from = known.success ? writtenBy(known.data, bot) : null;
  if (!known.success || from === null) return NOTHING;
  const message = known.data;
  const body = bodyOf(message);
  const direct = message.chat.type === "private";
  return {
    kind: "changed",
    change: {
      place: String(message.chat.id),
      thread: threadOf(message),
      sender: String(from.id),
      dedupe: `edit:${idOf(message)}:${update}`,
      message: idOf(message),
      change: "edited",
    },
    text: body === null ? "" : wordsOf(message, [body], direct ? null : bot),
    calls: direct || isForUs(message, bot),
  };
}

function idOf({ chat, message_id: id }: Message): string {
  return `${chat.id}:${id}`;
}

interface Body {
  readonly said: string;
  readonly entities: readonly Entity[];
  readonly word: string;
  readonly file: FileRef | null;
}

/** What was said or written under a picture, and what is there besides. Null: a notice of Telegram's own. */
function bodyOf(message: Message): Body | null {
  if (message.text !== undefined) return { said: message.text, word: "", file: null, entities: message.entities };
  const media = held(message);
  if (media === null) return null;
  const common = { said: message.caption, entities: message.caption_entities };
  return "file" in media ? { ...common, word: "", file: media.file } : { ...common, word: media.word, file: null };
}

/** The words of a message, and of what is no file.
 *  @param calls taken out where it calls us at the beginning; null: nobody needs to be called here. */
function wordsOf(message: Message, bodies: readonly Body[], calls: Bot | null): string {
  const said = bodies.flatMap((body) => [
    body.word,
    (calls === null ? body.said : withoutMention(body.said, calls)).trim(),
  ]);
  const forwarded = message.forward_origin === undefined ? "" : "[forwarded message]";
  const words = said.some((one) => one !== "") || bodies.some(({ file }) => file !== null) ? [forwarded, ...said] : [];
  return withinMessage(words.filter((part) => part !== "").join("\n"));
}

/** In a topic each message is a reply to the one that opened it, which is not what it answers. */
function repliedIn(message: Message): z.infer<typeof Replied> | null {
  const { reply_to_message: replied } = message;
  if (replied === undefined) return null;
  return message.is_topic_message && replied.message_id === message.message_thread_id ? null : replied;
}

function quoteOf(message: Message, from: User, bot: Bot): Inbound["quote"] | null {
  const replied = repliedIn(message);
  const picked = message.quote?.text ?? "";
  if (replied === null && picked === "") return null;
  const media = replied === null ? null : held(replied);
  const shown = media === null ? "" : "file" in media ? wordFor(media.file) : media.word;
  const whole = [shown, replied?.text ?? "", replied?.caption ?? ""].filter((part) => part !== "").join("\n");
  const by = replied?.sender_chat === undefined ? replied?.from?.id : undefined;
  return {
    by: by === bot.id ? "us" : by === from.id ? "sender" : "other",
    text: (picked === "" ? whole : picked).slice(0, MAX_QUOTE).toWellFormed(),
  };
}

function isForUs(message: Message, bot: Bot): boolean {
  if (repliedIn(message)?.from?.id === bot.id) return true;
  const body = bodyOf(message);
  if (body === null) return false;
  const own = `@${bot.username}`.toLowerCase();
  return body.entities.some((entity) => {
    const words = body.said.slice(entity.offset, entity.offset + Math.min(entity.length, MAX_CALL)).toLowerCase();
    switch (entity.type) {
      case "mention":
        return words === own;
      case "text_mention":
        return entity.user?.id === bot.id;
      case "bot_command":
        return words.endsWith(own);
      default:
        return false;
    }
  });
}
/** A name has at most 32 letters, and a command as many before it: a longer entity is no call, and need not be copied. */
const MAX_CALL = 100;

/** The bot's name is how a group calls it, not what it is asked: it goes from the beginning, and from a command. */
function withoutMention(text: string, bot: Bot): string {
  const name = bot.username.replaceAll(/[^A-Za-z0-9_]/g, "");
  if (name === "") return text;
  return text
    .replace(new RegExp(`^\\s*@${name}(?![A-Za-z0-9_])[\\s,:]*`, "i"), "")
    .replace(new RegExp(`^(\\s*/[A-Za-z0-9_]{1,64})@${name}(?![A-Za-z0-9_])`, "i"), "$1");
}

/** Only a topic is a conversation of its own: other threads are chains of replies, which cannot be written to. */
function threadOf(message: { message_thread_id?: number | undefined; is_topic_message: boolean }): string | null {
  return message.is_topic_message && message.message_thread_id !== undefined ? String(message.message_thread_id) : null;
}

function nameOf(user: User): string {
  const name = seen(`${user.first_name.slice(0, 500)} ${user.last_name.slice(0, 500)}`, MAX_NAME);
  return name === "" ? seen(user.username, MAX_NAME) : name;
}
/** UTF-16 units, as a frame takes them. */
const MAX_NAME = 200;

const DECISIONS = { a: "approve", s: "approve-session", d: "deny" } as const;
const LETTERS = { approve: "a", "approve-session": "s", deny: "d" } as const;
/** Telegram's limit on what a button carries, in bytes. */
const MAX_DATA_BYTES = 64;

/** What a button of a card carries: `d:<letter>:<card>`. Null: the card's id is too long for a button. */
export function pressData(decision: Pressed["decision"], card: string): string | null {
  const data = `d:${LETTERS[decision]}:${card}`;
  return new TextEncoder().encode(data).length <= MAX_DATA_BYTES ? data : null;
}

function fromQuery(query: z.infer<typeof CallbackQuery>): Heard {
  const { from, message } = query;
  const data = /^d:([asd]):(.+)$/s.exec(query.data);
  const letter = data?.[1];
  const card = data?.[2];
  if (from.is_bot || card === undefined || (letter !== "a" && letter !== "s" && letter !== "d")) return NOTHING;
  return {
    kind: "pressed",
    press: {
      place: String(message.chat.id),
      thread: threadOf(message),
      sender: String(from.id),
      senderName: nameOf(from),
      dedupe: `press:${query.id}`,
      card,
      decision: DECISIONS[letter],
    },
    query: query.id,
  };
}

function fromMembership(given: unknown): Heard {
  const known = Membership.safeParse(given);
  if (!known.success) return NOTHING;
  const { chat, new_chat_member: now } = known.data;
  if (now.status !== "left" && now.status !== "kicked") return NOTHING;
  const sentence =
    chat.type === "private"
      ? "somebody blocked the bot on Telegram"
      : `the bot was removed from a ${chat.type} on Telegram`;
  return { kind: "removed", place: String(chat.id), sentence };
}
