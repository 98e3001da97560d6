import type { Api } from "grammy/web";
import type { Attachment, Connection, Credentials, Drafting, Edit, Host, Order, Send, Start } from "../adapter.ts";
import { FileFailure } from "../adapter.ts";
import type { Draft } from "../outbox.ts";
import { BAD_TOKEN, openApi } from "./api.ts";
import { Calls } from "./calls.ts";
import { Chats } from "./chats.ts";
import { decodeCursor } from "./cursor.ts";
import { fileOf } from "./files.ts";
import { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

/** What a presser is told in a corner of the screen; what is longer gets a window, and has at most 200 characters. */
const MAX_TOAST = 60;
const MAX_ANSWER = 200;

/** Talks to Telegram by one bot token. */
export class TelegramConnection implements Connection {
  /** Goes on until what was handed over is sent. */
  readonly #api: Api | null;
  readonly #fileAt: (path: string) => string;
  readonly #redact: (text: string) => string;
  readonly #reader: Reader;
  readonly #writer: Writer;

  constructor(credentials: Credentials, start: Start, host: Host) {
    const { api, redact, fileAt } = openApi(credentials, start);
    this.#api = api;
    this.#fileAt = fileAt;
    this.#redact = redact;
    const from = decodeCursor(start.cursor, Date.now());
    const chats = new Chats(from.moved);
    const refused = (): void => this.#reader.refused();
    const calls = new Calls({ api, redact, chats, host, refused });
    this.#writer = new Writer(calls);
    this.#reader = new Reader({
      open: (ends) => openApi(credentials, start, ends).api,
      redact,
      host,
      chats,
      calls,
      from,
      answer: (query, sentence) => void this.#answer(query, sentence),
    });
    this.#reader.begin();
  }

  async stop(): Promise<void> {
    this.#reader.stop();
  }

  wake(): void {
    this.#reader.wake();
  }

  async #answer(query: string, sentence: string): Promise<void> {
    const text = Array.from(sentence).slice(0, MAX_ANSWER).join("");
    try {
      await this.#api?.answerCallbackQuery(query, { text, show_alert: text.length > MAX_TOAST });
    } catch {
      // A press is forgotten within a minute, and what was decided is on the card: nothing is lost.
    }
  }

  compose(message: Send, text: string, files: readonly Attachment[]): Draft[] {
    return this.#writer.compose(message, text, files);
  }

  replace(edit: Edit, text: string): Draft[] {
    return this.#writer.replace(edit, text);
  }

  async draft(draft: Drafting, text: string): Promise<readonly string[]> {
    return await this.#writer.draft(draft, text);
  }

  typing(place: string, thread: string | null): void {
    this.#writer.typing(place, thread);
  }

  async react(place: string, _thread: string | null, message: string, mark: Order<"react">["mark"]): Promise<void> {
    await this.#writer.react(place, message, mark);
  }

  async openDirect(user: string): Promise<string | null> {
    return await this.#writer.openDirect(user);
  }

  async file(handle: string, limit: number): Promise<Uint8Array> {
    if (this.#api === null) throw new FileFailure("refused", BAD_TOKEN);
    return await fileOf(this.#api, this.#fileAt, this.#redact, handle, limit);
  }
}
