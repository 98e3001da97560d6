import { type FromAdapter, MAX_FILES, type ToAdapter } from "../ipc/adapter-frames.ts";
import type {
  Carrier,
  Delivery,
  FetchedFile,
  LiveReply,
  LookedUp,
  Mark,
  Outgoing,
  OutgoingFile,
  Place,
} from "../session/link.ts";
import { AdapterQuestions } from "./adapter-questions.ts";
import { DraftReply } from "./draft-reply.ts";

/** A message waits this long for its adapter to be connected (a restart, a cut line) before it counts as failed. */
const HOLD_MS = 60_000;
/** An adapter that was handed a message has this long to say what became of it: rate limits included. */
const ANSWER_MS = 5 * 60_000;
/** Messages under way on one channel; the next one waits in its turn. */
const MAX_WAITING = 1_000;
/** A message that the platform does not have is handed over again if it was made so lately: later nobody waits for it. */
const RECENT_MS = 10 * 60_000;
/** The platform's clock may be behind ours by this. */
const SKEW_MS = 60_000;

type Send = (header: ToAdapter, payload?: Uint8Array) => Promise<void>;
type Outcome = Extract<FromAdapter, { type: "delivered" | "undelivered" }>;
type Message = Extract<ToAdapter, { type: "send" | "edit" }>;

/** A message that was handed over. */
interface UnderWay {
  readonly frame: Message;
  readonly text: Uint8Array;
  readonly files: readonly OutgoingFile[];
  /** Unix milliseconds. */
  readonly since: number;
  readonly settle: (delivery: Delivery) => void;
}

/** Carries a channel's messages to whichever process is its adapter now. What a process died with is looked up by the next one: it is handed over again only
 *  where the platform says that it has it not. */
export class AdapterCarrier implements Carrier {
  readonly streams = true;
  readonly questions = new AdapterQuestions();
  readonly #now: () => number;
  #send: Send | null = null;
  #connected = false;
  /** No process is to come: nothing is held for one. */
  #shut = false;
  #ref = 0;
  readonly #pending = new Map<number, UnderWay>();
  readonly #held = new Set<() => void>();

  readonly #told: (delivery: Delivery) => void;

  /** @param now Unix milliseconds. @param told what became of each message. */
  constructor(now: () => number, told: (delivery: Delivery) => void = () => undefined) {
    this.#now = now;
    this.#told = told;
  }

