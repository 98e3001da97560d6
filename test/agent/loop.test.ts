import { expect, test } from "vitest";
import { Agent, call, ends, replies, tools } from "./turns.ts";

test("a message becomes a request, its answer a reply, and the turn ends", () => {
  const agent = new Agent();
  const [first] = agent.hear({ type: "turn", text: "hello" });
  expect(first).toMatchObject({
    type: "complete",
    request: {
      instructions: "You are a test.",
      messages: [{ role: "user", text: "hello" }],
      tools: [{ name: "look" }],
    },
  });
  agent.answer({ text: "Good morning." });
  expect(agent.said.map(({ type }) => type)).toEqual(["complete", "reply", "reply.text", "reply.end", "turn.end"]);
  expect(replies(agent.said)).toEqual(["Good morning."]);
  expect(ends(agent.said)).toEqual([{ reason: "done", sentence: "" }]);
  agent.hear({ type: "turn", text: "again" });
  expect(agent.asked.request.messages).toEqual([
    { role: "user", text: "hello" },
    { role: "assistant", text: "Good morning.", calls: [] },
    { role: "user", text: "again" },
  ]);
});

test("text goes out as it streams, from its first word on, and once", () => {
  const agent = new Agent();
  agent.hear({ type: "turn", text: "hello" });
  const { ref } = agent.asked;
  expect(agent.hear({ type: "delta", ref, text: "\n " })).toEqual([]);
  const opened = agent.hear({ type: "delta", ref, text: "Good" });
  expect(opened.map(({ type }) => type)).toEqual(["reply", "reply.text"]);
  agent.hear({ type: "delta", ref, text: " mor" });
  agent.answer({ text: "\n Good morning." });
  expect(replies(agent.said)).toEqual(["Good morning."]);
});

test("all calls of an answer are asked for at once, as one group, and all results are waited for", () => {
  const agent = new Agent();
  agent.hear({ type: "turn", text: "go" });
  const group = agent.asked.ref;
  const asked = tools(agent.answer({ text: "Let me look.", calls: [call("a", "1"), call("b", "{bad"), call("c")] }));
  expect(asked).toMatchObject([
    { group, name: "look", call: "a", arguments: "1" },
    { group, name: "look", call: "b", arguments: "{bad" },
    { group, name: "look", call: "c", arguments: "{}" },
  ]);
  expect(replies(agent.said)).toEqual(["Let me look."]);
  const [a, b, c] = asked.map(({ ref }) => ref);
  expect(agent.hear({ type: "result", ref: c ?? 0, outcome: "done", text: "C" })).toEqual([]);
  expect(agent.hear({ type: "result", ref: a ?? 0, outcome: "refused", text: "A" })).toEqual([]);
  expect(agent.hear({ type: "result", ref: a ?? 0, outcome: "done", text: "A once more" })).toEqual([]);
  const [next] = agent.hear({ type: "result", ref: b ?? 0, outcome: "failed", text: "B" });
  expect(next).toMatchObject({ type: "complete" });
  expect(agent.asked.request.messages.slice(1)).toEqual([
    { role: "assistant", text: "Let me look.", calls: [call("a", "1"), call("b", "{bad"), call("c")] },
    { role: "tool", call: "a", name: "look", text: "A" },
    { role: "tool", call: "b", name: "look", text: "B" },
    { role: "tool", call: "c", name: "look", text: "C" },
  ]);
});

test("after its rounds of tools the turn ends with one sentence to the person, and nothing more runs", () => {
  const agent = new Agent();
  agent.hear({ type: "turn", text: "go" });
  for (let round = 0; round < 3; round++) {
    const [asked] = tools(agent.answer({ calls: [call(`r${round}`)] }));
    agent.hear({ type: "result", ref: asked?.ref ?? 0, outcome: "done", text: "ok" });
  }
  const last = agent.answer({ calls: [call("one too many")] });
  expect(tools(last)).toEqual([]);
  expect(replies(last)).toEqual([
    `I stopped after 3 rounds of tool calls without coming to an end. Say "go on" and I will.`,
  ]);
  expect(ends(last)).toEqual([{ reason: "rounds", sentence: "" }]);
  expect(agent.messages.at(-2)).toMatchObject({
    role: "tool",
    call: "one too many",
    text: expect.stringContaining("not run"),
  });
  agent.hear({ type: "turn", text: "go on" });
  expect(tools(agent.answer({ calls: [call("r9")] }))).toHaveLength(1);
});

test("a failure ends the turn with its sentence", () => {
  const agent = new Agent();
  agent.hear({ type: "turn", text: "go" });
  agent.hear({
    type: "failed",
    ref: agent.asked.ref,
    code: "key-refused",
    sentence: "the key for anthropic was refused",
  });
  expect(ends(agent.said)).toEqual([{ reason: "failed", sentence: "the key for anthropic was refused" }]);
  expect(replies(agent.said)).toEqual([]);
});

