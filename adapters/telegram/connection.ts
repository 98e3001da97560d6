import { setTimeout as delay } from "node:timers/promises";
import { type Api, GrammyError } from "grammy/web";
import type { Connection, Credentials, Edit, Host, Send, Start } from "../adapter.ts";
import { SendFailure } from "../failure.ts";
import type { Draft } from "../outbox.ts";
import { BAD_TOKEN, openApi, sendFailure, trouble } from "./api.ts";
import { type Bot, convert, pressData } from "./convert.ts";
import { Batch, decodeCursor, encodeCursor } from "./cursor.ts";
import { format, type Part } from "./format.ts";

/** Seconds that Telegram holds an empty answer back. */
const POLL_SECONDS = 30;
/** A server that does not hold answers back is asked this often at most. */
const QUICK_POLL_MS = 250;
const FIRST_BACKOFF_MS = 1_000;
const LAST_BACKOFF_MS = 30_000;
/** Telegram shows "typing" for 5 s. */
const TYPING_MS = 4_000;
/** What a presser is told in a corner of the screen; what is longer gets a window, and has at most 200 characters. */
const MAX_TOAST = 60;
const MAX_ANSWER = 200;
/** Messages and presses only; all else is not even sent to us. */
const WANTED = ["message", "callback_query"] as const;

type Keyboard = { inline_keyboard: { text: string; callback_data: string }[][] };

/** Talks to Telegram: a loop of our own over getUpdates, so that no update is confirmed before it is on the log. */
export class TelegramConnection implements Connection {
  /** Ends with {@link stop}. */
  readonly #polls: Api | null;
  /** Goes on until what was handed over is sent. */
  readonly #api: Api | null;
  readonly #redact: (text: string) => string;
  readonly #host: Host;
  readonly #stopping = new AbortController();
  readonly #typed = new Map<string, number>();
  /** Groups that became supergroups, under the id by which they were known. */
  readonly #moved = new Map<string, number>();
  /** What the next poll confirms; null when there is nothing to confirm. Telegram starts anew with lower numbers after a quiet week, so an
   *  old number must not be sent again. */
  #confirm: number | null;
  #batch: Batch | null = null;
  #connected = false;

  constructor(credentials: Credentials, start: Start, host: Host) {
    const { api, redact } = openApi(credentials, start);
    this.#polls = openApi(credentials, start, this.#stopping.signal).api;
    this.#api = api;
    this.#redact = redact;
    this.#host = host;
    this.#confirm = decodeCursor(start.cursor, Date.now());
    void this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    // What waits to be on the log is not waited for: it comes again.
    this.#save();
  }

  async #run(): Promise<void> {
    const api = this.#polls;
    if (api === null) {
      this.#host.state("refused", null, BAD_TOKEN);
      return;
    }
    let bot: Bot | null = null;
    let backoff = FIRST_BACKOFF_MS;
    while (!this.#stopping.signal.aborted) {
      try {
        bot ??= await this.#introduce(api);
        await this.#poll(api, bot);
        backoff = FIRST_BACKOFF_MS;
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        const { kind, sentence, waitMs } = trouble(error, this.#redact);
        const account = bot === null ? null : `@${bot.username}`;
        if (kind === "refused") {
          this.#host.state("refused", account, sentence);
          return;
        }
        this.#host.state("reconnecting", account, sentence);
        this.#connected = false;
        if (kind === "webhook") bot = null;
        await this.#pause(Math.max(backoff, waitMs));
        backoff = Math.min(backoff * 2, LAST_BACKOFF_MS);
      }
    }
  }

