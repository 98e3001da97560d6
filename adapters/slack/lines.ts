import { setTimeout as delay } from "node:timers/promises";
import type { App, Receiver } from "@slack/bolt";
import type { Start } from "../adapter.ts";
import { type Envelope, Line } from "./line.ts";

/** A line that Slack is about to close is kept this long for acknowledgements that are under way. */
const LAST_WORDS_MS = 5_000;
/** A line of a process that died is counted by Slack for a while: whether somebody else has one is looked at again after this. */
export const RECHECK_MS = 90_000;

export interface LinesParts {
  readonly appToken: string;
  readonly start: Start;
  /** The app has more lines than are ours, and not only for a moment. */
  readonly shared: (lines: number) => void;
  readonly recheckMs: number;
}

/** Where Bolt gets its events from: the lines to Slack, one, or two while one takes the other's place. Bolt acknowledges an event before any listener has
 *  seen it; here that is held back until the listeners are done, and they are done when what it brought is on the log. */
export class Lines implements Receiver {
  readonly #parts: LinesParts;
  #app: App | null = null;
  readonly #lines = new Set<Line>();
  readonly #taking = new Set<Promise<void>>();
  #gone = Promise.withResolvers<string>();
  #recheck: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(parts: LinesParts) {
    this.#parts = parts;
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
    this.#stopped = true;
    if (this.#recheck !== null) clearTimeout(this.#recheck);
    this.#hangUp([...this.#lines], "stopped");
    this.#gone.resolve("stopped");
  }

  /** What stands may be dead without knowing: another takes its place. @returns whether there was one. */
  async renew(): Promise<boolean> {
    const old = [...this.#lines];
    if (old.length === 0) return false;
    try {
      await this.#open();
    } catch {
      // Whoever waits for the last line to go tries again.
    }
    this.#hangUp(old, "renewed");
    return true;
  }

  #hangUp(lines: readonly Line[], reason: string): void {
    for (const line of lines) {
      line.hangUp();
      this.#drop(line, reason);
    }
  }

  /** @param again it was counted before, and there were others. */
  async #open(again = false): Promise<Line> {
    const { appToken, start } = this.#parts;
    const line: Line = new Line(appToken, start, {
      envelope: (envelope) => this.#begin(envelope),
      leaving: (reason) => void this.#replace(line, reason),
      closed: () => this.#drop(line, "closed"),
    });
    await line.open();
    if (this.#stopped) {
      line.hangUp();
      throw new Error("it was stopped meanwhile");
    }
    this.#lines.add(line);
    this.#count(line, again);
    return line;
  }

  /** Slack gives each event to one of an app's lines: with somebody else's among them, we do not hear all. */
  #count(line: Line, again: boolean): void {
    const others = line.connections - this.#lines.size;
    if (others <= 0) return;
    if (again) this.#parts.shared(others);
    else
      this.#recheck ??= setTimeout(() => {
        this.#recheck = null;
        void this.#countAgain();
      }, this.#parts.recheckMs).unref();
  }

  async #countAgain(): Promise<void> {
    const old = [...this.#lines];
    if (old.length === 0 || this.#stopped) return;
    const line = await this.#open(true).catch(() => null);
    if (line === null) return;
    await this.#lastWords();
    this.#hangUp(old, "renewed");
  }

  /** The next line is open before the last one is left, so that nothing falls in between. */
  async #replace(old: Line, reason: string): Promise<void> {
    if (reason !== "link_disabled") {
      try {
        await this.#open();
      } catch {
        // The old line still stands for a few seconds; when it is gone, whoever waits for that tries again.
      }
      await this.#lastWords();
    }
    this.#hangUp([old], reason);
  }

  async #lastWords(): Promise<void> {
    await Promise.race([Promise.allSettled(this.#taking), delay(LAST_WORDS_MS, undefined, { ref: false })]);
  }

  #drop(line: Line, reason: string): void {
    if (this.#lines.delete(line) && this.#lines.size === 0) this.#gone.resolve(reason);
  }

  #begin(envelope: Envelope): void {
    const taking = this.#take(envelope);
    this.#taking.add(taking);
    void taking.finally(() => this.#taking.delete(taking));
  }

  async #take({ body, ack }: Envelope): Promise<void> {
    try {
      await this.#app?.processEvent({ body, ack: async () => undefined });
      await ack();
    } catch {
      // Not taken, or the line is gone: Slack delivers it again.
    }
  }
}
