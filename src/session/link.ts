import type { Channel } from "../ipc/channel.ts";
import type { ConversationId, SessionId } from "../ipc/ids.ts";

/** A conversation as its platform names it. */
export interface Place {
  readonly place: string;
  readonly thread: string | null;
}

/** A message on its way out; `markdown` is shown as the platform can, the others to the letter. */
export interface Outgoing {
  readonly style: "markdown" | "plain" | "preformatted";
  /** UTF-8. */
  readonly text: Uint8Array;
  readonly card: { readonly id: string; readonly code: string; readonly mayRemember: boolean } | null;
  readonly replyTo: string | null;
  /** Ours for this message: it is looked up by it where nobody can tell whether it arrived. */
  readonly key?: string;
  readonly files?: readonly OutgoingFile[];
}

/** A file that goes along with a message. */
export interface OutgoingFile {
  readonly name: string;
  /** As we found it from its bytes. */
  readonly mime: string;
  readonly bytes: Uint8Array;
}

/** What became of a file that somebody sent. */
export type FetchedFile =
  | { readonly state: "fetched"; readonly bytes: Uint8Array }
  | {
      readonly state: "failed";
      readonly reason: "too-large" | "gone" | "refused" | "unreachable" | "died";
      readonly error: string;
    };

/** What a platform remembers of a message of ours. `unknown`: it cannot be told. */
export interface LookedUp {
  readonly outcome: "sent" | "absent" | "unknown";
  readonly ids: readonly string[];
}

/** Our mark on a message of theirs. */
export type Mark = "waiting" | "working" | "refused";

/** What became of a message: `ids` are the platform's own for the parts that arrived. */
export type Delivery =
  | { readonly state: "delivered"; readonly ids: readonly string[] }
  | {
      readonly state: "failed";
      readonly reason: "refused" | "rate-limited" | "unreachable" | "too-large" | "unknown" | "died" | "stopped";
      readonly ids: readonly string[];
      readonly error: string;
    };

/** What carries the messages of one channel instance: an adapter's pipe, or the listeners of the terminal or the page. */
export interface Carrier {
  send(to: Place, out: Outgoing): Promise<Delivery>;
  edit(to: Place, ids: readonly string[], text: Uint8Array): Promise<Delivery>;
  typing(to: Place): void;
  /** Can text be shown while it comes? */
  readonly streams: boolean;
  /** A place where text can be shown while it comes, or null where a reply leaves whole. @param key ours for the message that it becomes. */
  stream(to: Place, key: string): LiveReply | null;
  /** A mark is a sign and no message: nobody is told whether it is there. */
  react(to: Place, message: string, mark: Mark | null): void;
  /** Fetches a file of a message. @param limit bytes. */
  file(handle: string, limit: number): Promise<FetchedFile>;
  /** @returns where somebody is reached alone who may never have written; null: nowhere, or it cannot be told now. */
  openDirect(user: string): Promise<string | null>;
  /** Was the message of that key sent? @param since Unix milliseconds. */
  lookUp(to: Place, key: string, since: number): Promise<LookedUp>;
}

/** A reply that is shown while it grows. */
export interface LiveReply {
  piece(text: Uint8Array): void;
  end(): Delivery | Promise<Delivery>;
}

/** Where one conversation of channel `L` is: minted by that channel's link only. */
class ChannelAddress<in out L extends symbol> {
  readonly #link: L;
  readonly conversation: ConversationId;
  readonly at: Place;
  constructor(link: L, conversation: ConversationId, at: Place) {
    this.#link = link;
    this.conversation = conversation;
    this.at = at;
  }
  /** Does this address belong to the link of that symbol? The compiler says so; this says it again at run time. */
  isOf(link: L): boolean {
    return this.#link === link;
  }
}
export type Address<L extends symbol> = ChannelAddress<L>;

/** A conversation with an agent, on the one channel it was opened on. */
class ChannelSession<in out L extends symbol> {
  readonly id: SessionId;
  readonly address: Address<L>;
  constructor(id: SessionId, address: Address<L>) {
    this.id = id;
    this.address = address;
  }
}
export type Session<L extends symbol> = ChannelSession<L>;

/** The way out of one channel instance. `L` is a type of its own for every instance, so that neither another platform's sessions nor those
 *  of a second account of the same one fit in. */
class ChannelLink<in out L extends symbol> {
  readonly channel: Channel;
  readonly #own: L;
  readonly #carrier: Carrier;
  constructor(own: L, channel: Channel, carrier: Carrier) {
    this.#own = own;
    this.channel = channel;
    this.#carrier = carrier;
  }
  address(conversation: ConversationId, at: Place): Address<L> {
    return new ChannelAddress(this.#own, conversation, at);
  }
  session(id: SessionId, address: Address<L>): Session<L> {
    this.#check(address);
    return new ChannelSession(id, address);
  }
  send(to: Address<L>, out: Outgoing): Promise<Delivery> {
    this.#check(to);
    return this.#carrier.send(to.at, out);
  }
  edit(to: Address<L>, ids: readonly string[], text: Uint8Array): Promise<Delivery> {
    this.#check(to);
    return this.#carrier.edit(to.at, ids, text);
  }
  typing(to: Address<L>): void {
    this.#check(to);
    this.#carrier.typing(to.at);
  }
  get streams(): boolean {
    return this.#carrier.streams;
  }
  stream(to: Address<L>, key: string): LiveReply | null {
    this.#check(to);
    return this.#carrier.stream(to.at, key);
  }
  react(to: Address<L>, message: string, mark: Mark | null): void {
    this.#check(to);
    this.#carrier.react(to.at, message, mark);
  }
  file(handle: string, limit: number): Promise<FetchedFile> {
    return this.#carrier.file(handle, limit);
  }
  openDirect(user: string): Promise<string | null> {
    return this.#carrier.openDirect(user);
  }
  lookUp(to: Address<L>, key: string, since: number): Promise<LookedUp> {
    this.#check(to);
    return this.#carrier.lookUp(to.at, key, since);
  }
  #check(address: Address<L>): void {
    if (!address.isOf(this.#own)) throw new TypeError("An address of another channel came to this one's link");
  }
}
export type AdapterLink<L extends symbol> = ChannelLink<L>;

/** Opens the link of one channel instance. `use` cannot choose its `L`, so nothing it makes of this link fits another.
 *  @returns what `use` returns, which cannot mention `L`. */
export function withLink<R>(channel: Channel, carrier: Carrier, use: <L extends symbol>(link: AdapterLink<L>) => R): R {
  const own: unique symbol = Symbol(channel);
  return use<typeof own>(new ChannelLink<typeof own>(own, channel, carrier));
}
