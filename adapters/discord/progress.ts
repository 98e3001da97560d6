import {
  type Conversation,
  decodeCursor,
  encodeCursor,
  type Kept,
  laterId,
  MAX_CONVERSATIONS,
  type Starts,
} from "./cursor.ts";
import type { Session } from "./line.ts";
import { type Mark, Sequence } from "./sequence.ts";

/** How far what Discord told is on the log, and what is kept of that. */

/** A cursor is saved at most so often: what is told again after a crash is known by its id. */
const SAVE_MS = 500;
/** And at least so often while Discord answers, so that it is known how long there was nobody to listen. */
const TOUCH_MS = 300_000;
/** A count of sessions that was taken so shortly before they are counted anew tells nothing. */
const NEAR_RESET_MS = 60_000;

/** What came before a session that just began: null where there was none. */
export interface Before {
  /** Until then all is on the log, Unix milliseconds. */
  readonly until: number;
}

export class Progress {
  readonly #say: (cursor: string) => void;
  readonly #conversations = new Map<string, Conversation>();
  readonly #kept: Kept | null;
  /** When Discord was last heard of, Unix milliseconds. */
  #heard: number | null = null;
  #bot: string | null = null;
  #session: Omit<Session, "seq"> | null = null;
  #sequence = new Sequence(0);
  #saved = 0;
  #starts: Starts | null = null;
  #savedAt = Number.NEGATIVE_INFINITY;
  #saving: NodeJS.Timeout | null = null;
  #closed = false;

  /** @param say saves a cursor. */
  constructor(cursor: string | null, say: (cursor: string) => void) {
    this.#say = say;
    this.#kept = decodeCursor(cursor);
  }

  /** Goes on where this bot was; what was kept of another one says nothing. */
  of(bot: string): void {
    this.#bot = bot;
    const kept = this.#kept;
    if (kept === null || kept.bot !== bot) return;
    const { session, starts, conversations, at } = kept;
    this.#heard = at;
    for (const [channel, one] of conversations) this.#conversations.set(channel, one);
    this.#starts = starts;
    if (session === null) return;
    this.#session = session;
    this.#sequence = new Sequence(session.seq);
    this.#saved = session.seq;
  }

  /** With the last dispatch that a saved cursor goes on behind: no other is said to be received. */
  get session(): Session | null {
    return this.#session === null ? null : { ...this.#session, seq: this.#saved };
  }

  get conversations(): ReadonlyMap<string, Conversation> {
    return this.#conversations;
  }

  /** @returns what came before it. */
  began({ seq, ...session }: Session): Before | null {
    const before = this.#heard === null ? null : { until: this.#heard };
    this.#heard = Date.now();
    this.#session = session;
    this.#sequence = new Sequence(seq);
    // Without it nobody could go on with this session.
    this.#saveNow();
    return before;
  }

  /** The session cannot go on. */
  over(): void {
    this.#session = null;
    this.#saveNow();
  }

  /** @returns what to call once it is on the log, or is none for us; null: it came before. */
  begin(number: number): ((mark: Mark | null) => void) | null {
    const sequence = this.#sequence;
    this.#heard = Date.now();
    if (!sequence.begin(number)) return null;
    return (mark) => {
      for (const { channel, message } of sequence.done(number, mark)) this.reached(channel, message);
      this.#save();
    };
  }

  /** Somebody speaks with us there. */
  spoken(channel: string, from: Omit<Conversation, "last">, message: string): void {
    const known = this.#conversations.get(channel);
    this.#conversations.delete(channel);
    this.#conversations.set(channel, { ...from, last: known?.last ?? String(BigInt(message) - 1n) });
    const [oldest] = this.#conversations.keys();
    if (this.#conversations.size > MAX_CONVERSATIONS && oldest !== undefined) this.#conversations.delete(oldest);
  }

  /** Up to this message all of a conversation is on the log. */
  reached(channel: string, message: string): void {
    const known = this.#conversations.get(channel);
    if (known !== undefined) this.#conversations.set(channel, { ...known, last: laterId(known.last, message) });
  }

  forget(channel: string): void {
    if (this.#conversations.delete(channel)) this.#save();
  }

  /** We ask for a new session: it is counted before it is there, so that nobody else is suspected of it. */
  identifying(): void {
    if (this.#starts !== null) this.#starts = { ...this.#starts, left: this.#starts.left - 1 };
    this.#saveNow();
  }

  /** @returns whether there are fewer left than we left. */
  counted(starts: Starts, now: number): boolean {
    const before = this.#starts;
    this.#starts = starts;
    this.#save();
    return before !== null && now < before.until - NEAR_RESET_MS && starts.left < before.left;
  }

  /** Discord is there. */
  touch(): void {
    this.#heard = Date.now();
    if (performance.now() - this.#savedAt > TOUCH_MS) this.#save();
  }

  /** Saves for the last time. */
  close(): void {
    if (this.#saving !== null) this.#saveNow();
    this.#closed = true;
  }

  #save(): void {
    if (this.#saving !== null || this.#closed) return;
    const wait = Math.max(0, this.#savedAt + SAVE_MS - performance.now());
    this.#saving = setTimeout(() => this.#saveNow(), wait);
  }

  #saveNow(): void {
    if (this.#saving !== null) clearTimeout(this.#saving);
    this.#saving = null;
    if (this.#bot === null || this.#closed) return;
    this.#savedAt = performance.now();
    this.#saved = this.#sequence.durable;
    const conversations = new Map(this.#conversations);
    this.#say(
      encodeCursor({ bot: this.#bot, session: this.session, starts: this.#starts, at: this.#heard, conversations }),
    );
  }
}
