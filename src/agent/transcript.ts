import { afterTurn } from "../ipc/skill-text.ts";
import type { ChatMessage, CompletionRequest, ToolDescription } from "../ipc/completion.ts";

/** Of one request, as JSON in UTF-8. */
export const MAX_REQUEST_BYTES = 32 * 1024 * 1024 - 64 * 1024;
const INTERRUPTED = "[no result: the turn was interrupted]";

/** A message and its size as JSON, measured once. */
interface Entry {
  readonly message: ChatMessage;
  readonly bytes: number;
}

/** What was said in this session, oldest first. Each call is followed by its result: providers refuse one without the other. */
export type Transcript = readonly Entry[];

/** Takes over an earlier transcript. A call that has no result, after a crash, gets one that says so; a result without
 *  its call is left out. */
export function restored(messages: readonly ChatMessage[]): Transcript {
  const kept: ChatMessage[] = [];
  for (let at = 0; at < messages.length; ) {
    const message = messages[at++];
    if (message === undefined || message.role === "tool") continue;
    kept.push(message);
    if (message.role === "user") continue;
    const results: ChatMessage[] = [];
    for (let next = messages[at]; next?.role === "tool"; next = messages[++at]) results.push(next);
    for (const { id, name } of message.calls) {
      // An id may be there twice: then results are told apart by their order.
      const found = results.findIndex((result) => result.role === "tool" && result.call === id);
      const [result] = found < 0 ? [] : results.splice(found, 1);
      kept.push(result ?? { role: "tool", call: id, name, text: INTERRUPTED });
    }
  }
  return added([], kept);
}

export function added(transcript: Transcript, messages: readonly ChatMessage[]): Transcript {
  return [...transcript, ...messages.map((message) => ({ message, bytes: sizeOf(message) }))];
}

/** The same without the instructions of skills: they went with the turn that they were read in. */
export function withoutSkills(transcript: Transcript): Transcript {
  return transcript.map((entry) => {
    const message = afterTurn(entry.message);
    return message === entry.message ? entry : { message, bytes: sizeOf(message) };
  });
}

/** How many items of the next request stand at the beginning of the last one too: its setup, and messages that are the same objects. */
export function keptOf(before: Transcript | null, now: Transcript): number {
  if (before === null) return 0;
  let same = 0;
  while (same < now.length && before[same] === now[same]) same++;
  return 1 + same;
}

/** @returns the request; null if it is larger than {@link MAX_REQUEST_BYTES}. What is too much for a model is taken out by the supervisor, which records it. */
export function requestOf(
  instructions: string,
  tools: readonly ToolDescription[],
  transcript: Transcript,
  limit: number = MAX_REQUEST_BYTES,
): CompletionRequest | null {
  const fixed = 64 + textBytes(instructions) + tools.reduce((sum, tool) => sum + sizeOf(tool), 0);
  const bytes = transcript.reduce((sum, entry) => sum + entry.bytes, fixed);
  return bytes > limit ? null : { instructions, messages: transcript.map(({ message }) => message), tools: [...tools] };
}

/** The length of `JSON.stringify(value)` in UTF-8, and one for the comma behind it. */
function sizeOf(value: unknown): number {
  if (typeof value === "string") return textBytes(value) + 1;
  if (typeof value !== "object" || value === null) return String(value).length + 1;
  let bytes = 3;
  for (const [key, inner] of Object.entries(value)) bytes += textBytes(key) + 1 + sizeOf(inner);
  return bytes;
}

/** The length of a string as JSON in UTF-8, quotation marks included; never less than it will be. */
function textBytes(text: string): number {
  let bytes = 2;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === 0x22 || unit === 0x5c) bytes += 2;
    else if (unit < 0x20) bytes += 6;
    else if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (unit >= 0xd800 && unit <= 0xdfff) bytes += isPair(text, at) ? 2 : 6;
    else bytes += 3;
  }
  return bytes;
}

/** Whether the surrogate at this place has its other half beside it; the two together take four bytes. */
function isPair(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  if (unit < 0xdc00) {
    const next = text.charCodeAt(at + 1);
    return next >= 0xdc00 && next <= 0xdfff;
  }
  const before = text.charCodeAt(at - 1);
  return before >= 0xd800 && before < 0xdc00;
}
