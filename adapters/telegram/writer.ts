import { type Api, GrammyError, InputFile } from "grammy/web";
import type { Attachment, Drafting, Edit, Order, Send } from "../adapter.ts";
import { SendFailure } from "../failure.ts";
import { Growing, type Screen, type Stand } from "../growing.ts";
import type { Draft } from "../outbox.ts";
import { inPlaceOf } from "../replacement.ts";
import type { Calls } from "./calls.ts";
import { messageIn, numeric } from "./chats.ts";
import { pressData } from "./convert.ts";
import { format, type Part } from "./format.ts";

/** Telegram shows "typing" for 5 s. */
const TYPING_MS = 4_000;
/** A group takes 20 messages and edits a minute, and the answers must have room among them. */
const GROUP_DRAFT_MS = 4_000;
const DRAFT_MS = 1_000;
/** Chats of which something is remembered. */
const MAX_TIMES = 1_000;
/** Telegram makes a picture of no more than this; what is larger goes as a file. */
const MAX_PICTURE_BYTES = 10_000_000;
const PICTURE = /^image\/(?:jpeg|png|webp)$/;
/** Marks that Telegram lets a bot set. @see https://core.telegram.org/bots/api#reactiontypeemoji */
const MARKS = { waiting: "👀", working: "✍", refused: "🤷" } as const;

type Keyboard = { inline_keyboard: { text: string; callback_data: string }[][] };
type Where = Pick<Send, "place" | "thread" | "replyTo">;

