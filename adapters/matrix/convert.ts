import * as z from "zod/mini";
import type { FileRef } from "../../src/ipc/adapter-frames.ts";
import { type Changed, type Inbound, type Pressed, shortened } from "../adapter.ts";

/** One event, opened if it was encrypted, as the supervisor is told of it. */

/** Ids of events and people: the specification allows 255 bytes. */
const Id = z.string().check(z.minLength(1), z.maxLength(255));
const Relation = z.object({
  rel_type: z.optional(z.string()),
  event_id: z.optional(Id),
  key: z.optional(z.string().check(z.maxLength(64))),
  is_falling_back: z.optional(z.boolean()),
  "m.in_reply_to": z.optional(z.object({ event_id: Id })),
});
type Relation = z.infer<typeof Relation>;
const Mxc = z.string().check(z.regex(/^mxc:\/\/[A-Za-z0-9._:[\]-]{1,255}\/[A-Za-z0-9_-]{1,255}$/));
/** How a file is encrypted: what opens it travels in the encrypted message.
 *  @see https://spec.matrix.org/v1.11/client-server-api/#sending-encrypted-attachments */
const Locked = z.object({
  url: Mxc,
  v: z.literal("v2"),
  iv: z.string().check(z.maxLength(64)),
  key: z.object({
    alg: z.literal("A256CTR"),
    k: z.string().check(z.maxLength(64)),
    kty: z.literal("oct"),
    ext: z._default(z.boolean(), true),
    key_ops: z._default(z.array(z.string().check(z.maxLength(16))).check(z.maxLength(8)), ["encrypt", "decrypt"]),
  }),
  hashes: z.object({ sha256: z.string().check(z.maxLength(64)) }),
});
const Anything = z.optional(z.unknown());
const Content = z.object({
  msgtype: z._default(z.string(), ""),
  body: z._default(z.string(), ""),
  filename: z.optional(z.string()),
  url: Anything,
  file: Anything,
  info: z.optional(z.object({ mimetype: z.optional(z.string()), size: z.optional(z.int().check(z.gte(0))) })),
  "m.mentions": z.optional(z.object({ user_ids: z._default(z.array(z.string()), []) })),
  "org.matrix.msc3245.voice": Anything,
  "m.voice": Anything,
  "m.new_content": z.optional(z.object({ body: z._default(z.string(), ""), msgtype: z._default(z.string(), "") })),
  "m.relates_to": z.optional(z.unknown()),
});
type Content = z.infer<typeof Content>;

/** What all events of a room have. */
const Envelope = z.object({
  type: z.string(),
  event_id: Id,
  sender: Id,
  origin_server_ts: z.int().check(z.gte(0)),
  content: z.unknown(),
  redacts: z.optional(Id),
  state_key: z.optional(z.string()),
  unsigned: z.optional(z.object({ transaction_id: z.optional(z.string()), redacted_because: Anything })),
});
export type Envelope = z.infer<typeof Envelope>;

export function envelopeOf(event: unknown): Envelope | null {
  return Envelope.safeParse(event).data ?? null;
}

export interface Setting {
  /** Who we are. */
  readonly own: string;
  readonly place: string;
  readonly talk: "direct" | "group";
  /** As we are called in that room. */
  readonly ownName: string;
  /** What names this message for good: of an encrypted one, its ciphertext. */
  readonly dedupe: string;
  /** What it replies to, where that is known. */
  readonly replied: { readonly sender: string; readonly text: string } | null;
  /** Whether the thread that it is in began with a message of ours. */
  readonly ownThread: boolean;
}

export type Heard =
  | { readonly kind: "inbound"; readonly message: Inbound; readonly text: string }
  | { readonly kind: "changed"; readonly change: Changed; readonly text: string }
  | {
      readonly kind: "reaction";
      readonly press: Omit<Pressed, "card" | "decision" | "senderName">;
      readonly target: string;
      readonly key: string;
    }
  | { readonly kind: "nothing" };

const NOTHING: Heard = { kind: "nothing" };

