import { SendFailure } from "../failure.ts";
import { MAX_MOVED } from "./cursor.ts";

/** Which chat of Telegram's a place is. A group that becomes a supergroup gets another number: here it keeps the one that it had, and with that its
 *  conversation. */
export class Chats {
  /** By the number that is known here. */
  readonly #now: Map<number, number>;

  constructor(moved: readonly (readonly [number, number])[]) {
    this.#now = new Map(moved);
  }

  get moved(): (readonly [number, number])[] {
    return [...this.#now];
  }

  /** @returns whether that was news. */
  move(from: number, to: number): boolean {
    const known = Number(this.placeOf(from));
    if (this.#now.get(known) === to || known === to) return false;
    this.#now.set(known, to);
    const [oldest] = this.#now.keys();
    if (this.#now.size > MAX_MOVED && oldest !== undefined) this.#now.delete(oldest);
    return true;
  }

  /** @throws {SendFailure} if it is no place of Telegram's. */
  chatOf(place: string): number {
    const chat = numeric(place, "chat");
    return this.#now.get(chat) ?? chat;
  }

  placeOf(chat: number): string {
    for (const [known, now] of this.#now) if (now === chat) return String(known);
    return String(chat);
  }
}

/** @throws {SendFailure} */
export function numeric(id: string, what: string): number {
  const number = /^-?\d{1,16}$/.test(id) ? Number(id) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw new SendFailure("refused", `not the id of a Telegram ${what}`);
  return number;
}

/** @param message as it was told inbound (`chat:number`), or its number alone. @returns its number; null where it is of another chat than `chat`. */
export function messageIn(message: string, chat: number): number | null {
  const [, where, id] = /^(?:(-?\d{1,16}):)?(\d{1,16})$/.exec(message) ?? [];
  if (id === undefined || (where !== undefined && Number(where) !== chat)) return null;
  return Number.isSafeInteger(Number(id)) ? Number(id) : null;
}
