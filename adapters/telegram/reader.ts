import { setTimeout as delay } from "node:timers/promises";
import { type Api, GrammyError } from "grammy/web";
import type { Host } from "../adapter.ts";
import { BAD_TOKEN, type Trouble, trouble } from "./api.ts";
import type { Calls } from "./calls.ts";
import type { Chats } from "./chats.ts";
import { albumOf, type Bot, convert, type Heard } from "./convert.ts";
import { Batch, encodeCursor, type Place } from "./cursor.ts";

/** Seconds that Telegram holds an empty answer back. */
const POLL_SECONDS = 30;
/** A server that does not hold answers back is asked this often at most. */
const QUICK_POLL_MS = 250;
const FIRST_BACKOFF_MS = 1_000;
const LAST_BACKOFF_MS = 30_000;
/** Pictures sent together come one by one: the last of an answer is waited for so long. */
const ALBUM_MS = 500;
/** As many updates as one answer has. */
const FULL = 100;
/** That Telegram was asked is saved so often, if nothing else is. */
const SAVE_MS = 600_000;
/** Telegram keeps what nobody has asked for so long. */
const KEPT_MS = 24 * 3_600_000;
/** One other poll is our own of before, which ends by itself; a second one within this time is somebody else's. */
const OTHERS_MS = 180_000;
/** And is said again after this. */
const SAY_AGAIN_MS = 3_600_000;
/** Messages remembered as told: what comes again is not, and a change of one is known for ours. */
const MAX_TOLD = 2_000;
/** All else is not even sent to us. Of a deleted message Telegram tells no bot. */
const WANTED = ["message", "edited_message", "callback_query", "my_chat_member"] as const;

export interface ReaderParts {
  /** @param ends asked at each call: what ends it early. @returns null: there is no token. */
  readonly open: (ends: () => AbortSignal) => Api | null;
  readonly redact: (text: string) => string;
  readonly host: Host;
  readonly chats: Chats;
  readonly calls: Calls;
  readonly from: Place;
  readonly answer: (query: string, sentence: string) => void;
}

/** What comes in from Telegram: a loop of our own over getUpdates, so that no update is confirmed before it is on the log. */
export class Reader {
  readonly #parts: ReaderParts;
  readonly #api: Api | null;
  readonly #stopping = new AbortController();
  /** Ends what is waited for, and nothing else. */
  #awake = new AbortController();
  readonly #told = new Map<string, Promise<void>>();
  /** What the next poll confirms; null when there is nothing to confirm. Telegram starts anew with lower numbers after a quiet week, so an
   *  old number must not be sent again. */
  #confirm: number | null;
  #place: Place;
  #saved = performance.now();
  #batch: Batch | null = null;
  #bot: Bot | null = null;
  #connected = false;
  /** The next poll is answered at once. */
  #quick = true;
  #dead = false;
  /** When another program was met, and when that was said. */
  #met = Number.NEGATIVE_INFINITY;
  #meetings = 0;
  #said = Number.NEGATIVE_INFINITY;

  constructor(parts: ReaderParts) {
    this.#parts = parts;
    this.#api = parts.open(() => AbortSignal.any([this.#stopping.signal, this.#awake.signal]));
    this.#place = parts.from;
    this.#confirm = parts.from.next;
  }

  begin(): void {
    void this.#run();
  }

  stop(): void {
    this.#stopping.abort();
    // What waits to be on the log is not waited for: it comes again.
    this.#save();
  }

  wake(): void {
    this.#quick = true;
    this.#awake.abort();
    this.#awake = new AbortController();
  }

  /** A call was told that the token is none. */
  refused(): void {
    if (this.#dead || this.#stopping.signal.aborted) return;
    this.#dead = true;
    this.#parts.host.state("refused", this.#account, BAD_TOKEN);
    this.#stopping.abort();
  }

  get #account(): string | null {
    return this.#bot === null ? null : `@${this.#bot.username}`;
  }

