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

test("what a request begins with as the last one did is not said again", () => {
  const transcript = added([], [user, asks("a"), gives("a", "A")]);
  const next = added(transcript, [user]);
  expect(keptOf(transcript, next)).toBe(1 + transcript.length);
  expect(keptOf(null, next)).toBe(0);
});

test("a conversation that cannot be sent ends its turn with a sentence", () => {
  const agent = new Agent();
  const [end] = ends(agent.hear({ type: "turn", text: "x".repeat(MAX_REQUEST_BYTES) }));
  expect(end?.reason).toBe("failed");
  expect(end?.sentence).toContain("start a new one with /new");
});

test("what is too long for its model is asked again, of what is left", () => {
  const agent = new Agent({ transcript: [user, asks("a"), gives("a", "x".repeat(2_000))] });
  agent.hear({ type: "turn", text: "more" });
  const { ref } = agent.asked;
  const left: ChatMessage[] = [
    { role: "user", text: "[a summary]" },
    { role: "user", text: "more" },
  ];
  agent.hear({ type: "compacted", ref, transcript: left });
  expect(agent.asked).toMatchObject({ ref: ref + 1, keep: 0, request: { messages: left } });
  // What was asked before is not answered any more.
  agent.hear({ type: "completed", ref, stop: "stop", answer: { text: "late", calls: [] } });
  expect(agent.asked.ref).toBe(ref + 1);
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
      const whole = requestOf(instructions, tools, transcript);
      const bytes = new TextEncoder().encode(JSON.stringify(whole)).length;
      expect(requestOf(instructions, tools, transcript, bytes - 1)).toBeNull();
      expect(requestOf(instructions, tools, transcript, bytes * 6 + 200)).not.toBeNull();
    }),
    { seed: 11, numRuns: 300 },
  );
});
