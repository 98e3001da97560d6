import { z } from "zod/mini";

/** What Slack's Web API answers, with its arguments checked as its reference states them. An argument that it does not have is refused,
 *  where the real one would only warn: what we send must be right.
 *  @see https://docs.slack.dev/reference/methods */

export interface Workspace {
  readonly team: { readonly id: string; readonly name: string };
  /** The app that the app-level token is of. */
  readonly app: string;
  /** The app that the bot token is of: another one if the operator mixed up two apps. */
  readonly botApp: string;
  readonly bot: { readonly user: string; readonly id: string; readonly name: string };
  readonly scopes: readonly string[];
  readonly users: ReadonlyMap<string, string>;
  readonly channels: ReadonlySet<string>;
  readonly posted: Posted[];
  readonly statuses: { readonly channel: string; readonly thread: string; readonly status: string }[];
}

export interface Posted {
  readonly ts: string;
  readonly channel: string;
  readonly thread: string | null;
  text: string;
  blocks: readonly Block[];
  readonly at: number;
}

/** A no of Slack's, by its code. */
export class SlackRefusal extends Error {
  override readonly name = "SlackRefusal";
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

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
const Block = z.strictObject({
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
export type Block = z.infer<typeof Block>;

const Flag = z.enum(["true", "false"]);
const Id = z.string().check(z.regex(/^[A-Z][A-Z0-9]{2,}$/));
const Ts = z.string().check(z.regex(/^\d+\.\d{6}$/));
/** Slack cuts a text here; we never come near. */
const MessageText = z.string().check(z.maxLength(4_000));
const Blocks = z.pipe(
  z.pipe(
    z.string(),
    z.transform((text: string): unknown => JSON.parse(text)),
  ),
  z.array(Block).check(z.maxLength(50)),
);

const ARGUMENTS = {
  "auth.test": z.strictObject({}),
  "apps.connections.open": z.strictObject({}),
  "bots.info": z.strictObject({ bot: Id }),
  "users.info": z.strictObject({ user: Id }),
  "conversations.info": z.strictObject({ channel: Id }),
  "conversations.history": z.strictObject({
    channel: Id,
    oldest: z.optional(Ts),
    limit: z.optional(z.coerce.number().check(z.int(), z.lte(999))),
  }),
  "chat.postMessage": z.strictObject({
    channel: Id,
    text: MessageText,
    blocks: z.optional(Blocks),
    thread_ts: z.optional(Ts),
    mrkdwn: z.optional(Flag),
    unfurl_links: z.literal("false"),
    unfurl_media: z.literal("false"),
  }),
  "chat.update": z.strictObject({ channel: Id, ts: Ts, text: MessageText, blocks: Blocks }),
  "assistant.threads.setStatus": z.strictObject({
    channel_id: Id,
    thread_ts: Ts,
    status: z.string().check(z.maxLength(50)),
  }),
} as const;

let posts = 0;

/** @param token the kind that was shown. @param open makes the address of a new Socket Mode line. @returns what the answer holds besides `ok`. @throws {SlackRefusal} */
export function answer(
  workspace: Workspace,
  method: string,
  token: "bot" | "app" | null,
  given: Readonly<Record<string, string>>,
  open: () => string,
): object {
  if (token === null) throw new SlackRefusal("invalid_auth");
  if ((token === "app") !== (method === "apps.connections.open")) throw new SlackRefusal("not_allowed_token_type");
  const { bot, team, users, channels, posted } = workspace;
  switch (method) {
    case "auth.test":
      read(ARGUMENTS[method], given);
      return {
        url: "https://acme.slack.com/",
        team: team.name,
        user: bot.name,
        team_id: team.id,
        user_id: bot.user,
        bot_id: bot.id,
        is_enterprise_install: false,
      };
    case "apps.connections.open":
      read(ARGUMENTS[method], given);
      return { url: open() };
    case "bots.info": {
      const { bot: id } = read(ARGUMENTS[method], given);
      needs(workspace, "users:read");
      if (id !== bot.id) throw new SlackRefusal("bot_not_found");
      return { bot: { id, app_id: workspace.botApp, user_id: bot.user, name: bot.name, deleted: false } };
    }
    case "users.info": {
      const { user } = read(ARGUMENTS[method], given);
      needs(workspace, "users:read");
      const name = users.get(user);
      if (name === undefined) throw new SlackRefusal("user_not_found");
      return {
        user: {
          id: user,
          team_id: team.id,
          name: name.toLowerCase(),
          profile: { display_name: name, real_name: name },
        },
      };
    }
    case "conversations.info": {
      const { channel } = read(ARGUMENTS[method], given);
      if (!channels.has(channel)) throw new SlackRefusal("channel_not_found");
      return { channel: { id: channel, is_im: channel.startsWith("D") } };
    }
    case "conversations.history": {
      const { channel, oldest = "0.000000" } = read(ARGUMENTS[method], given);
      if (!channels.has(channel)) throw new SlackRefusal("channel_not_found");
      const messages = posted.filter(
        (one) => one.channel === channel && one.thread === null && Number(one.ts) > Number(oldest),
      );
      return {
        messages: messages.map(({ ts, text }) => ({ type: "message", user: bot.user, ts, text })),
        has_more: false,
      };
    }
    case "chat.postMessage": {
      const message = read(ARGUMENTS[method], given);
      needs(workspace, "chat:write");
      if (!channels.has(message.channel)) throw new SlackRefusal("channel_not_found");
      if (message.text === "" && message.blocks === undefined) throw new SlackRefusal("no_text");
      posts += 1;
      const ts = `${Math.floor(Date.now() / 1_000)}.${String(posts).padStart(6, "0")}`;
      posted.push({
        ts,
        channel: message.channel,
        thread: message.thread_ts ?? null,
        text: message.text,
        blocks: message.blocks ?? [],
        at: performance.now(),
      });
      return {
        channel: message.channel,
        ts,
        message: { type: "message", user: bot.user, bot_id: bot.id, ts, text: message.text },
      };
    }
    case "chat.update": {
      const { channel, ts, text, blocks } = read(ARGUMENTS[method], given);
      needs(workspace, "chat:write");
      const known = posted.find((one) => one.channel === channel && one.ts === ts);
      if (known === undefined) throw new SlackRefusal("message_not_found");
      Object.assign(known, { text, blocks });
      return { channel, ts, text };
    }
    case "assistant.threads.setStatus": {
      const { channel_id: channel, thread_ts: thread, status } = read(ARGUMENTS[method], given);
      workspace.statuses.push({ channel, thread, status });
      return {};
    }
    default:
      throw new SlackRefusal("unknown_method");
  }
}

function needs({ scopes }: Workspace, scope: string): void {
  if (!scopes.includes(scope)) throw new SlackRefusal("missing_scope");
}

function read<T>(form: z.ZodMiniType<T>, given: unknown): T {
  const known = form.safeParse(given);
  if (known.success) return known.data;
  const inBlocks = known.error.issues.every((issue) => issue.path[0] === "blocks");
  throw new SlackRefusal(
    inBlocks
      ? "invalid_blocks"
      : `invalid_arguments:${known.error.issues.map((issue) => issue.path.join(".")).join("_")}`,
  );
}
