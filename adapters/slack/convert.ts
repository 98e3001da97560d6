import * as z from "zod/mini";
import { type Inbound, shortened } from "../adapter.ts";

/** Whose messages these are: what `auth.test` said. */
export interface Bot {
  readonly user: string;
  readonly name: string;
  readonly team: string;
}

/** A message for us; the sender's name is another question. */
export interface Heard {
  readonly message: Inbound;
  /** The sender's id as Slack's own methods take it. */
  readonly user: string;
  readonly text: string;
}

const Id = z.string().check(z.regex(/^[A-Z0-9]{2,64}$/));
const Ts = z.string().check(z.regex(/^[0-9]{1,20}\.[0-9]{1,10}$/));

/** What is read of a message event; everything else is left out.
 *  @see https://docs.slack.dev/reference/events/message */
const Message = z.object({
  type: z.enum(["message", "app_mention"]),
  subtype: z.optional(z.string()),
  channel: Id,
  channel_type: z.optional(z.string()),
  user: Id,
  user_team: z.optional(Id),
  text: z._default(z.string(), ""),
  ts: Ts,
  thread_ts: z.optional(Ts),
  bot_id: z.optional(z.unknown()),
  edited: z.optional(z.unknown()),
  hidden: z._default(z.boolean(), false),
  files: z._default(z.array(z.object({ name: z.nullish(z.string()), mimetype: z.nullish(z.string()) })), []),
});

/** Messages that a person wrote: all other subtypes are Slack's notices, or changes of what was written before. */
const WRITTEN: ReadonlySet<string | undefined> = new Set([undefined, "file_share", "thread_broadcast"]);

/** One event as the supervisor is told of it. Null: it is no message for us (an edit, a bot's, our own, unmentioned group talk), or not of
 *  a form that we know. */
export function convert(event: unknown, bot: Bot): Heard | null {
  const known = Message.safeParse(event);
  if (!known.success) return null;
  const message = known.data;
  if (!WRITTEN.has(message.subtype) || message.hidden || message.edited !== undefined) return null;
  if (message.bot_id !== undefined || message.user === bot.user || message.user === "USLACKBOT") return null;
  const direct = isDirect(message.channel, message.channel_type);
  const mention = `<@${bot.user}`;
  if (!direct && !message.text.includes(`${mention}>`) && !message.text.includes(`${mention}|`)) return null;
  const files = message.files.map((file) => worded(file.mimetype ?? "", file.name ?? ""));
  const said = readable(message.text, direct ? null : bot).trim();
  const text = [...files, said].filter((part) => part !== "").join("\n");
  if (text === "") return null;
  return {
    message: {
      place: message.channel,
      // In a channel the answer goes under the message that called us.
      thread: message.thread_ts ?? (direct ? null : message.ts),
      // A user's id is unique within a workspace: a guest from another one (Slack Connect) is named with theirs.
      sender:
        message.user_team === undefined || message.user_team === bot.team
          ? message.user
          : `${message.user_team}:${message.user}`,
      dedupe: `${message.channel}:${message.ts}`,
      talk: direct ? "direct" : "group",
    },
    user: message.user,
    text,
  };
}

/** Talk with a bot alone is of type `im`; `app_mention` events do not say their type, but such a channel's id begins with D. */
function isDirect(channel: string, type: string | undefined): boolean {
  return type === undefined ? channel.startsWith("D") : type === "im";
}

function worded(mimetype: string, name: string): string {
  const what = mimetype.startsWith("image/") ? "image" : mimetype.startsWith("audio/") ? "audio" : "file";
  // A name inside a bracket of ours cannot close the bracket, nor begin a line.
  const safe = shortened(name.replaceAll(/[[\]\p{C}\p{Zl}\p{Zp}]/gu, " ").trim());
  return safe === "" ? `[${what}]` : `[${what} ${safe}]`;
}

/** Slack's control sequences as a person reads them. What stands in `<…>` was put there by Slack: typed ones come as `&lt;`.
 *  @param calls taken out where it calls us at the beginning; null: nobody needs to be called here.
 *  @see https://docs.slack.dev/messaging/formatting-message-text#retrieving */
function readable(text: string, calls: Bot | null): string {
  const called = calls === null ? text : text.replace(new RegExp(`^\\s*<@${calls.user}(?:\\|[^<>]*)?>[\\s,:]*`), "");
  return called
    .replaceAll(/<([^<>]{1,4000})>/g, (whole, inside: string) => sequence(inside, calls) ?? whole)
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