test("a failure in mid-answer closes the reply, and the model learns what the person has read", () => {
  const agent = new Agent();
  agent.hear({ type: "turn", text: "go" });
  agent.hear({ type: "delta", ref: agent.asked.ref, text: "Once upon " });
  const said = agent.hear({ type: "failed", ref: agent.asked.ref, code: "unreachable", sentence: "it broke" });
  expect(said.map(({ type }) => type)).toEqual(["reply.end", "turn.end"]);
  expect(agent.messages.at(-1)).toEqual({ role: "assistant", text: "Once upon \n\n[cut off here]", calls: [] });
});

test("stop ends a turn at once, whatever it waits for, and what comes late is not listened to", () => {
  const asking = new Agent();
  asking.hear({ type: "turn", text: "go" });
  const { ref } = asking.asked;
  asking.hear({ type: "delta", ref, text: "Once" });
  expect(asking.hear({ type: "turn.stop" }).map(({ type }) => type)).toEqual(["reply.end", "turn.end"]);
  expect(ends(asking.said)).toEqual([{ reason: "stopped", sentence: "" }]);
  expect(asking.hear({ type: "delta", ref, text: "more" })).toEqual([]);
  expect(asking.hear({ type: "completed", ref, stop: "stop", answer: { text: "Once more", calls: [] } })).toEqual([]);
  expect(asking.hear({ type: "failed", ref, code: "cancelled", sentence: "stopped" })).toEqual([]);

  const acting = new Agent();
  acting.hear({ type: "turn", text: "go" });
  const [a, b] = tools(acting.answer({ calls: [call("a"), call("b")] }));
  acting.hear({ type: "result", ref: b?.ref ?? 0, outcome: "done", text: "B" });
  expect(ends(acting.hear({ type: "turn.stop" }))).toEqual([{ reason: "stopped", sentence: "" }]);
  expect(acting.hear({ type: "result", ref: a?.ref ?? 0, outcome: "done", text: "A" })).toEqual([]);
  expect(acting.messages.slice(-2)).toEqual([
    { role: "tool", call: "a", name: "look", text: "[not known: the turn was stopped before a result came]" },
    { role: "tool", call: "b", name: "look", text: "B" },
  ]);
  expect(acting.hear({ type: "turn.stop" })).toEqual([]);
});

test("an empty answer is asked for once more, and then said to be empty", () => {
  const agent = new Agent();
  agent.hear({ type: "turn", text: "go" });
  expect(agent.answer({ text: "\n" }).map(({ type }) => type)).toEqual(["complete"]);
  const [end] = ends(agent.answer({}));
  expect(end?.reason).toBe("failed");
  expect(end?.sentence).toContain("empty answer, twice");
  expect(agent.messages).toEqual([{ role: "user", text: "go" }]);
});

test("an empty answer for a reason is not asked for again", () => {
  for (const [stop, words] of [
    ["content-filter", "withheld"],
    ["length", "used up its limit"],
  ] as const) {
    const agent = new Agent();
    agent.hear({ type: "turn", text: "go" });
    expect(ends(agent.answer({}, stop))[0]?.sentence).toContain(words);
  }
});

test("an answer that reached its limit says so to the person", () => {
  const agent = new Agent();
  agent.hear({ type: "turn", text: "go" });
  const said = agent.answer({ text: "Half an ans" }, "length");
  expect(replies(said)).toEqual(["Half an ans\n\n(cut off: the model reached its limit for one answer)"]);
  expect(said.filter(({ type }) => type === "reply.end")).toHaveLength(1);
  expect(agent.messages.at(-1)).toMatchObject({ text: "Half an ans" });
});

test("a second message in a running turn is not lost: it begins the next turn", () => {
  const agent = new Agent();
  agent.hear({ type: "turn", text: "one" });
  expect(agent.hear({ type: "turn", text: "two" })).toEqual([]);
  const said = agent.answer({ text: "First." });
  expect(said.map(({ type }) => type)).toEqual(["reply", "reply.text", "reply.end", "turn.end", "complete"]);
  expect(agent.asked.request.messages.at(-1)).toEqual({ role: "user", text: "two" });
});

test("a model that asks for hundreds of calls gets the first of them, and an answer for each", () => {
  const agent = new Agent();
  agent.hear({ type: "turn", text: "go" });
  const calls = Array.from({ length: 300 }, (_, at) => call(`c${at}`));
  const asked = tools(agent.answer({ calls }));
  expect(asked).toHaveLength(64);
  for (const { ref } of asked) agent.hear({ type: "result", ref, outcome: "done", text: "ok" });
  const results = agent.asked.request.messages.filter(({ role }) => role === "tool");
  expect(results).toHaveLength(300);
  expect(results.at(-1)).toMatchObject({ call: "c299", text: expect.stringContaining("at most 64") });
});

test("a tool without a name, or with a very long one, still fits its frame", () => {
  const agent = new Agent();
  agent.hear({ type: "turn", text: "go" });
  const asked = tools(agent.answer({ calls: [call("a", "{}", ""), call("b", "{}", "x".repeat(999))] }));
  expect(asked.map(({ name }) => name.length)).toEqual([7, 200]);
});
