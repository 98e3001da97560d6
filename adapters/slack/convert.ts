import * as z from "zod/mini";
import type { Changed, Inbound, Pressed } from "../adapter.ts";
import { seen, withinMessage, wordFor } from "../untrusted.ts";
import { FILES, filesOf } from "./media.ts";

/** Whose messages these are: what `auth.test` said. */
export interface Bot {
  readonly user: string;
  readonly name: string;
  readonly team: string;
}

/** A message for us; the sender's name is another question, and so is what began its thread. */
export interface Written {
  readonly kind: "inbound";
  readonly message: Inbound;
  /** The sender's id as Slack's own methods take it. */
  readonly user: string;
  readonly text: string;
  /** The message under which it was written, where that is another one. */
  readonly under: string | null;
}

export type Heard =
  | Written
  | { readonly kind: "changed"; readonly change: Changed; readonly text: string }
  /** We are not in that channel any more. */
  | { readonly kind: "removed"; readonly place: string }
  /** The app was taken out of the workspace, or its tokens were. */
  | { readonly kind: "revoked" };

const Id = z.string().check(z.regex(/^[A-Z0-9]{2,64}$/));
const Ts = z.string().check(z.regex(/^[0-9]{1,20}\.[0-9]{1,10}$/));
const Words = z._default(z.string(), "");
/** As much of what is replied to as a frame takes. */
const MAX_QUOTE = 2_048;
/** Attachments that are looked at: what was shared stands first. */
const MAX_LOOKED_AT = 20;

const Author = {
  user: z.optional(Id),
  user_team: z.optional(Id),
  bot_id: z.optional(z.unknown()),
  subtype: z.optional(z.string()),
};

/** What is read of a message event; everything else is left out.
 *  @see https://docs.slack.dev/reference/events/message */
const Message = z.object({
  ...Author,
  type: z.enum(["message", "app_mention"]),
  channel: Id,
  channel_type: z.optional(z.string()),
  user: Id,
  text: Words,
  ts: Ts,
  thread_ts: z.optional(Ts),
  parent_user_id: z.optional(Id),
  edited: z.optional(z.unknown()),
  hidden: z._default(z.boolean(), false),
  files: FILES,
  attachments: z._default(z.array(z.unknown()), []),
});
type Message = z.infer<typeof Message>;

/** Messages that a person wrote: all other subtypes are Slack's notices, or changes of what was written before. */
const WRITTEN: ReadonlySet<string | undefined> = new Set([undefined, "file_share", "thread_broadcast", "me_message"]);

/** One event as the supervisor is told of it. Null: it is nothing for us (a bot's, our own, unmentioned group talk), or not of a form that we know.
 *  @param past it is what Slack remembers, maybe edited since, and no event. */
export function convert(event: unknown, bot: Bot, past = false): Heard | null {
  return fromMessage(event, bot, past) ?? fromChange(event, bot) ?? fromNotice(event, bot);
}

function isPerson(author: { user?: string | undefined; bot_id?: unknown }, bot: Bot): boolean {
  return author.bot_id === undefined && author.user !== bot.user && author.user !== "USLACKBOT";
}

function fromMessage(event: unknown, bot: Bot, past: boolean): Written | null {
  const known = Message.safeParse(event);
  if (!known.success) return null;
  const message = known.data;
  if (!WRITTEN.has(message.subtype) || message.hidden || (message.edited !== undefined && !past)) return null;
  if (!isPerson(message, bot)) return null;
  const direct = isDirect(message.channel, message.channel_type);
  if (!direct && !calls(message.text, bot) && message.parent_user_id !== bot.user) return null;
  const { files, left, words } = filesOf(message.files);
  const quote = sharedIn(message, bot);
  const said = readable(message.text, direct ? null : bot).trim();
  const shared = quote === null ? "" : "[forwarded message]";
  const text = withinMessage([shared, ...words, said].filter((part) => part !== "").join("\n"));
  if (text === "" && files.length === 0) return null;
  const under = message.thread_ts === undefined || message.thread_ts === message.ts ? null : message.thread_ts;
  return {
    kind: "inbound",
    message: {
      place: message.channel,
      // In a channel the answer goes under the message that called us.
      thread: message.thread_ts ?? (direct ? null : message.ts),
      sender: senderOf(message.user, message.user_team, bot),
      dedupe: `${message.channel}:${message.ts}`,
      talk: direct ? "direct" : "group",
      sentAt: timeOf(message.ts),
      ...(quote === null ? {} : { quote }),
      ...(files.length === 0 ? {} : { files }),
      ...(left === 0 ? {} : { filesLeft: left }),
    },
    user: message.user,
    text,
    under,
  };
}

