import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { z } from "zod/mini";

/** A Bot API server for what `telegram-test-api` lacks: offsets, long polls, redelivery, two pollers, webhooks, refusals of every kind. It
 *  refuses a parameter that the real one does not have, and checks the limits that the real one documents.
 *  @see https://core.telegram.org/bots/api */

/** What the next call of a method meets instead of an answer. */
export type Mishap =
  | { readonly method: string; readonly status: number; readonly body: object | string }
  /** The connection is cut: `before` anything was done, or `after`. */
  | { readonly method: string; readonly cut: "before" | "after" }
  /** Nothing: the call after it is the one that is meant. */
  | { readonly method: string; readonly cut: "never" };

export interface Shown {
  readonly id: number;
  readonly chat: number;
  text: string;
  entities: readonly Entity[];
  keyboard: readonly { readonly text: string; readonly data: string }[];
  readonly thread: number | null;
  readonly replyTo: number | null;
  readonly at: number;
}

const Chat = z.int();
const Entity = z.strictObject({
  type: z.enum(["bold", "italic", "strikethrough", "code", "pre", "blockquote"]),
  offset: z.int().check(z.gte(0)),
  length: z.int().check(z.gte(1)),
  language: z.optional(z.string().check(z.minLength(1))),
});
type Entity = z.infer<typeof Entity>;
const Keyboard = z.strictObject({
  inline_keyboard: z.array(
    z
      .array(
        z.strictObject({
          text: z.string().check(z.minLength(1), z.maxLength(64)),
          callback_data: z.string().check(z.refine((data) => bytes(data) >= 1 && bytes(data) <= 64)),
        }),
      )
      .check(z.minLength(1)),
  ),
});
const Preview = z.strictObject({ is_disabled: z.literal(true) });

const PARAMETERS = {
  getMe: z.strictObject({}),
  getWebhookInfo: z.strictObject({}),
  deleteWebhook: z.strictObject({ drop_pending_updates: z.optional(z.boolean()) }),
  getUpdates: z.strictObject({
    offset: z.optional(z.int()),
    timeout: z.int().check(z.gte(0), z.lte(50)),
    allowed_updates: z.array(z.string()),
  }),
  sendMessage: z.strictObject({
    chat_id: Chat,
    text: z.string(),
    entities: z.optional(z.array(Entity).check(z.maxLength(100))),
    link_preview_options: Preview,
    message_thread_id: z.optional(z.int()),
    reply_parameters: z.optional(
      z.strictObject({ message_id: z.int(), allow_sending_without_reply: z.optional(z.boolean()) }),
    ),
    reply_markup: z.optional(Keyboard),
  }),
  editMessageText: z.strictObject({
    chat_id: Chat,
    message_id: z.int(),
    text: z.string(),
    entities: z.optional(z.array(Entity).check(z.maxLength(100))),
    link_preview_options: Preview,
    reply_markup: z.optional(Keyboard),
  }),
  answerCallbackQuery: z.strictObject({
    callback_query_id: z.string(),
    text: z.optional(z.string().check(z.maxLength(200))),
    show_alert: z.optional(z.boolean()),
  }),
  sendChatAction: z.strictObject({
    chat_id: Chat,
    action: z.literal("typing"),
    message_thread_id: z.optional(z.int()),
  }),
} as const;

class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;
  readonly details: object;
  constructor(status: number, description: string, details: object = {}) {
    super(description);
    this.status = status;
    this.details = details;
  }
}

export const BOT = { id: 700_100, is_bot: true, first_name: "Wirken", username: "wirken_bot" } as const;

export class TelegramServer implements AsyncDisposable {
  readonly token: string;
  /** What is to be seen in the chats, oldest first. */
  readonly shown: Shown[] = [];
  readonly calls: { readonly method: string; readonly at: number; readonly parameters: unknown }[] = [];
  readonly answers: { readonly query: string; readonly text: string; readonly alert: boolean }[] = [];
  readonly mishaps: Mishap[] = [];
  readonly moved = new Map<number, number>();
  /** The status that a call with this token is refused with, or null. */
  refuses: (token: string, method: string) => number | null = (token) => (token === this.token ? null : 401);
  webhook = "";
  /** Whether an empty answer to a poll is held back, as it should be. */
  holds = true;
  readonly #server: Server;
  readonly #updates: { readonly update_id: number; readonly [kind: string]: unknown }[] = [];
  #update = 1_000;
  #message = 10;
  #query = 1;
  #poll: { end(refusal: Refusal): void; wake(): void } | null = null;

