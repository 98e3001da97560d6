import * as z from "zod/mini";
import { type Inbound, type Pressed, shortened } from "../adapter.ts";

/** Whose messages these are: what `getMe` said. */
export interface Bot {
  readonly id: number;
  readonly username: string;
}

export type Heard =
  | { readonly kind: "inbound"; readonly message: Inbound; readonly senderName: string; readonly text: string }
  | { readonly kind: "pressed"; readonly press: Pressed; readonly query: string }
  | { readonly kind: "nothing" };

const NOTHING: Heard = { kind: "nothing" };

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

/** What is read of a message; everything else is left out.
 *  @see https://core.telegram.org/bots/api#message */
const Message = z.object({
  message_id: Id,
  from: z.optional(User),
  sender_chat: Anything,
  chat: Chat,
  message_thread_id: z.optional(Id),
  is_topic_message: z._default(z.boolean(), false),
  reply_to_message: z.optional(z.object({ from: z.optional(z.object({ id: Id })) })),
  forward_origin: Anything,
  text: z.optional(z.string()),
  entities: Entities,
  caption: z._default(z.string(), ""),
  caption_entities: Entities,
  photo: Anything,
  voice: Anything,
  audio: Anything,
  video: Anything,
  video_note: Anything,
  animation: Anything,
  document: z.optional(z.object({ file_name: z._default(z.string(), "") })),
  sticker: z.optional(z.object({ emoji: z._default(z.string(), "") })),
  location: Anything,
  venue: Anything,
  contact: Anything,
  poll: Anything,
  dice: Anything,
  story: Anything,
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

const Update = z.object({ message: z.optional(z.unknown()), callback_query: z.optional(z.unknown()) });

/** One update as the supervisor is told of it. Nothing: it is no message for us (an edit, another bot's, unmentioned group talk, somebody
 *  behind a channel's name), or not of a form that we know. */
export function convert(update: unknown, bot: Bot): Heard {
  const known = Update.safeParse(update);
  if (!known.success) return NOTHING;
  if (known.data.message !== undefined) {
    const message = Message.safeParse(known.data.message);
    return message.success ? fromMessage(message.data, bot) : NOTHING;
  }
  if (known.data.callback_query !== undefined) {
    const query = CallbackQuery.safeParse(known.data.callback_query);
    return query.success ? fromQuery(query.data) : NOTHING;
  }
  return NOTHING;
}

function fromMessage(message: Message, bot: Bot): Heard {
  const { from, chat } = message;
  // Whoever writes in the name of a chat is nobody in particular, whatever `from` says.
  if (from === undefined || from.is_bot || from.id === bot.id || message.sender_chat !== undefined) return NOTHING;
  if (chat.type === "channel") return NOTHING;
  const body = bodyOf(message);
  if (body === null) return NOTHING;
  const direct = chat.type === "private";
  if (!direct && !isForUs(message, body, bot)) return NOTHING;
  const said = direct ? body.said : withoutMention(body.said, bot);
  const forwarded = message.forward_origin === undefined ? "" : "[forwarded message]";
  const text = [forwarded, body.media, said.trim()].filter((part) => part !== "").join("\n");
  if (text === "") return NOTHING;
  return {
    kind: "inbound",
    message: {
      place: String(chat.id),
      thread: threadOf(message),
      sender: String(from.id),
      dedupe: `${chat.id}:${message.message_id}`,
      talk: direct ? "direct" : "group",
    },
    senderName: nameOf(from),
    text,
  };
}

/** What was said or written under a picture, and a word for what we cannot read. Null: a notice of Telegram's own. */
function bodyOf(message: Message): { said: string; media: string; entities: readonly Entity[] } | null {
  if (message.text !== undefined) return { said: message.text, media: "", entities: message.entities };
  const media = mediaOf(message);
  if (media === null) return null;
  return { said: message.caption, media, entities: message.caption_entities };
}

function mediaOf(message: Message): string | null {
  if (message.photo !== undefined) return "[photo]";
  if (message.voice !== undefined) return "[voice message]";
  if (message.video_note !== undefined) return "[video message]";
  if (message.video !== undefined) return "[video]";
  if (message.audio !== undefined) return "[audio]";
  // An animation is a document too, for programs that do not know animations; so is a venue a location.
  if (message.animation !== undefined) return "[animation]";
  if (message.document !== undefined) return worded("document", message.document.file_name);
  if (message.sticker !== undefined) return worded("sticker", message.sticker.emoji);
  if (message.venue !== undefined) return "[venue]";
  if (message.location !== undefined) return "[location]";
  if (message.contact !== undefined) return "[contact]";
  if (message.poll !== undefined) return "[poll]";
  if (message.dice !== undefined) return "[dice]";
  if (message.story !== undefined) return "[story]";
  return null;
}

/** A name inside a bracket of ours cannot close the bracket, nor begin a line. */
function worded(what: string, name: string): string {
  const safe = shortened(name.replaceAll(/[[\]\p{C}\p{Zl}\p{Zp}]/gu, " ").trim());
  return safe === "" ? `[${what}]` : `[${what} ${safe}]`;
}

function isForUs(message: Message, body: { said: string; entities: readonly Entity[] }, bot: Bot): boolean {
  if (message.reply_to_message?.from?.id === bot.id) return true;
  const own = `@${bot.username}`.toLowerCase();
  return body.entities.some((entity) => {
    const words = body.said.slice(entity.offset, entity.offset + entity.length).toLowerCase();
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
  const name = `${user.first_name} ${user.last_name}`.trim();
  return shortened(name === "" ? user.username : name);
}

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