/** A user's id is unique within a workspace: a guest from another one (Slack Connect) is named with theirs. */
export function senderOf(user: string, team: string | undefined, bot: Bot): string {
  return team === undefined || team === bot.team ? user : `${team}:${user}`;
}

/** Unix milliseconds. */
function timeOf(ts: string): number {
  return Math.min(Math.floor(Number(ts) * 1_000), Number.MAX_SAFE_INTEGER);
}

/** Talk with a bot alone is of type `im`; `app_mention` events do not say their type, but such a channel's id begins with D. */
function isDirect(channel: string, type: string | undefined): boolean {
  return type === undefined ? channel.startsWith("D") : type === "im";
}

function calls(text: string, bot: Bot): boolean {
  const mention = `<@${bot.user}`;
  return text.includes(`${mention}>`) || text.includes(`${mention}|`);
}

const Shared = z.object({
  is_share: z.optional(z.boolean()),
  is_msg_unfurl: z.optional(z.boolean()),
  author_id: z.optional(z.string()),
  text: Words,
});

/** A message of somebody's that was forwarded comes as an attachment. */
function sharedIn({ attachments, user }: Message, bot: Bot): Inbound["quote"] | null {
  for (const given of attachments.slice(0, MAX_LOOKED_AT)) {
    const known = Shared.safeParse(given);
    if (known.success && (known.data.is_share === true || known.data.is_msg_unfurl === true))
      return quoteOf(known.data.author_id, known.data.text, user, bot);
  }
  return null;
}

function quoteOf(by: string | undefined, text: string, sender: string, bot: Bot): NonNullable<Inbound["quote"]> {
  return {
    by: by === bot.user ? "us" : by === sender ? "sender" : "other",
    text: readable(text.slice(0, 2 * MAX_QUOTE), null)
      .slice(0, MAX_QUOTE)
      .toWellFormed(),
  };
}

const Root = z.object({ ...Author, text: Words, files: FILES });

/** What stands at the head of a thread, as Slack remembers it. @param sender who wrote under it. Null: of no form that we know. */
export function quoted(root: unknown, sender: string, bot: Bot): NonNullable<Inbound["quote"]> | null {
  const known = Root.safeParse(root);
  if (!known.success) return null;
  const { files } = filesOf(known.data.files);
  const text = [known.data.text, ...files.map(wordFor)].filter((part) => part !== "").join("\n");
  return text === "" ? null : quoteOf(known.data.user, text, sender, bot);
}

const Before = z.object({
  ...Author,
  text: Words,
  ts: z.optional(Ts),
  thread_ts: z.optional(Ts),
  parent_user_id: z.optional(Id),
});
const Change = z.object({
  type: z.literal("message"),
  subtype: z.enum(["message_changed", "message_deleted"]),
  channel: Id,
  channel_type: z.optional(z.string()),
  event_ts: Ts,
  deleted_ts: z.optional(Ts),
  message: z.optional(z.extend(Before, { edited: z.optional(z.unknown()) })),
  previous_message: z.optional(Before),
});

/** @see https://docs.slack.dev/reference/events/message/message_changed */
function fromChange(event: unknown, bot: Bot): Heard | null {
  const known = Change.safeParse(event);
  if (!known.success) return null;
  const { channel, subtype, message, previous_message: before, event_ts: at } = known.data;
  // The head of a thread that is deleted is changed into a stone on its grave.
  const deleted = subtype === "message_deleted" || message?.subtype === "tombstone";
  const now = deleted ? before : message;
  const ts = deleted ? (known.data.deleted_ts ?? before?.ts ?? message?.ts) : message?.ts;
  if (now?.user === undefined || ts === undefined || !isPerson(now, bot)) return null;
  // A preview that Slack added is a change of nobody's.
  if (!deleted && (message?.edited === undefined || message.text === before?.text)) return null;
  const direct = isDirect(channel, known.data.channel_type);
  const ours = [now, before].some((one) => calls(one?.text ?? "", bot) || one?.parent_user_id === bot.user);
  if (!direct && !ours) return null;
  return {
    kind: "changed",
    change: {
      place: channel,
      thread: now.thread_ts ?? before?.thread_ts ?? (direct ? null : ts),
      sender: senderOf(now.user, now.user_team, bot),
      dedupe: `change:${channel}:${ts}:${at}`,
      message: `${channel}:${ts}`,
      change: deleted ? "deleted" : "edited",
    },
    text: deleted ? "" : withinMessage(readable(now.text, direct ? null : bot).trim()),
  };
}