  /** A process of this channel is to come: what is sent is held for it. */
  expect(): void {
    this.#shut = false;
  }
  /** None is to come: what was held for one has failed. */
  shut(): void {
    this.#shut = true;
    this.#connected = false;
    this.#release();
  }
  /** A process of this channel is up. */
  attach(send: Send): void {
    this.#send = send;
    this.questions.attach(send);
  }
  /** It is connected to its platform: what was held goes out. */
  connected(): void {
    this.#connected = true;
    this.#release();
  }
  #release(): void {
    for (const go of this.#held) go();
    this.#held.clear();
  }
  disconnected(): void {
    this.#connected = false;
  }
  /** It died: what became of what it was handed is asked of the next one. */
  detach(): void {
    this.#send = null;
    this.#connected = false;
    this.questions.detach();
    const left = [...this.#pending.values()];
    this.#pending.clear();
    for (const message of left) void this.#lookAfter(message);
  }

  /** An answer came. @returns false when nothing waits for that ref: the adapter breaks the protocol. */
  settle(outcome: Outcome, payload: Uint8Array): boolean {
    const message = this.#pending.get(outcome.ref);
    if (message === undefined) return false;
    this.#pending.delete(outcome.ref);
    message.settle(
      outcome.type === "delivered"
        ? { state: "delivered", ids: outcome.ids }
        : {
            state: "failed",
            reason: outcome.reason,
            ids: outcome.ids,
            error: Buffer.from(payload).toString("utf8").slice(0, 4096),
          },
    );
    return true;
  }

  async send(to: Place, out: Outgoing): Promise<Delivery> {
    return await this.#sendAs(to, out, null);
  }

  async #sendAs(to: Place, out: Outgoing, draft: number | null): Promise<Delivery> {
    const { text, files = [], ...how } = out;
    if (files.length > MAX_FILES) throw new RangeError(`a message has ${MAX_FILES} files at most`);
    return await this.#hand(
      {
        type: "send",
        ref: 0,
        place: to.place,
        thread: to.thread,
        ...how,
        ...(draft === null ? {} : { draft }),
        ...(files.length === 0 ? {} : { files: files.length }),
      },
      text,
      files,
    );
  }

  async edit(to: Place, ids: readonly string[], text: Uint8Array): Promise<Delivery> {
    return await this.#hand({ type: "edit", ref: 0, place: to.place, thread: to.thread, ids: [...ids] }, text, []);
  }

  typing(to: Place): void {
    if (this.#connected) void this.#send?.({ type: "typing", place: to.place, thread: to.thread });
  }

  react(to: Place, message: string, mark: Mark | null): void {
    if (this.#connected) void this.#send?.({ type: "react", place: to.place, thread: to.thread, message, mark });
  }

  stream(to: Place, key: string): LiveReply {
    this.#ref += 1;
    const ref = this.#ref;
    return new DraftReply({
      show: (text) => {
        if (this.#connected)
          void this.#send?.({ type: "draft", ref, place: to.place, thread: to.thread, replyTo: null }, text);
      },
      send: async (text, shown) =>
        await this.#sendAs(to, { style: "markdown", card: null, replyTo: null, key, text }, shown ? ref : null),
    });
  }

  async file(handle: string, limit: number): Promise<FetchedFile> {
    if (!this.#connected && !this.#shut) await this.#untilConnected();
    const answer = await this.questions.ask({ type: "get-file", handle, limit });
    if (answer?.header.type === "file")
      return answer.payload.length > limit
        ? { state: "failed", reason: "too-large", error: `it has over ${limit} bytes` }
        : { state: "fetched", bytes: answer.payload };
    if (answer?.header.type === "file.failed")
      return { state: "failed", reason: answer.header.reason, error: sentence(answer.payload) };
    return { state: "failed", reason: "died", error: "the channel did not fetch it" };
  }

  async openDirect(user: string): Promise<string | null> {
    const answer = await this.questions.ask({ type: "open-direct", user });
    return answer?.header.type === "direct" ? answer.header.place : null;
  }

  async lookUp(to: Place, key: string, since: number): Promise<LookedUp> {
    if (!this.#connected && !this.#shut) await this.#untilConnected();
    const answer = await this.questions.ask({ type: "look-up", place: to.place, thread: to.thread, key, since });
    return answer?.header.type === "looked-up" ? answer.header : { outcome: "unknown", ids: [] };
  }

  /** Its process died with it. */
  async #lookAfter(message: UnderWay): Promise<void> {
    const { frame, text, files, since, settle } = message;
    const died: Delivery = {
      state: "failed",
      reason: "died",
      ids: [],
      error: "the channel's process ended before it said what became of the message",
    };
    if (this.#shut || frame.type !== "send" || frame.key === undefined) {
      settle(died);
      return;
    }
    const { outcome, ids } = await this.lookUp(frame, frame.key, since - SKEW_MS);
    if (outcome === "sent") settle({ state: "delivered", ids });
    else if (outcome === "unknown" || this.#now() - since > RECENT_MS) settle(died);
    else {
      // What the draft of a process that died had shown is no message that could be ended.
      const { draft: _, ...again } = frame;
      settle(await this.#hand(again, text, files, since));
    }
  }

  async #hand(
    frame: Message,
    text: Uint8Array,
    files: readonly OutgoingFile[],
    since: number = this.#now(),
  ): Promise<Delivery> {
    if (this.#pending.size + this.#held.size >= MAX_WAITING) {
      return {
        state: "failed",
        reason: "rate-limited",
        ids: [],
        error: `${MAX_WAITING} messages of this channel are under way already`,
      };
    }
    if (!this.#connected && !this.#shut) await this.#untilConnected();
    const send = this.#send;
    if (!this.#connected || send === null) {
      return this.#shut
        ? { state: "failed", reason: "stopped", ids: [], error: "the channel was stopped" }
        : {
            state: "failed",
            reason: "unreachable",
            ids: [],
            error: "the channel was not connected within a minute",
          };
    }
    this.#ref += 1;
    const ref = this.#ref;
    return await new Promise<Delivery>((resolve) => {
      const timer = setTimeout(() => {
        this.#pending.delete(ref);
        resolve({
          state: "failed",
          reason: "unknown",
          ids: [],
          error: "the channel's process did not say what became of the message",
        });
      }, ANSWER_MS);
      const settle = (delivery: Delivery): void => {
        clearTimeout(timer);
        this.#told(delivery);
        resolve(delivery);
      };
      this.#pending.set(ref, { frame, text, files, since, settle });
      void send({ ...frame, ref }, text);
      for (const [index, { name, mime, bytes }] of files.entries())
        void send({ type: "attach", ref, index, name, mime }, bytes);
    });
  }

  async #untilConnected(): Promise<void> {
    await new Promise<void>((resolve) => {
      const go = (): void => {
        clearTimeout(timer);
        this.#held.delete(go);
        resolve();
      };
      const timer = setTimeout(go, HOLD_MS);
      this.#held.add(go);
    });
  }
}

function sentence(payload: Uint8Array): string {
  return Buffer.from(payload).toString("utf8").slice(0, 4096);
}
