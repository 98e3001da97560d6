import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { upgradeToWebSocket, type WebSocketConnection } from "@copilotkit/aimock";
import { z } from "zod/mini";
import { Unfurler } from "../unfurler.ts";
import { TokenRotation } from "./token-rotation.ts";
import { SlackRefusal } from "./arguments.ts";
import { answer, type Posted, type Workspace } from "./web-api.ts";

/** Slack, as far as a Socket Mode app sees it: the Web API over HTTP, and lines over WebSocket that carry envelopes until they are
 *  acknowledged. Spoken to by the unmodified SDK. */

/** What the next call of a method meets instead of an answer. */
export type Mishap =
  | {
      readonly method: string;
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body: object | string;
    }
  | { readonly method: string; readonly error: string }
  /** The connection is cut: `before` anything was done, or `after`. `never` lets a call pass, for the one after it. */
  | { readonly method: string; readonly cut: "before" | "after" | "never" };

interface Event {
  readonly id: string;
  readonly type: "events_api" | "interactive" | "slash_commands";
  readonly payload: object;
  attempts: number;
  acknowledged: boolean;
  /** Ids under which it was sent. */
  readonly envelopes: string[];
}

const Acknowledgement = z.strictObject({
  envelope_id: z.string().check(z.minLength(1)),
  payload: z.record(z.string(), z.unknown()),
});

/** Slack waits this long for an acknowledgement. */
const RETRY_MS = 3_000;
/** And delivers again this often. */
const MAX_ATTEMPTS = 4;

export interface SlackOptions {
  readonly port?: number;
  readonly scopes?: readonly string[];
  readonly botApp?: string;
  readonly retryMs?: number;
  /** Milliseconds between Slack's warning and its end of a line. */
  readonly graceMs?: number;
  /** Token rotation is on: the first bot token lives so many milliseconds. */
  readonly rotatingMs?: number;
}

export const ALL_SCOPES = [
  "app_mentions:read",
  "channels:history",
  "chat:write",
  "files:read",
  "files:write",
  "im:history",
  "im:write",
  "reactions:write",
  "users:read",
] as const;

interface Remembered {
  readonly channel: string;
  readonly ts: string;
  readonly thread_ts?: string;
  readonly [other: string]: unknown;
}

export class SlackServer implements AsyncDisposable {
  readonly tokens = {
    "bot-token": "xoxb-1000-2000-AbCdEfGhIjKlMnOp",
    "app-token": "xapp-1-A0WIRKEN-3000-0123456789abcdef",
  } as const;
  readonly rotation: TokenRotation | null;
  readonly workspace: Workspace;
  readonly calls: { readonly method: string; readonly at: number; readonly given: Readonly<Record<string, string>> }[] =
    [];
  readonly mishaps: Mishap[] = [];
  /** Envelopes as acknowledged, in order, with what was in the acknowledgement. */
  readonly acknowledgements: { readonly envelope: string; readonly event: string; readonly at: number }[] = [];
  /** What a line was sent that is no acknowledgement of ours. */
  readonly strays: string[] = [];
  /** Lines of this app that somebody else has; `foreignOnce` of them are gone when the next line is opened. */
  foreign = 0;
  foreignOnce = 0;
  /** No token is good any more. */
  revoked = false;
  readonly #server: Server;
  readonly #options: SlackOptions;
  readonly #tickets = new Set<string>();
  readonly #lines = new Set<WebSocketConnection>();
  readonly #events: Event[] = [];
  #serial = 0;
  /** Lines that were opened, ever. */
  opened = 0;
  /** Where an app is sent to for its line, if not to this very server. */
  linesAt: string | null = null;

