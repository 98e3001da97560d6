import { Buffer } from "node:buffer";
import { type FromAdapter, ToAdapter } from "../src/ipc/adapter-frames.ts";
import { BUILD } from "../src/ipc/build.ts";
import { PROTOCOL } from "../src/ipc/frame-common.ts";
import { encodeNamedBytes } from "../src/ipc/named-bytes.ts";
import { ownPipe, type PipeEvents } from "../src/ipc/pipe.ts";
import { type Attachment, type Connection, type Host, type Platform, type Start, shortened } from "./adapter.ts";
import { Answers } from "./answers.ts";
import { Attachments } from "./attachments.ts";
import { Drafts } from "./drafts.ts";
import { SendFailure } from "./failure.ts";
import { within } from "./within.ts";
import { withoutSecrets } from "./without-secrets.ts";
import { CLOCK, type Draft, Outbox, type Outcome } from "./outbox.ts";
import { Renewal } from "./renewal.ts";

/** The adapter's half of what it and the supervisor say to each other, the same for every platform. */

/** As many parts as a frame can name. */
const MAX_PARTS = 64;
/** More bytes than 64 parts of any platform hold. */
const MAX_TEXT_BYTES = 2_097_152;
/** Presses that wait for what to tell the presser; the oldest is forgotten. Platforms forget them within a minute. */
const MAX_ANSWERS = 256;
/** The supervisor kills after 5 s. */
const DRAIN_MS = 4_000;
/** The supervisor reads what comes from a pipe into memory that was used before and is not wiped when it is given back: what was renewed is overwritten there
 *  by as many blanks. */
const BLANK = " ".repeat(8_192);
/** What is under way has this long to be finished before new credentials are connected with. */
const SWITCH_MS = 4_000;

/** What {@link Adapter} needs of a pipe. */
export interface PipePort {
  send(header: FromAdapter, payload: Uint8Array): Promise<void>;
}

/** Speaks with the supervisor over descriptor 3 until it says stop, or is gone. */
export function runAdapter(platform: Platform): void {
  const adapter: Adapter = new Adapter(
    platform,
    (on) => ownPipe<ToAdapter, FromAdapter>(ToAdapter, on),
    (status) => process.exit(status),
  );
  adapter.begin();
}

export class Adapter {
  readonly #platform: Platform;
  readonly #pipe: PipePort;
  readonly #exit: (status: number) => void;
  readonly #secrets = new Map<string, string>();
  /** What came since the start: in use from the next `reconnect` on. */
  readonly #next = new Map<string, string>();
  /** What it takes the place of, for as long as an answer may still quote it. */
  #former: ReadonlyMap<string, string> = new Map();
  readonly #outbox = new Outbox(CLOCK);
  readonly #acknowledged = new Map<number, () => void>();
  readonly #answers = new Map<number, (sentence: string) => void>();
  readonly #stored = new Map<number, () => void>();
  readonly #asked = new Map<number, (known: boolean) => void>();
  readonly #kept: Uint8Array[] = [];
  readonly #questions = new Answers((frame, payload) => this.#say(frame, payload));
  readonly #drafts = new Drafts();
  readonly #attachments = new Attachments();
  /** Messages of one place are handed to the outbox in the order they came, files or none. */
  readonly #planning = new Map<string, Promise<void>>();
  readonly #turns = new Map<string, Promise<void>>();
  readonly #deliveries = new Set<Promise<void>>();
  #said: Promise<void> = Promise.resolve();
  #connection: Connection | null = null;
  #start: Start | null = null;
  #renewal: Renewal | null = null;
  /** The connection that may speak of itself: none that was closed does. */
  #live: Host | null = null;
  #switching: Promise<void> = Promise.resolve();
  #stopping = false;
  #ref = 0;

  constructor(platform: Platform, open: (on: PipeEvents<ToAdapter>) => PipePort, exit: (status: number) => void) {
    this.#platform = platform;
    this.#exit = exit;
    this.#pipe = open({ frame: (frame, payload) => this.#take(frame, payload), end: () => undefined });
  }

  begin(): void {
    this.#say({ type: "ready", protocol: PROTOCOL, build: BUILD });
  }

