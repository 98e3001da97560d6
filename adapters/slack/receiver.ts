import { setTimeout as delay } from "node:timers/promises";
import type { App, Receiver } from "@slack/bolt";
import type { Start } from "../adapter.ts";
import { type Envelope, Line } from "./line.ts";

/** A line that Slack is about to close is kept this long for acknowledgements that are under way. */
const LAST_WORDS_MS = 5_000;

/** Bolt's source of events. Bolt acknowledges an event before any listener has seen it; here that is held back until the listeners are
 *  done, and they are done when the message is on the log. */
export class HeldReceiver implements Receiver {
  readonly #appToken: string;
  readonly #start: Start;
  readonly #lines = new Set<Line>();
  readonly #taking = new Set<Promise<void>>();
  #app: App | null = null;
  #gone = Promise.withResolvers<string>();

  constructor(appToken: string, start: Start) {
    this.#appToken = appToken;
    this.#start = start;
  }

  init(app: App): void {
    this.#app = app;
  }

  /** Opens a line. @returns the app that Slack says it belongs to, where it says so. @throws what the SDK throws. */
  async start(): Promise<string | null> {
    this.#gone = Promise.withResolvers<string>();
    return (await this.#open()).app;
  }

  /** Resolves when no line is left, with Slack's reason: `link_disabled` when Socket Mode was turned off. */
  async gone(): Promise<string> {
    return await this.#gone.promise;
  }

  async stop(): Promise<void> {
    for (const line of this.#lines) line.hangUp();
    this.#lines.clear();
    this.#gone.resolve("stopped");
  }

  async #open(): Promise<Line> {
    const line: Line = new Line(this.#appToken, this.#start, {
      envelope: (envelope) => this.#begin(envelope),
      leaving: (reason) => void this.#replace(line, reason),
      closed: () => this.#drop(line, "closed"),
    });
    await line.open();
    this.#lines.add(line);
    return line;
  }

  /** The next line is open before the last one is left, so that nothing falls in between. */
  async #replace(old: Line, reason: string): Promise<void> {
    if (reason !== "link_disabled") {
      try {
        await this.#open();
      } catch {
        // The old line still stands for a few seconds; when it is gone, whoever waits for that tries again.
      }
      await Promise.race([Promise.allSettled(this.#taking), delay(LAST_WORDS_MS, undefined, { ref: false })]);
    }
    old.hangUp();
    this.#drop(old, reason);
  }

  #drop(line: Line, reason: string): void {
    if (this.#lines.delete(line) && this.#lines.size === 0) this.#gone.resolve(reason);
  }

  #begin(envelope: Envelope): void {
    const taking = this.#take(envelope);
    this.#taking.add(taking);
    void taking.finally(() => this.#taking.delete(taking));
  }

  async #take({ body, retryNum, retryReason, ack }: Envelope): Promise<void> {
    try {
      await this.#app?.processEvent({
        body,
        ...(retryNum === undefined ? {} : { retryNum }),
        ...(retryReason === undefined ? {} : { retryReason }),
        ack: async () => undefined,
      });
      await ack();
    } catch {
      // Not taken, or the line is gone: Slack delivers it again.
    }
  }
}
