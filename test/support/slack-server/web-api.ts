import type { Unfurler } from "../unfurler.ts";
import { type Arguments, type Block, isMethod, type Metadata, type Method, read, SlackRefusal } from "./arguments.ts";

/** What Slack's Web API answers.
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
  readonly channels: Set<string>;
  readonly posted: Posted[];
  /** What people wrote, as Slack remembers it. */
  readonly written: {
    readonly channel: string;
    readonly ts: string;
    readonly thread: string | null;
    readonly message: object;
  }[];
  readonly statuses: { readonly channel: string; readonly thread: string; readonly status: string }[];
  /** What one person was told alone. */
  readonly whispered: {
    readonly channel: string;
    readonly user: string;
    readonly text: string;
    readonly thread: string | null;
  }[];
  /** The bot's marks: `channel:ts:name`. */
  readonly marks: Set<string>;
  readonly files: Map<string, HeldFile>;
  readonly unfurler: Unfurler;
}

export interface HeldFile {
  readonly name: string;
  readonly type: string;
  bytes: Buffer | null;
  /** Bytes, as it was announced. */
  readonly size: number;
  /** Where it was shown. */
  readonly shown: { readonly channel: string; readonly thread: string | null; readonly title: string }[];
  fetched: number;
  /** Where it lies, if not here. */
  readonly elsewhere: string | null;
}

export interface Posted {
  readonly ts: string;
  readonly channel: string;
  readonly thread: string | null;
  text: string;
  blocks: readonly Block[];
  readonly at: number;
  metadata: Metadata | null;
  /** Whether Slack looks at links in it. */
  readonly unfurls: boolean;
}

/** What a method needs besides its arguments. */
export interface Served {
  /** The kind of token that was shown. */
  readonly token: "bot" | "app" | null;
  /** Makes the address of a new Socket Mode line. */
  readonly open: () => string;
  /** Makes the address of a file. */
  readonly place: (kind: "upload/v1" | "files-pri", id: string) => string;
}

const SCOPES: Readonly<Partial<Record<Method, string>>> = {
  "bots.info": "users:read",
  "users.info": "users:read",
  "conversations.open": "im:write",
  "chat.postMessage": "chat:write",
  "chat.update": "chat:write",
  "chat.delete": "chat:write",
  "chat.postEphemeral": "chat:write",
  "reactions.add": "reactions:write",
  "reactions.remove": "reactions:write",
  "files.info": "files:read",
  "files.getUploadURLExternal": "files:write",
  "files.completeUploadExternal": "files:write",
};

let posts = 0;
function nextTs(): string {
  posts += 1;
  return `${Math.floor(Date.now() / 1_000)}.${String(posts).padStart(6, "0")}`;
}