  #take(frame: ToAdapter, payload: Uint8Array): void {
    switch (frame.type) {
      case "secret":
        // The SDKs want strings; the bytes at least do not stay.
        (this.#start === null ? this.#secrets : this.#next).set(
          frame.name,
          Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString("utf8"),
        );
        payload.fill(0);
        break;
      case "start":
        if (this.#start !== null) break;
        this.#start = frame;
        this.#renewal = this.#renewalOf(frame);
        if (frame.check) void this.#check(frame);
        else void this.#open(frame);
        break;
      case "renew":
      case "renewed.kept":
        this.#renewal?.take(frame);
        break;
      case "reconnect":
        void this.#exchange(frame.ref, "all");
        break;
      case "acknowledged":
        this.#acknowledged.get(frame.ref)?.();
        this.#acknowledged.delete(frame.ref);
        break;
      case "answer":
        this.#answers.get(frame.ref)?.(textOf(payload));
        this.#answers.delete(frame.ref);
        break;
      case "send":
        this.#begin(this.#send(frame, payload));
        break;
      case "attach":
        this.#attachments.take(frame, payload);
        break;
      case "edit":
        this.#begin(this.#deliver(frame, payload, (connection, text) => connection.replace(frame, text)));
        break;
      case "draft":
        if (this.#connection !== null) this.#drafts.show(this.#connection, frame, textOf(payload));
        break;
      case "react":
        void this.#connection?.react?.(frame.place, frame.thread, frame.message, frame.mark).catch(() => undefined);
        break;
      case "get-file":
      case "open-direct":
      case "look-up":
        void this.#questions.answer(frame, this.#connection);
        break;
      case "wake":
        this.#connection?.wake?.();
        break;
      case "record":
        if (this.#start === null) this.#kept.push(payload);
        break;
      case "stored":
        this.#stored.get(frame.ref)?.();
        this.#stored.delete(frame.ref);
        break;
      case "known":
        this.#asked.get(frame.ref)?.(frame.known);
        this.#asked.delete(frame.ref);
        break;
      case "typing":
        this.#connection?.typing(frame.place, frame.thread);
        break;
      case "stop":
        void this.#stop();
        break;
    }
  }

  async #check(start: Start): Promise<void> {
    let checked = await this.#platform.check(this.#secrets, start);
    if ("failure" in checked && checked.expired === true && (await this.#renewal?.now()) === true)
      checked = await this.#platform.check(this.#secrets, start);
    if ("account" in checked) {
      if (checked.instead !== undefined) await this.#instead(checked.instead);
      const blank = checked.instead === undefined ? "" : BLANK;
      this.#say({ type: "checked", failure: null, account: shortened(this.#clean(checked.account)) }, blank);
    } else this.#say({ type: "checked", failure: checked.failure, account: null }, this.#clean(checked.sentence));
    await this.#leave();
  }

  /** What was given for a login is not kept: this is. */
  async #instead(secrets: Readonly<Record<string, string>>): Promise<void> {
    const entries = Object.entries(secrets).map(([name, value]) => ({ name, bytes: Buffer.from(value, "utf8") }));
    const payload = encodeNamedBytes(entries);
    await this.#pipe.send({ type: "exchanged" }, payload).catch(() => undefined);
    for (const bytes of [payload, ...entries.map((entry) => entry.bytes)]) bytes.fill(0);
  }

  #renewalOf(start: Start): Renewal | null {
    const { renewable } = this.#platform;
    if (renewable === undefined) return null;
    return new Renewal({
      renewable,
      start,
      credentials: () => this.#secrets,
      say: async (frame, payload) => await this.#pipe.send(frame, payload).catch(() => undefined),
      adopt: async (secrets, ref) => await this.#adopt(secrets, ref),
      ref: () => (this.#ref += 1),
    });
  }

  /** What is known to be past its end is renewed first; whatever comes of that, the platform has the last word. */
  async #open(start: Start): Promise<void> {
    if (this.#renewal?.past === true) await this.#renewal.now();
    if (this.#stopping) return;
    this.#connect(start);
    this.#renewal?.watch();
  }

  /** Goes on with what was renewed, without a break where the platform's code can do that. */
  async #adopt(secrets: ReadonlyMap<string, string>, ref: number): Promise<void> {
    const connection = this.#connection;
    if (connection !== null && connection.adopt === undefined) {
      for (const [name, value] of secrets) this.#next.set(name, value);
      await this.#exchange(ref, "some");
      return;
    }
    this.#former = new Map(this.#secrets);
    for (const [name, value] of secrets) this.#secrets.set(name, value);
    this.#say({ type: "switched", ref }, BLANK);
    connection?.adopt?.(this.#secrets);
  }

  /** @param given whether all credentials came anew, or some of them. */
  #exchange(ref: number, given: "all" | "some"): Promise<void> {
    this.#switching = this.#switching.then(async () => await this.#switch(ref, given));
    return this.#switching;
  }

  #connect(start: Start): void {
    const host = this.#host();
    this.#live = host;
    this.#connection = this.#platform.connect(this.#secrets, start, host, this.#kept);
  }

  /** Closes the connection and opens one with what was handed over since. What waits for the log is waited for so long, and is otherwise left
   *  to the platform, which delivers it again. */
  async #switch(ref: number, given: "all" | "some"): Promise<void> {
    const old = this.#connection;
    if (old === null) return;
    const underWay = Promise.allSettled([...this.#deliveries, ...this.#turns.values()]);
    await within(SWITCH_MS, underWay);
    await within(SWITCH_MS, old.stop());
    if (this.#stopping || this.#start === null) return;
    this.#former = new Map(this.#secrets);
    // What is not among them any more is not theirs: how long the token of before lived, say.
    if (given === "all") this.#secrets.clear();
    for (const [name, value] of this.#next) this.#secrets.set(name, value);
    this.#next.clear();
    this.#say({ type: "switched", ref }, BLANK);
    this.#connect(this.#start);
    if (given === "all") this.#renewal?.replaced();
  }

  #host(): Host {
    const host: Host = {
      inbound: async (message, senderName, text) => {
        await this.#inTurn(message.place, async () => {
          const name = shortened(await senderName);
          await this.#acknowledgement((ref) => this.#say({ type: "inbound", ref, ...message, senderName: name }, text));
        });
      },
      pressed: async (press, answer) => {
        await this.#inTurn(press.place, async () => {
          await this.#acknowledgement((ref) => {
            this.#answers.set(ref, answer);
            const [oldest] = this.#answers.keys();
            if (this.#answers.size > MAX_ANSWERS && oldest !== undefined) this.#answers.delete(oldest);
            this.#say({ type: "pressed", ref, ...press });
          });
        });
      },
      changed: async (change, text) => {
        await this.#inTurn(change.place, async () => {
          await this.#acknowledgement((ref) => this.#say({ type: "changed", ref, ...change }, text));
        });
      },
      notice: (notice, sentence) => {
        if (this.#live === host) this.#say({ type: "notice", ...notice }, this.#clean(sentence));
      },
      store: async (record, replaces) => await this.#store(record, replaces),
      knows: async (user) => await this.#knows(user),
      cursor: (cursor) => {
        if (this.#live !== host) return;
        if (this.#start !== null) this.#start = { ...this.#start, cursor };
        this.#say({ type: "cursor", cursor });
      },
      state: (state, account, sentence = "") => {
        if (this.#live !== host) return;
        this.#say(
          { type: "state", state, account: account === null ? null : shortened(this.#clean(account)) },
          this.#clean(sentence),
        );
        if (state === "connected") this.#former = new Map();
      },
      renew: async () => this.#live === host && (await this.#renewal?.now()) === true,
    };
    return host;
  }

  /** What comes from one place is put on the log in the order it came: the next is told once the one before is acknowledged. */
  async #inTurn(place: string, tell: () => Promise<void>): Promise<void> {
    const before = this.#turns.get(place) ?? Promise.resolve();
    const mine = before.then(tell);
    this.#turns.set(place, mine);
    await mine;
    if (this.#turns.get(place) === mine) this.#turns.delete(place);
  }

  async #acknowledgement(say: (ref: number) => void): Promise<void> {
    this.#ref += 1;
    const ref = this.#ref;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#acknowledged.set(ref, resolve);
    say(ref);
    await promise;
  }

  /** Where a connection is made anew within this process, it begins with what is kept by then. */
  async #store(record: Uint8Array, replaces: boolean): Promise<void> {
    this.#ref += 1;
    const ref = this.#ref;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stored.set(ref, resolve);
    if (replaces) this.#kept.length = 0;
    this.#kept.push(record);
    this.#say({ type: "store", ref, replaces }, record);
    await promise;
  }

  async #knows(user: string): Promise<boolean> {
    this.#ref += 1;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#asked.set(this.#ref, resolve);
    this.#say({ type: "knows", ref: this.#ref, user });
    return await promise;
  }

  async #send(frame: Extract<ToAdapter, { type: "send" }>, payload: Uint8Array): Promise<void> {
    const before = this.#planning.get(frame.place);
    const ready = this.#filesOf(frame, before);
    const planned = ready.then(() => undefined);
    this.#planning.set(frame.place, planned);
    const files = await ready;
    if (this.#planning.get(frame.place) === planned) this.#planning.delete(frame.place);
    await this.#deliver(frame, payload, (connection, text) => connection.compose(frame, text, files));
  }

  async #filesOf(
    frame: Extract<ToAdapter, { type: "send" }>,
    before: Promise<void> | undefined,
  ): Promise<readonly Attachment[]> {
    const [files] = await Promise.all([
      this.#attachments.of(frame.ref, frame.files ?? 0),
      frame.draft === undefined ? null : this.#drafts.end(frame.draft),
      before,
    ]);
    return files;
  }

  #begin(delivery: Promise<void>): void {
    this.#deliveries.add(delivery);
    void delivery.finally(() => this.#deliveries.delete(delivery));
  }

  async #deliver(
    frame: Extract<ToAdapter, { type: "send" | "edit" }>,
    payload: Uint8Array,
    plan: (connection: Connection, text: string) => Draft[],
  ): Promise<void> {
    const { ref } = frame;
    const outcome = await this.#outcome(frame.place, payload, plan);
    if (outcome.state === "delivered") this.#say({ type: "delivered", ref, ids: outcome.ids });
    else
      this.#say({ type: "undelivered", ref, reason: outcome.reason, ids: outcome.ids }, this.#clean(outcome.sentence));
  }

  async #outcome(
    place: string,
    payload: Uint8Array,
    plan: (connection: Connection, text: string) => Draft[],
  ): Promise<Outcome> {
    if (this.#connection === null) return failed("unreachable", "the channel was not started");
    if (payload.length > MAX_TEXT_BYTES) return failed("too-large", `the message has over ${MAX_TEXT_BYTES} bytes`);
    let drafts: Draft[];
    try {
      drafts = plan(this.#connection, textOf(payload));
    } catch (error) {
      if (!(error instanceof SendFailure)) throw error;
      return failed(error.code === "too-large" ? "too-large" : "refused", error.message);
    }
    if (drafts.length > MAX_PARTS)
      return failed("too-large", `the message would take ${drafts.length} parts; ${MAX_PARTS} are allowed`);
    return await this.#outbox.deliver(place, drafts);
  }

  async #stop(): Promise<void> {
    this.#stopping = true;
    const timer = setTimeout(() => void this.#leave(), DRAIN_MS);
    await Promise.allSettled([this.#connection?.stop(), this.#outbox.close(), this.#renewal?.stop()]);
    await Promise.allSettled(this.#deliveries);
    clearTimeout(timer);
    await this.#leave();
  }

  /** What was said goes out before the process ends. */
  async #leave(): Promise<void> {
    await this.#said;
    this.#exit(0);
  }

  /** What a platform says of itself or of an error may quote the credential that it was shown: nobody else is to see it. */
  #clean(words: string): string {
    return withoutSecrets(words, [...this.#secrets, ...this.#next, ...this.#former]);
  }

  #say(frame: FromAdapter, payload: string | Uint8Array = ""): void {
    const bytes = typeof payload === "string" ? Buffer.from(payload, "utf8") : payload;
    // When the pipe is over the process ends: there is nobody left to tell.
    this.#said = this.#pipe.send(frame, bytes).catch(() => undefined);
  }
}

function failed(reason: "unreachable" | "too-large" | "refused", sentence: string): Outcome {
  return { state: "undelivered", reason, ids: [], sentence };
}

function textOf(payload: Uint8Array): string {
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString("utf8");
}