const Notice = z.object({
  type: z.enum(["member_left_channel", "channel_left", "group_left", "tokens_revoked", "app_uninstalled"]),
  channel: z.optional(Id),
  user: z.optional(z.string()),
  tokens: z.optional(z.object({ bot: z.optional(z.array(z.string())) })),
});

function fromNotice(event: unknown, bot: Bot): Heard | null {
  const known = Notice.safeParse(event);
  if (!known.success) return null;
  const { type, channel, user, tokens } = known.data;
  if (type === "app_uninstalled") return { kind: "revoked" };
  if (type === "tokens_revoked") return tokens?.bot?.includes(bot.user) === true ? { kind: "revoked" } : null;
  if (channel === undefined || (type === "member_left_channel" && user !== bot.user)) return null;
  return { kind: "removed", place: channel };
}

/** Slack's control sequences as a person reads them. What stands in `<…>` was put there by Slack: typed ones come as `&lt;`.
 *  @param bot taken out where it is called at the beginning; null: nobody needs to be called here.
 *  @see https://docs.slack.dev/messaging/formatting-message-text#retrieving */
function readable(text: string, bot: Bot | null): string {
  const called = bot === null ? text : text.replace(new RegExp(`^\\s*<@${bot.user}(?:\\|[^<>]*)?>[\\s,:]*`), "");
  return called
    .replaceAll(/<([^<>]{1,4000})>/g, (whole, inside: string) => sequence(inside, bot) ?? whole)
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}

function sequence(inside: string, bot: Bot | null): string | null {
  const bar = inside.indexOf("|");
  const target = bar === -1 ? inside : inside.slice(0, bar);
  const label = bar === -1 ? "" : inside.slice(bar + 1);
  if (target.startsWith("@"))
    return bot !== null && target === `@${bot.user}` ? `@${bot.name}` : `@${label || target.slice(1)}`;
  if (target.startsWith("#")) return `#${label || target.slice(1)}`;
  if (target.startsWith("!"))
    return target.startsWith("!date") ? label : label.startsWith("@") ? label : `@${label || target.slice(1)}`;
  if (!/^[a-z][a-z0-9+.-]*:/i.test(target)) return null;
  const shown = target.replace(/^(?:https?:\/\/|mailto:|tel:)/i, "");
  return label === "" || label === target || label === shown
    ? target.startsWith("http")
      ? target
      : shown
    : `${label} (${target})`;
}

const Press = z.object({
  type: z.literal("block_actions"),
  user: z.object({ id: Id, team_id: z.optional(Id), username: z._default(z.string(), "") }),
  channel: z.object({ id: Id }),
  message: z.object({ ts: Ts, thread_ts: z.optional(Ts) }),
  actions: z.array(
    z.object({ action_id: z.string(), value: z._default(z.string(), ""), action_ts: z._default(z.string(), "") }),
  ),
});

/** What a button of a card is called. */
export const ACTION = {
  approve: "wirken-approve",
  "approve-session": "wirken-approve-session",
  deny: "wirken-deny",
} as const;

export interface Pressing {
  readonly press: Omit<Pressed, "senderName">;
  readonly user: string;
  /** As Slack says they call themselves. */
  readonly name: string;
}

/** A press of a button of ours; null: it is none.
 *  @see https://docs.slack.dev/reference/interaction-payloads/block_actions-payload */
export function pressed(payload: unknown, bot: Bot): Pressing | null {
  const known = Press.safeParse(payload);
  if (!known.success) return null;
  const { user, channel, message, actions } = known.data;
  const [action] = actions;
  const decision = DECISIONS.find((one) => ACTION[one] === action?.action_id);
  if (action === undefined || decision === undefined || action.value === "" || action.value.length > MAX_CARD)
    return null;
  return {
    press: {
      place: channel.id,
      thread: message.thread_ts ?? null,
      sender: senderOf(user.id, user.team_id, bot),
      dedupe: `press:${channel.id}:${message.ts}:${user.id}:${seen(action.action_ts, 64)}`,
      card: action.value,
      decision,
    },
    user: user.id,
    name: user.username,
  };
}
const DECISIONS = ["approve", "approve-session", "deny"] as const;
/** Characters of a card's id, as a frame takes them. */
const MAX_CARD = 512;
