import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { readMultipart } from "./multipart.ts";
import { Unfurler } from "./unfurler.ts";
import { buttons, checked, type Entity, type Given, read, Refusal } from "./telegram-parameters.ts";

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
  /** A picture or a file, and what it is called. */
  readonly file: { readonly kind: "photo" | "document"; readonly name: string; readonly bytes: Buffer } | null;
}

type Attached = Map<string, { readonly name: string; readonly bytes: Buffer }>;

export const BOT = { id: 700_100, is_bot: true, first_name: "Wirken", username: "wirken_bot" } as const;

export class TelegramServer implements AsyncDisposable {
  readonly token: string;
  /** What is to be seen in the chats, oldest first. */
  readonly shown: Shown[] = [];
  readonly calls: { readonly method: string; readonly at: number; readonly parameters: unknown }[] = [];
  readonly answers: { readonly query: string; readonly text: string; readonly alert: boolean }[] = [];
  readonly mishaps: Mishap[] = [];
  readonly moved = new Map<number, number>();
  /** Chats that the bot was thrown out of, and people who never wrote to it. */
  readonly kicked = new Set<number>();
  readonly strangers = new Set<number>();
  /** Every state of what was shown as being written. */
  readonly drafts: {
    readonly chat: number;
    readonly draft: number;
    readonly text: string;
    readonly thread: number | null;
  }[] = [];
  /** The bot's marks, by `chat:message`. */
  readonly marks = new Map<string, string>();
  /** Files that people sent, and how often each was fetched. */
  readonly files = new Map<string, { readonly bytes: Buffer; fetched: number }>();
  readonly unfurler = new Unfurler();
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
  #file = 1;
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

  /** Ends every connection without a word. */
  cut(): void {
    this.#server.closeAllConnections();
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

  /** A file that somebody can send. @returns it as a message names it. */
  file(bytes: Buffer, more: object = {}): { readonly file_id: string; readonly file_size: number } {
    this.#file += 1;
    const id = `BQACAgIAAx${this.#file}`;
    this.files.set(id, { bytes, fetched: 0 });
    return { file_id: id, file_size: bytes.length, ...more };
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

  /** Something else happens that the bot is told of. */
  update(update: Record<string, unknown>): void {
    this.#deliver(update);
  }

  #deliver(update: Record<string, unknown>): void {
    this.#update += 1;
    this.#updates.push({ update_id: this.#update, ...update });
    this.#poll?.wake();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) if (chunk instanceof Buffer) chunks.push(chunk);
    const [, wanted, path = ""] = /^\/file\/bot([^/]*)\/(.+)$/.exec(request.url ?? "") ?? [];
    if (wanted !== undefined) return this.#hand(wanted, path, response);
    const [, token, method = ""] = /^\/bot([^/]*)\/([A-Za-z]+)$/.exec(request.url ?? "") ?? [];
    const { parameters, attached } = this.#given(request, Buffer.concat(chunks));
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
      const result = await this.#call(method, parameters, attached, response);
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

  #given(request: IncomingMessage, body: Buffer): { parameters: unknown; attached: Attached } {
    const attached: Attached = new Map();
    if (body.length === 0) return { parameters: {}, attached };
    const type = request.headers["content-type"] ?? "";
    if (type === "application/json") return { parameters: JSON.parse(body.toString("utf8")), attached };
    const parameters: Record<string, string> = {};
    for (const { name, fileName, bytes } of readMultipart(type, body)) {
      if (fileName === null) parameters[name] = bytes.toString("utf8");
      else attached.set(name, { name: fileName, bytes });
    }
    return { parameters, attached };
  }

  /** The bytes of a file, to whoever knows the token. */
  #hand(token: string, path: string, response: ServerResponse): void {
    const file = this.files.get(decodeURIComponent(path).replace(/^documents\/file_/, ""));
    if (this.refuses(token, "getFile") !== null || file === undefined) {
      response.writeHead(404, { "content-type": "application/json" }).end('{"ok":false,"error_code":404}');
      return;
    }
    file.fetched += 1;
    response.writeHead(200, { "content-type": "application/octet-stream" }).end(file.bytes);
  }

