import { bodyDigest, itemDigest, NO_ITEMS, rootAfter } from "../ipc/item-digest.ts";
import { filesOf, ItemsError, unpack } from "../ipc/items.ts";
import { MAX_ITEMS, type ShownFile } from "../ipc/completion.ts";
import type { AskedRequest, RecordedItem, RecordedItems, RequestFile } from "../effect/request.ts";

/** Of one request, in bytes: a little more than what an agent of ours makes, which counts generously. */
const MAX_BYTES = 32 * 1024 * 1024;
/** Of all files that it shows, in bytes: a provider gets them as base64. */
const MAX_SHOWN_BYTES = 23 * 1024 * 1024;
/** Pieces of content that are known by where they come from; of older ones only the digest is recorded. */
const MAX_ORIGINS = 20_000;

/** A part of a row. */
export interface Origin {
  readonly row: number;
  readonly part: string;
}

/** What is remembered of an item, its bytes aside. */
interface Known {
  /** The root with this item. */
  readonly root: Uint8Array;
  /** Of it and all before it. */
  readonly bytes: number;
  readonly item: RecordedItem;
  readonly files: readonly RequestFile[];
}

let conversations = 0;

/** What one agent process has asked models, as far as a row must be able to say it: digests, no words. It lives and ends with the process. */
export class Conversation {
  /** Names it to model processes, and means nothing else. */
  readonly number: number;
  #known: readonly Known[] = [];
  /** By the digest of the bytes, hex. */
  readonly #origins = new Map<string, Origin>();
  /** The last request that is on the log. */
  #recorded: { readonly row: number; readonly known: readonly Known[] } | null = null;
  /** What may be shown in this conversation, by digest: what came with its messages, or from its tools. */
  readonly #shown = new Map<string, RequestFile["read"]>();
  readonly #resend: (ref: number, signal: AbortSignal) => Promise<Uint8Array | null>;

  /** @param resend asks the agent for all items of a request again. */
  constructor(resend: (ref: number, signal: AbortSignal) => Promise<Uint8Array | null>) {
    this.#resend = resend;
    conversations += 1;
    this.number = conversations;
  }

  /** These bytes are the content of a row: an item that is made of them comes from there. */
  from(bytes: Uint8Array, origin: Origin): void {
    if (this.#origins.size >= MAX_ORIGINS) {
      const [oldest] = this.#origins.keys();
      if (oldest !== undefined) this.#origins.delete(oldest);
    }
    this.#origins.set(hex(bodyDigest(bytes)), origin);
  }

  /** The agent may show a model this file from now on. @param read its bytes; null: they were erased. */
  shows({ sha256 }: ShownFile, read: RequestFile["read"]): void {
    this.#shown.set(sha256, read);
  }

  /** The agent asks for a completion. Whatever becomes of it, the next one may go on from its items.
   *  @throws {ItemsError} if that is no request: no agent of ours makes one. */
  ask(ref: number, keep: number, packed: Uint8Array): AskedRequest {
    if (keep > this.#known.length) throw new ItemsError("a request goes on from items that were never sent");
    const known = this.#known.slice(0, keep);
    const before = known.at(-1)?.root ?? NO_ITEMS;
    let [root, bytes] = [before, known.at(-1)?.bytes ?? 0];
    for (const { head, body } of unpack(packed)) {
      const digest = bodyDigest(body);
      root = rootAfter(root, itemDigest(head, digest));
      bytes += 8 + head.length + body.length;
      const files = this.#files(head, known.length);
      known.push({ root, bytes, item: this.#recordable(known.length === 0, head, body, hex(digest)), files });
    }
    if (known.length === 0 || known.length > MAX_ITEMS) throw new ItemsError(`a request has ${known.length} items`);
    if (bytes > MAX_BYTES) throw new ItemsError(`a request has more than ${MAX_BYTES} bytes`);
    const files = known.flatMap((one) => one.files);
    if (files.reduce((sum, file) => sum + file.bytes, 0) > MAX_SHOWN_BYTES)
      throw new ItemsError(`a request shows more than ${MAX_SHOWN_BYTES} bytes of files`);
    this.#known = known;
    return {
      conversation: this.number,
      keep,
      before,
      packed,
      bytes,
      files,
      recordable: () => JSON.stringify(this.#goesOn(hex(root), known)),
      recordedAs: (row) => {
        this.#recorded = { row, known };
      },
      whole: async (signal) => await this.#resend(ref, signal),
    };
  }

  /** A request that was refused before it was recorded is on no row: what it added belongs to the next one that is. */
  #goesOn(root: string, known: readonly Known[]): RecordedItems {
    let kept = 0;
    while (kept < known.length && this.#recorded?.known[kept] === known[kept]) kept++;
    const after = kept === 0 ? null : (this.#recorded?.row ?? null);
    return { version: 2, root, after, kept, items: known.slice(kept).map(({ item }) => item) };
  }

  /** @throws {ItemsError} for a file that this conversation was never given. */
  #files(head: Uint8Array, item: number): RequestFile[] {
    // Heads are the agent's own; few show anything.
    if (!Buffer.from(head.buffer, head.byteOffset, head.length).includes('"files"')) return [];
    let named: readonly ShownFile[];
    try {
      named = filesOf({ head });
    } catch (cause) {
      throw new ItemsError("an item shows files in another form than the agreed one", { cause });
    }
    return named.map((file) => {
      const read = this.#shown.get(file.sha256);
      if (read === undefined) throw new ItemsError("a request shows a file that its conversation was never given");
      return { ...file, item, read };
    });
  }

  #recordable(isSetup: boolean, head: Uint8Array, body: Uint8Array, sha256: string): RecordedItem {
    const item = { head: text(head), sha256, bytes: body.length };
    // Only the settings stand in no row byte for byte; whatever else is nobody's words is not kept under somebody else's row.
    if (isSetup) return { ...item, text: text(body) };
    return { ...item, ...this.#origins.get(sha256) };
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}
