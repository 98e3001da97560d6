import type { ChatMessage } from "../ipc/completion.ts";
import { type BytesOf, CallIds, type Prompt, promptMessages } from "./prompt.ts";

/** How an API writes the one message that the SDK is given for a mark, in the JSON of a request. */
export type MarkForm = (role: "user" | "assistant", text: string) => string;

/** A body as it is sent: pieces of it in their order, which are not to be changed. */
export interface EncodedBody {
  readonly pieces: readonly Uint8Array<ArrayBuffer>[];
  readonly bytes: number;
}

/** Small pieces are put together up to this size, in bytes: each is a write of its own. */
const PIECE_BYTES = 128 * 1024;

/** The messages of one conversation in the provider's own JSON, as the SDK has written them: each is converted once, however long the conversation
 *  becomes. For a request the SDK is given the new messages between two marks, and what was written before is put where the first one stands.
 *
 *  It is bytes, and it can be overwritten. */
export class EncodedMessages {
  /** Messages with a comma before each but the first. */
  readonly #pieces: Uint8Array<ArrayBuffer>[] = [];
  readonly #ids = new CallIds();
  /** Converted, and not yet written. */
  #pending: Prompt = [];

  /** Messages that are new; they are taken over, and so is what `shown` gives. */
  add(messages: readonly ChatMessage[], shown: BytesOf): void {
    this.#pending.push(...promptMessages(messages, this.#ids, shown));
  }

  /** @param mark of this request, nowhere else in it. @returns what the SDK is asked to write. */
  prompt(mark: string): Prompt {
    const [first, last] = [this.#pending.at(0), this.#pending.at(-1)];
    // Some APIs join neighbours of one side into one message: a mark is always of the other side.
    return [
      markOf(first === undefined ? "user" : otherSide(first), `${mark}-0`),
      ...this.#pending,
      markOf(last === undefined ? "assistant" : otherSide(last), `${mark}-1`),
    ];
  }

  /** @param written the JSON that the SDK made of {@link prompt}. @returns what is to be sent; null if the marks are not where they should be. */
  body(mark: string, written: string, form: MarkForm): EncodedBody | null {
    const [before, rest] = around(written, `${mark}-0`, form);
    const [between, after] = around(rest, `${mark}-1`, form);
    if (before === null || between === null) return null;
    // Between the marks each message has a comma on either side: without any there is one comma.
    if (between !== ",") this.#write(between.slice(this.#pieces.length === 0 ? 1 : 0, -1));
    this.#settle();
    const pieces = [bytesOf(before), ...this.#pieces, bytesOf(after)];
    return { pieces, bytes: pieces.reduce((sum, piece) => sum + piece.length, 0) };
  }

  #write(messages: string): void {
    const written = bytesOf(messages);
    const last = this.#pieces.at(-1);
    if (last === undefined || last.length + written.length > PIECE_BYTES) {
      this.#pieces.push(written);
      return;
    }
    const joined = new Uint8Array(last.length + written.length);
    joined.set(last);
    joined.set(written, last.length);
    // The request that it went with is over.
    last.fill(0);
    this.#pieces[this.#pieces.length - 1] = joined;
  }

  /** What was pending is written, or not wanted. */
  #settle(): void {
    for (const { role, content } of this.#pending)
      if (role === "user")
        for (const part of content)
          if (part.type === "file" && part.data.type === "data" && part.data.data instanceof Uint8Array)
            part.data.data.fill(0);
    this.#pending = [];
  }

  wipe(): void {
    for (const piece of this.#pieces) piece.fill(0);
    this.#pieces.length = 0;
    this.#settle();
  }
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function otherSide({ role }: Prompt[number]): "user" | "assistant" {
  return role === "assistant" ? "user" : "assistant";
}

function markOf(role: "user" | "assistant", text: string): Prompt[number] {
  return { role, content: [{ type: "text", text }] };
}

/** @returns what stands before a mark's message and what behind it; null if it is not there. */
function around(written: string, mark: string, form: MarkForm): [string, string] | [null, string] {
  for (const role of ["user", "assistant"] as const) {
    const message = form(role, mark);
    const at = written.indexOf(message);
    if (at !== -1) return [written.slice(0, at), written.slice(at + message.length)];
  }
  return [null, written];
}
