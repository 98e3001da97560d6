import type { ShownFile } from "../ipc/completion.ts";

/** A file that a request shows: its item commits to its bytes by their digest. */
export interface RequestFile extends ShownFile {
  /** The number of the item that names it. */
  readonly item: number;
  /** Null: its content was erased. What comes is checked by whoever asks. */
  readonly read: () => Promise<Uint8Array | null>;
}

/** A request to a model as an agent asks for it: the items of the one before that it goes on from, and its new ones. */
export interface AskedRequest {
  /** The conversation, by a number of the supervisor's own: one session with one agent process. */
  readonly conversation: number;
  /** So many items of the request before are the first of this one. */
  readonly keep: number;
  /** The root (src/ipc/item-digest.ts) of those. */
  readonly before: Uint8Array;
  /** The new items, as they are sent. */
  readonly packed: Uint8Array;
  /** Of all items, in bytes; files that they show are not counted. */
  readonly bytes: number;
  /** What all of its items show, in their order. */
  readonly files: readonly RequestFile[];
  /** What a row holds of the request: a {@link RecordedItems} as JSON. It names the row before, so make it when it is recorded. */
  readonly recordable: () => string;
  /** It is on the log as this row. */
  readonly recordedAs: (row: number) => void;
  /** Asks the agent for all items once more; null if it does not say them. What comes is checked by whoever asks. */
  readonly whole: (signal: AbortSignal) => Promise<Uint8Array | null>;
}

/** The content `items` of a `model.called` row. With the rows that it names it is the whole request, byte for byte; audit/request-check.ts
 *  checks that. */
export interface RecordedItems {
  readonly version: 2;
  /** Stands for every byte of the request, in its order. */
  readonly root: string;
  /** The `model.called` row whose first `kept` items these go on from; null: from nothing. */
  readonly after: number | null;
  readonly kept: number;
  readonly items: readonly RecordedItem[];
}

/** A new item. Its bytes are the content of a row, or stand here (the setup), or were nobody's before, such as a mark of the agent's own
 *  that a result never came: then only their digest is kept. */
export interface RecordedItem {
  readonly head: string;
  /** Of the body. */
  readonly sha256: string;
  readonly bytes: number;
  readonly row?: number;
  readonly part?: string;
  readonly text?: string;
}
