import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Gateway } from "./gateway.ts";
import { ADA, applicationOf, BOB, BOT, type Channel, IDS, role, THREAD, type User, whole } from "./people.ts";
import { Presses } from "./presses.ts";
import {
  type Button,
  type File,
  DirectCreate,
  HistoryQuery,
  isPreviewed,
  MessageCreate,
  MessageEdit,
  read,
  readParts,
  Refusal,
} from "./requests.ts";

/** Discord, as far as a bot sees it: the API over HTTP and the gateway over WebSocket. Spoken to by the unmodified SDK. It refuses what the real one
 *  refuses, and fetches every address that it may make a preview of.
 *  @see https://docs.discord.com/developers/reference */

/** What the next call of a route meets instead of an answer. A route is a method and a path with `:id` for each id. */
export type Mishap =
  | {
      readonly route: string;
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body: object | string;
    }
  /** The connection is cut: `before` anything was done, or `after`. `never` lets a call pass, for the one after it. */
  | { readonly route: string; readonly cut: "before" | "after" | "never" };

export interface Message {
  readonly id: string;
  readonly channel: string;
  readonly author: User;
  content: string;
  buttons: readonly Button[];
  readonly nonce: string | null;
  readonly replyTo: string | null;
  readonly files: readonly File[];
  /** What else there is of it. */
  readonly more: object;
  edited: string | null;
}

export const WRITTEN = "POST /channels/:id/messages";
const EPOCH = 1_420_070_400_000n;

export interface DiscordOptions {
  readonly port?: number;
  readonly heartbeatMs?: number;
  /** Messages that one channel takes in {@link DiscordOptions.windowMs}. */
  readonly burst?: number;
  readonly windowMs?: number;
}

export class DiscordServer implements AsyncDisposable {
  readonly token = `MTAwMDAwMDAwMDAwMDAwMDAx.GabcDE.${"canaryCANARY_0a1b2c".padEnd(38, "z")}`;
  readonly gateway: Gateway;
  readonly channels = new Map<string, Channel>();
  /** All that was written, oldest first. */
  readonly messages: Message[] = [];
  readonly calls: { readonly route: string; readonly path: string; readonly at: number; readonly body: unknown }[] = [];
  readonly mishaps: Mishap[] = [];
  readonly typed: string[] = [];
  /** Our marks, as `message emoji`. */
  readonly reactions = new Set<string>();
  /** Addresses that previews were made of. */
  readonly previewed: string[] = [];
  /** Whether the bot's application may read messages. */
  content = true;
  /** Whether the token is a bot's. */
  isBot = true;
  /** The status that a token is refused with. */
  refuses: (token: string) => boolean = (token) => token !== this.token;
  readonly #server: Server;
  readonly #options: DiscordOptions;
  readonly #written = new Map<string, number[]>();
  readonly #presses = new Presses();
  #serial = 0n;
  #deaf = false;

