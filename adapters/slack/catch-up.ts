import { setTimeout as delay } from "node:timers/promises";
import type { Host } from "../adapter.ts";
import { SendFailure } from "../failure.ts";
import type { Calls } from "./calls.ts";
import { after, type Head } from "./heads.ts";

/** Messages of one answer, and answers of one conversation: what is older than these is a gap. So many messages of before are also looked at for answers
 *  that came meanwhile. */
const PAGE = 200;
const MAX_PAGES = 5;
/** A question that found no connection is asked again after this; what is heard at that place meanwhile waits, so it is given up after a while. */
const AGAIN_MS = 2_000;
const PATIENCE_MS = 120_000;
/** What is heard there is not held up for long by a look at what is older. */
const GLANCE_MS = 10_000;
/** Threads that are found in what was missed of one channel. */
const MAX_THREADS = 100;

export interface CatchUpParts {
  readonly calls: Calls;
  readonly host: Host;
  readonly stopping: AbortSignal;
  /** Tells of one message, as Slack remembers it. Resolves when it is on the log, or is none for us. */
  readonly tell: (message: object) => Promise<void>;
}

/** From where, or up to where. */
type Which =
  | { readonly oldest: string; readonly cursor?: string }
  | { readonly latest: string; readonly inclusive: boolean };

type Page = {
  readonly messages?: readonly object[] | undefined;
  readonly response_metadata?: { next_cursor?: string } | undefined;
};

/** What was written while we heard nothing: asked for by conversation, one after the other. What is heard at a place meanwhile waits for what was missed there. */
export class CatchUp {
  readonly #parts: CatchUpParts;
  /** Places that are not caught up with yet. */
  readonly #places = new Map<string, { readonly heads: Head[]; readonly done: PromiseWithResolvers<void> }>();
  #running = false;

  constructor(parts: CatchUpParts) {
    this.#parts = parts;
  }

  /** Asks for all that came behind `heads`. */
  begin(heads: readonly Head[]): void {
    for (const head of heads.toReversed()) {
      const known = this.#places.get(head.place);
      if (known === undefined) this.#places.set(head.place, { heads: [head], done: Promise.withResolvers() });
      else if (!known.heads.some((one) => one.thread === head.thread)) known.heads.push(head);
    }
    if (!this.#running) void this.#run();
  }

  /** Resolves when nothing that was missed at `place` is left to tell. */
  async past(place: string): Promise<void> {
    const waiting = this.#places.get(place);
    if (waiting === undefined) return;
    // Somebody writes there now: it is the next.
    const rest = [...this.#places].filter(([one]) => one !== place);
    this.#places.clear();
    for (const [one, value] of [[place, waiting] as const, ...rest]) this.#places.set(one, value);
    await waiting.done.promise;
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let [next] = this.#places; next !== undefined; [next] = this.#places) {
      const [place, { heads, done }] = next;
      try {
        if (!this.#parts.stopping.aborted) await this.#place(heads);
      } finally {
        this.#places.delete(place);
        done.resolve();
      }
    }
    this.#running = false;
  }

  async #place(heads: readonly Head[]): Promise<void> {
    const missed: object[] = [];
    const threads = new Set(heads.map(({ thread }) => thread));
    for (const head of heads) {
      const found = await this.#missed(head);
      missed.push(...found);
      if (head.thread !== null) continue;
      // A conversation that began meanwhile has a thread that nobody here knows of: under something new, or under something old.
      for (const thread of [...found, ...(await this.#answered(head))]
        .map(threadBegun)
        .filter((one) => one !== null)
        .slice(0, MAX_THREADS)) {
        if (threads.has(thread)) continue;
        threads.add(thread);
        missed.push(...(await this.#missed({ place: head.place, thread, ts: thread })));
      }
    }
    const inOrder = missed.toSorted((one, other) => (after(tsOf(one), tsOf(other)) ? 1 : -1));
    for (const message of inOrder) {
      if (this.#parts.stopping.aborted) return;
      await this.#parts.tell(message);
    }
  }

  /** @returns the messages behind a head, in no order. */
  async #missed(head: Head): Promise<object[]> {
    const found: object[] = [];
    let cursor = "";
    try {
      for (let page = 0; page < MAX_PAGES; page++) {
        const answer: Page = await this.#ask(head, { oldest: head.ts, ...(cursor === "" ? {} : { cursor }) });
        // A thread's answers begin with its head, whatever is asked for.
        for (const one of answer.messages ?? [])
          if (after(tsOf(one), head.ts)) found.push({ ...one, channel: head.place });
        cursor = answer.response_metadata?.next_cursor ?? "";
        if (cursor === "") return found;
      }
      const oldest = found.map(tsOf).reduce((one, other) => (after(one, other) ? other : one), tsOf(found.at(0) ?? {}));
      this.#gap(
        head,
        oldest,
        `more was written in a Slack conversation than is caught up with (${MAX_PAGES * PAGE} messages)`,
      );
    } catch (error) {
      if (this.#parts.stopping.aborted) return [];
      this.#gap(head, null, `what was written in a Slack conversation meanwhile cannot be had: ${whyOf(error)}`);
    }
    return found;
  }

  /** @returns the newest messages up to a head that were answered behind it. */
  async #answered(head: Head): Promise<object[]> {
    try {
      const { messages = [] } = await this.#ask(head, { latest: head.ts, inclusive: true }, GLANCE_MS);
      return messages.filter((one) => after(latestAnswer(one), head.ts));
    } catch (error) {
      if (!this.#parts.stopping.aborted)
        this.#gap(head, null, `what was answered in a Slack conversation meanwhile cannot be had: ${whyOf(error)}`);
      return [];
    }
  }

  #gap({ place, ts }: Head, until: string | null, sentence: string): void {
    const to = until === null ? Date.now() : millisOf(until);
    this.#parts.host.notice({ about: "gap", place, from: millisOf(ts), to }, sentence);
  }

  async #ask({ place, thread }: Head, which: Which, patienceMs = PATIENCE_MS): Promise<Page> {
    const { calls, stopping } = this.#parts;
    const page = { channel: place, limit: PAGE, ...which };
    const until = performance.now() + patienceMs;
    for (;;) {
      try {
        return thread === null
          ? await calls.do(
              { method: "conversations.history", place, again: true },
              async (web) => await web.conversations.history(page),
            )
          : await calls.do(
              { method: "conversations.replies", place, again: true },
              async (web) => await web.conversations.replies({ ...page, ts: thread }),
            );
      } catch (error) {
        const again = error instanceof SendFailure && (error.code === "rate-limited" || error.code === "unreachable");
        const wait = again ? (error.waitMs ?? AGAIN_MS) : 0;
        if (!again || stopping.aborted || performance.now() + wait > until) throw error;
        await delay(wait, undefined, { signal: stopping }).catch(() => undefined);
      }
    }
  }
}

function tsOf(message: object): string {
  return "ts" in message && typeof message.ts === "string" && /^\d{1,20}\.\d{1,10}$/.test(message.ts)
    ? message.ts
    : "0.0";
}

function latestAnswer(message: object): string {
  return "latest_reply" in message ? tsOf({ ts: message.latest_reply }) : "0.0";
}

function whyOf(error: unknown): string {
  return error instanceof SendFailure ? error.message : "an error of ours";
}

function threadBegun(message: object): string | null {
  return "reply_count" in message && Number(message.reply_count) > 0 ? tsOf(message) : null;
}

function millisOf(ts: string): number {
  return Math.min(Math.floor(Number(ts) * 1_000), Number.MAX_SAFE_INTEGER);
}
