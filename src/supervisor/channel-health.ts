import type { FromAdapter } from "../ipc/adapter-frames.ts";
import type { ChannelHealthView } from "../ipc/operator.ts";

type Notice = Extract<FromAdapter, { type: "notice" }>;

/** The newest are shown; all of them are on the log. */
const MAX_NOTICES = 5;

/** How a channel has been since this start of the daemon: what `channel status` shows. */
export class ChannelHealth {
  readonly #now: () => number;
  #connectedSince: string | null = null;
  #lastIn: string | null = null;
  #lastOut: string | null = null;
  #redelivered = 0;
  #failed = 0;
  #lastError: string | null = null;
  readonly #notices: { at: string; about: Notice["about"]; sentence: string }[] = [];

  /** @param now Unix milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  get #time(): string {
    return new Date(this.#now()).toISOString();
  }

  connected(): void {
    this.#connectedSince ??= this.#time;
  }
  disconnected(): void {
    this.#connectedSince = null;
  }
  /** @param again it had come before. */
  heard(again: boolean): void {
    this.#lastIn = this.#time;
    if (again) this.#redelivered += 1;
  }
  sent(): void {
    this.#lastOut = this.#time;
  }
  /** @param why in the platform's words. */
  failed(why: string): void {
    this.#failed += 1;
    this.#lastError = why;
  }
  noticed(about: Notice["about"], sentence: string): void {
    this.#notices.push({ at: this.#time, about, sentence });
    if (this.#notices.length > MAX_NOTICES) this.#notices.shift();
  }

  get view(): ChannelHealthView {
    return {
      connectedSince: this.#connectedSince,
      lastIn: this.#lastIn,
      lastOut: this.#lastOut,
      redelivered: this.#redelivered,
      failed: this.#failed,
      lastError: this.#lastError,
      notices: this.#notices,
    };
  }
}
