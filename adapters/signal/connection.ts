import { setTimeout as delay } from "node:timers/promises";
import * as z from "zod/mini";
import {
  type Attachment,
  type Connection,
  type Credentials,
  type Edit,
  FileFailure,
  type Host,
  type Order,
  type Send,
  type Start,
} from "../adapter.ts";
import { networkFailure, SendFailure } from "../failure.ts";
import type { Draft } from "../outbox.ts";
import { Working } from "../working.ts";
import { type Account, AccountError, BY_ITSELF, identify } from "./account.ts";
import { convert, decisionOf, groupOf } from "./convert.ts";
import { type Cursor, decodeCursor, encodeCursor } from "./cursor.ts";
import {
  Daemon,
  DaemonError,
  daemonPlace,
  IO_ERROR,
  NotTheDaemonError,
  RATE_ERROR,
  UNTRUSTED_ERROR,
  USER_ERROR,
} from "./daemon.ts";
import { format } from "./format.ts";

/** Seconds that signal-cli waits for the next message. It connects to Signal anew each time. */
const RECEIVE_SECONDS = 30;
/** Beyond them an answer is late. */
const GRACE_MS = 20_000;
const SEND_MS = 60_000;
const TYPING_CALL_MS = 10_000;
/** At an end what signal-cli may just be handing over is waited for: it is handed over once. */
const LAST_MS = 3_500;
/** Another receives, maybe our own process of before: it ends within the time of one wait. */
const OTHER_MS = 1_000;
const FIRST_BACKOFF_MS = 1_000;
const LAST_BACKOFF_MS = 30_000;
/** signal-cli has it on its disk already. */
const FILE_MS = 60_000;
/** Another receives for so long: it is none of ours, whose wait would be over. */
const RIVAL_MS = RECEIVE_SECONDS * 1_000 + GRACE_MS;
/** Of what people write and of what is handed out, a file is four thirds in base64, and its frame a little more. */
const FRAME_BYTES = 65_536;
/** Marks that are remembered: taking one away names it. */
const MAX_MARKS = 256;
/** Signal shows "typing" for 15 s. */
const TYPING_MS = 10_000;
/** Cards that a reaction can decide, and messages that are known to be our own: the oldest are forgotten. */
const MAX_CARDS = 64;
const MAX_SENT = 4_096;

/** What stands on a message of theirs. */
const MARKS = { waiting: "⏳", working: "👀", refused: "🚫" } as const;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const File = z.object({ data: z.string() });
const Received = z.array(z.object({ envelope: z.unknown() }));
const Result = z.object({
  type: z.string(),
  retryAfterSeconds: z.optional(z.nullable(z.number())),
});
const Sent = z.object({ timestamp: z.int(), results: z._default(z.array(Result), []) });
const Failed = z.object({ response: z.object({ results: z._default(z.array(Result), []) }) });

/** Talks through the signal-cli daemon: takes one message at a time, and the next once that one is on the log. */
export class SignalConnection implements Connection {
  readonly #credentials: Credentials;
  readonly #start: Start;
  readonly #host: Host;
  readonly #stopping = new AbortController();
  readonly #cards: Map<string, string>;
  readonly #before: Cursor | null;
  /** signal-cli waits for a message to give us. */
  #receiving = false;
  #said = false;
  readonly #sent = new Set<string>();
  readonly #typed = new Map<string, number>();
  readonly #ended: Promise<void>;
  readonly #marks = new Map<string, string>();
  readonly #working = new Working(async (place, message, mark) => await this.react(place, null, message, mark));
  /** Since when another receives. */
  #rival: number | null = null;
  #daemon: Daemon | null = null;
  #account: Account | null = null;