  async #call(name: string, given: unknown, attached: Attached, response: ServerResponse): Promise<unknown> {
    switch (name) {
      case "getMe":
        read("getMe", given);
        return { ...BOT, can_join_groups: true, can_read_all_group_messages: false, supports_inline_queries: false };
      case "getWebhookInfo":
        read("getWebhookInfo", given);
        return { url: this.webhook, has_custom_certificate: false, pending_update_count: this.#updates.length };
      case "deleteWebhook":
        read("deleteWebhook", given);
        this.webhook = "";
        return true;
      case "getUpdates":
        return await this.#getUpdates(read("getUpdates", given), response);
      case "sendMessage":
        return this.#send(read("sendMessage", given));
      case "editMessageText":
        return this.#edit(read("editMessageText", given));
      case "answerCallbackQuery": {
        const { callback_query_id: query, text = "", show_alert: alert = false } = read("answerCallbackQuery", given);
        if (this.answers.some((one) => one.query === query))
          throw new Refusal(400, "Bad Request: query is too old and response timeout expired or query ID is invalid");
        this.answers.push({ query, text, alert });
        return true;
      }
      case "sendChatAction": {
        const { chat_id: chat } = read("sendChatAction", given);
        this.#reach(chat);
        return true;
      }
      case "deleteMessage": {
        const { chat_id: chat, message_id: id } = read("deleteMessage", given);
        const at = this.shown.findIndex((one) => one.id === id && one.chat === chat);
        if (at === -1) throw new Refusal(400, "Bad Request: message to delete not found");
        this.shown.splice(at, 1);
        return true;
      }
      case "sendMessageDraft": {
        const {
          chat_id: chat,
          draft_id: draft,
          text,
          entities = [],
          message_thread_id: thread = null,
        } = read(name, given);
        if (chat < 0) throw new Refusal(400, "Bad Request: TEXTDRAFT_PEER_INVALID");
        this.#reach(chat);
        this.drafts.push({ chat, draft, text: checked(text, entities), thread });
        return true;
      }
      case "setMessageReaction": {
        const { chat_id: chat, message_id: id, reaction } = read(name, given);
        this.#reach(chat);
        const [mark] = reaction;
        if (mark === undefined) this.marks.delete(`${chat}:${id}`);
        else this.marks.set(`${chat}:${id}`, mark.emoji);
        return true;
      }
      case "getFile": {
        const { file_id: id } = read(name, given);
        const file = this.files.get(id);
        if (file === undefined)
          throw new Refusal(400, "Bad Request: wrong file_id or the file is temporarily unavailable");
        if (file.bytes.length > 20 * 1_048_576) throw new Refusal(400, "Bad Request: file is too big");
        return { file_id: id, file_unique_id: id, file_size: file.bytes.length, file_path: `documents/file_${id}` };
      }
      case "sendPhoto": {
        const { photo, ...how } = read(name, given);
        return this.#sendFile("photo", photo, how, attached);
      }
      case "sendDocument": {
        const { document, ...how } = read(name, given);
        return this.#sendFile("document", document, how, attached);
      }
      default:
        throw new Refusal(404, "Not Found");
    }
  }

  async #getUpdates(
    { offset, timeout, allowed_updates: allowed }: Given<"getUpdates">,
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

  #send(message: Given<"sendMessage">): unknown {
    const { chat_id: chat, entities = [], reply_markup: markup } = message;
    this.#reach(chat);
    const text = checked(message.text, entities);
    if (message.link_preview_options?.is_disabled !== true) this.unfurler.look(text);
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
      file: null,
    });
    return {
      message_id: this.#message,
      date: Math.floor(Date.now() / 1_000),
      chat: { id: chat, type: "private" },
      text,
    };
  }

  #sendFile(
    kind: "photo" | "document",
    place: string,
    how: Pick<Given<"sendPhoto">, "chat_id" | "message_thread_id" | "reply_parameters">,
    attached: Attached,
  ): unknown {
    const file = attached.get(place.replace("attach://", ""));
    if (file === undefined || file.bytes.length === 0) throw new Refusal(400, "Bad Request: file must be non-empty");
    const picture = /^(?:\x89PNG|\xff\xd8\xff|RIFF....WEBP)/s.test(file.bytes.subarray(0, 12).toString("latin1"));
    if (kind === "photo" && !picture) throw new Refusal(400, "Bad Request: IMAGE_PROCESS_FAILED");
    const chat = how.chat_id;
    this.#reach(chat);
    this.#message += 1;
    this.shown.push({
      id: this.#message,
      chat,
      text: "",
      entities: [],
      keyboard: [],
      thread: how.message_thread_id ?? null,
      replyTo: how.reply_parameters?.message_id ?? null,
      at: performance.now(),
      file: { kind, ...file },
    });
    return { message_id: this.#message, date: Math.floor(Date.now() / 1_000), chat: { id: chat, type: "private" } };
  }

  /** @throws {Refusal} where the bot cannot write. */
  #reach(chat: number): void {
    const moved = this.moved.get(chat);
    if (moved !== undefined)
      throw new Refusal(400, "Bad Request: group chat was upgraded to a supergroup chat", {
        migrate_to_chat_id: moved,
      });
    if (this.kicked.has(chat)) throw new Refusal(403, "Forbidden: bot was kicked from the supergroup chat");
    if (this.strangers.has(chat)) throw new Refusal(403, "Forbidden: bot can't initiate conversation with a user");
  }

  #edit(edit: Given<"editMessageText">): unknown {
    const { chat_id: chat, message_id: id, entities = [] } = edit;
    const known = this.shown.find((one) => one.id === id && one.chat === chat);
    if (known === undefined) throw new Refusal(400, "Bad Request: message to edit not found");
    this.#reach(chat);
    const text = checked(edit.text, entities);
    if (edit.link_preview_options?.is_disabled !== true) this.unfurler.look(text);
    const keyboard = buttons(edit.reply_markup);
    const looks = JSON.stringify(entities) === JSON.stringify(known.entities);
    if (known.text === text && looks && known.keyboard.length === keyboard.length) {
      throw new Refusal(
        400,
        "Bad Request: message is not modified: specified new message content and reply markup are exactly the same",
      );
    }
    Object.assign(known, { text, entities, keyboard });
    return { message_id: id, date: Math.floor(Date.now() / 1_000), chat: { id: chat, type: "private" }, text };
  }
}
