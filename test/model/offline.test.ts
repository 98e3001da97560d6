import { expect, test } from "vitest";
import type { ChatMessage, CompletionRequest } from "../../src/ipc/completion.ts";
import { Conversation } from "../../src/model/conversations.ts";
import { offline, offlineAnswer } from "../../src/model/offline.ts";
import { wordsOf } from "../../src/model/offline-words.ts";

const TOOLS = ["list_files", "search_files", "read_file", "write_file", "edit_file", "exec"];
function request(text: string, tools: readonly string[] = TOOLS, before: ChatMessage[] = []): CompletionRequest {
  return {
    instructions: "",
    messages: [...before, { role: "user", text }],
    tools: tools.map((name) => ({ name, description: name, parameters: {} })),
  };
}

test.for([
  ["list my files", "list_files", { path: "." }],
  ["List all my files.", "list_files", { path: "." }],
  ["please list the files in `src/a b`", "list_files", { path: "src/a b" }],
  ["show me my files", "list_files", { path: "." }],
  ["search for hello", "search_files", { pattern: "hello", path: "." }],
  ['search my files for "two words" in notes/a', "search_files", { pattern: "two words", path: "notes/a" }],
  ["run uname -a", "exec", { argv: ["uname", "-a"] }],
  ['Run: echo \'a b\' "c\\"d" e\\ f', "exec", { argv: ["echo", "a b", 'c"d', "e f"] }],
  ["run with write access touch x", "exec", { argv: ["touch", "x"], write: true }],
  ["run cat a | wc", "exec", { argv: ["cat", "a", "|", "wc"] }],
  ["read notes.txt", "read_file", { path: "notes.txt" }],
  ['read the file "my notes.txt"', "read_file", { path: "my notes.txt" }],
  ["write notes.txt: hello", "write_file", { path: "notes.txt", content: "hello\n" }],
  ["write a/b.txt: x: y\nz", "write_file", { path: "a/b.txt", content: "x: y\nz\n" }],
  ["edit notes.txt: hello => good bye", "edit_file", { path: "notes.txt", old: "hello", new: "good bye" }],
] as const)("%j becomes a call of %s", ([text, name, given]) => {
  const { text: said, calls } = offlineAnswer(request(text));
  expect(said).toBe("");
  expect(calls.map((call) => [call.name, JSON.parse(call.arguments) as unknown])).toEqual([[name, given]]);
});

test("anything else is answered with what it is and how to get a real model", () => {
  const { text, calls } = offlineAnswer(request("What is the meaning of life?"));
  expect(calls).toEqual([]);
  expect(text).toContain("built-in offline model");
  expect(text).toContain("`wirken vault add anthropic`");
  expect(text).toContain("Ollama");
  expect(text).toContain("list my files");
});

test("a tool that is not offered is neither called nor suggested", () => {
  expect(offlineAnswer(request("run uname -a", ["read_file"]))).toEqual({
    text: "I would call the tool exec for that, but this agent does not have it.",
    calls: [],
  });
  const { text } = offlineAnswer(request("hello", ["read_file"]));
  expect(text).toContain("read notes.txt");
  expect(text).not.toContain("uname");
  expect(offlineAnswer(request("hello", [])).text).not.toContain("Say one of these");
});

test("an open quotation mark is said to be open", () => {
  expect(offlineAnswer(request("run echo 'a")).text).toContain("is not closed");
});

test("what a tool gave is reported in words, refusals as they are", () => {
  const call = { id: "offline_1", name: "exec", arguments: '{"argv":["uname","-a"]}' };
  const after = (text: string): CompletionRequest => ({
    ...request(""),
    messages: [
      { role: "user", text: "run uname -a" },
      { role: "assistant", text: "", calls: [call] },
      { role: "tool", call: call.id, name: call.name, text },
    ],
  });
  expect(offlineAnswer(after("Linux host"))).toEqual({
    text: "I asked for `uname -a`. The result:\n\nLinux host",
    calls: [],
  });
  expect(offlineAnswer(after("denied by the person; nothing ran")).text).toContain("denied by the person");
  expect(offlineAnswer(after("")).text).toBe("I asked for `uname -a`. It gave no output.");
  const long = offlineAnswer(after("x".repeat(100_000))).text;
  expect(long.length).toBeLessThan(9000);
  expect(long).toContain("[92000 more characters]");
});

test("two calls in one session have two ids", () => {
  const first = offlineAnswer(request("list my files")).calls[0];
  expect(first?.id).toBe("offline_1");
  const before: ChatMessage[] = [
    { role: "user", text: "list my files" },
    { role: "assistant", text: "", calls: first === undefined ? [] : [first] },
    { role: "tool", call: "offline_1", name: "list_files", text: "a" },
  ];
  expect(offlineAnswer(request("list my files", TOOLS, before)).calls[0]?.id).toBe("offline_2");
});

async function hello() {
  const pieces: string[] = [];
  const done = await offline.complete(
    Conversation.of(request("hello")),
    { model: "offline", maxOutputTokens: 10, timeoutMs: 1000 },
    (text) => {
      pieces.push(text);
      return Promise.resolve();
    },
    new AbortController().signal,
  );
  return { pieces, done };
}

test("it streams its text in pieces, costs nothing, and says the same to the same", async () => {
  const { pieces, done } = await hello();
  expect(pieces.length).toBeGreaterThan(3);
  expect(pieces.join("")).toBe(done.answer.text);
  expect(done).toMatchObject({ inputTokens: 0, outputTokens: 0, stop: "stop", model: "offline" });
  expect(await hello()).toEqual({ pieces, done });
});

test("it is cancelled like any other", async () => {
  const controller = new AbortController();
  const stopped = new Error("stopped");
  const outcome = offline.complete(
    Conversation.of(request("hello")),
    { model: "offline", maxOutputTokens: 10, timeoutMs: 1000 },
    () => {
      controller.abort(stopped);
      return Promise.resolve();
    },
    controller.signal,
  );
  await expect(outcome).rejects.toBe(stopped);
});

test.for([
  ["a b  c", ["a", "b", "c"]],
  [" 'a b' \"c d\" ", ["a b", "c d"]],
  ["a''b \"\"", ["ab", ""]],
  ["'a\\b' \"a\\\\b\"", ["a\\b", "a\\b"]],
  ["$HOME *.txt;", ["$HOME", "*.txt;"]],
  ["a\\", ["a\\"]],
  ["'", null],
  ["", []],
] as const)("the words of %j are %j", ([command, words]) => {
  expect(wordsOf(command)).toEqual(words);
});