  constructor(credentials: Credentials, start: Start, host: Host) {
    this.#credentials = credentials;
    this.#start = start;
    this.#host = host;
    this.#before = decodeCursor(start.cursor);
    this.#cards = new Map(this.#before?.cards ?? []);
    this.#ended = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    // Whoever waits for the next message is let wait: it may be there already.
    await Promise.race([this.#ended, delay(LAST_MS, undefined, { ref: false })]);
    if (this.#said) this.#save(this.#receiving ? "left" : "closed");
    this.#daemon?.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let backoff = FIRST_BACKOFF_MS;
    while (!signal.aborted) {
      const daemon = new Daemon(daemonPlace(this.#credentials, this.#start));
      this.#daemon = daemon;
      try {
        const account = await identify(daemon, this.#credentials, this.#start);
        this.#account = account;
        this.#host.state("connected", account.number);
        this.#begin();
        backoff = FIRST_BACKOFF_MS;
        while (!signal.aborted) await this.#next(daemon, account);
      } catch (error) {
        daemon.close();
        if (signal.aborted) return;
        const number = this.#account?.number ?? null;
        const known = error instanceof AccountError ? error : trouble(error);
        if (known.failure === "refused") {
          this.#host.state("refused", number, known.message);
          return;
        }
        this.#host.state("reconnecting", number, known.message);
        await delay(backoff, undefined, { signal }).catch(() => undefined);
        backoff = Math.min(backoff * 2, LAST_BACKOFF_MS);
      }
    }
  }

  /** It is connected for the first time: what may have been lost since the run before is said. */
  #begin(): void {
    if (this.#said) return;
    this.#said = true;
    const before = this.#before;
    const now = Date.now();
    if (before?.state === "left") {
      const to = Math.min(now, before.at + RECEIVE_SECONDS * 1_000);
      this.#host.notice(
        { about: "gap", place: null, from: Math.min(before.at, to), to },
        "signal-cli waits on for half a minute when Wirken leaves, and what it was given in that time is on your telephone and not here",
      );
    }
    if (before?.state === "open")
      this.#host.notice(
        { about: "gap", place: null, from: Math.min(before.at, now), to: now },
        "Wirken ended without a word the last time: one message that signal-cli was just handing over then, or was given within half a minute after, is on your telephone and not here",
      );
    this.#save("open");
  }

  #save(state: Cursor["state"]): void {
    this.#host.cursor(encodeCursor({ state, at: Date.now(), cards: [...this.#cards] }));
  }

  /** Waits for one message, and until it is on the log. */
  async #next(daemon: Daemon, account: Account): Promise<void> {
    let received: unknown;
    this.#receiving = true;
    try {
      received = await daemon.call(
        "receive",
        { account: account.number, timeout: RECEIVE_SECONDS, maxMessages: 1 },
        RECEIVE_SECONDS * 1_000 + GRACE_MS,
      );
    } catch (error) {
      if (!(error instanceof DaemonError) || error.code !== USER_ERROR || !/already/i.test(error.message)) throw error;
      this.#receiving = false;
      this.#meetRival();
      await delay(OTHER_MS, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      return;
    }
    this.#receiving = false;
    this.#rival = null;
    const envelopes = Received.safeParse(received);
    if (!envelopes.success) throw new AccountError("other", "signal-cli answered with something that is no message");
    for (const { envelope } of envelopes.data) await this.#hear(envelope, account);
  }

  /** Our own process of before may still wait for a message; whoever waits longer than that is another program, and takes what is meant for us. */
  #meetRival(): void {
    this.#rival ??= performance.now();
    if (performance.now() - this.#rival < RIVAL_MS) return;
    this.#rival = Number.POSITIVE_INFINITY;
    this.#host.notice(
      { about: "foreign-use", place: null, from: null, to: null },
      "another program receives the messages of this account from signal-cli, and what it takes does not come here: end it",
    );
  }

  async #hear(envelope: unknown, account: Account): Promise<void> {
    const heard = convert(envelope, account, (timestamp) => this.#sent.has(timestamp));
    switch (heard.kind) {
      case "nothing":
        return;
      case "inbound":
        await this.#host.inbound(heard.message, heard.senderName, heard.text);
        this.#working.heard(heard.message.place, null, heard.message.dedupe);
        return;
      case "changed":
        await this.#host.changed(heard.change, heard.text);
        return;
      case "reaction": {
        const card = this.#cards.get(`${heard.press.place}/${heard.target}`);
        const decision = decisionOf(heard.emoji);
        if (card === undefined || decision === null) return;
        await this.#host.pressed({ ...heard.press, card, decision }, (sentence) => {
          // To the presser alone, wherever the card is.
          void this.#say(heard.press.sender, { message: sentence }).catch(() => undefined);
        });
        return;
      }
    }
  }