  /** Says who we are, and takes the messages back from a webhook that was set before. */
  async #introduce(api: Api): Promise<Bot> {
    const { id, username } = await api.getMe();
    const url = await this.#webhook(api);
    if (url !== "") await api.deleteWebhook({ drop_pending_updates: false });
    return { id, username };
  }

  /** The address of the bot's webhook, or "". Where it cannot be asked, a poll is told of it (409). */
  async #webhook(api: Api): Promise<string> {
    try {
      return (await api.getWebhookInfo()).url ?? "";
    } catch (error) {
      const known = error instanceof GrammyError && [401, 409, 429].includes(error.error_code);
      if (known || !(error instanceof GrammyError)) throw error;
      return "";
    }
  }

  async #poll(api: Api, bot: Bot): Promise<void> {
    // The first answer comes at once, and shows whether we are let in.
    const seconds = this.#connected ? POLL_SECONDS : 0;
    const began = performance.now();
    const confirm = this.#confirm;
    const updates = await api.getUpdates({
      timeout: seconds,
      allowed_updates: WANTED,
      ...(confirm === null ? {} : { offset: confirm }),
    });
    this.#confirm = null;
    if (!this.#connected) this.#host.state("connected", `@${bot.username}`);
    this.#connected = true;
    const batch = new Batch(updates.map(({ update_id: id }) => id));
    this.#batch = batch;
    await Promise.all(
      updates.map(async (update, i) => {
        await this.#hear(update, bot);
        batch.done(i);
      }),
    );
    this.#save();
    if (updates.length === 0 && seconds > 0 && performance.now() - began < QUICK_POLL_MS)
      await this.#pause(QUICK_POLL_MS);
  }

  /** Goes on behind what is on the log: with the next poll, and after a restart. */
  #save(): void {
    const next = this.#batch?.take() ?? null;
    if (next === null) return;
    this.#confirm = next;
    this.#host.cursor(encodeCursor(next, Date.now()));
  }

  /** Resolves once the update is on the log, or is none for us. */
  async #hear(update: unknown, bot: Bot): Promise<void> {
    const heard = convert(update, bot);
    switch (heard.kind) {
      case "nothing":
        return;
      case "inbound":
        await this.#host.inbound(heard.message, heard.senderName, heard.text);
        return;
      case "pressed":
        await this.#host.pressed(heard.press, (sentence) => void this.#answer(heard.query, sentence));
        return;
    }
  }

  async #answer(query: string, sentence: string): Promise<void> {
    const text = Array.from(sentence).slice(0, MAX_ANSWER).join("");
    try {
      await this.#api?.answerCallbackQuery(query, { text, show_alert: text.length > MAX_TOAST });
    } catch {
      // A press is forgotten within a minute, and what was decided is on the card: nothing is lost.
    }
  }

  compose(message: Send, text: string): Draft[] {
    const parts = format(text, message.style);
    if (parts.length === 0) throw new SendFailure("refused", "there is nothing in the message to show");
    const keyboard = message.card === null ? null : keyboardOf(message.card);
    return parts.map((part, i) => ({
      post: async (formatted) =>
        await this.#inChat(message.place, async (api, chat) => {
          const sent = await api.sendMessage(chat, part.text, {
            ...look(part, formatted),
            ...threadOption(message.thread),
            ...(i === 0 ? replyOption(message.replyTo) : {}),
            ...(keyboard !== null && i === parts.length - 1 ? { reply_markup: keyboard } : {}),
          });
          return String(sent.message_id);
        }),
    }));
  }

  /** The last messages get the new text: they hold the buttons; what stood before them stays to be read. */
  replace(edit: Edit, text: string): Draft[] {
    const parts = format(text, "plain");
    const ids = edit.ids.slice(Math.max(0, edit.ids.length - parts.length));
    if (parts.length === 0) throw new SendFailure("refused", "there is nothing in the message to show");
    if (parts.length > ids.length)
      throw new SendFailure("too-large", "the new text has more parts than the message it replaces");
    return parts.map((part, i) => ({
      post: async () =>
        await this.#inChat(edit.place, async (api, chat) => {
          const id = ids[i] ?? "";
          try {
            await api.editMessageText(chat, numeric(id, "message"), part.text, {
              ...look(part, false),
              reply_markup: { inline_keyboard: [] },
            });
          } catch (error) {
            const same = error instanceof GrammyError && /message is not modified/i.test(error.description);
            if (!same) throw error;
          }
          return id;
        }),
    }));
  }

  typing(place: string, thread: string | null): void {
    const key = `${place}/${thread ?? ""}`;
    const now = performance.now();
    if (now - (this.#typed.get(key) ?? Number.NEGATIVE_INFINITY) < TYPING_MS) return;
    for (const [old, at] of this.#typed) if (now - at >= TYPING_MS) this.#typed.delete(old);
    this.#typed.set(key, now);
    void this.#inChat(place, async (api, chat) => {
      await api.sendChatAction(chat, "typing", threadOption(thread));
      return "";
    }).catch(() => undefined); // a sign that is not seen is no message lost
  }

  /** Runs one call in a chat, in the supergroup that it became if it moved. @throws {SendFailure} */
  async #inChat(place: string, call: (api: Api, chat: number) => Promise<string>): Promise<string> {
    const api = this.#api;
    if (api === null) throw new SendFailure("refused", BAD_TOKEN);
    try {
      return await call(api, this.#moved.get(place) ?? numeric(place, "chat"));
    } catch (error) {
      const moved = error instanceof GrammyError ? error.parameters.migrate_to_chat_id : undefined;
      if (moved === undefined || this.#moved.get(place) === moved) throw sendFailure(error, this.#redact);
      this.#moved.set(place, moved);
      return await this.#inChat(place, call);
    }
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }
}

function look(part: Part, formatted: boolean): object {
  return {
    link_preview_options: { is_disabled: true },
    ...(formatted && part.entities.length > 0 ? { entities: part.entities } : {}),
  };
}

function keyboardOf(card: NonNullable<Send["card"]>): Keyboard {
  const button = (text: string, decision: "approve" | "approve-session" | "deny") => {
    const data = pressData(decision, card.id);
    if (data === null) throw new SendFailure("too-large", "the card's id is too long for a button");
    return [{ text, callback_data: data }];
  };
  return {
    inline_keyboard: [
      button("Approve", "approve"),
      ...(card.mayRemember ? [button("Approve for this session", "approve-session")] : []),
      button("Deny", "deny"),
    ],
  };
}

function threadOption(thread: string | null): { message_thread_id?: number } {
  return thread === null ? {} : { message_thread_id: numeric(thread, "topic") };
}

/** @param replyTo a message as it was told inbound (`chat:message`), or its number alone. */
function replyOption(replyTo: string | null): object {
  const id = /(?:^|:)(\d{1,16})$/.exec(replyTo ?? "")?.[1];
  return id === undefined ? {} : { reply_parameters: { message_id: Number(id), allow_sending_without_reply: true } };
}

function numeric(id: string, what: string): number {
  const number = /^-?\d{1,16}$/.test(id) ? Number(id) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw new SendFailure("refused", `not the id of a Telegram ${what}`);
  return number;
}