/** What a message refers to: what has to be known before it can be converted. */
export function referencesOf(event: Envelope): { readonly reply: string | null; readonly thread: string | null } {
  const relation = relationOf(event.content);
  const thread = relation?.rel_type === "m.thread" ? (relation.event_id ?? null) : null;
  // In a thread, what programs that know no threads show it as an answer to is no answer.
  const falls = thread !== null && relation?.is_falling_back === true;
  return { reply: falls ? null : (relation?.["m.in_reply_to"]?.event_id ?? null), thread };
}

/** Nothing: it is no message for us (our own, a bot's notice, unmentioned group talk), or not of a form that we know. */
export function convert(event: Envelope, setting: Setting): Heard {
  if (event.sender === setting.own || event.state_key !== undefined) return NOTHING;
  switch (event.type) {
    case "m.room.message":
    case "m.sticker":
      return message(event, setting);
    case "m.room.redaction":
      return redaction(event, setting);
    case "m.reaction":
      return reaction(event, setting);
    default:
      return NOTHING;
  }
}

function message(event: Envelope, setting: Setting): Heard {
  const content = Content.safeParse(event.content).data;
  // What a program says by itself is a notice; whoever answers one with one never ends.
  if (content === undefined || content.msgtype === "m.notice") return NOTHING;
  const relation = relationOf(event.content);
  const { thread } = referencesOf(event);
  if (relation?.rel_type === "m.replace") return edit(event, content, relation, setting);
  const files = filesOf(event.type, content);
  const said = textOf(content, files, relation?.["m.in_reply_to"] !== undefined);
  if (setting.talk === "group" && !isForUs(content, said, setting)) return NOTHING;
  const text = setting.talk === "group" ? withoutMention(said, setting) : said;
  // What a file is says the frame; a word of ours stands only where nobody wrote one.
  const words = text.trim() === "" ? wordFor(event.type, content, files) : text.trim();
  if (words === "") return NOTHING;
  return {
    kind: "inbound",
    text: words,
    message: {
      place: setting.place,
      thread,
      sender: event.sender,
      dedupe: setting.dedupe,
      message: event.event_id,
      talk: setting.talk,
      sentAt: event.origin_server_ts,
      ...(files === null ? {} : { files: [files] }),
      ...(setting.replied === null ? {} : { quote: quoteOf(setting.replied, event.sender, setting.own) }),
    },
  };
}

function quoteOf(
  replied: { readonly sender: string; readonly text: string },
  sender: string,
  own: string,
): NonNullable<Inbound["quote"]> {
  const by = replied.sender === own ? "us" : replied.sender === sender ? "sender" : "other";
  return { by, text: replied.text.slice(0, 2_048).toWellFormed() };
}

function edit(event: Envelope, content: Content, relation: Relation, setting: Setting): Heard {
  const fresh = content["m.new_content"];
  if (relation.event_id === undefined || fresh === undefined || fresh.msgtype === "m.notice") return NOTHING;
  return {
    kind: "changed",
    text: setting.talk === "group" ? withoutMention(fresh.body, setting).trim() : fresh.body.trim(),
    change: {
      place: setting.place,
      thread: null,
      sender: event.sender,
      dedupe: setting.dedupe,
      message: relation.event_id,
      change: "edited",
    },
  };
}

const Redaction = z.object({ redacts: z.optional(Id) });

function redaction(event: Envelope, setting: Setting): Heard {
  const target = event.redacts ?? Redaction.safeParse(event.content).data?.redacts;
  if (target === undefined) return NOTHING;
  const { place } = setting;
  return {
    kind: "changed",
    text: "",
    change: {
      place,
      thread: null,
      sender: event.sender,
      dedupe: setting.dedupe,
      message: target,
      change: "deleted",
    },
  };
}

function reaction(event: Envelope, setting: Setting): Heard {
  const relation = relationOf(event.content);
  if (relation?.rel_type !== "m.annotation" || relation.event_id === undefined || relation.key === undefined)
    return NOTHING;
  return {
    kind: "reaction",
    target: relation.event_id,
    key: relation.key,
    press: { place: setting.place, thread: null, sender: event.sender, dedupe: setting.dedupe },
  };
}

