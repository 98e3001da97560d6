import { hash } from "node:crypto";
import type { ChatMessage, CompletionRequest, ShownFile } from "../ipc/completion.ts";
import { NO_ITEMS, rootWith } from "../ipc/item-digest.ts";
import type { Showing } from "../ipc/model-frames.ts";
import { readItem, type Setup, unpack } from "../ipc/items.ts";
import { EncodedMessages } from "./encoded.ts";

/** Conversations that are kept at one time. The agents of one daemon are eight. */
export const MAX_CONVERSATIONS = 64;
/** What all that are kept may have together, in bytes of their items; one that is being answered is never let go. */
export const MAX_KEPT_BYTES = 64 * 1024 * 1024;

/** Files that have come for one conversation and are shown by no request yet: as many bytes as a request may show. */
const MAX_COMING_BYTES = 32 * 1024 * 1024;

/** By their digest; null: erased. */
export type FileBytes = Map<ShownFile["sha256"], Uint8Array | null>;

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
  /** What messages that no provider has encoded yet show, by its digest; null: it was erased. */
  #files: FileBytes = new Map();
  /** Some message names files. */
  #names = false;
  /** What of them the model is shown. */
  readonly shows: Showing;
  /** It is being answered. */
  busy = false;

  constructor(shows: Showing) {
    this.shows = shows;
  }

  /** A conversation that is just this request. @param files what it shows, by digest. */
  static of({ instructions, tools, messages }: CompletionRequest, files: FileBytes = new Map()): Conversation {
    const conversation = new Conversation("all");
    conversation.#files = files;
    conversation.#setup = { instructions, tools };
    conversation.#fresh = [...messages];
    conversation.#names = messages.some((message) => namesFiles(message));
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
    this.#encoded.add(this.#fresh, ({ sha256 }) => this.#files.get(sha256) ?? null);
    this.#fresh = [];
    // What is encoded holds them: whoever names one again brings it along again.
    this.#files = new Map();
    return this.#encoded;
  }

  /** Is the model shown any file in it? */
  get showsFiles(): boolean {
    return this.#names && this.shows !== "none";
  }

  /** Does it name files, and would they be treated in another way then? */
  differsWith(shows: Showing): boolean {
    return this.#names && this.shows !== shows;
  }

  /** Goes on with new items. @param root of all of them then, hex. @param files that they show. @returns false, and changes nothing, if it is
   *  another one. @throws for what is no item. */
  goOn(packed: Uint8Array, root: string, files: FileBytes): boolean {
    const items = unpack(packed);
    const next = rootWith(this.#root, items);
    if (Buffer.from(next).toString("hex") !== root) return false;
    for (const item of items) {
      const read = readItem(item);
      if (!("role" in read)) this.#setup = read;
      else {
        this.#fresh.push(read);
        this.#names ||= namesFiles(read);
      }
    }
    for (const [sha256, bytes] of files) {
      this.#files.set(sha256, bytes);
      this.#bytes += bytes?.length ?? 0;
    }
    this.#root = next;
    this.#length += items.length;
    this.#bytes += packed.length;
    return true;
  }

  wipe(): void {
    this.#encoded.wipe();
    for (const bytes of this.#files.values()) bytes?.fill(0);
    this.#files = new Map();
    this.#fresh = [];
    this.#setup = NO_SETUP;
  }
}

function namesFiles(message: ChatMessage): boolean {
  return message.role !== "assistant" && message.files !== undefined;
}

/** What is kept of the conversations that go on, so that only what is new of each must be told. The root that comes with a request says whether it is
 *  the same conversation to the byte: what is kept of one can never get into another. */
export class Conversations {
  /** The least recently used first. */
  readonly #kept = new Map<number, Conversation>();
  /** Files that came for the request that comes next. */
  readonly #coming = new Map<number, FileBytes>();
  readonly #limits: { readonly conversations: number; readonly bytes: number };

  constructor(limits = { conversations: MAX_CONVERSATIONS, bytes: MAX_KEPT_BYTES }) {
    this.#limits = limits;
  }

  /** A file that the next request of a conversation shows. @param bytes empty: it was erased.
   *  @throws {RangeError} for more than a request may show, or other bytes than those that are named. */
  bring(number: number, sha256: string, bytes: Uint8Array): void {
    const coming: FileBytes = this.#coming.get(number) ?? new Map();
    const held = [...coming.values()].reduce((sum, one) => sum + (one?.length ?? 0), 0);
    if (held + bytes.length > MAX_COMING_BYTES) throw new RangeError("more files came than a request may show");
    if (bytes.length > 0 && hash("sha256", bytes) !== sha256)
      throw new RangeError("a file is not the one it is named as");
    coming.set(sha256, bytes.length === 0 ? null : bytes);
    this.#coming.set(number, coming);
  }

  /** @param show what the model is shown of the files that messages name. @returns the conversation with its new items, to be given back with {@link release};
   *  null if the first `keep` items are not here, or not those that are meant, or were treated in another way: then all of them are needed.
   *  @throws for what is no item. */
  take(number: number, keep: number, root: string, packed: Uint8Array, show: Showing): Conversation | null {
    const files: FileBytes = this.#coming.get(number) ?? new Map();
    this.#coming.delete(number);
    const kept = this.#kept.get(number);
    const goesOn = kept !== undefined && !kept.busy && kept.length === keep && !kept.differsWith(show);
    // What differs in the middle is another conversation: it is told anew.
    if (!goesOn) this.#drop(number);
    const conversation = goesOn ? kept : keep === 0 ? new Conversation(show) : null;
    if (conversation === null) return null;
    this.#kept.delete(number);
    try {
      if (!conversation.goOn(packed, root, files)) {
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
    for (const bytes of this.#coming.get(number)?.values() ?? []) bytes?.fill(0);
    this.#coming.delete(number);
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
