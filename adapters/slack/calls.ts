import type { WebClient } from "@slack/web-api";
import type { Host } from "../adapter.ts";
import { SendFailure } from "../failure.ts";
import { platformCode, sendFailure, trouble } from "./api.ts";

/** What Slack asked us to slow down with; what is over is forgotten. */
const MAX_SLOW = 1_000;
/** Places of which it was said that we are not in them any more. */
const MAX_GONE = 1_000;
const GONE: ReadonlySet<string> = new Set(["not_in_channel", "channel_not_found", "user_not_in_channel"]);

export interface CallParts {
  /** Null: there are no tokens. */
  readonly web: () => WebClient | null;
  readonly host: Host;
  /** Slack does not take the bot token any more. */
  readonly refused: (sentence: string) => void;
  /** We are not in that place any more. */
  readonly gone: (place: string) => void;
}

/** What a call is. `again`: done twice it is the same, so it is done again where nobody can tell whether it was. */
export interface Call {
  readonly method: string;
  /** Null: it is about none, or what Slack says of it is not to be told. */
  readonly place: string | null;
  readonly again: boolean;
}

/** Calls of Slack's methods: paced as Slack asks, with a token that is renewed where its time is over, and none at all with one that was refused. */
export class Calls {
  readonly #parts: CallParts;
  /** `performance.now()` before which a method is not called (at a place). */
  readonly #slow = new Map<string, number>();
  readonly #gone = new Set<string>();
  #refused: string | null = null;

  constructor(parts: CallParts) {
    this.#parts = parts;
  }

  /** Nothing more is called. */
  refuse(sentence: string): void {
    this.#refused = sentence;
  }

  /** Somebody wrote there: we are in it. */
  heard(place: string): void {
    this.#gone.delete(place);
  }

  /** @throws {SendFailure} */
  async do<T>(what: Call, call: (web: WebClient) => Promise<T>): Promise<T> {
    try {
      return await this.#once(what, call);
    } catch (error) {
      // A token that is past its end sent nothing: with another one the message goes out after all.
      if (platformCode(error) !== "token_expired" || !(await this.#parts.host.renew()))
        throw this.#failure(what, error);
    }
    try {
      return await this.#once(what, call);
    } catch (error) {
      throw this.#failure(what, error);
    }
  }

  async #once<T>(what: Call, call: (web: WebClient) => Promise<T>): Promise<T> {
    const web = this.#parts.web();
    if (web === null) throw new SendFailure("refused", "there are no Slack tokens: run `wirken vault add slack`");
    if (this.#refused !== null) throw new SendFailure("refused", this.#refused);
    const wait = (this.#slow.get(keyOf(what)) ?? 0) - performance.now();
    if (wait > 0) throw new SendFailure("rate-limited", "Slack asked us to slow down", Math.ceil(wait));
    return await call(web);
  }

  #failure(what: Call, error: unknown): SendFailure {
    const failure = sendFailure(error);
    if (failure.code === "rate-limited" && failure.waitMs !== null) this.#slowDown(keyOf(what), failure.waitMs);
    const code = platformCode(error);
    if (code !== null && code !== "token_expired" && trouble(error, "bot").failure === "refused") {
      const { sentence } = trouble(error, "bot");
      if (this.#refused === null) this.#parts.refused(sentence);
      this.#refused = sentence;
    }
    if (code !== null && GONE.has(code) && what.place !== null) this.#leave(what.place, failure.message);
    return what.again && failure.code === "unknown" ? new SendFailure("unreachable", failure.message) : failure;
  }

  #slowDown(key: string, ms: number): void {
    const now = performance.now();
    for (const [old, until] of this.#slow) if (until <= now || this.#slow.size > MAX_SLOW) this.#slow.delete(old);
    this.#slow.set(key, now + ms);
  }

  #leave(place: string, sentence: string): void {
    if (this.#gone.has(place)) return;
    if (this.#gone.size >= MAX_GONE) this.#gone.clear();
    this.#gone.add(place);
    this.#parts.gone(place);
    this.#parts.host.notice({ about: "removed", place, from: null, to: null }, sentence);
  }
}

/** Slack counts messages by channel, all else by method. */
function keyOf({ method, place }: Call): string {
  return method === "chat.postMessage" ? `${method} ${place ?? ""}` : method;
}
