import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { ChatMessage } from "../../src/ipc/completion.ts";
import { added, keptOf, MAX_REQUEST_BYTES, requestOf, restored } from "../../src/agent/transcript.ts";
import { Agent, call, ends } from "./turns.ts";

const user: ChatMessage = { role: "user", text: "go" };
const asks = (...ids: string[]): ChatMessage => ({ role: "assistant", text: "", calls: ids.map((id) => call(id)) });
const gives = (id: string, text: string): ChatMessage => ({ role: "tool", call: id, name: "look", text });
const messagesOf = (messages: ChatMessage[]) => restored(messages).map(({ message }) => message);

test("a transcript from before a crash is mended: each call has its result, in order, and no result stands alone", () => {
  expect(messagesOf([gives("z", "alone"), user, asks("a", "b"), gives("b", "B"), gives("x", "stray"), user])).toEqual([
    user,
    asks("a", "b"),
    gives("a", "[no result: the turn was interrupted]"),
    gives("b", "B"),
    user,
  ]);
});

test("a whole transcript is taken over as it is", () => {
  const whole = [user, asks("a", "b"), gives("a", "A"), gives("b", "B"), asks(), user];
  expect(messagesOf(whole)).toEqual(whole);
});

test("a request over its limit loses the oldest tool results first, and nothing else", () => {
  const big = "x".repeat(1000);
  const transcript = added(
    [],
    [user, asks("a"), gives("a", big), asks("b"), gives("b", big), asks("c"), gives("c", big)],
  );
  const { request, transcript: left } = requestOf("", [], transcript, 3500);
  expect(request?.messages.filter(({ role }) => role === "tool").map(({ text }) => text)).toEqual([
    "[removed to save space]",
    big,
    big,
  ]);
  expect(left.map(({ message }) => message)).toEqual(request?.messages);
  expect(requestOf("", [], left, 100).request).toBeNull();
});

test("a request over its limit is shortened by more than it must, so that the next ones can go on from it", () => {
  const transcript = added(
    [],
    [user, asks("a"), gives("a", "x".repeat(1000)), asks("b"), gives("b", "y".repeat(1000))],
  );
  const { transcript: left } = requestOf("", [], transcript, 2200);
  expect(keptOf(transcript, left)).toBe(3);
  const next = added(left, [user]);
  expect(requestOf("", [], next, 2200).transcript).toBe(next);
  expect(keptOf(left, next)).toBe(1 + left.length);
  expect(keptOf(null, next)).toBe(0);
});

test("a conversation that cannot be sent ends its turn with a sentence", () => {
  const agent = new Agent();
  const [end] = ends(agent.hear({ type: "turn", text: "x".repeat(MAX_REQUEST_BYTES) }));
  expect(end?.reason).toBe("failed");
  expect(end?.sentence).toContain("start a new one with /new");
});

test("large tool results make room for a turn that would else be too long", () => {
  const agent = new Agent({ transcript: [user, asks("a"), gives("a", "x".repeat(20_000_000))] });
  agent.hear({ type: "turn", text: "y".repeat(20_000_000) });
  expect(agent.asked.request.messages[2]).toMatchObject({ text: "[removed to save space]" });
});

test("the size of a request is never thought smaller than it is", () => {
  const text = fc.string({ unit: "binary", maxLength: 40 });
  const message: fc.Arbitrary<ChatMessage> = fc.oneof(
    fc.record({ role: fc.constant("user" as const), text }),
    fc.record({
      role: fc.constant("assistant" as const),
      text,
      calls: fc.array(fc.record({ id: text, name: text, arguments: text }), { maxLength: 3 }),
    }),
  );
  fc.assert(
    fc.property(text, fc.array(message, { maxLength: 6 }), (instructions, messages) => {
      const tools = [{ name: "look", description: instructions, parameters: { a: [1, true, null, "ü", { b: 2.5 }] } }];
      const transcript = added([], messages);
      const whole = requestOf(instructions, tools, transcript).request;
      const bytes = new TextEncoder().encode(JSON.stringify(whole)).length;
      expect(requestOf(instructions, tools, transcript, bytes - 1).request).toBeNull();
      expect(requestOf(instructions, tools, transcript, bytes * 6 + 200).request).not.toBeNull();
    }),
    { seed: 11, numRuns: 300 },
  );
});
