import { type Api, GrammyError } from "grammy/web";
import type { Host } from "../adapter.ts";
import { SendFailure } from "../failure.ts";
import { BAD_TOKEN, sendFailure } from "./api.ts";
import type { Chats } from "./chats.ts";

/** Chats in which Telegram asked us to slow down; what is over is forgotten. */
const MAX_SLOW = 1_000;
/** Chats of which it was said that we are not in them any more. */
const MAX_GONE = 1_000;
const GONE =
  /kicked|not a member|was blocked|deactivated|chat not found|not enough rights to send|have no rights to send/i;

/** `once`: done twice, it is to be seen twice. `again`: if nobody can tell whether it was done, it may be done again. `question`: so may this, and a no
 *  says nothing of the chat. */
export type CallKind = "once" | "again" | "question";

export interface CallParts {
  /** Null: there is no token. */
  readonly api: Api | null;
  readonly redact: (text: string) => string;
  readonly chats: Chats;
  readonly host: Host;
  /** Telegram does not take the token any more. */
  readonly refused: () => void;
}

/** Calls that are about one chat: paced as Telegram asks for that chat, in the supergroup that it became, and none at all with a token that was refused. */
export class Calls {
  readonly #parts: CallParts;
  /** By place; `performance.now()` before which nothing is sent there. */
  readonly #slow = new Map<string, number>();
  readonly #gone = new Set<string>();
  #refused = false;

  constructor(parts: CallParts) {
    this.#parts = parts;
    this.#refused = parts.api === null;
  }

  get redact(): (text: string) => string {
    return this.#parts.redact;
  }

  /** Telegram asked to wait in that chat, and the time is not over. */
  isSlow(place: string): boolean {
    return this.#waitFor(place) > 0;
  }

  /** Somebody wrote there: we are in it. */
  heard(place: string): void {
    this.#gone.delete(place);
  }

  /** Nothing more is sent with this token. */
  refuse(): void {
    this.#refused = true;
  }

  /** @throws {SendFailure} */
  async inChat<T>(place: string, kind: CallKind, call: (api: Api, chat: number) => Promise<T>): Promise<T> {
    const { api, chats, redact } = this.#parts;
    if (api === null || this.#refused) throw new SendFailure("refused", BAD_TOKEN);
    const wait = this.#waitFor(place);
    if (wait > 0) throw new SendFailure("rate-limited", "Telegram asked us to slow down in this chat", wait);
    const chat = chats.chatOf(place);
    try {
      return await call(api, chat);
    } catch (error) {
      const moved = error instanceof GrammyError ? error.parameters.migrate_to_chat_id : undefined;
      if (moved !== undefined && chats.move(chat, moved)) return await this.inChat(place, kind, call);
      if (error instanceof GrammyError && error.error_code === 401) {
        this.#refused = true;
        this.#parts.refused();
      }
      const failure = sendFailure(error, redact);
      this.#learn(place, failure, kind);
      if (kind !== "once" && failure.code === "unknown") throw new SendFailure("unreachable", failure.message);
      throw failure;
    }
  }

  #waitFor(place: string): number {
    return Math.max(0, (this.#slow.get(place) ?? 0) - performance.now());
  }

  #learn(place: string, failure: SendFailure, kind: CallKind): void {
    if (failure.code === "rate-limited" && failure.waitMs !== null) {
      const now = performance.now();
      for (const [old, until] of this.#slow) if (until <= now || this.#slow.size > MAX_SLOW) this.#slow.delete(old);
      this.#slow.set(place, now + failure.waitMs);
    }
    if (kind === "question" || failure.code !== "refused" || !GONE.test(failure.message) || this.#gone.has(place))
      return;
    if (this.#gone.size >= MAX_GONE) this.#gone.clear();
    this.#gone.add(place);
    this.#parts.host.notice({ about: "removed", place, from: null, to: null }, failure.message);
  }
}