  private constructor(token: string) {
    this.token = token;
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  static async start(port = 0, token = "700100:AAEzTqbz4vJ5uYB-f9L2dKxPq7wR8sT1u3V"): Promise<TelegramServer> {
    const server = new TelegramServer(token);
    await new Promise<void>((resolve, reject) => {
      server.#server.once("error", reject);
      server.#server.listen(port, "127.0.0.1", resolve);
    });
    return server;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the server does not listen");
    return address.port;
  }

  get apiRoot(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#poll?.end(new Refusal(500, "Internal Server Error: restart"));
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Somebody writes. @returns the message's number. */
  message(message: object): number {
    this.#message += 1;
    const id = this.#message;
    this.#deliver({ message: { message_id: id, date: Math.floor(Date.now() / 1_000), ...message } });
    return id;
  }

  /** Somebody writes to the bot alone. */
  direct(text: string, from = 42, name = "Ada"): number {
    return this.message({
      from: { id: from, is_bot: false, first_name: name },
      chat: { id: from, type: "private", first_name: name },
      text,
    });
  }

  /** Somebody presses the button with that text under a message. @returns the id of the query. */
  press(on: Shown, text: string, from = 42): string {
    const button = on.keyboard.find((one) => one.text === text);
    if (button === undefined) throw new Error(`there is no button ${text}`);
    this.#query += 1;
    const id = `9${this.#query}`;
    this.#deliver({
      callback_query: {
        id,
        from: { id: from, is_bot: false, first_name: "Ada" },
        message: { message_id: on.id, date: on.at, chat: { id: on.chat, type: "private" }, text: on.text },
        chat_instance: "1",
        data: button.data,
      },
    });
    return id;
  }

  /** Updates that the bot has not confirmed. */
  get pending(): number {
    return this.#updates.length;
  }

  #deliver(update: Record<string, unknown>): void {
    this.#update += 1;
    this.#updates.push({ update_id: this.#update, ...update });
    this.#poll?.wake();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) if (chunk instanceof Buffer) chunks.push(chunk);
    const [, token, method = ""] = /^\/bot([^/]*)\/([A-Za-z]+)$/.exec(request.url ?? "") ?? [];
    const parameters: unknown = chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString("utf8"));
    this.calls.push({ method, at: performance.now(), parameters });
    const at = this.mishaps.findIndex((one) => one.method === method);
    const [mishap] = at === -1 ? [] : this.mishaps.splice(at, 1);
    if (mishap !== undefined && "status" in mishap) {
      const body =
        typeof mishap.body === "string"
          ? mishap.body
          : JSON.stringify({ ok: false, error_code: mishap.status, ...mishap.body });
      response.writeHead(mishap.status, { "content-type": "application/json" }).end(body);
      return;
    }
    if (mishap?.cut === "before") {
      request.socket.destroy();
      return;
    }
    try {
      const refused = this.refuses(token ?? "", method);
      if (refused !== null) throw new Refusal(refused, refused === 401 ? "Unauthorized" : "Bad Gateway");
      const result = await this.#call(method, parameters, response);
      if (mishap?.cut === "after") request.socket.destroy();
      else response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ ok: true, result }));
    } catch (error) {
      const refusal = error instanceof Refusal ? error : new Refusal(500, `Internal Server Error: ${String(error)}`);
      const body = {
        ok: false,
        error_code: refusal.status,
        description: refusal.message,
        parameters: refusal.details,
      };
      response.writeHead(refusal.status, { "content-type": "application/json" }).end(JSON.stringify(body));
    }
  }

  async #call(name: string, given: unknown, response: ServerResponse): Promise<unknown> {
    switch (name) {
      case "getMe":
        read(PARAMETERS.getMe, given);
        return { ...BOT, can_join_groups: true, can_read_all_group_messages: false, supports_inline_queries: false };
      case "getWebhookInfo":
        read(PARAMETERS.getWebhookInfo, given);
        return { url: this.webhook, has_custom_certificate: false, pending_update_count: this.#updates.length };
      case "deleteWebhook":
        read(PARAMETERS.deleteWebhook, given);
        this.webhook = "";
        return true;
      case "getUpdates":
        return await this.#getUpdates(read(PARAMETERS.getUpdates, given), response);
      case "sendMessage":
        return this.#send(read(PARAMETERS.sendMessage, given));
      case "editMessageText":
        return this.#edit(read(PARAMETERS.editMessageText, given));
      case "answerCallbackQuery": {
        const {
          callback_query_id: query,
          text = "",
          show_alert: alert = false,
        } = read(PARAMETERS.answerCallbackQuery, given);
        if (this.answers.some((one) => one.query === query))
          throw new Refusal(400, "Bad Request: query is too old and response timeout expired or query ID is invalid");
        this.answers.push({ query, text, alert });
        return true;
      }
      case "sendChatAction":
        read(PARAMETERS.sendChatAction, given);
        return true;
      default:
        throw new Refusal(404, "Not Found");
    }
  }

  async #getUpdates(
    { offset, timeout, allowed_updates: allowed }: z.infer<(typeof PARAMETERS)["getUpdates"]>,
    response: ServerResponse,
  ): Promise<unknown> {
    if (this.webhook !== "")
      throw new Refusal(
        409,
        "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
      );
    this.#poll?.end(
      new Refusal(
        409,
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
      ),
    );
    if (offset !== undefined) while ((this.#updates[0]?.update_id ?? offset) < offset) this.#updates.shift();
    if (this.#updates.length === 0 && timeout > 0 && this.holds) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const poll = { end: reject, wake: resolve };
      this.#poll = poll;
      const timer = setTimeout(resolve, timeout * 1_000);
      response.once("close", resolve);
      try {
        await promise;
      } finally {
        clearTimeout(timer);
        if (this.#poll === poll) this.#poll = null;
      }
    }
    return this.#updates.filter((update) => allowed.some((kind) => kind in update)).slice(0, 100);
  }

  #send(message: z.infer<(typeof PARAMETERS)["sendMessage"]>): unknown {
    const { chat_id: chat, entities = [], reply_markup: markup } = message;
    const moved = this.moved.get(chat);
    if (moved !== undefined)
      throw new Refusal(400, "Bad Request: group chat was upgraded to a supergroup chat", {
        migrate_to_chat_id: moved,
      });
    const text = checked(message.text, entities);
    this.#message += 1;
    this.shown.push({
      id: this.#message,
      chat,
      text,
      entities,
      keyboard: buttons(markup),
      thread: message.message_thread_id ?? null,
      replyTo: message.reply_parameters?.message_id ?? null,
      at: performance.now(),
    });
    return {
      message_id: this.#message,
      date: Math.floor(Date.now() / 1_000),
      chat: { id: chat, type: "private" },
      text,
    };
  }

  #edit(edit: z.infer<(typeof PARAMETERS)["editMessageText"]>): unknown {
    const { chat_id: chat, message_id: id, entities = [] } = edit;
    const known = this.shown.find((one) => one.id === id && one.chat === chat);
    if (known === undefined) throw new Refusal(400, "Bad Request: message to edit not found");
    const text = checked(edit.text, entities);
    const keyboard = buttons(edit.reply_markup);
    if (known.text === text && known.keyboard.length === keyboard.length) {
      throw new Refusal(
        400,
        "Bad Request: message is not modified: specified new message content and reply markup are exactly the same",
      );
    }
    Object.assign(known, { text, entities, keyboard });
    return { message_id: id, date: Math.floor(Date.now() / 1_000), chat: { id: chat, type: "private" }, text };
  }
}

