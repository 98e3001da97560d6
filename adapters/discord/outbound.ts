import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { RawFile, REST } from "@discordjs/rest";
import { MessageFlags, Routes } from "discord-api-types/v10";
import * as z from "zod/mini";
import type { Attachment, Drafting, Edit, Order, Send } from "../adapter.ts";
import { SendFailure } from "../failure.ts";
import { Growing, type Stand } from "../growing.ts";
import type { Draft } from "../outbox.ts";
import { inPlaceOf } from "../replacement.ts";
import { errorCode, isUnauthorised, MISSING_ACCESS, sendFailure, UNKNOWN_CHANNEL, UNKNOWN_MESSAGE } from "./api.ts";
import { isSnowflake } from "./cursor.ts";
import { format, type Part } from "./format.ts";
import { type Journal, nonceOf } from "./journal.ts";
import { buttonsOf } from "./press.ts";

/** What goes out. Nothing in it calls anybody, and no address in it is looked up. */
const QUIET = { flags: MessageFlags.SuppressEmbeds, allowed_mentions: { parse: [] } } as const;

/** Waits before a message that may have been sent is said again under the same nonce: where it was, that one is answered. */
const AGAIN_MS = [1_000, 3_000] as const;
/** Discord takes five edits in five seconds in one channel, and there is more than one reply. */
const DRAFT_MS = 1_500;
/** Discord shows "typing" for 10 s. */
const TYPING_MS = 8_000;
/** Our marks that are remembered, to be taken away. */
const MAX_MARKS = 512;
/** A draft is no message that is looked for: it has no number of parts. */
const DRAFTED = 0;
const MARKS = { waiting: "👀", working: "✍️", refused: "🤷" } as const;

const Sent = z.object({ id: z.string() });

/** A message by Discord's own names. */
interface Message {
  readonly nonce: string;
  readonly [field: string]: unknown;
}

/** What of it concerns more than one message. */
interface OutboundEvents {
  /** Discord says that we are not, or no longer, there. */
  gone(channel: string, why: string): void;
  refused(): void;
}

export class Outbound {
  readonly #rest: REST;
  readonly #uploads: REST;
  readonly #journal: Journal;
  readonly #on: OutboundEvents;
  readonly #growing = new Growing<Part>((one, other) => one.content === other.content);
  /** When something was last shown to be growing, and to be typed, by channel. */
  readonly #grown = new Map<string, number>();
  readonly #typed = new Map<string, number>();
  readonly #marks = new Map<string, string>();

  /** @param uploads the same with more patience, for files. */
  constructor(rest: REST, uploads: REST, journal: Journal, on: OutboundEvents) {
    this.#rest = rest;
    this.#uploads = uploads;
    this.#journal = journal;
    this.#on = on;
  }

