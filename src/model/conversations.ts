import type { ChatMessage, CompletionRequest } from "../ipc/completion.ts";
import { NO_ITEMS, rootWith } from "../ipc/item-digest.ts";
import { readItem, type Setup, unpack } from "../ipc/items.ts";
import { EncodedMessages } from "./encoded.ts";

/** Conversations that are kept at one time. The agents of one daemon are eight. */
export const MAX_CONVERSATIONS = 64;
/** What all that are kept may have together, in bytes of their items; one that is being answered is never let go. */
export const MAX_KEPT_BYTES = 64 * 1024 * 1024;

const NO_SETUP: Setup = { instructions: "", tools: [] };

/** One session's conversation with its agent, as far as this process has been told of it. */
export class Conversation {
  #root: Uint8Array = NO_ITEMS;
  #length = 0;
  #bytes = 0;
  #setup: Setup = NO_SETUP;
  /** What no provider has encoded yet. */
  #fresh: ChatMessage[] = [];
  readonly #encoded = new EncodedMessages();
  /** It is being answered. */
  busy = false;

  /** A conversation that is just this request. */
  static of({ instructions, tools, messages }: CompletionRequest): Conversation {
    const conversation = new Conversation();
    conversation.#setup = { instructions, tools };
    conversation.#fresh = [...messages];
    return conversation;
  }

  get setup(): Setup {
    return this.#setup;
  }
  get length(): number {
    return this.#length;
  }
  get bytes(): number {
    return this.#bytes;
  }

  /** The whole request. Only for a provider that never asks for {@link encoded}, which takes the messages over. */
  get request(): CompletionRequest {
    return { ...this.#setup, messages: this.#fresh };
  }

  /** All messages, those in the provider's own form once they are written in it. */
  get encoded(): EncodedMessages {
    this.#encoded.add(this.#fresh);
    this.#fresh = [];
    return this.#encoded;
  }

  /** Goes on with new items. @param root of all of them then, hex. @returns false, and changes nothing, if it is another one.
   *  @throws for what is no item. */
  goOn(packed: Uint8Array, root: string): boolean {
    const items = unpack(packed);
    const next = rootWith(this.#root, items);
    if (Buffer.from(next).toString("hex") !== root) return false;
    for (const item of items) {
      const read = readItem(item);
      if ("role" in read) this.#fresh.push(read);
      else this.#setup = read;
    }
    this.#root = next;
    this.#length += items.length;
    this.#bytes += packed.length;
    return true;
  }

  wipe(): void {
    this.#encoded.wipe();
    this.#fresh = [];
    this.#setup = NO_SETUP;
  }
}

/** What is kept of the conversations that go on, so that only what is new of each must be told. The root that comes with a request says whether it is
 *  the same conversation to the byte: what is kept of one can never get into another. */
export class Conversations {
  /** The least recently used first. */
  readonly #kept = new Map<number, Conversation>();
  readonly #limits: { readonly conversations: number; readonly bytes: number };

  constructor(limits = { conversations: MAX_CONVERSATIONS, bytes: MAX_KEPT_BYTES }) {
    this.#limits = limits;
  }

  /** @returns the conversation with its new items, to be given back with {@link release}; null if the first `keep` items are not here, or not those
   *  that are meant: then all of them are needed. @throws for what is no item. */
  take(number: number, keep: number, root: string, packed: Uint8Array): Conversation | null {
    const kept = this.#kept.get(number);
    const goesOn = kept !== undefined && !kept.busy && kept.length === keep;
    // What differs in the middle is another conversation: it is told anew.
    if (!goesOn) this.#drop(number);
    const conversation = goesOn ? kept : keep === 0 ? new Conversation() : null;
    if (conversation === null) return null;
    this.#kept.delete(number);
    try {
      if (!conversation.goOn(packed, root)) {
        conversation.wipe();
        return null;
      }
    } catch (error) {
      conversation.wipe();
      throw error;
    }
    conversation.busy = true;
    this.#kept.set(number, conversation);
    this.#makeRoom();
    return conversation;
  }

  /** It was answered, or was not. */
  release(number: number, conversation: Conversation): void {
    conversation.busy = false;
    // Forgotten meanwhile, or told anew.
    if (this.#kept.get(number) !== conversation) conversation.wipe();
  }

  /** @returns whether it is gone now: one that is being answered goes with {@link release}. */
  forget(number: number): boolean {
    const busy = this.#kept.get(number)?.busy === true;
    this.#drop(number);
    return !busy;
  }

  #drop(number: number): void {
    const conversation = this.#kept.get(number);
    this.#kept.delete(number);
    if (conversation?.busy === false) conversation.wipe();
  }

  #makeRoom(): void {
    let bytes = 0;
    for (const conversation of this.#kept.values()) bytes += conversation.bytes;
    for (const [number, conversation] of this.#kept) {
      if (this.#kept.size <= this.#limits.conversations && bytes <= this.#limits.bytes) return;
      if (conversation.busy) continue;
      bytes -= conversation.bytes;
      this.#drop(number);
    }
  }
}
