import { expect, test } from "vitest";
import { FromAgent, type ToAgent } from "../../src/ipc/agent-frames.ts";
import { readItem, unpack } from "../../src/ipc/items.ts";
import { Child } from "../support/confined-child.ts";
import { START } from "./turns.ts";

async function started() {
  const child = await Child.start<FromAgent, ToAgent>("agent", "src/agent/main.ts", FromAgent);
  const { instructions, tools, transcript } = START;
  await child.send({ type: "start", rounds: 3 }, JSON.stringify({ instructions, tools, transcript }));
  return child;
}
/** What is short has no length byte that is no ASCII: as text it is the same bytes. */
const itemsOf = (packed: string) => unpack(new TextEncoder().encode(packed)).map(readItem);
const answer = (text: string, calls: unknown[] = []) => JSON.stringify({ text, calls });

test("a confined agent says its build, takes a turn with a tool, replies, and ends when it is told to", async () => {
  await using child = await started();
  expect((await child.next("ready")).frame).toEqual({ type: "ready", protocol: 1, build: "test-build" });
  await child.send({ type: "turn" }, "what is here?");
  const asked = await child.next("complete");
  expect(asked.frame.keep).toBe(0);
  expect(itemsOf(asked.text)).toEqual([
    { instructions: "You are a test.", tools: START.tools },
    { role: "user", text: "what is here?" },
  ]);
  const { ref } = asked.frame;
  await child.send({ type: "delta", ref }, "I will ");
  await child.send({ type: "delta", ref }, "look.");
  const calls = [{ id: "a", name: "look", arguments: "{not json" }];
  await child.send({ type: "completed", ref, stop: "tool-calls" }, answer("I will look.", calls));
  const tool = await child.next("tool");
  expect(tool.frame).toMatchObject({ group: ref, name: "look", call: "a" });
  expect(tool.text).toBe("{not json");
  await child.send({ type: "result", ref: tool.frame.ref, outcome: "failed" }, "no JSON: ü");
  await expect.poll(() => child.heard.filter(({ frame }) => frame.type === "complete").length).toBe(2);
  const again = child.heard.findLast(({ frame }) => frame.type === "complete");
  // Only what is new: the answer with its call, and what became of it.
  expect(again?.frame).toMatchObject({ keep: 2 });
  const news = [
    { role: "assistant", text: "I will look.", calls },
    { role: "tool", call: "a", name: "look", text: "no JSON: ü" },
  ];
  expect(itemsOf(again?.text ?? "")).toEqual(news);
  const second = again?.frame.type === "complete" ? again.frame.ref : 0;
  // All of it, when the model process has lost what it goes on from.
  await child.send({ type: "resend", ref: second });
  const resent = await child.next("resent", second);
  expect(itemsOf(resent.text)).toEqual([...itemsOf(asked.text), ...news]);
  await child.send({ type: "completed", ref: second, stop: "stop" }, answer("Two files."));
  expect((await child.next("turn.end")).frame.reason).toBe("done");
  const texts = child.heard.filter(({ frame }) => frame.type === "reply.text").map(({ text }) => text);
  expect(texts).toEqual(["I will ", "look.", "Two files."]);
  await child.send({ type: "stop" });
  expect(await child.exited).toBe(0);
  expect(child.output).toBe("");
});

test.for(["", "{}", '{"text":1,"calls":[]}', "\u0000", "[".repeat(200_000)])(
  "a completion that is no answer ends the turn, not the agent (%#)",
  async (payload) => {
    await using child = await started();
    await child.send({ type: "turn" }, "go");
    const { ref } = (await child.next("complete")).frame;
    await child.send({ type: "completed", ref, stop: "stop" }, payload);
    const { frame, text } = await child.next("turn.end");
    expect(frame.reason).toBe("failed");
    expect(text).toBe("the model process answered with something that is not an answer");
  },
);

test("stop ends the turn of an agent that waits for a tool", async () => {
  await using child = await started();
  await child.send({ type: "turn" }, "go");
  const { ref } = (await child.next("complete")).frame;
  await child.send(
    { type: "completed", ref, stop: "tool-calls" },
    answer("", [{ id: "a", name: "look", arguments: "{}" }]),
  );
  await child.next("tool");
  await child.send({ type: "turn.stop" });
  expect((await child.next("turn.end")).frame.reason).toBe("stopped");
});
