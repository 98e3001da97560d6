import { z } from "zod/mini";

/** What each of Slack's methods takes, as its reference states it. An argument that it does not have is refused, where the real one would only
 *  warn: what we send must be right.
 *  @see https://docs.slack.dev/reference/methods */

const Style = z.strictObject({
  bold: z.optional(z.boolean()),
  italic: z.optional(z.boolean()),
  strike: z.optional(z.boolean()),
  code: z.optional(z.boolean()),
});
const Text = z.strictObject({
  type: z.literal("text"),
  text: z.string().check(z.minLength(1)),
  style: z.optional(Style),
});
const Link = z.strictObject({
  type: z.literal("link"),
  url: z.url(),
  text: z.optional(z.string()),
  style: z.optional(Style),
});
const Inline = z.array(z.discriminatedUnion("type", [Text, Link])).check(z.minLength(1));
const RichText = z.strictObject({
  type: z.literal("rich_text"),
  elements: z
    .array(
      z.discriminatedUnion("type", [
        z.strictObject({ type: z.literal("rich_text_section"), elements: Inline }),
        z.strictObject({ type: z.literal("rich_text_quote"), elements: Inline }),
        z.strictObject({ type: z.literal("rich_text_preformatted"), elements: Inline }),
      ]),
    )
    .check(z.minLength(1)),
});
const Button = z.strictObject({
  type: z.literal("button"),
  text: z.strictObject({ type: z.literal("plain_text"), text: z.string().check(z.minLength(1), z.maxLength(75)) }),
  action_id: z.string().check(z.minLength(1), z.maxLength(255)),
  value: z.string().check(z.maxLength(2_000)),
  style: z.optional(z.enum(["primary", "danger"])),
});
const Actions = z.strictObject({
  type: z.literal("actions"),
  elements: z.array(Button).check(
    z.minLength(1),
    z.maxLength(25),
    z.refine((buttons) => new Set(buttons.map((one) => one.action_id)).size === buttons.length),
  ),
});
const Block = z.discriminatedUnion("type", [RichText, Actions]);
export type Block = z.infer<typeof Block>;

const Flag = z.enum(["true", "false"]);
const Id = z.string().check(z.regex(/^[A-Z][A-Z0-9]{2,}$/));
const Ts = z.string().check(z.regex(/^\d+\.\d{6}$/));
const Limit = z.optional(z.coerce.number().check(z.int(), z.gte(1), z.lte(999)));
/** Slack cuts a text here; we never come near. */
const MessageText = z.string().check(z.maxLength(4_000));
const json = <T>(form: z.ZodMiniType<T>) =>
  z.pipe(
    z.pipe(
      z.string(),
      z.transform((text: string): unknown => JSON.parse(text)),
    ),
    form,
  );
const Blocks = json(z.array(Block).check(z.maxLength(50)));
const Metadata = json(
  z.strictObject({
    event_type: z.string().check(z.regex(/^[a-z0-9_]+$/)),
    event_payload: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  }),
);
export type Metadata = z.infer<typeof Metadata>;
const Emoji = z.string().check(z.regex(/^[a-z0-9_+-]+$/));
const history = {
  channel: Id,
  oldest: z.optional(Ts),
  latest: z.optional(Ts),
  limit: Limit,
  cursor: z.optional(z.string()),
  inclusive: z.optional(Flag),
  include_all_metadata: z.optional(Flag),
};

export const ARGUMENTS = {
  // Bolt gives the token here too, as each method lets it.
  "auth.test": z.strictObject({ token: z.optional(z.string()) }),
  "apps.connections.open": z.strictObject({}),
  "bots.info": z.strictObject({ bot: Id }),
  "users.info": z.strictObject({ user: Id }),
  "conversations.info": z.strictObject({ channel: Id }),
  "conversations.open": z.strictObject({ users: z.string() }),
  "conversations.history": z.strictObject(history),
  "conversations.replies": z.strictObject({ ...history, ts: Ts }),
  "chat.postMessage": z.strictObject({
    channel: Id,
    text: MessageText,
    blocks: z.optional(Blocks),
    thread_ts: z.optional(Ts),
    mrkdwn: z.optional(Flag),
    unfurl_links: z.optional(Flag),
    unfurl_media: z.optional(Flag),
    metadata: z.optional(Metadata),
  }),
  "chat.update": z.strictObject({
    channel: Id,
    ts: Ts,
    text: MessageText,
    blocks: Blocks,
    parse: z.optional(z.enum(["none", "full"])),
    metadata: z.optional(Metadata),
  }),
  "chat.delete": z.strictObject({ channel: Id, ts: Ts }),
  "chat.postEphemeral": z.strictObject({
    channel: Id,
    user: Id,
    text: MessageText,
    parse: z.optional(z.enum(["none", "full"])),
    thread_ts: z.optional(Ts),
  }),
  "reactions.add": z.strictObject({ channel: Id, timestamp: Ts, name: Emoji }),
  "reactions.remove": z.strictObject({ channel: Id, timestamp: Ts, name: Emoji }),
  "files.info": z.strictObject({ file: Id }),
  "files.getUploadURLExternal": z.strictObject({
    filename: z.string().check(z.minLength(1)),
    length: z.coerce.number().check(z.int(), z.gte(1)),
  }),
  "files.completeUploadExternal": z.strictObject({
    files: json(z.array(z.strictObject({ id: Id, title: z.optional(z.string()) })).check(z.minLength(1))),
    channel_id: Id,
    thread_ts: z.optional(Ts),
  }),
  "assistant.threads.setStatus": z.strictObject({
    channel_id: Id,
    thread_ts: Ts,
    status: z.string().check(z.maxLength(50)),
  }),
} as const;
export type Method = keyof typeof ARGUMENTS;
export type Arguments<M extends Method> = z.infer<(typeof ARGUMENTS)[M]>;

/** A no of Slack's, by its code. */
export class SlackRefusal extends Error {
  override readonly name = "SlackRefusal";
  readonly code: string;
  /** The scope that was wanted. */
  readonly needed: string | null;
  constructor(code: string, needed: string | null = null) {
    super(code);
    this.code = code;
    this.needed = needed;
  }
}

export function isMethod(name: string): name is Method {
  return name in ARGUMENTS;
}

/** @throws {SlackRefusal} */
export function read<M extends Method>(method: M, given: unknown): Arguments<M> {
  const form: z.ZodMiniType = ARGUMENTS[method];
  const known = form.safeParse(given);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the form of a method is what its arguments are read by
  if (known.success) return known.data as Arguments<M>;
  const inBlocks = known.error.issues.every((issue) => issue.path[0] === "blocks");
  throw new SlackRefusal(
    inBlocks
      ? "invalid_blocks"
      : `invalid_arguments:${known.error.issues.map((issue) => issue.path.join(".")).join("_")}`,
  );
}