/** @returns what the answer holds besides `ok`. @throws {SlackRefusal} */
export function answer(
  workspace: Workspace,
  name: string,
  given: Readonly<Record<string, string>>,
  served: Served,
): object {
  if (served.token === null) throw new SlackRefusal("invalid_auth");
  if ((served.token === "app") !== (name === "apps.connections.open")) throw new SlackRefusal("not_allowed_token_type");
  if (!isMethod(name)) throw new SlackRefusal("unknown_method");
  const needed = SCOPES[name];
  if (needed !== undefined) needs(workspace, needed);
  const { bot, team, users } = workspace;
  switch (name) {
    case "auth.test":
      read(name, given);
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
      read(name, given);
      return { url: served.open() };
    case "bots.info": {
      const { bot: id } = read(name, given);
      if (id !== bot.id) throw new SlackRefusal("bot_not_found");
      return { bot: { id, app_id: workspace.botApp, user_id: bot.user, name: bot.name, deleted: false } };
    }
    case "users.info": {
      const { user } = read(name, given);
      const called = users.get(user);
      if (called === undefined) throw new SlackRefusal("user_not_found");
      const profile = { display_name: called, real_name: called };
      return { user: { id: user, team_id: team.id, name: called.toLowerCase(), profile } };
    }
    case "conversations.info": {
      const { channel } = read(name, given);
      inChannel(workspace, channel);
      return { channel: { id: channel, is_im: channel.startsWith("D") } };
    }
    case "conversations.open": {
      const { users: user } = read(name, given);
      const called = users.get(user);
      if (called === undefined) throw new SlackRefusal("user_not_found");
      const id = `D0${called.toUpperCase()}`;
      workspace.channels.add(id);
      return { channel: { id } };
    }
    case "conversations.history":
    case "conversations.replies":
      return history(workspace, name, given);
    case "assistant.threads.setStatus": {
      const { channel_id: channel, thread_ts: thread, status } = read(name, given);
      workspace.statuses.push({ channel, thread, status });
      return {};
    }
    case "reactions.add":
    case "reactions.remove": {
      const { channel, timestamp, name: emoji } = read(name, given);
      const mark = `${channel}:${timestamp}:${emoji}`;
      if (workspace.marks.has(mark) === (name === "reactions.add"))
        throw new SlackRefusal(name === "reactions.add" ? "already_reacted" : "no_reaction");
      if (name === "reactions.add") workspace.marks.add(mark);
      else workspace.marks.delete(mark);
      return {};
    }
    case "files.info":
    case "files.getUploadURLExternal":
    case "files.completeUploadExternal":
      return files(workspace, name, given, served);
    case "chat.postMessage":
      return post(workspace, read(name, given));
    case "chat.update":
      return update(workspace, read(name, given));
    case "chat.delete": {
      const { channel, ts } = read(name, given);
      const at = workspace.posted.findIndex((one) => one.channel === channel && one.ts === ts);
      if (at === -1) throw new SlackRefusal("message_not_found");
      workspace.posted.splice(at, 1);
      return { channel, ts };
    }
    case "chat.postEphemeral": {
      const { channel, user, text, thread_ts: thread = null } = read(name, given);
      inChannel(workspace, channel);
      workspace.whispered.push({ channel, user, text, thread });
      return { message_ts: nextTs() };
    }
  }
}

function needs({ scopes }: Workspace, scope: string): void {
  if (!scopes.includes(scope)) throw new SlackRefusal("missing_scope", scope);
}

function inChannel({ channels }: Workspace, channel: string): void {
  if (!channels.has(channel)) throw new SlackRefusal("channel_not_found");
}

/** Newest first, as Slack gives a channel; oldest first and with its head, as it gives a thread. */
function history(
  workspace: Workspace,
  method: "conversations.history" | "conversations.replies",
  given: object,
): object {
  const asked = read(method, given);
  const { channel, oldest = "0.000000", latest, limit = 100, cursor = "0", include_all_metadata: all } = asked;
  const inTime = (ts: string): boolean =>
    Number(ts) > Number(oldest) &&
    (latest === undefined || Number(ts) < Number(latest) || (asked.inclusive === "true" && ts === latest));
  needs(workspace, channel.startsWith("D") ? "im:history" : "channels:history");
  inChannel(workspace, channel);
  const { bot, posted, written, files: held } = workspace;
  const ours = posted.map(({ ts, channel: at, thread, text, metadata }) => ({
    channel: at,
    ts,
    thread,
    message: {
      type: "message",
      user: bot.user,
      bot_id: bot.id,
      ts,
      text,
      ...(thread === null ? {} : { thread_ts: thread }),
      ...(all === "true" && metadata !== null ? { metadata } : {}),
    },
  }));
  const shared = [...held].flatMap(([id, { shown }]) =>
    shown.map(({ channel: at, thread }) => {
      const ts = nextTs();
      return {
        channel: at,
        ts,
        thread,
        message: { type: "message", user: bot.user, bot_id: bot.id, ts, text: "", files: [{ id }] },
      };
    }),
  );
  const head = "ts" in asked ? asked.ts : null;
  const there = [...written, ...ours, ...shared].filter((one) => one.channel === channel);
  if (head !== null && !there.some(({ ts }) => ts === head)) throw new SlackRefusal("thread_not_found");
  const wanted = there
    .filter(({ ts, thread }) =>
      head === null ? (thread === null || thread === ts) && inTime(ts) : ts === head || (thread === head && inTime(ts)),
    )
    .toSorted((one, other) => (head === null ? Number(other.ts) - Number(one.ts) : Number(one.ts) - Number(other.ts)));
  const answers = (ts: string): string[] =>
    there.flatMap((one) => (one.thread === ts && one.ts !== ts ? [one.ts] : [])).toSorted();
  const page = wanted.slice(Number(cursor), Number(cursor) + limit);
  const next = Number(cursor) + limit < wanted.length ? String(Number(cursor) + limit) : "";
  return {
    messages: page.map(({ message, ts }) =>
      answers(ts).length === 0
        ? message
        : { ...message, reply_count: answers(ts).length, latest_reply: answers(ts).at(-1), thread_ts: ts },
    ),
    has_more: next !== "",
    response_metadata: { next_cursor: next },
  };
}