  private constructor(options: SlackOptions) {
    this.#options = options;
    this.rotation = options.rotatingMs === undefined ? null : new TokenRotation(options.rotatingMs);
    this.workspace = {
      team: { id: "T0ACME", name: "Acme" },
      app: "A0WIRKEN",
      botApp: options.botApp ?? "A0WIRKEN",
      bot: { user: "U0WIRKEN", id: "B0WIRKEN", name: "wirken" },
      scopes: options.scopes ?? ALL_SCOPES,
      users: new Map([
        ["U0ADA", "Ada"],
        ["U0BOB", "Bob"],
      ]),
      channels: new Set(["D0ADA", "D0BOB", "C0OPS"]),
      posted: [],
      written: [],
      statuses: [],
      whispered: [],
      marks: new Set(),
      files: new Map(),
      unfurler: new Unfurler(),
    };
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.on("upgrade", (request: IncomingMessage, socket: unknown) => this.#upgrade(request, socket));
  }

  static async start(options: SlackOptions = {}): Promise<SlackServer> {
    const server = new SlackServer(options);
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
    return `http://127.0.0.1:${this.port}/api/`;
  }

  /** What the owner of an app with token rotation gives, in the order in which it is asked for. */
  get rotating(): Record<string, string> & Record<"bot-token" | "app-token" | "refresh-token", string> {
    if (this.rotation === null) throw new Error("token rotation is off");
    const { newest, clientId, clientSecret } = this.rotation;
    return {
      "bot-token": newest.access,
      "app-token": this.tokens["app-token"],
      "refresh-token": newest.refresh,
      "client-id": clientId,
      "client-secret": clientSecret,
    };
  }

  get posted(): readonly Posted[] {
    return this.workspace.posted;
  }

  get lines(): number {
    return this.#lines.size;
  }

  /** Events that nobody has acknowledged. */
  get pending(): number {
    return this.#events.filter((event) => !event.acknowledged).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Ends every line without a word. */
  cut(): void {
    for (const line of this.#lines) line.destroy();
    this.#lines.clear();
  }

  /** Slack recycles its servers every few hours: it says so, and ends the line a little later. */
  async recycle(reason: "warning" | "refresh_requested" | "link_disabled"): Promise<void> {
    const lines = [...this.#lines];
    for (const line of lines)
      line.send(JSON.stringify({ type: "disconnect", reason, debug_info: { host: "applink-1" } }));
    await delay(this.#options.graceMs ?? 500);
    for (const line of lines) {
      line.destroy();
      this.#lines.delete(line);
    }
  }

  /** Somebody writes to the bot alone. @returns the message's time, which is its name. */
  direct(text: string, more: object = {}): string {
    const ts = this.#ts();
    const message = { channel: "D0ADA", user: "U0ADA", text, ts, event_ts: ts, team: this.workspace.team.id, ...more };
    this.#remember(message);
    this.deliver({ type: "message", channel_type: "im", ...message });
    return ts;
  }

  /** Somebody calls the bot in a channel: Slack tells of that twice. */
  mention(text: string, more: object = {}): string {
    const ts = this.#ts();
    const common = {
      channel: "C0OPS",
      user: "U0ADA",
      text: `<@${this.workspace.bot.user}> ${text}`,
      ts,
      event_ts: ts,
      team: this.workspace.team.id,
      ...more,
    };
    this.#remember(common);
    this.deliver({ type: "app_mention", ...common });
    this.deliver({ type: "message", channel_type: "channel", ...common });
    return ts;
  }

  /** Somebody writes while nothing is delivered: Slack remembers it, and no more. */
  missed(channel: string, text: string, more: object = {}): string {
    const ts = this.#ts();
    this.#remember({ channel, user: "U0ADA", text, ts, team: this.workspace.team.id, ...more });
    return ts;
  }

  #remember(message: Remembered): void {
    const { channel, ts, thread_ts: thread = null } = message;
    const { channel: _, ...remembered } = message;
    this.workspace.written.push({ channel, ts, thread, message: { type: "message", ...remembered } });
  }

  /** A file that somebody can send. @returns it as a message names it. */
  file(
    name: string,
    type: string,
    bytes: Buffer,
    elsewhere: string | null = null,
  ): { readonly id: string; readonly [other: string]: unknown } {
    const id = `F0FILE${this.workspace.files.size}`;
    this.workspace.files.set(id, { name, type, bytes, size: bytes.length, shown: [], fetched: 0, elsewhere });
    return { id, name, mimetype: type, size: bytes.length, mode: "hosted" };
  }

  /** Somebody presses the button with that text under a message. */
  press(on: Posted, text: string, user = "U0ADA"): void {
    const buttons = on.blocks.flatMap((block) => (block.type === "actions" ? block.elements : []));
    const button = buttons.find((one) => one.text.text === text);
    if (button === undefined) throw new Error(`there is no button ${text}`);
    this.#serial += 1;
    const { team, app } = this.workspace;
    const payload = {
      type: "block_actions",
      user: { id: user, username: user.toLowerCase(), team_id: team.id },
      api_app_id: app,
      team: { id: team.id, domain: "acme" },
      channel: { id: on.channel, name: "directmessage" },
      message: { type: "message", ts: on.ts, ...(on.thread === null ? {} : { thread_ts: on.thread }), text: on.text },
      container: { type: "message", message_ts: on.ts, channel_id: on.channel, is_ephemeral: false },
      trigger_id: `${this.#serial}.1.a`,
      response_url: `${this.apiRoot}response`,
      actions: [{ ...button, block_id: "b", action_ts: this.#ts() }],
    };
    this.#send({
      id: `press-${this.#serial}`,
      type: "interactive",
      payload,
      attempts: 0,
      acknowledged: false,
      envelopes: [],
    });
  }

  /** Something happens in the workspace. @returns the event's id. */
  deliver(event: object): string {
    this.#serial += 1;
    const id = `Ev${String(this.#serial).padStart(8, "0")}`;
    const { team, app, bot } = this.workspace;
    const payload = {
      token: "verification-token",
      team_id: team.id,
      api_app_id: app,
      event,
      type: "event_callback",
      event_id: id,
      event_time: Math.floor(Date.now() / 1_000),
      authorizations: [
        { enterprise_id: null, team_id: team.id, user_id: bot.user, is_bot: true, is_enterprise_install: false },
      ],
      is_ext_shared_channel: false,
    };
    this.#send({ id, type: "events_api", payload, attempts: 0, acknowledged: false, envelopes: [] });
    return id;
  }

  /** Sends raw text down every line. */
  raw(text: string): void {
    for (const line of this.#lines) line.send(text);
  }

  #ts(): string {
    this.#serial += 1;
    return `${Math.floor(Date.now() / 1_000)}.9${String(this.#serial).padStart(5, "0")}`;
  }

  #send(event: Event): void {
    this.#events.push(event);
    this.#attempt(event, "");
  }

  #attempt(event: Event, reason: string): void {
    // The newest line is the one that is served.
    const line = [...this.#lines].at(-1);
    if (event.acknowledged || line === undefined || event.attempts >= MAX_ATTEMPTS) return;
    this.#serial += 1;
    const envelope = `e-${this.#serial}`;
    event.envelopes.push(envelope);
    const retry =
      event.attempts === 0
        ? { retry_attempt: 0, retry_reason: "" }
        : { retry_attempt: event.attempts, retry_reason: reason };
    event.attempts += 1;
    line.send(
      JSON.stringify({
        envelope_id: envelope,
        type: event.type,
        payload: event.payload,
        accepts_response_payload: false,
        ...retry,
      }),
    );
    setTimeout(() => this.#attempt(event, "timeout"), this.#options.retryMs ?? RETRY_MS).unref();
  }

  #upgrade(request: IncomingMessage, socket: unknown): void {
    if (!(socket instanceof Socket)) throw new TypeError("an upgrade without a socket");
    const ticket = new URL(request.url ?? "", "ws://slack").searchParams.get("ticket") ?? "";
    // A ticket is good for one line.
    if (!this.#tickets.delete(ticket)) {
      socket.end("HTTP/1.1 404 Not Found\r\n\r\n");
      return;
    }
    const line = upgradeToWebSocket(request, socket);
    this.#lines.add(line);
    this.opened += 1;
    line.on("close", () => this.#lines.delete(line));
    line.on("error", () => this.#lines.delete(line));
    line.on("message", (text: string) => this.#hear(text));
    line.send(
      JSON.stringify({
        type: "hello",
        num_connections: this.#lines.size + this.foreign + this.foreignOnce,
        debug_info: { host: "applink-1", build_number: 1, approximate_connection_time: 18_060 },
        connection_info: { app_id: this.workspace.app },
      }),
    );
    this.foreignOnce = 0;
    for (const event of this.#events) this.#attempt(event, "connection_reset");
  }

  #hear(text: string): void {
    const known = Acknowledgement.safeParse(JSON.parse(text));
    const event = this.#events.find((one) => known.success && one.envelopes.includes(known.data.envelope_id));
    if (!known.success || event === undefined) {
      this.strays.push(text);
      return;
    }
    event.acknowledged = true;
    this.acknowledgements.push({ envelope: known.data.envelope_id, event: event.id, at: performance.now() });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) if (chunk instanceof Buffer) chunks.push(chunk);
    const sent = Buffer.concat(chunks);
    if (this.#isFile(request, sent, response)) return;
    const method = /^\/api\/([A-Za-z0-9.]+)$/.exec(request.url ?? "")?.[1] ?? "";
    const given = Object.fromEntries(new URLSearchParams(sent.toString("utf8")));
    this.calls.push({ method, at: performance.now(), given });
    const at = this.mishaps.findIndex((one) => one.method === method);
    const [mishap] = at === -1 ? [] : this.mishaps.splice(at, 1);
    const say = (status: number, body: object | string, headers: Record<string, string> = {}): void => {
      response.writeHead(status, {
        "content-type": "application/json; charset=utf-8",
        "x-oauth-scopes": this.workspace.scopes.join(","),
        ...headers,
      });
      response.end(typeof body === "string" ? body : JSON.stringify(body));
    };
    if (mishap !== undefined && "status" in mishap) return say(mishap.status, mishap.body, mishap.headers);
    if (mishap !== undefined && "error" in mishap) return say(200, { ok: false, error: mishap.error });
    if (mishap?.cut === "before") {
      request.socket.destroy();
      return;
    }
    try {
      const shown = this.#kindOf((request.headers.authorization ?? "").replace(/^Bearer /, ""));
      const renewal = method === "oauth.v2.access" && this.rotation !== null;
      const said = renewal
        ? this.rotation?.renew(given)
        : answer(this.workspace, method, given, {
            token: shown,
            open: () => this.#ticket(),
            place: (kind, id) => `http://127.0.0.1:${this.port}/${kind}/${id}`,
          });
      if (mishap?.cut === "after") request.socket.destroy();
      else say(200, { ok: true, ...said });
    } catch (error) {
      const { code, needed } = error instanceof SlackRefusal ? error : new SlackRefusal("fatal_error");
      say(200, { ok: false, error: code, ...(needed === null ? {} : { needed }) });
    }
  }

  /** Where files lie, and are put: the host of files, to whoever may have them. @returns false if it is asked for something else. */
  #isFile(request: IncomingMessage, body: Buffer, response: ServerResponse): boolean {
    const [, kind, id = ""] = /^\/(upload\/v1|files-pri)\/([A-Z0-9]+)$/.exec(request.url ?? "") ?? [];
    if (kind === undefined) return false;
    const file = this.workspace.files.get(id);
    if (kind === "upload/v1") {
      if (file !== undefined) file.bytes = body;
      response.writeHead(file === undefined || request.method !== "POST" ? 404 : 200).end(`OK - ${body.length}`);
      return true;
    }
    const shown = (request.headers.authorization ?? "").replace(/^Bearer /, "");
    // Whoever may not have it is sent to a page to log in on.
    if (this.#kindOf(shown) !== "bot" || file?.bytes === undefined || file.bytes === null)
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end("<!DOCTYPE html>log in");
    else {
      file.fetched += 1;
      response.writeHead(200, { "content-type": file.type }).end(file.bytes);
    }
    return true;
  }

  /** @throws {SlackRefusal} for a token whose time is over. */
  #kindOf(token: string): "bot" | "app" | null {
    if (this.revoked) return null;
    if (token === this.tokens["app-token"]) return "app";
    if (this.rotation === null) return token === this.tokens["bot-token"] ? "bot" : null;
    return this.rotation.takes(token) ? "bot" : null;
  }

  #ticket(): string {
    this.#serial += 1;
    const ticket = `ticket-${this.#serial}`;
    this.#tickets.add(ticket);
    return `${this.linesAt ?? `ws://127.0.0.1:${this.port}`}/link/?ticket=${ticket}&app_id=${this.workspace.app}`;
  }
}