  compose(message: Send, text: string, files: readonly Attachment[] = []): Draft[] {
    const parts = format(text, message.style);
    if (parts.length === 0 && files.length > 0) parts.push({ text: "", styles: [] });
    if (parts.length === 0) throw new SendFailure("refused", "there is nothing in the message to show");
    const { card, place } = message;
    const drafts = parts.map((part, i) => ({
      post: async (formatted: boolean) => {
        const id = await this.#say(place, {
          message: part.text,
          ...(formatted && part.styles.length > 0 ? { textStyle: part.styles } : {}),
          ...(i === 0 ? this.#quote(message.replyTo, place) : {}),
          ...(i === 0 && files.length > 0 ? { attachments: files.map(dataUri) } : {}),
        });
        if (card !== null && i === parts.length - 1) this.#remember(`${place}/${id}`, card.id);
        return id;
      },
    }));
    if (card === null) return drafts;
    const session = card.mayRemember ? ` (for this session: approve ${card.code} session)` : "";
    const how = `Answer: approve ${card.code}${session}, or deny ${card.code} and why. A 👍 or 👎 on the request counts too.`;
    return [...drafts, { post: async () => await this.#say(place, { message: how }) }];
  }

  replace(edit: Edit, text: string): Draft[] {
    const [part, more] = format(text, "plain");
    if (part === undefined) throw new SendFailure("refused", "there is nothing in the message to show");
    if (more !== undefined)
      throw new SendFailure("too-large", "the new text has more parts than the message it replaces");
    // The last message says how to answer; the one before it is the request.
    const id = edit.ids.at(-2) ?? edit.ids.at(-1) ?? "";
    return [
      {
        post: async () => {
          await this.#say(edit.place, { message: part.text, editTimestamp: numeric(id) });
          this.#cards.delete(`${edit.place}/${id}`);
          return id;
        },
      },
    ];
  }

  async react(place: string, _thread: string | null, message: string, mark: Order<"react">["mark"]): Promise<void> {
    const account = this.#account;
    const [author, timestamp] = splitId(message);
    const emoji = mark === null ? this.#marks.get(message) : MARKS[mark];
    if (account === null || author === null || emoji === undefined) return;
    if (mark === null) this.#marks.delete(message);
    else this.#marks.set(message, emoji);
    const [oldest] = this.#marks.keys();
    if (this.#marks.size > MAX_MARKS && oldest !== undefined) this.#marks.delete(oldest);
    await this.#daemon?.call(
      "sendReaction",
      {
        account: account.number,
        ...recipient(place, account),
        emoji,
        targetAuthor: author,
        targetTimestamp: timestamp,
        ...(mark === null ? { remove: true } : {}),
      },
      SEND_MS,
    );
  }

  async file(handle: string, limit: number): Promise<Uint8Array> {
    const [place, id] = handle.split("\n");
    const account = this.#account;
    const daemon = this.#daemon;
    if (place === undefined || id === undefined) throw new FileFailure("gone", "Signal has no such file");
    if (account === null || daemon === null || daemon.over)
      throw new FileFailure("unreachable", "signal-cli is not connected");
    const where = groupOf(place) === null ? { recipient: place } : { groupId: groupOf(place) };
    let answer: unknown;
    try {
      const room = Math.ceil(limit / 3) * 4 + FRAME_BYTES;
      answer = await daemon.call("getAttachment", { account: account.number, id, ...where }, FILE_MS, room);
    } catch (error) {
      if (error instanceof DaemonError) throw new FileFailure("gone", "signal-cli has not got that file");
      if (error instanceof NotTheDaemonError) throw new FileFailure("too-large", `the file has over ${limit} bytes`);
      throw new FileFailure("unreachable", "signal-cli did not hand out the file");
    }
    const file = File.safeParse(answer);
    if (!file.success) throw new FileFailure("unreachable", "signal-cli did not hand out the file");
    const bytes = Buffer.from(file.data.data, "base64");
    if (bytes.length > limit) throw new FileFailure("too-large", `the file has over ${limit} bytes`);
    return bytes;
  }

  /** Whoever has an id on Signal can be written to. */
  openDirect(user: string): Promise<string | null> {
    return Promise.resolve(UUID.test(user) ? user.toLowerCase() : null);
  }

  typing(place: string): void {
    const account = this.#account;
    // Nobody sees oneself typing.
    if (account === null || place === account.uuid) {
      this.#working.begin(place, null);
      return;
    }
    const now = performance.now();
    if (now - (this.#typed.get(place) ?? Number.NEGATIVE_INFINITY) < TYPING_MS) return;
    for (const [old, at] of this.#typed) if (now - at >= TYPING_MS) this.#typed.delete(old);
    this.#typed.set(place, now);
    void this.#daemon
      ?.call("sendTyping", { account: account.number, ...recipient(place, account) }, TYPING_CALL_MS)
      .catch(() => undefined); // a sign that is not seen is no message lost
  }

  #quote(replyTo: string | null, place: string): object {
    const [author, timestamp] = splitId(replyTo ?? "");
    // In a note to oneself nobody else could be meant.
    if (author === null || place === this.#account?.uuid) return {};
    return { quoteTimestamp: timestamp, quoteAuthor: author };
  }

  #remember(at: string, card: string): void {
    this.#cards.set(at, card);
    const [oldest] = this.#cards.keys();
    if (this.#cards.size > MAX_CARDS && oldest !== undefined) this.#cards.delete(oldest);
    if (this.#said) this.#save("open");
  }

  /** @returns Signal's id of the message: when it was sent. @throws {SendFailure} */
  async #say(place: string, what: object): Promise<string> {
    const account = this.#account;
    const daemon = this.#daemon;
    if (account === null || daemon === null || daemon.over)
      throw new SendFailure("unreachable", "signal-cli is not connected");
    let answer: unknown;
    try {
      answer = await daemon.call("send", { account: account.number, ...recipient(place, account), ...what }, SEND_MS);
    } catch (error) {
      throw sendFailure(error);
    }
    const sent = Sent.safeParse(answer);
    if (!sent.success) throw new SendFailure("unknown", "signal-cli did not say what became of the message");
    const id = String(sent.data.timestamp);
    this.#sent.add(id);
    this.#working.end(place, null);
    const [oldest] = this.#sent;
    if (this.#sent.size > MAX_SENT && oldest !== undefined) this.#sent.delete(oldest);
    return id;
  }
}

/** The author of a message and when they sent it: as we name it, or as an envelope that it came in is named, with the device between. */
function splitId(id: string): readonly [author: string, timestamp: number] | readonly [null, 0] {
  const parts = id.split(":");
  const [author, timestamp] = [parts[0] ?? "", parts.at(-1) ?? ""];
  if (!UUID.test(author) || parts.length < 2 || !/^[0-9]{1,15}$/.test(timestamp)) return [null, 0];
  return [author, Number(timestamp)];
}

/** A file as signal-cli takes it from whoever shares no disk with it. */
function dataUri({ name, mime, bytes }: Attachment): string {
  const plain = name.replaceAll(/[^\p{L}\p{N}._-]+/gu, "_");
  return `data:${mime};filename=${encodeURIComponent(plain)};base64,${Buffer.from(bytes).toString("base64")}`;
}

function recipient(place: string, account: Account): object {
  const group = groupOf(place);
  if (group !== null) return { groupId: group };
  return place === account.uuid ? { noteToSelf: true } : { recipient: [place] };
}

function numeric(id: string): number {
  if (!/^[0-9]{1,15}$/.test(id)) throw new SendFailure("refused", "there is no such message on Signal");
  return Number(id);
}

function trouble(error: unknown): AccountError {
  if (error instanceof DaemonError && /receives by itself/.test(error.message))
    return new AccountError("other", BY_ITSELF);
  if (error instanceof DaemonError && error.code === IO_ERROR)
    return new AccountError("unreachable", "signal-cli cannot reach Signal");
  if (error instanceof DaemonError && /not registered|authorization/i.test(error.message))
    return new AccountError(
      "refused",
      "Signal does not let this device in any more: link it again with signal-cli link",
    );
  if (error instanceof DaemonError) return new AccountError("other", `signal-cli refused (${error.code})`);
  return new AccountError("unreachable", "the connection to signal-cli was lost");
}

/** What is known of a message that signal-cli did not send to everybody. Its words name telephone numbers: they are not repeated. */
function sendFailure(error: unknown): SendFailure {
  if (!(error instanceof DaemonError)) return networkFailure("signal-cli", error);
  const results = Failed.safeParse(error.data).data?.response.results ?? [];
  const wait = Math.max(0, ...results.map(({ retryAfterSeconds }) => retryAfterSeconds ?? 0));
  switch (error.code) {
    case RATE_ERROR:
      return new SendFailure(
        "rate-limited",
        "Signal has had too many messages from this account",
        wait * 1_000 || null,
      );
    case UNTRUSTED_ERROR:
      return new SendFailure(
        "refused",
        "the safety number of the recipient changed: compare it with them, then trust it with signal-cli trust",
      );
    case USER_ERROR: {
      if (results.some(({ type }) => type === "UNREGISTERED_FAILURE"))
        return new SendFailure("refused", "the recipient is not on Signal any more");
      // Of a message that went over the network part of the way nobody can tell.
      if (results.some(({ type }) => type === "NETWORK_FAILURE"))
        return new SendFailure("unknown", "signal-cli lost its connection to Signal");
      return new SendFailure("refused", "signal-cli refused the message");
    }
    default:
      return new SendFailure("unknown", `signal-cli could not say what became of the message (${error.code})`);
  }
}