  async #run(): Promise<void> {
    const api = this.#api;
    const { host, calls, redact } = this.#parts;
    if (api === null) {
      host.state("refused", null, BAD_TOKEN);
      return;
    }
    let backoff = FIRST_BACKOFF_MS;
    while (!this.#stopping.signal.aborted) {
      const { signal } = this.#awake;
      try {
        this.#bot ??= await this.#introduce(api);
        await this.#poll(api, this.#bot);
        backoff = FIRST_BACKOFF_MS;
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        // It was woken: what was under way is asked anew, at once.
        if (signal.aborted) continue;
        const met = trouble(error, redact);
        if (met.kind === "refused") {
          calls.refuse();
          this.#dead = true;
          host.state("refused", this.#account, met.sentence);
          return;
        }
        host.state("reconnecting", this.#account, met.sentence);
        this.#connected = false;
        this.#quick = true;
        if (met.kind === "webhook") this.#bot = null;
        await this.#pause(Math.max(backoff, this.#waitAfter(met)));
        backoff = Math.min(backoff * 2, LAST_BACKOFF_MS);
      }
    }
  }

  /** @returns milliseconds. Two programs that take each other's turn without end would help nobody. */
  #waitAfter({ kind, sentence, waitMs }: Trouble): number {
    if (kind !== "other-program" && kind !== "webhook") return waitMs;
    const now = performance.now();
    this.#meetings = now - this.#met < OTHERS_MS ? this.#meetings + 1 : 1;
    this.#met = now;
    if ((this.#meetings > 1 || kind === "webhook") && now - this.#said > SAY_AGAIN_MS) {
      this.#said = now;
      this.#parts.host.notice({ about: "foreign-use", place: null, from: null, to: null }, sentence);
    }
    return Math.min(waitMs * this.#meetings, 2 * LAST_BACKOFF_MS);
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
    const seconds = this.#quick ? 0 : POLL_SECONDS;
    const began = performance.now();
    const updates = await this.#ask(api, seconds);
    this.#confirm = null;
    this.#quick = false;
    if (!this.#connected) this.#parts.host.state("connected", `@${bot.username}`);
    this.#connected = true;
    this.#answered();
    const batch = new Batch(updates.map(({ update_id: id }) => id));
    this.#batch = batch;
    await Promise.all(
      together(updates).map(async (indices) => {
        const [first, ...rest] = indices.map((i) => updates[i]);
        await this.#hear(convert(first, bot, rest));
        for (const i of indices) batch.done(i);
      }),
    );
    this.#save();
    if (updates.length === 0 && seconds > 0 && performance.now() - began < QUICK_POLL_MS)
      await this.#pause(QUICK_POLL_MS);
  }

  async #ask(api: Api, seconds: number): Promise<Awaited<ReturnType<Api["getUpdates"]>>> {
    const confirm = this.#confirm;
    const ask = async (timeout: number): ReturnType<Api["getUpdates"]> =>
      await api.getUpdates({ timeout, allowed_updates: WANTED, ...(confirm === null ? {} : { offset: confirm }) });
    const updates = await ask(seconds);
    if (albumOf(updates.at(-1)) === null) return updates;
    await this.#pause(ALBUM_MS);
    const whole = await ask(0);
    // What does not fit into one answer comes with the next: an album is not told in halves.
    const last = albumOf(whole.at(-1));
    const fitting = whole.length < FULL || last === null ? whole : whole.filter((one) => albumOf(one) !== last);
    return fitting.length === 0 ? whole : fitting;
  }

  /** Telegram answered: what was before it is had, or gone. */
  #answered(): void {
    const now = Date.now();
    const { askedAt } = this.#place;
    if (askedAt !== null && now - askedAt > KEPT_MS) {
      const sentence = "Telegram keeps messages for 24 hours: what was written to the bot before that cannot be had";
      this.#parts.host.notice({ about: "gap", place: null, from: askedAt, to: now - KEPT_MS }, sentence);
    }
    this.#place = { ...this.#place, askedAt: now };
  }

  /** Goes on behind what is on the log: with the next poll, and after a restart. */
  #save(): void {
    const next = this.#batch?.take() ?? null;
    const due = performance.now() - this.#saved > SAVE_MS;
    if (next === null && !due) return;
    if (next !== null) {
      this.#confirm = next;
      this.#place = { ...this.#place, next, nextAt: Date.now() };
    }
    this.#saved = performance.now();
    this.#parts.host.cursor(encodeCursor({ ...this.#place, moved: this.#parts.chats.moved }));
  }

  /** Resolves once the update is on the log, or is none for us. */
  async #hear(heard: Heard): Promise<void> {
    const { host, chats, calls, answer } = this.#parts;
    switch (heard.kind) {
      case "inbound": {
        const message = { ...heard.message, place: this.#known(heard.message.place) };
        const before = this.#told.get(message.dedupe);
        if (before !== undefined) return await before;
        calls.heard(message.place);
        const onLog = host.inbound(message, heard.senderName, heard.text);
        this.#remember(message.dedupe, onLog);
        await onLog;
        return;
      }
      case "changed":
        if (!heard.calls && !this.#told.has(heard.change.message)) return;
        await host.changed({ ...heard.change, place: this.#known(heard.change.place) }, heard.text);
        return;
      case "pressed":
        await host.pressed({ ...heard.press, place: this.#known(heard.press.place) }, (sentence) =>
          answer(heard.query, sentence),
        );
        return;
      case "moved":
        chats.move(heard.from, heard.to);
        return;
      case "removed":
        host.notice({ about: "removed", place: this.#known(heard.place), from: null, to: null }, heard.sentence);
        return;
      case "nothing":
        return;
    }
  }

  #known(chat: string): string {
    return this.#parts.chats.placeOf(Number(chat));
  }

  #remember(message: string, onLog: Promise<void>): void {
    this.#told.set(message, onLog);
    const [oldest] = this.#told.keys();
    if (this.#told.size > MAX_TOLD && oldest !== undefined) this.#told.delete(oldest);
  }

  async #pause(ms: number): Promise<void> {
    const signal = AbortSignal.any([this.#stopping.signal, this.#awake.signal]);
    await delay(ms, undefined, { signal }).catch(() => undefined);
  }
}

/** @returns the places of updates that are told as one, in order. */
function together(updates: readonly unknown[]): number[][] {
  const albums = new Map<string, number[]>();
  const groups: number[][] = [];
  for (const [i, update] of updates.entries()) {
    const album = albumOf(update);
    const known = album === null ? undefined : albums.get(album);
    if (known !== undefined) {
      known.push(i);
      continue;
    }
    const group = [i];
    groups.push(group);
    if (album !== null) albums.set(album, group);
  }
  return groups;
}
