import { expect, test } from "vitest";
import type { ChatMessage, CompletionRequest } from "../../src/ipc/completion.ts";
import { NO_ITEMS, rootWith } from "../../src/ipc/item-digest.ts";
import { packRequest } from "../../src/ipc/items.ts";
import { type Conversation, Conversations } from "../../src/model/conversations.ts";

const says = (...texts: string[]): CompletionRequest => ({
  instructions: "You are a test.",
  tools: [],
  messages: texts.map((text): ChatMessage => ({ role: "user", text })),
});

/** Tells a conversation, from an item on, and answers it at once. */
function told(kept: Conversations, number: number, request: CompletionRequest, from = 0): Conversation | null {
  const root = Buffer.from(rootWith(NO_ITEMS, packRequest(request, 0))).toString("hex");
  const conversation = kept.take(number, from, root, packRequest(request, from), "all");
  if (conversation !== null) kept.release(number, conversation);
  return conversation;
}

test("a conversation goes on from what was told of it", () => {
  const kept = new Conversations();
  told(kept, 1, says("one"));
  expect(told(kept, 1, says("one", "two"), 2)?.request).toEqual(says("one", "two"));
  // A request that is made again has nothing new.
  expect(told(kept, 1, says("one", "two"), 3)?.request).toEqual(says("one", "two"));
});

test("what is not here, or is not what is meant, is asked for again", () => {
  const kept = new Conversations();
  expect(told(kept, 1, says("one", "two"), 2)).toBeNull();
  told(kept, 1, says("one"));
  // Another conversation of the same length.
  expect(told(kept, 1, says("ONE", "two"), 2)).toBeNull();
  // And then it is gone: what was doubtful once is not gone on from.
  expect(told(kept, 1, says("one", "two"), 2)).toBeNull();
  expect(told(kept, 1, says("one", "two"))?.request).toEqual(says("one", "two"));
});

test("two conversations never mix, whatever their requests are called", () => {
  const kept = new Conversations();
  told(kept, 1, says("mine"));
  told(kept, 2, says("yours"));
  expect(told(kept, 2, says("mine", "more"), 2)).toBeNull();
  expect(told(kept, 1, says("mine", "more"), 2)?.request).toEqual(says("mine", "more"));
});

test("of too many, and of too much, the longest unused goes first, and never one that is being answered", () => {
  const few = new Conversations({ conversations: 2, bytes: 1_000_000 });
  const first = says("first");
  const root = Buffer.from(rootWith(NO_ITEMS, packRequest(first, 0))).toString("hex");
  const answered = few.take(1, 0, root, packRequest(first, 0), "all");
  told(few, 2, says("second"));
  told(few, 3, says("third"));
  expect(told(few, 2, says("second", "more"), 2)).toBeNull();
  expect(told(few, 3, says("third", "more"), 2)).not.toBeNull();
  if (answered !== null) few.release(1, answered);
  expect(told(few, 1, says("first", "more"), 2)).not.toBeNull();

  const small = new Conversations({ conversations: 9, bytes: 1_000 });
  told(small, 1, says("x".repeat(600)));
  told(small, 2, says("y".repeat(600)));
  expect(told(small, 1, says("x".repeat(600), "more"), 2)).toBeNull();
  expect(told(small, 2, says("y".repeat(600), "more"), 2)).not.toBeNull();
});

const form = (_: string, text: string) => JSON.stringify({ role: "user", content: text });

/** What an SDK has written of a conversation. */
function written({ encoded }: Conversation): readonly Uint8Array[] {
  const body = `[{"role":"system"},${form("user", "m-0")},{"secret":"words"},${form("user", "m-1")}]`;
  return encoded.body("m", body, form)?.pieces ?? [];
}
const spoken = (pieces: readonly Uint8Array[]) => Buffer.concat(pieces).includes("words");

test("what is forgotten is overwritten: at once, or when it is answered", () => {
  const kept = new Conversations();
  const idle = told(kept, 1, says("one"));
  const pieces = idle === null ? [] : written(idle);
  expect(spoken(pieces)).toBe(true);
  expect(kept.forget(1)).toBe(true);
  expect(spoken(pieces)).toBe(false);
  expect(idle?.request.messages).toEqual([]);
  expect(told(kept, 1, says("one", "two"), 2)).toBeNull();

  const root = Buffer.from(rootWith(NO_ITEMS, packRequest(says("one"), 0))).toString("hex");
  const busy = kept.take(2, 0, root, packRequest(says("one"), 0), "all");
  const held = busy === null ? [] : written(busy);
  expect(kept.forget(2)).toBe(false);
  expect(spoken(held)).toBe(true);
  if (busy !== null) kept.release(2, busy);
  expect(spoken(held)).toBe(false);
});