  compose(message: Send, text: string, files: readonly Attachment[]): Draft[] {
    const channel = channelOf(message);
    const parts = format(text, message.style);
    const shown = this.#growing.end(message.draft);
    const buttons = message.card === null ? null : buttonsOf(message.card);
    // Files go with the last message, unless that one is there already.
    const alone = files.length > 0 && parts.length <= shown.length;
    const total = parts.length + (alone ? 1 : 0);
    if (total === 0) throw new SendFailure("refused", "there is nothing in the message to show");
    const key = message.key ?? randomUUID();
    const all: (Part | null)[] = alone ? [...parts, null] : parts;
    return all.map((part, i) => {
      const last = i === total - 1;
      const body = {
        ...(part === null ? {} : { content: part.content }),
        ...(buttons !== null && last ? { components: buttons } : {}),
      };
      const fresh = async (): Promise<string> =>
        await this.#create(
          channel,
          { ...body, ...(i === 0 ? replyTo(message.replyTo) : {}), nonce: nonceOf(key, i, total) },
          last ? files : [],
        );
      return {
        post: async () => {
          const there = shown[i];
          const id = there === undefined ? await fresh() : await this.#change(channel, there.id, body, fresh);
          this.#journal.seen(id, nonceOf(key, i, total));
          if (last) await this.#takeBack(channel, shown.slice(total));
          return id;
        },
      };
    });
  }

  /** The last messages get the new text, as the block that they were: they hold the buttons; what stood before them stays to be read, and so what is left over
   *  of the new text is not shown twice. */
  replace(edit: Edit, text: string): Draft[] {
    const channel = channelOf(edit);
    const parts = format(text, "preformatted").slice(0, edit.ids.length);
    return inPlaceOf(edit.ids, parts).map(({ part: { content }, id }) => ({
      post: async () => await this.#change(channel, id, { content, components: [] }, null),
    }));
  }

  /** Shows so much of a reply, in as many messages as it takes. */
  async draft({ ref, ...message }: Drafting, text: string): Promise<readonly string[]> {
    const channel = channelOf(message);
    const parts = format(text, "markdown");
    return await this.#growing.show(ref, parts, {
      post: async (part) => {
        await this.#pace(channel);
        const reply = part === parts[0] ? replyTo(message.replyTo) : {};
        return await this.#create(
          channel,
          { content: part.content, ...reply, nonce: nonceOf(randomUUID(), 0, DRAFTED) },
          [],
        );
      },
      edit: async (id, part) => {
        await this.#pace(channel);
        await this.#change(channel, id, { content: part.content }, null);
      },
    });
  }

  async #pace(channel: string): Promise<void> {
    for (const [old, at] of this.#grown) if (performance.now() - at >= DRAFT_MS) this.#grown.delete(old);
    const wait = (this.#grown.get(channel) ?? Number.NEGATIVE_INFINITY) + DRAFT_MS - performance.now();
    if (wait > 0) await delay(wait);
    this.#grown.set(channel, performance.now());
  }

  typing(place: string, thread: string | null): void {
    const channel = thread ?? place;
    const now = performance.now();
    if (!isSnowflake(channel) || now - (this.#typed.get(channel) ?? Number.NEGATIVE_INFINITY) < TYPING_MS) return;
    for (const [old, at] of this.#typed) if (now - at >= TYPING_MS) this.#typed.delete(old);
    this.#typed.set(channel, now);
    // A sign that is not seen is no message lost.
    this.#rest.post(Routes.channelTyping(channel)).catch(() => undefined);
  }

  async react(channel: string, message: string, mark: Order<"react">["mark"]): Promise<void> {
    if (!isSnowflake(channel) || !isSnowflake(message)) return;
    const before = this.#marks.get(message);
    const emoji = mark === null ? null : MARKS[mark];
    if (before === emoji) return;
    if (emoji !== null) {
      await this.#rest.put(Routes.channelMessageOwnReaction(channel, message, encodeURIComponent(emoji)));
      this.#marks.delete(message);
      this.#marks.set(message, emoji);
      const [oldest] = this.#marks.keys();
      if (this.#marks.size > MAX_MARKS && oldest !== undefined) this.#marks.delete(oldest);
    } else this.#marks.delete(message);
    // After a restart it is not known which one is there.
    const old = before === undefined ? (emoji === null ? Object.values(MARKS) : []) : [before];
    for (const one of old)
      await this.#rest
        .delete(Routes.channelMessageOwnReaction(channel, message, encodeURIComponent(one)))
        .catch(() => undefined);
  }

  /** @throws {SendFailure} */
  async openDirect(user: string): Promise<string | null> {
    if (!isSnowflake(user)) throw new SendFailure("refused", "not the id of a person on Discord");
    try {
      return Sent.parse(await this.#rest.post(Routes.userChannels(), { body: { recipient_id: user } })).id;
    } catch (error) {
      throw this.#failure(error, null);
    }
  }

  /** @throws {SendFailure} */
  async #create(channel: string, body: Message, files: readonly Attachment[]): Promise<string> {
    const rest = files.length === 0 ? this.#rest : this.#uploads;
    const options = { body: { ...QUIET, enforce_nonce: true, ...body }, files: files.map(fileOf) };
    const sent = await this.#surely(
      channel,
      async () => await rest.post(Routes.channelMessages(channel), options),
      null,
    );
    const id = Sent.safeParse(sent).data?.id;
    if (id === undefined) throw new SendFailure("unknown", "Discord took the message and did not say as what");
    this.#journal.seen(id, body.nonce);
    return id;
  }

  /** @param gone what to do where the message is no longer there; null: that is a failure. @throws {SendFailure} */
  async #change(channel: string, id: string, body: object, gone: (() => Promise<string>) | null): Promise<string> {
    if (!isSnowflake(id)) throw new SendFailure("refused", "not the id of a Discord message");
    const route = Routes.channelMessage(channel, id);
    const options = { body: { ...QUIET, ...body } };
    const changed = await this.#surely(channel, async () => await this.#rest.patch(route, options), gone);
    return typeof changed === "string" ? changed : id;
  }

  /** Says again what nobody can tell of: a message has its nonce, and a change is the same twice. @throws {SendFailure} */
  async #surely(channel: string, say: () => Promise<unknown>, gone: (() => Promise<string>) | null): Promise<unknown> {
    for (let tries = 0; ; tries++) {
      try {
        return await say();
      } catch (error) {
        if (gone !== null && errorCode(error) === UNKNOWN_MESSAGE) return await gone();
        const failure = this.#failure(error, channel);
        const wait = AGAIN_MS[tries];
        if (failure.code !== "unknown" || wait === undefined) throw failure;
        await delay(wait);
      }
    }
  }

  /** What was shown of a longer reply than it became. */
  async #takeBack(channel: string, messages: readonly Stand<Part>[]): Promise<void> {
    for (const { id } of messages) await this.#rest.delete(Routes.channelMessage(channel, id)).catch(() => undefined);
  }

  #failure(error: unknown, channel: string | null): SendFailure {
    const failure = sendFailure(error);
    const code = errorCode(error);
    if (channel !== null && (code === UNKNOWN_CHANNEL || code === MISSING_ACCESS))
      this.#on.gone(channel, code === UNKNOWN_CHANNEL ? "it was deleted" : "the bot was removed from it");
    if (isUnauthorised(error)) this.#on.refused();
    return failure;
  }
}

function channelOf({ place, thread }: { readonly place: string; readonly thread: string | null }): string {
  const channel = thread ?? place;
  if (!isSnowflake(channel)) throw new SendFailure("refused", "not the id of a Discord channel");
  return channel;
}

/** A message that is gone by now is no reason not to answer. */
function replyTo(message: string | null): object {
  if (message === null || !isSnowflake(message)) return {};
  return { message_reference: { message_id: message, fail_if_not_exists: false } };
}

function fileOf({ name, mime, bytes }: Attachment): RawFile {
  return { name, contentType: mime, data: bytes };
}
