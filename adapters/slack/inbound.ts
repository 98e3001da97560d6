import type { Host, Inbound } from "../adapter.ts";
import type { Calls } from "./calls.ts";
import { CatchUp } from "./catch-up.ts";
import { convert, type Heard, pressed, quoted, type Written } from "./convert.ts";
import { Heads } from "./heads.ts";
import type { Identity } from "./identity.ts";
import type { Names } from "./names.ts";

/** Messages remembered by channel and time: a mention comes as two events, and what was missed maybe as one more. The supervisor drops what is older
 *  than these. */
const MAX_SEEN = 2_000;
/** What began a thread is asked for so long; Slack waits for an answer meanwhile. */
const QUOTE_MS = 1_000;
/** Where to go on is saved so often. */
const SAVE_MS = 1_000;

export interface InboundParts {
  readonly host: Host;
  readonly calls: Calls;
  readonly names: Names;
  readonly cursor: string | null;
  readonly stopping: AbortSignal;
  /** A message is on the log, by the name it is told under. */
  readonly taken: (place: string, thread: string | null, message: string) => void;
  /** Tells whoever pressed a button, and nobody else. */
  readonly answer: (where: { place: string; thread: string | null; user: string }, sentence: string) => void;
  /** The app's tokens are not good any more. */
  readonly revoked: () => void;
}

/** What comes in from Slack: by its lines, and from what it remembers of the time when there was none. */
export class InboundSlack {
  readonly #parts: InboundParts;
  readonly #heads: Heads;
  readonly #catchUp: CatchUp;
  readonly #heard = new Map<string, Promise<void>>();
  /** What comes from one place is told in the order it came, whatever has to be asked before. */
  readonly #turns = new Map<string, Promise<void>>();
  #identity: Identity | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(parts: InboundParts) {
    this.#parts = parts;
    this.#heads = new Heads(parts.cursor);
    const { calls, host, stopping } = parts;
    this.#catchUp = new CatchUp({
      calls,
      host,
      stopping,
      tell: async (message) => await this.#hear({ ...message, type: "message" }, true),
    });
  }

  /** A line is opened: what it brings is ours by this identity. */
  expect(identity: Identity): void {
    this.#identity = identity;
  }

  /** A line stands on which nothing of before was heard. */
  connected(identity: Identity): void {
    this.#identity = identity;
    this.#catchUp.begin(this.#heads.all);
  }

  /** We wrote there. */
  wrote(place: string, thread: string | null, ts: string): void {
    this.#heads.begin({ place, thread, ts });
    // What is written under a message of ours in a channel is for us.
    if (thread === null && !place.startsWith("D")) this.#heads.begin({ place, thread: ts, ts });
    this.#save();
  }

  /** We are not there any more. */
  left(place: string): void {
    this.#heads.leave(place);
    this.#save();
  }

  stop(): void {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#parts.host.cursor(this.#heads.encoded());
  }

  /** An event. Resolves when what it brought is on the log, or is nothing for us. */
  async event(event: unknown): Promise<void> {
    await this.#hear(event, false);
  }

  async #hear(event: unknown, past: boolean): Promise<void> {
    const identity = this.#identity;
    if (identity === null) throw new Error("it is not known whose messages these are");
    const heard = convert(event, identity, past);
    switch (heard?.kind) {
      case undefined:
        return;
      case "inbound":
        return await this.#message(heard, identity, past);
      case "changed":
        return await this.#once(heard.change.place, heard.change.dedupe, past, async () => {
          await this.#parts.host.changed(heard.change, heard.text);
        });
      case "removed":
        return this.#removed(heard);
      case "revoked":
        return this.#parts.revoked();
    }
  }

  #removed({ place }: Extract<Heard, { kind: "removed" }>): void {
    this.left(place);
    this.#parts.host.notice(
      { about: "removed", place, from: null, to: null },
      "the bot was removed from a Slack channel",
    );
  }

  async #message(heard: Written, identity: Identity, past: boolean): Promise<void> {
    const { place, thread, dedupe } = heard.message;
    const { host, names, calls } = this.#parts;
    calls.heard(place);
    await this.#once(place, dedupe, past, async () => {
      await host.inbound(await this.#withQuote(heard, identity), names.of(heard.user), heard.text);
      this.#parts.taken(place, thread, dedupe);
      const ts = dedupe.slice(place.length + 1);
      this.#heads.advance({ place, thread, ts });
      if (thread === ts) this.#heads.advance({ place, thread: null, ts });
      this.#save();
    });
  }

  /** Runs in the turn of its place, behind what was missed there; once for all that come under one name meanwhile. */
  async #once(place: string, dedupe: string, past: boolean, tell: () => Promise<void>): Promise<void> {
    const known = this.#heard.get(dedupe);
    if (known !== undefined) {
      // What is heard now waits for what was missed: that one tells it, and is not waited for.
      if (!past) await known;
      return;
    }
    const onLog = this.#inTurn(past ? `past ${place}` : place, async () => {
      if (!past) await this.#catchUp.past(place);
      await tell();
    });
    this.#heard.set(dedupe, onLog);
    const [oldest] = this.#heard.keys();
    if (this.#heard.size > MAX_SEEN && oldest !== undefined) this.#heard.delete(oldest);
    await onLog;
  }

  async #inTurn(place: string, tell: () => Promise<void>): Promise<void> {
    const before = this.#turns.get(place) ?? Promise.resolve();
    const mine = before.then(tell, tell);
    this.#turns.set(place, mine);
    try {
      await mine;
    } finally {
      if (this.#turns.get(place) === mine) this.#turns.delete(place);
    }
  }

  /** The first thing that is heard in somebody else's thread comes with what stands at its head. */
  async #withQuote({ message, user, under }: Written, identity: Identity): Promise<Inbound> {
    if (under === null || message.quote !== undefined || this.#heads.has(message.place, under)) return message;
    const { calls } = this.#parts;
    const place = message.place;
    const asked = calls.do({ method: "conversations.replies", place: null, again: true }, async (web) => {
      const { messages = [] } = await web.conversations.replies({
        channel: place,
        ts: under,
        limit: 1,
        inclusive: true,
      });
      return messages.find(({ ts }) => ts === under);
    });
    const late = Promise.withResolvers<undefined>();
    const timer = setTimeout(late.resolve, QUOTE_MS, undefined);
    const root = await Promise.race([asked.catch(() => undefined), late.promise]);
    clearTimeout(timer);
    const quote = root === undefined ? null : quoted(root, user, identity);
    return quote === null ? message : { ...message, quote };
  }

  /** A press of a button. Resolves as {@link event} does. */
  async press(body: unknown): Promise<void> {
    const identity = this.#identity;
    if (identity === null) throw new Error("it is not known whose buttons these are");
    const known = pressed(body, identity);
    if (known === null) return;
    const { press, user } = known;
    const { host, names, answer } = this.#parts;
    const senderName = await names.of(user);
    await this.#once(press.place, press.dedupe, false, async () => {
      const { place, thread } = press;
      await host.pressed({ ...press, senderName }, (sentence) => answer({ place, thread, user }, sentence));
    });
  }

  #save(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#parts.host.cursor(this.#heads.encoded());
    }, SAVE_MS).unref();
  }
}
