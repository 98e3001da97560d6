import { expect, test } from "vitest";
import { McpWorld } from "./world.ts";

test("a process lists what a server offers page by page, calls it, reads it, and ends with it", async () => {
  await using world = await McpWorld.start();
  const { frame, text } = await world.hears(({ frame: { type } }) => type === "connected");
  expect(frame).toMatchObject({ protocol: "2025-11-25", tools: true, resources: true, prompts: true });
  expect(JSON.parse(text)).toEqual({ name: "honest", version: "1.0.0", title: null, instructions: "Be kind." });
  const tools = await world.tools();
  expect(tools.map(({ name }) => name)).toEqual([
    "echo",
    "getEnv",
    "look",
    "keep",
    "connect",
    "wait",
    "sample",
    "ask",
    "add-tool",
  ]);
  expect(tools[0]).toEqual({
    name: "echo",
    title: null,
    description: "Says it again.",
    schema: '{"properties":{"text":{"type":"string"}},"required":["text"],"type":"object"}',
    output: null,
    hints: { readOnly: true, destructive: null, idempotent: null, openWorld: false },
  });
  expect(await world.calls("echo", { text: "hé" })).toMatchObject({
    frame: { type: "answered", error: false },
    text: "you said hé",
  });
  expect(await world.list("resources")).toMatchObject([
    { uri: "memo://one", template: false, mime: "text/plain" },
    { uri: "memo://{name}", template: true },
  ]);
  expect(await world.list("prompts")).toMatchObject([{ name: "greet", arguments: [{ name: "who", required: true }] }]);
  const read = world.next();
  await world.send({ type: "read", ref: read, timeoutMs: 10_000 }, "memo://two");
  expect((await world.answer(read)).text).toBe("[resource memo://two, text/plain]\nmemo memo://two");
  const prompt = world.next();
  await world.send({ type: "prompt", ref: prompt, name: "greet", timeoutMs: 10_000 }, '{"who":"Ada"}');
  expect((await world.answer(prompt)).text).toBe('[user]\nGreet {"who":"Ada"}.');
});

test("a call with other arguments than the schema takes, of another tool than was accepted, or of none, does not reach the server", async () => {
  await using world = await McpWorld.start();
  await world.hears(({ frame: { type } }) => type === "connected");
  const wrong = await world.calls("echo", { text: 7 });
  expect(wrong).toMatchObject({ frame: { type: "failed", reason: "bad-arguments" } });
  expect(wrong.text).toContain("string");
  expect(await world.calls("echo", {})).toMatchObject({ frame: { type: "failed", reason: "bad-arguments" } });
  expect(await world.calls("echo", { text: "a" }, "1".repeat(64))).toMatchObject({
    frame: { type: "failed", reason: "unknown-tool" },
  });
  expect(await world.calls("delete", {})).toMatchObject({ frame: { type: "failed", reason: "unknown-tool" } });
});

test("a call is cancelled at the server, and one that takes too long as well; its progress is told", async () => {
  await using world = await McpWorld.start();
  await world.hears(({ frame: { type } }) => type === "connected");
  const ref = await world.call("wait", {});
  expect(await world.hears(({ frame }) => frame.type === "progress" && frame.ref === ref)).toMatchObject({
    frame: { done: 1, of: 2 },
    text: "waiting",
  });
  await world.send({ type: "cancel", ref });
  expect(await world.answer(ref)).toMatchObject({ frame: { type: "failed", reason: "cancelled" } });
  const late = await world.call("wait", {}, undefined, 1_000);
  expect(await world.answer(late)).toMatchObject({ frame: { type: "failed", reason: "timeout" } });
});

test("what a server asks back comes in our form, and what it is told is what was answered", async () => {
  await using world = await McpWorld.start();
  await world.hears(({ frame: { type } }) => type === "connected");
  const ask = await world.call("ask", {});
  const asked = await world.hears(({ frame }) => frame.type === "asked" && frame.what === "elicitation");
  expect(asked.frame).toMatchObject({ during: ask });
  expect(JSON.parse(asked.text)).toEqual({
    message: "What is your favourite colour?",
    fields: [
      { name: "colour", title: "colour", description: "", kind: "choice", required: true, choices: ["red", "blue"] },
    ],
    url: null,
  });
  if (asked.frame.type !== "asked") throw new Error("unreachable");
  await world.send({ type: "answer", ref: asked.frame.ref, verdict: "accept", model: null }, '{"colour":"blue"}');
  expect(JSON.parse((await world.answer(ask)).text)).toEqual({ action: "accept", content: { colour: "blue" } });

  const sample = await world.call("sample", { text: "say hi" });
  const wanted = await world.hears(({ frame }) => frame.type === "asked" && frame.what === "sampling");
  expect(JSON.parse(wanted.text)).toEqual({
    system: null,
    messages: [{ role: "user", text: "say hi" }],
    maxTokens: 100,
  });
  if (wanted.frame.type !== "asked") throw new Error("unreachable");
  await world.send({ type: "answer", ref: wanted.frame.ref, verdict: "accept", model: "m-1" }, "hi");
  expect(JSON.parse((await world.answer(sample)).text)).toMatchObject({
    model: "m-1",
    role: "assistant",
    content: { text: "hi" },
  });

  const refused = await world.call("sample", { text: "again" });
  const again = await world.hears(({ frame, text }) => frame.type === "asked" && text.includes("again"));
  if (again.frame.type !== "asked") throw new Error("unreachable");
  await world.send({ type: "answer", ref: again.frame.ref, verdict: "decline", model: null });
  expect((await world.answer(refused)).text).toContain("the person did not allow a completion");
});

test("a list that changed is told, and asked for again before a call", async () => {
  await using world = await McpWorld.start();
  await world.hears(({ frame: { type } }) => type === "connected");
  await world.calls("add-tool", {});
  await world.hears(({ frame }) => frame.type === "changed" && frame.what === "tools");
  expect((await world.tools()).map(({ name }) => name)).toContain("late");
});

test.for(["2025-06-18", "2025-03-26", "2024-11-05"])(
  "a server that speaks the protocol of %s is spoken to",
  async (version) => {
    await using world = await McpWorld.start(version);
    expect((await world.hears(({ frame: { type } }) => type === "connected")).frame).toMatchObject({
      protocol: version,
    });
    expect((await world.calls("echo", { text: "old" })).text).toBe("you said old");
  },
);

test.for([
  ["huge", "too-large"],
  ["stray", "protocol"],
  ["ends", "ended"],
  ["1999-01-01", "other"],
] as const)("a server that is %s ends its own process, with the reason %s", async ([variant, reason]) => {
  await using world = await McpWorld.start(variant === "1999-01-01" ? "20ab" : variant);
  expect((await world.hears(({ frame: { type } }) => type === "failed")).frame).toEqual({
    type: "failed",
    ref: null,
    reason,
  });
});
