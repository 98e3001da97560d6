import type { FromAdapter, ToAdapter } from "../src/ipc/adapter-frames.ts";
import type { Draft } from "./outbox.ts";
import type { Renewable } from "./renewal.ts";

/** The port that each platform's code fills: what it is asked, what it may ask, and the words they share. */

export type Frame<T extends FromAdapter["type"]> = Omit<Extract<FromAdapter, { type: T }>, "type" | "ref">;
export type Order<T extends ToAdapter["type"]> = Omit<Extract<ToAdapter, { type: T }>, "type" | "ref">;
export type Inbound = Omit<Frame<"inbound">, "senderName">;
export type Pressed = Frame<"pressed">;
export type Send = Order<"send">;
export type Edit = Order<"edit">;
export type Start = Order<"start">;
/** `ref` is what the `send` that ends it calls it by. */
export type Drafting = Omit<Extract<ToAdapter, { type: "draft" }>, "type">;
export type LookUp = Order<"look-up">;
type Looked = Pick<Frame<"looked-up">, "outcome" | "ids">;
export type Notice = Frame<"notice">;
export type Changed = Frame<"changed">;

/** A file that goes along with a message. */
export interface Attachment {
  readonly name: string;
  /** As we found it from its bytes. */
  readonly mime: string;
  readonly bytes: Uint8Array;
}

/** Why a file of a message cannot be had. */
export class FileFailure extends Error {
  readonly reason: Frame<"file.failed">["reason"];
  constructor(reason: Frame<"file.failed">["reason"], sentence: string) {
    super(sentence);
    this.reason = reason;
  }
}

type State = Frame<"state">["state"];

/** Secrets by the names they have in the vault. */
export type Credentials = ReadonlyMap<string, string>;

export type Checked =
  | {
      readonly account: string;
      /** What is to be kept in the place of what was given for a login, by its name in the vault. */
      readonly instead?: Readonly<Record<string, string>>;
    }
  | {
      readonly failure: NonNullable<Frame<"checked">["failure"]>;
      readonly sentence: string;
      /** It was good, and its time is over: another may be had for it. */
      readonly expired?: true;
    };

/** What a platform's code may ask of the supervisor. */
export interface Host {
  /** Resolves once the message is on the log, and never before: only then may the platform be told that it was taken. It never rejects. */
  inbound(message: Inbound, senderName: string | Promise<string>, text: string): Promise<void>;
  /** As {@link inbound}. `answer` is called with what the presser is to be told, before or after that. */
  pressed(press: Pressed, answer: (sentence: string) => void): Promise<void>;
  /** As {@link inbound}, of a message that was changed or deleted. */
  changed(change: Changed, text: string): Promise<void>;
  /** @param sentence for the operator. */
  notice(notice: Notice, sentence: string): void;
  /** Keeps a record for the next run; resolves once it lies durably, sealed. @param replaces everything kept before goes, all or nothing. */
  store(record: Uint8Array, replaces: boolean): Promise<void>;
  /** Whether somebody was paired here, by the platform's id of them. */
  knows(user: string): Promise<boolean>;
  /** Saves where to go on after a restart. */
  cursor(cursor: string): void;
  /** @param sentence for the operator: what is wrong and what to do. */
  state(state: State, account: string | null, sentence?: string): void;
  /** The platform says that the token is past its end. @returns whether another one is in use now. */
  renew(): Promise<boolean>;
}

/** A platform that the adapter is, or tries to be, connected to. */
export interface Connection {
  /** Cuts and formats a message. Where it names a `draft`, what that showed is edited and becomes its first part. @param files go along; a connection that
   *  has no way for them says so. @returns what is sent, in order. @throws {SendFailure} if it cannot be shown there. */
  compose(message: Send, text: string, files: readonly Attachment[]): Draft[];
  /** Plans the replacement of messages sent before; a draft's `post` returns the id of what it replaced. @throws {SendFailure} */
  replace(edit: Edit, text: string): Draft[];
  typing(place: string, thread: string | null): void;
  /** Shows what there is of a reply so far, whole; called again with more, never before the one before has settled. Left out, or failing: the reply is shown when it
   *  is whole. @returns the ids of what is shown, the same at each call or more of them. */
  draft?(draft: Drafting, text: string): Promise<readonly string[]>;
  /** Our mark on a message of theirs; null takes it away. A failure is no matter. */
  react?(place: string, thread: string | null, message: string, mark: Order<"react">["mark"]): Promise<void>;
  /** Fetches a file of a message. @param limit bytes. @throws {FileFailure} */
  file?(handle: string, limit: number): Promise<Uint8Array>;
  /** @returns where somebody is reached alone; null if the platform lets nobody write to them first. @throws {SendFailure} */
  openDirect?(user: string): Promise<string | null>;
  /** Finds a message of ours by its key in what the platform remembers. Left out: it remembers nothing. */
  lookUp?(message: LookUp): Promise<Looked>;
  /** The machine slept, or its network changed: what is connected is tried now, or made anew, with no back-off. */
  wake?(): void;
  /** Goes on with these credentials of the same account, and says a `state` of them. Where it is left out, the connection is closed and another one made. */
  adopt?(credentials: Credentials): void;
  /** Takes in nothing more and closes. What was heard and is not on the log is left to be delivered again. */
  stop(): Promise<void>;
}

export interface Platform {
  /** @throws nothing: what goes wrong is an answer. */
  check(credentials: Credentials, start: Start): Promise<Checked>;
  /** @param kept the records that were kept, in order. */
  connect(credentials: Credentials, start: Start, host: Host, kept: readonly Uint8Array[]): Connection;
  /** How its tokens are renewed, where they end by themselves. */
  readonly renewable?: Renewable;
}

/** A name of somebody else's making as a frame takes it: at most 200 UTF-16 units, no half of a surrogate pair. */
export function shortened(name: string): string {
  return name.slice(0, 200).toWellFormed();
}