function read<T>(parameters: z.ZodMiniType<T>, given: unknown): T {
  const known = parameters.safeParse(given);
  if (!known.success) throw new Refusal(400, `Bad Request: ${z.prettifyError(known.error)}`);
  return known.data;
}

function buttons(markup: z.infer<typeof Keyboard> | undefined): Shown["keyboard"] {
  return (markup?.inline_keyboard ?? []).flat().map(({ text, callback_data: data }) => ({ text, data }));
}

/** Telegram's own rules for a text and its entities. @returns the text as it is shown. */
function checked(text: string, entities: readonly Entity[]): string {
  if (text.trim() === "") throw new Refusal(400, "Bad Request: message text is empty");
  if (text.length > 4_096) throw new Refusal(400, "Bad Request: message is too long");
  if (!text.isWellFormed()) throw new Refusal(400, "Bad Request: strings must be encoded in UTF-8");
  for (const [i, one] of entities.entries()) {
    const end = one.offset + one.length;
    const bad = end > text.length || splits(text, one.offset) || splits(text, end);
    const crossed = entities.slice(i + 1).some((other) => {
      const [first, second] = one.offset <= other.offset ? [one, other] : [other, one];
      return second.offset < first.offset + first.length && second.offset + second.length > first.offset + first.length;
    });
    const filled = entities.some(
      (other) =>
        other !== one &&
        (one.type === "pre" || one.type === "code") &&
        other.offset >= one.offset &&
        other.offset + other.length <= end,
    );
    if (bad || crossed || filled)
      throw new Refusal(400, `Bad Request: can't parse entities: bad ${one.type} at byte offset ${one.offset}`);
  }
  return text.trim();
}

function splits(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  const before = text.charCodeAt(at - 1);
  return unit >= 0xdc00 && unit <= 0xdfff && before >= 0xd800 && before <= 0xdbff;
}

function bytes(text: string): number {
  return Buffer.byteLength(text);
}