  private constructor(options: DiscordOptions) {
    this.#options = options;
    const { guild, channel, other, thread, ada, bob } = IDS;
    for (const one of [
      { id: channel, type: 0, flags: 0, guild_id: guild, name: "ops", position: 0 },
      { id: other, type: 0, flags: 0, guild_id: guild, name: "other", position: 1 },
      { id: thread, type: 11, flags: 0, guild_id: guild, parent_id: channel, name: "a thread", ...THREAD },
      { id: ada, type: 1, flags: 0, recipients: [whole(ADA)] },
      { id: bob, type: 1, flags: 0, recipients: [whole(BOB)] },
    ])
      this.channels.set(one.id, one);
    this.gateway = new Gateway({
      // What is taken back is nobody's.
      token: () => (this.refuses(this.token) ? "" : this.token),
      mayReadContent: () => this.content,
      resumeUrl: () => this.#lineUrl,
      ready: () => ({
        user: BOT,
        guilds: [{ id: guild, unavailable: true }],
        application: { id: IDS.application, flags: 0 },
      }),
      heartbeatMs: options.heartbeatMs ?? 41_250,
    });
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.on("upgrade", (request, socket, head) => {
      if (this.#deaf) socket.destroy();
      else this.gateway.upgrade(request, socket, head);
    });
  }

  static async start(options: DiscordOptions = {}): Promise<DiscordServer> {
    const server = new DiscordServer(options);
    await new Promise<void>((resolve, reject) => {
      server.#server.once("error", reject);
      server.#server.listen(options.port ?? 0, "127.0.0.1", resolve);
    });
    return server;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the server does not listen");
    return address.port;
  }

  get apiRoot(): string {
    return `http://127.0.0.1:${this.port}/api`;
  }

  get #lineUrl(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.gateway.cut();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Whether it takes no connection for a while; who stands, stands. */
  deaf(is: boolean): void {
    this.#deaf = is;
  }

  /** What whoever pressed was told. */
  get answers(): Presses["answers"] {
    return this.#presses.answers;
  }

  /** What the bot wrote. */
  get shown(): readonly Message[] {
    return this.messages.filter(({ author }) => author.id === BOT.id);
  }

  /** An id of now. */
  id(at = Date.now()): string {
    this.#serial += 1n;
    return String(((BigInt(at) - EPOCH) << 22n) | (this.#serial & 0x3f_ff_ffn));
  }

  /** Somebody writes to the bot alone. @returns the message's id. */
  direct(content: string, more: object = {}, author = ADA): string {
    return this.write(author.id === ADA.id ? IDS.ada : IDS.bob, content, more, author);
  }

  /** Somebody calls the bot in a channel. */
  mention(content: string, more: object = {}, author = ADA, channel: string = IDS.channel): string {
    return this.write(channel, `<@${BOT.id}> ${content}`, { mentions: [BOT], ...more }, author);
  }

  write(channel: string, content: string, more: object = {}, author = ADA): string {
    return this.#add({ channel, author, content, buttons: [], nonce: null, replyTo: null, files: [], more }).id;
  }

  #add(message: Omit<Message, "id" | "edited">): Message {
    const added = { id: this.id(), edited: null, ...message };
    this.messages.push(added);
    const { guild_id: guild, type } = this.channels.get(message.channel) ?? { type: 0 };
    this.gateway.dispatch("MESSAGE_CREATE", {
      ...this.#shownAs(added),
      channel_type: type,
      ...(guild === undefined ? {} : { guild_id: guild, member: { nick: null, roles: [] } }),
      ...(added.nonce === null ? {} : { nonce: added.nonce }),
      ...added.more,
    });
    return added;
  }

  /** A message as its history has it: neither its server nor its nonce is said there. */
  #shownAs(message: Message): object {
    const { id, channel, author, content, buttons, files, edited, more } = message;
    return {
      id,
      channel_id: channel,
      type: 0,
      author: whole(author),
      content,
      timestamp: new Date(Number((BigInt(id) >> 22n) + EPOCH)).toISOString(),
      edited_timestamp: edited,
      tts: false,
      mention_everyone: false,
      mentions: [],
      mention_roles: [],
      attachments: files.map((file) => this.#attachment(file)),
      embeds: [],
      pinned: false,
      flags: 0,
      components: buttons.length === 0 ? [] : [{ type: 1, components: buttons }],
      ...more,
    };
  }

  #attachment({ id, name, type, bytes }: Message["files"][number]): object {
    const until = (Math.floor(Date.now() / 1_000) + 60).toString(16);
    return {
      id,
      filename: name,
      size: bytes.length,
      content_type: type,
      url: `http://127.0.0.1:${this.port}/attachments/${id}/${encodeURIComponent(name)}?ex=${until}&hm=signed`,
      proxy_url: `http://127.0.0.1:${this.port}/elsewhere`,
    };
  }

  /** Somebody sends a file. */
  send(name: string, type: string, bytes: Buffer, more: object = {}): string {
    const files = [{ id: this.id(), name, type, bytes }];
    return this.#add({
      channel: IDS.ada,
      author: ADA,
      content: "",
      buttons: [],
      nonce: null,
      replyTo: null,
      files,
      more,
    }).id;
  }

  /** Somebody changes what they wrote. */
  edit(id: string, content: string): void {
    const message = this.#find(id);
    message.content = content;
    message.edited = new Date().toISOString();
    const { guild_id: guild, type } = this.channels.get(message.channel) ?? { type: 0 };
    this.gateway.dispatch("MESSAGE_UPDATE", {
      ...this.#shownAs(message),
      channel_type: type,
      ...(guild === undefined ? {} : { guild_id: guild }),
    });
  }

  /** Somebody deletes it. */
  remove(id: string): void {
    const message = this.#find(id);
    this.messages.splice(this.messages.indexOf(message), 1);
    const { guild_id: guild } = this.channels.get(message.channel) ?? {};
    this.gateway.dispatch("MESSAGE_DELETE", {
      id,
      channel_id: message.channel,
      ...(guild === undefined ? {} : { guild_id: guild }),
    });
  }

  /** Somebody presses the button with that label under a message. @returns the id of the interaction. */
  press(on: Message, label: string, user = ADA): string {
    const button = on.buttons.find((one) => one.label === label);
    if (button === undefined) throw new Error(`there is no button ${label}`);
    const id = this.id();
    const token = this.#presses.begin(id);
    const channel = this.channels.get(on.channel);
    this.gateway.dispatch("INTERACTION_CREATE", {
      id,
      application_id: IDS.application,
      type: 3,
      token,
      version: 1,
      data: { custom_id: button.custom_id, component_type: 2 },
      channel_id: on.channel,
      channel,
      message: this.#shownAs(on),
      ...(channel?.guild_id === undefined
        ? { user }
        : { guild_id: channel.guild_id, member: { user, nick: null, roles: [], permissions: "0" } }),
    });
    return id;
  }

  #find(id: string): Message {
    const message = this.messages.find((one) => one.id === id);
    if (message === undefined) throw new Refusal(404, 10_008, "Unknown Message");
    return message;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#deaf) {
      request.socket.destroy();
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) if (chunk instanceof Buffer) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const url = new URL(request.url ?? "/", "http://discord");
    const method = request.method ?? "GET";
    const path = url.pathname.replace(/^\/api\/v10/, "");
    const route = `${method} ${path
      .replace(/\/interactions\/.*/, "/interactions")
      .replace(/\/webhooks\/.*/, "/webhooks")
      .replaceAll(/\d{17,20}/g, ":id")}`;
    const form = request.headers["content-type"] ?? "";
    const body: unknown = form.startsWith("application/json") ? JSON.parse(bytes.toString("utf8")) : null;
    this.calls.push({ route, path, at: performance.now(), body });
    const say = (
      status: number,
      answer: object | string | Buffer | null,
      headers: Record<string, string> = {},
    ): void => {
      // No content has no type: the SDK would look for it.
      response.writeHead(status, { ...(answer === null ? {} : { "content-type": "application/json" }), ...headers });
      response.end(
        answer === null || typeof answer === "string" || Buffer.isBuffer(answer) ? answer : JSON.stringify(answer),
      );
    };
    const at = this.mishaps.findIndex((one) => one.route === route);
    const [mishap] = at === -1 ? [] : this.mishaps.splice(at, 1);
    if (mishap !== undefined && "status" in mishap) return say(mishap.status, mishap.body, mishap.headers);
    if (mishap?.cut === "before") {
      request.socket.destroy();
      return;
    }
    if (path.startsWith("/attachments/")) return this.#file(url, say);
    const limits: Record<string, string> = {};
    try {
      const open = route === "POST /interactions" || route === "POST /webhooks";
      const token = /^Bot (.*)$/.exec(request.headers.authorization ?? "")?.[1] ?? "";
      if (!open && this.refuses(token)) throw new Refusal(401, 0, "401: Unauthorized");
      if (route === WRITTEN) this.#limit(path, limits);
      const answer = await this.#answer(route, path, url, form, body, bytes);
      if (mishap?.cut === "after") request.socket.destroy();
      else say(answer === null ? 204 : 200, answer, limits);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { status, code, message, more } = error;
      say(status, { message, code, ...more }, limits);
    }
  }

  #file(url: URL, say: (status: number, answer: object | Buffer, headers?: Record<string, string>) => void): void {
    const id = url.pathname.split("/")[2] ?? "";
    const file = this.messages.flatMap(({ files }) => files).find((one) => one.id === id);
    const until = Number.parseInt(url.searchParams.get("ex") ?? "0", 16) * 1_000;
    if (file === undefined || url.searchParams.get("hm") !== "signed" || until < Date.now())
      say(404, { message: "This content is no longer available." });
    else say(200, file.bytes, { "content-type": file.type });
  }

  /** Each channel takes so many messages in a while, and says how many it still takes. */
  #limit(path: string, headers: Record<string, string>): void {
    const burst = this.#options.burst ?? 1_000;
    const windowMs = this.#options.windowMs ?? 5_000;
    const now = Date.now();
    const recent = (this.#written.get(path) ?? []).filter((at) => now - at < windowMs);
    this.#written.set(path, recent);
    const resetMs = Math.max(1, (recent[0] ?? now) + windowMs - now);
    Object.assign(headers, {
      "x-ratelimit-limit": String(burst),
      "x-ratelimit-remaining": String(Math.max(0, burst - recent.length - 1)),
      "x-ratelimit-reset-after": String(resetMs / 1_000),
      "x-ratelimit-bucket": "messages",
    });
    if (recent.length < burst) {
      recent.push(now);
      return;
    }
    Object.assign(headers, { "retry-after": String(resetMs / 1_000), "x-ratelimit-scope": "user" });
    throw new Refusal(429, 0, "You are being rate limited.", { retry_after: resetMs / 1_000, global: false });
  }

  async #answer(
    route: string,
    path: string,
    url: URL,
    form: string,
    body: unknown,
    bytes: Buffer,
  ): Promise<object | null> {
    const [first = "", second = ""] = path.match(/\d{17,20}/g) ?? [];
    switch (route) {
      case "GET /users/@me":
        return { ...whole(BOT), bot: this.isBot, mfa_enabled: false, locale: "en-US", verified: true, email: null };
      case "GET /applications/@me":
        return applicationOf(this.content ? 1 << 19 : 0);
      case "GET /gateway/bot":
        return {
          url: this.#lineUrl,
          shards: 1,
          session_start_limit: {
            total: 1_000,
            remaining: this.gateway.left,
            reset_after: 3_600_000,
            max_concurrency: 1,
          },
        };
      case "POST /users/@me/channels": {
        const { recipient_id: user } = read(DirectCreate, body);
        if (user !== ADA.id && user !== BOB.id) throw new Refusal(400, 50_007, "Cannot send messages to this user");
        return this.#channel(user === ADA.id ? IDS.ada : IDS.bob);
      }
      case "GET /guilds/:id/roles":
        return [role(first, "@everyone"), { ...role(IDS.role, "Wirken"), managed: true, tags: { bot_id: BOT.id } }];
      case "GET /channels/:id":
        return this.#channel(first);
      case "POST /channels/:id/typing":
        this.typed.push(this.#channel(first).id);
        return null;
      case "GET /channels/:id/messages":
        return this.#history(this.#channel(first).id, url);
      case WRITTEN:
        return await this.#create(this.#channel(first).id, form, body, bytes);
      case "GET /channels/:id/messages/:id":
        return this.#shownAs(this.#in(first, second));
      case "PATCH /channels/:id/messages/:id":
        return await this.#change(this.#in(first, second), body);
      case "DELETE /channels/:id/messages/:id":
        this.messages.splice(this.messages.indexOf(this.#in(first, second)), 1);
        return null;
      case "POST /interactions":
        return this.#presses.callback(path, body);
      case "POST /webhooks":
        this.#presses.followUp(path, body);
        return { id: this.id() };
      default:
        return this.#react(route, path, first, second);
    }
  }

  #channel(id: string): Channel {
    const channel = this.channels.get(id);
    if (channel === undefined) throw new Refusal(404, 10_003, "Unknown Channel");
    return channel;
  }

  #in(channel: string, id: string): Message {
    const message = this.#find(id);
    if (message.channel !== this.#channel(channel).id) throw new Refusal(404, 10_008, "Unknown Message");
    return message;
  }

  /** The oldest behind an id, newest first. */
  #history(channel: string, url: URL): object[] {
    const { after, limit } = read(HistoryQuery, Object.fromEntries(url.searchParams));
    const behind = this.messages.filter((one) => one.channel === channel && BigInt(one.id) > BigInt(after));
    return behind
      .slice(0, Number(limit))
      .toReversed()
      .map((one) => this.#shownAs(one));
  }

  async #create(channel: string, form: string, body: unknown, bytes: Buffer): Promise<object> {
    const { json, files } = form.startsWith("multipart/")
      ? await readParts(form, bytes, () => this.id())
      : { json: body, files: [] };
    const asked = read(MessageCreate, json);
    const before = this.messages.find((one) => one.nonce === asked.nonce && one.channel === channel);
    if (before !== undefined) return { ...this.#shownAs(before), nonce: asked.nonce };
    const content = (asked.content ?? "").trim();
    if (content === "" && files.length === 0) throw new Refusal(400, 50_006, "Cannot send an empty message");
    await this.#preview(content, asked.flags);
    const message = this.#add({
      channel,
      author: BOT,
      content,
      buttons: (asked.components ?? []).flatMap(({ components }) => components),
      nonce: asked.nonce,
      replyTo: asked.message_reference?.message_id ?? null,
      files,
      more: {},
    });
    return { ...this.#shownAs(message), nonce: asked.nonce };
  }

  async #change(message: Message, body: unknown): Promise<object> {
    if (message.author.id !== BOT.id) throw new Refusal(403, 50_005, "Cannot edit a message authored by another user");
    const asked = read(MessageEdit, body);
    if (asked.content !== undefined) {
      await this.#preview(asked.content, asked.flags);
      message.content = asked.content;
    }
    if (asked.components !== undefined) message.buttons = asked.components.flatMap(({ components }) => components);
    message.edited = new Date().toISOString();
    return this.#shownAs(message);
  }

  /** Whoever sends an address without saying that there be no preview tells its host what was said. */
  async #preview(content: string, flags: number): Promise<void> {
    if (!isPreviewed(flags)) return;
    for (const [address] of content.matchAll(/https?:\/\/[^\s<>]+/g)) {
      this.previewed.push(address);
      await fetch(address).catch(() => undefined);
    }
  }

  #react(route: string, path: string, channel: string, message: string): null {
    const [, verb, emoji] = /^(PUT|DELETE) \/channels\/:id\/messages\/:id\/reactions\/([^/]+)\/@me$/.exec(route) ?? [];
    if (verb === undefined || emoji === undefined) throw new Refusal(404, 0, `404: Not Found (${path})`);
    const mark = `${this.#in(channel, message).id} ${decodeURIComponent(emoji)}`;
    if (verb === "PUT") this.reactions.add(mark);
    else if (!this.reactions.delete(mark)) throw new Refusal(404, 10_014, "Unknown Emoji");
    return null;
  }
}
