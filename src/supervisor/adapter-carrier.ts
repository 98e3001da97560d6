import type { FromAdapter, ToAdapter } from "../ipc/adapter-frames.ts";
import type { Carrier, Delivery, LiveReply, Outgoing, Place } from "../session/link.ts";

/** A message waits this long for its adapter to be connected (a restart, a cut line) before it counts as failed. */
const HOLD_MS = 60_000;
/** An adapter that was handed a message has this long to say what became of it: rate limits included. */
const ANSWER_MS = 5 * 60_000;
/** Messages under way on one channel; the next one waits in its turn. */
const MAX_WAITING = 1_000;

type Send = (header: ToAdapter, payload?: Uint8Array) => Promise<void>;
type Outcome = Extract<FromAdapter, { type: "delivered" | "undelivered" }>;

/** Carries a channel's messages to whichever process is its adapter now. */
export class AdapterCarrier implements Carrier {
  readonly streams = false;
  #send: Send | null = null;
  #connected = false;
  /** No process is to come: nothing is held for one. */
  #shut = false;
  #ref = 0;
  readonly #pending = new Map<number, (delivery: Delivery) => void>();
  readonly #held = new Set<() => void>();

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
  /** It died: nobody can tell what became of what it was handed, and nothing of that is sent again. */
  detach(): void {
    this.#send = null;
    this.#connected = false;
    for (const settle of this.#pending.values()) {
      settle({
        state: "failed",
        reason: "died",
        ids: [],
        error: "the channel's process ended before it said what became of the message",
      });
    }
    this.#pending.clear();
  }

  /** An answer came. @returns false when nothing waits for that ref: the adapter breaks the protocol. */
  settle(outcome: Outcome, payload: Uint8Array): boolean {
    const settle = this.#pending.get(outcome.ref);
    if (settle === undefined) return false;
    this.#pending.delete(outcome.ref);
    settle(
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
    const { text, ...how } = out;
    return await this.#hand({ type: "send", ref: 0, place: to.place, thread: to.thread, ...how }, text);
  }

  async edit(to: Place, ids: readonly string[], text: Uint8Array): Promise<Delivery> {
    return await this.#hand({ type: "edit", ref: 0, place: to.place, thread: to.thread, ids: [...ids] }, text);
  }

  typing(to: Place): void {
    if (this.#connected) void this.#send?.({ type: "typing", place: to.place, thread: to.thread });
  }

  stream(): LiveReply | null {
    return null;
  }

  async #hand(frame: Extract<ToAdapter, { type: "send" | "edit" }>, text: Uint8Array): Promise<Delivery> {
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
      this.#pending.set(ref, (delivery) => {
        clearTimeout(timer);
        resolve(delivery);
      });
      void send({ ...frame, ref }, text);
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
