import * as z from "zod/mini";
import {
  Answer,
  type ChatMessage,
  type CompletionRequest,
  MAX_ITEMS,
  type ShownFile,
  ShownFiles,
  ToolDescription,
} from "./completion.ts";

/** What a request to a model is made of, on its way from the agent through the supervisor to the model process: its setup first, then the
 *  messages, each an item of its own. Only items that are new cross the pipes.
 *
 *  `packed = item*`, `item = u32 head length ‖ head (JSON, UTF-8) ‖ u32 body length ‖ body`, lengths big-endian.
 *
 *  A body is what somebody wrote, byte for byte: a message's text, an answer's JSON as the model process gave it, the text of a result. So it
 *  is the very content of the row that it came from, and the supervisor, which parses none of it, can say which. Files that a message shows stand in its
 *  head by the digests of their bytes, so that an item commits to them too. */

/** Of an item's head, in bytes: a call's id and a tool's name have at most 200 characters each, and JSON may write six bytes for one; ten files
 *  take less than 1,400. */
const MAX_HEAD_BYTES = 4_096;
/** What an item is. `setup`: the body is a {@link Setup}; `user`, `tool`: text; `assistant`: an `Answer`. */
export const ItemHead = z.discriminatedUnion("role", [
  z.strictObject({ role: z.literal("setup") }),
  z.strictObject({ role: z.literal("user"), files: ShownFiles }),
  z.strictObject({ role: z.literal("assistant") }),
  z.strictObject({
    role: z.literal("tool"),
    call: z.string().check(z.maxLength(200)),
    name: z.string().check(z.maxLength(200)),
    files: ShownFiles,
  }),
]);
type ItemHead = z.infer<typeof ItemHead>;

/** The first item of every request. */
export const Setup = z.strictObject({ instructions: z.string(), tools: z.array(ToolDescription) });
export type Setup = z.infer<typeof Setup>;

/** One item, as bytes. */
export interface PackedItem {
  readonly head: Uint8Array;
  readonly body: Uint8Array;
}

/** Bytes that are no items. */
export class ItemsError extends Error {
  override readonly name = "ItemsError";
}

/** The items of a request from number `from` on; the setup is number 0. @returns them packed. */
export function packRequest({ instructions, tools, messages }: CompletionRequest, from: number): Uint8Array {
  const items: PackedItem[] = [];
  if (from === 0) items.push({ head: SETUP, body: bytesOf(JSON.stringify({ instructions, tools } satisfies Setup)) });
  for (let at = Math.max(from, 1); at <= messages.length; at++) {
    const message = messages[at - 1];
    if (message !== undefined) items.push(itemOf(message));
  }
  return pack(items);
}

function pack(items: readonly PackedItem[]): Uint8Array {
  const packed = new Uint8Array(items.reduce((sum, { head, body }) => sum + 8 + head.length + body.length, 0));
  const view = new DataView(packed.buffer);
  let at = 0;
  for (const { head, body } of items)
    for (const part of [head, body]) {
      view.setUint32(at, part.length);
      packed.set(part, at + 4);
      at += 4 + part.length;
    }
  return packed;
}

/** Takes items apart, and looks at every length before it believes it. @returns views into `packed`. @throws {ItemsError} */
export function unpack(packed: Uint8Array): PackedItem[] {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  let at = 0;
  const part = (most: number): Uint8Array => {
    if (at + 4 > packed.length) throw new ItemsError("an item ends in the middle of a length");
    const length = view.getUint32(at);
    if (length > most || at + 4 + length > packed.length) throw new ItemsError("an item is longer than it may be");
    at += 4 + length;
    return packed.subarray(at - length, at);
  };
  const items: PackedItem[] = [];
  while (at < packed.length) {
    if (items.length === MAX_ITEMS) throw new ItemsError(`a request has more than ${MAX_ITEMS} items`);
    items.push({ head: part(MAX_HEAD_BYTES), body: part(packed.length) });
  }
  return items;
}

const SETUP = headOf({ role: "setup" });
const ASSISTANT = headOf({ role: "assistant" });

function itemOf(message: ChatMessage): PackedItem {
  if (message.role !== "assistant") {
    const files = message.files === undefined ? {} : { files: message.files };
    const head: ItemHead =
      message.role === "user"
        ? { role: "user", ...files }
        : { role: "tool", call: message.call, name: message.name, ...files };
    return { head: headOf(head), body: bytesOf(message.text) };
  }
  const { text, calls } = message;
  return { head: ASSISTANT, body: bytesOf(JSON.stringify({ text, calls } satisfies Answer)) };
}

/** The files that an item shows. @throws if its head is none: JSON's, zod's or the decoder's own error. */
export function filesOf({ head }: Pick<PackedItem, "head">): readonly ShownFile[] {
  const is = ItemHead.parse(JSON.parse(textOf(head)));
  return is.role === "user" || is.role === "tool" ? (is.files ?? []) : [];
}

/** Reads one item. @throws if it is none: JSON's, zod's or the decoder's own error. */
export function readItem({ head, body }: PackedItem): Setup | ChatMessage {
  const is = ItemHead.parse(JSON.parse(textOf(head)));
  switch (is.role) {
    case "setup":
      return Setup.parse(JSON.parse(textOf(body)));
    case "assistant":
      return { role: "assistant", ...Answer.parse(JSON.parse(textOf(body))) };
    case "user":
    case "tool":
      return { ...is, text: textOf(body) };
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
function textOf(bytes: Uint8Array): string {
  return utf8.decode(bytes);
}

function headOf(head: ItemHead): Uint8Array {
  return bytesOf(JSON.stringify(head));
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