function files(
  workspace: Workspace,
  method: "files.info" | "files.getUploadURLExternal" | "files.completeUploadExternal",
  given: object,
  served: Served,
): object {
  const held = workspace.files;
  if (method === "files.info") {
    const { file: id } = read(method, given);
    const file = held.get(id);
    if (file === undefined) throw new SlackRefusal("file_not_found");
    const url = file.elsewhere ?? served.place("files-pri", id);
    return {
      file: { id, name: file.name, mimetype: file.type, size: file.size, url_private: url, url_private_download: url },
    };
  }
  if (method === "files.getUploadURLExternal") {
    const { filename, length } = read(method, given);
    const id = `F0UPLOAD${held.size}`;
    held.set(id, { name: filename, type: "", bytes: null, size: length, shown: [], fetched: 0, elsewhere: null });
    return { upload_url: served.place("upload/v1", id), file_id: id };
  }
  const { files: wanted, channel_id: channel, thread_ts: thread = null } = read(method, given);
  inChannel(workspace, channel);
  for (const { id, title = "" } of wanted) {
    const file = held.get(id);
    if (file === undefined || file.bytes === null || file.bytes.length !== file.size)
      throw new SlackRefusal("file_not_found");
    file.shown.push({ channel, thread, title });
  }
  return { files: wanted };
}

function post(workspace: Workspace, message: Arguments<"chat.postMessage">): object {
  const { bot, posted, unfurler } = workspace;
  inChannel(workspace, message.channel);
  if (message.text === "" && message.blocks === undefined) throw new SlackRefusal("no_text");
  const ts = nextTs();
  const unfurls = message.unfurl_links !== "false" || message.unfurl_media !== "false";
  if (unfurls) unfurler.look(`${message.text} ${JSON.stringify(message.blocks ?? [])}`);
  posted.push({
    ts,
    channel: message.channel,
    thread: message.thread_ts ?? null,
    text: message.text,
    blocks: message.blocks ?? [],
    at: performance.now(),
    metadata: message.metadata ?? null,
    unfurls,
  });
  return {
    channel: message.channel,
    ts,
    message: { type: "message", user: bot.user, bot_id: bot.id, ts, text: message.text },
  };
}

function update(
  { posted, unfurler }: Workspace,
  { channel, ts, text, blocks, metadata }: Arguments<"chat.update">,
): object {
  const known = posted.find((one) => one.channel === channel && one.ts === ts);
  if (known === undefined) throw new SlackRefusal("message_not_found");
  if (known.unfurls) unfurler.look(`${text} ${JSON.stringify(blocks)}`);
  Object.assign(known, { text, blocks, ...(metadata === undefined ? {} : { metadata }) });
  return { channel, ts, text };
}