/** What goes out to Telegram: messages, files, answers that grow, marks. Link previews are off in all of it. */
export class Writer {
  readonly #calls: Calls;
  readonly #growing = new Growing<Part>(samePart);
  readonly #times = new Map<string, number>();
  /** Private chats in which Telegram shows no drafts, or whose server does not know them: it is asked once. */
  readonly #draftless = new Set<string>();

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  compose(message: Send, text: string, files: readonly Attachment[]): Draft[] {
    const parts = format(text, message.style);
    if (parts.length === 0 && files.length === 0)
      throw new SendFailure("refused", "there is nothing in the message to show");
    const keyboard = message.card === null ? null : keyboardOf(message.card);
    if (keyboard !== null && parts.length === 0) throw new SendFailure("refused", "a card without words is no card");
    const shown = this.#growing.end(message.draft);
    const words = parts.map((part, i) => {
      const markup = i === parts.length - 1 ? keyboard : null;
      const replyTo = i === 0 ? message.replyTo : null;
      const post = async (formatted: boolean): Promise<string> =>
        await this.#post({ ...message, replyTo }, part, formatted, markup);
      const stand = shown[i];
      return stand === undefined ? { post } : this.#finish(message.place, stand, part, post);
    });
    const replyTo = parts.length === 0 ? message.replyTo : null;
    const along = files.map((file, i) => this.#fileDraft({ ...message, replyTo: i === 0 ? replyTo : null }, file));
    const left = shown.slice(parts.length);
    // What must be read to decide stands before what is pressed.
    const all = keyboard === null ? [...words, ...along] : [...along, ...words];
    return left.length === 0 ? all : withLast(all, async () => await this.#remove(message.place, left));
  }

  replace(edit: Edit, text: string): Draft[] {
    return inPlaceOf(edit.ids, format(text, "plain")).map(({ part, id }) => ({
      post: async () => {
        await this.#edit(edit.place, id, part, false);
        return id;
      },
    }));
  }

  async #post(where: Where, part: Part, formatted: boolean, keyboard: Keyboard | null): Promise<string> {
    return await this.#calls.inChat(where.place, "once", async (api, chat) => {
      const sent = await api.sendMessage(chat, part.text, {
        ...look(part, formatted),
        ...placing(where, chat),
        ...(keyboard === null ? {} : { reply_markup: keyboard }),
      });
      return String(sent.message_id);
    });
  }

  /** An edit done twice is the same edit. */
  async #edit(place: string, id: string, part: Part, formatted: boolean): Promise<void> {
    await this.#calls.inChat(place, "again", async (api, chat) => {
      try {
        await api.editMessageText(chat, numeric(id, "message"), part.text, {
          ...look(part, formatted),
          reply_markup: { inline_keyboard: [] },
        });
      } catch (error) {
        if (!says(error, /message is not modified/i)) throw error;
      }
    });
  }

  #finish(place: string, stand: Stand<Part>, part: Part, post: Draft["post"]): Draft {
    return {
      post: async (formatted) => {
        if (samePart(stand.part, part)) return stand.id;
        try {
          await this.#edit(place, stand.id, part, formatted);
          return stand.id;
        } catch (error) {
          // Somebody deleted what was shown: the whole answer is sent all the same.
          if (error instanceof SendFailure && /message to edit not found|can't be edited/i.test(error.message))
            return await post(formatted);
          throw error;
        }
      },
    };
  }

  #fileDraft(where: Where, { name, mime, bytes }: Attachment): Draft {
    const picture = PICTURE.test(mime) && bytes.length <= MAX_PICTURE_BYTES;
    return {
      post: async (formatted) =>
        await this.#calls.inChat(where.place, "once", async (api, chat) => {
          const file = new InputFile(bytes, safeFileName(name));
          const how = placing(where, chat);
          const sent =
            picture && formatted
              ? await api.sendPhoto(chat, file, how)
              : await api.sendDocument(chat, file, { ...how, disable_content_type_detection: true });
          return String(sent.message_id);
        }),
    };
  }

  async #remove(place: string, stands: readonly Stand<Part>[]): Promise<void> {
    for (const { id } of stands)
      await this.#calls
        .inChat(place, "again", async (api, chat) => await api.deleteMessage(chat, numeric(id, "message")))
        .catch(() => undefined);
  }

  /** In a private chat Telegram shows what is being written beside the messages; elsewhere a message grows. */
  async draft({ ref, place, thread, replyTo }: Drafting, text: string): Promise<readonly string[]> {
    const parts = format(text, "markdown");
    const last = parts.at(-1);
    if (last === undefined || this.#calls.isSlow(place)) return [];
    const alone = !place.startsWith("-");
    if (!this.#isTime(`draft ${place}`, alone ? DRAFT_MS : GROUP_DRAFT_MS)) return [];
    if (alone && !this.#draftless.has(place) && (await this.#preview(ref, place, thread, last))) return [];
    const screen: Screen<Part> = {
      post: async (part) =>
        await this.#post({ place, thread, replyTo: part === parts[0] ? replyTo : null }, part, true, null),
      edit: async (id, part) => await this.#edit(place, id, part, true),
    };
    return await this.#growing.show(ref, parts, screen);
  }

  /** @returns false where Telegram knows no such thing. */
  async #preview(ref: number, place: string, thread: string | null, part: Part): Promise<boolean> {
    try {
      await this.#calls.inChat(place, "again", async (api, chat) => {
        const entities = part.entities.length > 0 ? { entities: part.entities } : {};
        await api.sendMessageDraft(chat, ref, part.text, { ...entities, ...topic(thread) });
      });
      return true;
    } catch (error) {
      // Whoever wants to hear nothing of us gets no message that grows instead.
      if (!(error instanceof SendFailure) || !/answered 40[04]/.test(error.message)) throw error;
      if (this.#draftless.size >= MAX_TIMES) this.#draftless.clear();
      this.#draftless.add(place);
      return false;
    }
  }

  typing(place: string, thread: string | null): void {
    if (!this.#isTime(`typing ${place}/${thread ?? ""}`, TYPING_MS) || this.#calls.isSlow(place)) return;
    void this.#calls
      .inChat(place, "again", async (api, chat) => await api.sendChatAction(chat, "typing", topic(thread)))
      .catch(() => undefined); // a sign that is not seen is no message lost
  }

  async react(place: string, message: string, mark: Order<"react">["mark"]): Promise<void> {
    await this.#calls.inChat(place, "again", async (api, chat) => {
      const id = messageIn(message, chat);
      if (id === null) return;
      await api.setMessageReaction(chat, id, mark === null ? [] : [{ type: "emoji", emoji: MARKS[mark] }]);
    });
  }

  /** A bot writes to nobody who has not written to it: a sign of life, which nobody keeps, tells whether they have.
   *  @returns the place, which is the user's own number; null if they have not, or do not want to hear of us. */
  async openDirect(user: string): Promise<string | null> {
    if (!/^\d{1,16}$/.test(user)) return null;
    try {
      await this.#calls.inChat(user, "question", async (api, chat) => await api.sendChatAction(chat, "typing"));
      return user;
    } catch (error) {
      if (error instanceof SendFailure && error.code === "refused" && /answered 40[03]/.test(error.message))
        return null;
      throw error;
    }
  }

  #isTime(what: string, everyMs: number): boolean {
    const now = performance.now();
    if (now - (this.#times.get(what) ?? Number.NEGATIVE_INFINITY) < everyMs) return false;
    this.#times.delete(what);
    this.#times.set(what, now);
    const [oldest] = this.#times.keys();
    if (this.#times.size > MAX_TIMES && oldest !== undefined) this.#times.delete(oldest);
    return true;
  }
}

/** Does something once the last of them is sent. */
function withLast(drafts: Draft[], after: () => Promise<void>): Draft[] {
  const last = drafts.at(-1);
  if (last === undefined) return drafts;
  const post = async (formatted: boolean): Promise<string> => {
    const id = await last.post(formatted);
    await after();
    return id;
  };
  return [...drafts.slice(0, -1), { post }];
}

function samePart(one: Part, other: Part): boolean {
  return one.text === other.text && JSON.stringify(one.entities) === JSON.stringify(other.entities);
}

function says(error: unknown, what: RegExp): boolean {
  return error instanceof GrammyError && what.test(error.description);
}

function look(
  part: Part,
  formatted: boolean,
): { link_preview_options: { is_disabled: true }; entities?: Part["entities"] } {
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

function topic(thread: string | null): { message_thread_id?: number } {
  return thread === null ? {} : { message_thread_id: numeric(thread, "topic") };
}

type Placing = Pick<NonNullable<Parameters<Api["sendMessage"]>[2]>, "message_thread_id" | "reply_parameters">;

function placing({ thread, replyTo }: Where, chat: number): Placing {
  const id = replyTo === null ? null : messageIn(replyTo, chat);
  return {
    ...topic(thread),
    ...(id === null ? {} : { reply_parameters: { message_id: id, allow_sending_without_reply: true } }),
  };
}

/** The SDK writes a name into a header as it is: nothing in it may end that. */
function safeFileName(name: string): string {
  return name
    .replaceAll(/["\\;\p{C}]/gu, "_")
    .slice(0, 200)
    .toWellFormed();
}