/** @returns what a sign decides; null for one that decides nothing. */
export function decisionOf(key: string): Pressed["decision"] | null {
  // With or without the mark for colour, and in any colour of skin.
  const sign = key.replaceAll(/\u{fe0f}|\p{Emoji_Modifier}/gu, "");
  if (sign === "✅" || sign === "👍") return "approve";
  return sign === "❌" || sign === "👎" ? "deny" : null;
}

function relationOf(content: unknown): Relation | null {
  const found = z.object({ "m.relates_to": Relation }).safeParse(content);
  return found.data?.["m.relates_to"] ?? null;
}

const FILES: Readonly<Record<string, FileRef["what"]>> = {
  "m.image": "image",
  "m.file": "file",
  "m.audio": "audio",
  "m.video": "video",
};

function filesOf(type: string, content: Content): FileRef | null {
  const what = type === "m.sticker" ? "image" : FILES[content.msgtype];
  if (what === undefined) return null;
  const locked = Locked.safeParse(content.file).data;
  const open = Mxc.safeParse(content.url).data;
  if (locked === undefined && open === undefined) return null;
  const voice = content["org.matrix.msc3245.voice"] !== undefined || content["m.voice"] !== undefined;
  return {
    handle: JSON.stringify(locked ?? { url: open }),
    name: content.filename?.slice(0, 255).toWellFormed() ?? content.body.slice(0, 255).toWellFormed(),
    type: (content.info?.mimetype ?? "").slice(0, 127).toWellFormed(),
    bytes: content.info?.size ?? null,
    what: what === "audio" && voice ? "voice" : what,
  };
}

const Handle = z.union([Locked, z.strictObject({ url: Mxc })]);

/** @returns what a file is fetched and opened by; null for what is no handle of ours. */
export function handleOf(handle: string): z.infer<typeof Handle> | null {
  try {
    return Handle.safeParse(JSON.parse(handle)).data ?? null;
  } catch {
    return null;
  }
}

/** What was said: with a file, what was written under it; the body is its name then, or says both. */
function textOf(content: Content, file: FileRef | null, reply: boolean): string {
  if (file !== null) return content.filename === undefined || content.filename === content.body ? "" : content.body;
  if (content.msgtype === "m.emote") return `* ${content.body}`;
  return reply ? withoutFallback(content.body) : content.body;
}

/** A word for what we cannot read. */
function wordFor(type: string, content: Content, file: FileRef | null): string {
  if (content.msgtype === "m.location") return "[location]";
  if (type === "m.sticker") return "[sticker]";
  if (file === null) return content.msgtype in FILES ? "[file that cannot be had]" : "";
  if (file.what === "voice") return "[voice message]";
  const safe = shortened(file.name.replaceAll(/[[\]\p{C}\p{Zl}\p{Zp}]/gu, " ").trim());
  return safe === "" ? `[${file.what}]` : `[${file.what} ${safe}]`;
}

/** Older programs repeat what they answer before the answer, as lines that begin with `> `. */
function withoutFallback(body: string): string {
  if (!body.startsWith("> ")) return body;
  const lines = body.split("\n");
  const first = lines.findIndex((line) => !line.startsWith("> ") && line !== ">");
  return first === -1 ? body : lines.slice(first).join("\n").replace(/^\n/, "");
}

function isForUs(content: Content, said: string, setting: Setting): boolean {
  if (setting.replied?.sender === setting.own || setting.ownThread) return true;
  const mentions = content["m.mentions"];
  if (mentions !== undefined) return mentions.user_ids.includes(setting.own);
  // Programs that know no list of mentions write who is meant.
  const at = said.toLowerCase().indexOf(setting.own.toLowerCase());
  return at !== -1 && !/[a-z0-9._-]/i.test(said.charAt(at + setting.own.length));
}

/** How a room calls us is not what we are asked: it goes from the beginning. */
function withoutMention(text: string, { own, ownName }: Setting): string {
  for (const name of [own, `@${ownName}`, ownName]) {
    const start = text.trimStart();
    if (name === "" || !start.toLowerCase().startsWith(name.toLowerCase())) continue;
    const rest = start.slice(name.length);
    if (!/^[\p{L}\p{N}]/u.test(rest)) return rest.replace(/^[\s,:]+/, "");
  }
  return text;
}
