import { LLMock } from "@copilotkit/aimock";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ChatMessage } from "../../src/ipc/completion.ts";
import { ModelError } from "../../src/model/model-error.ts";
import { ALL_APIS, asked, failureOf, KEY, opened, say } from "./opened.ts";

const server = new LLMock({ port: 0, chunkSize: 8 });
beforeAll(async () => {
  await server.start();
});
afterAll(() => server.stop());
beforeEach(() => {
  server.reset();
});
const url = () => `${server.url}/v1`;

describe.for(ALL_APIS)("a model spoken to as %s", (api) => {
  test("streams its text in pieces that make up the answer", async () => {
    server.onMessage("hello", { content: "Good morning, dear reader." });
    const { deltas, done } = await say(opened(api, url()), asked("hello"));
    expect(deltas.length).toBeGreaterThan(2);
    expect(deltas.join("")).toBe("Good morning, dear reader.");
    expect(done.answer).toEqual({ text: "Good morning, dear reader.", calls: [] });
    expect(done.stop).toBe("stop");
  });

  test("calls tools with the model's own text as arguments", async () => {
    server.onMessage("files", {
      toolCalls: [
        { id: "call_a", name: "list_files", arguments: '{"path": "a"}' },
        { id: "call_b", name: "list_files", arguments: '{"path":"b"}' },
      ],
    });
    const { deltas, done } = await say(opened(api, url()), asked("files"));
    expect(deltas).toEqual([]);
    expect(done.stop).toBe("tool-calls");
    expect(done.answer.calls.map(({ name }) => name)).toEqual(["list_files", "list_files"]);
    expect(done.answer.calls.map((call): unknown => JSON.parse(call.arguments))).toEqual([
      { path: "a" },
      { path: "b" },
    ]);
    expect(new Set(done.answer.calls.map(({ id }) => id)).size).toBe(2);
  });

  test("may speak and call a tool in one answer", async () => {
    server.onMessage("both", {
      content: "Let me look.",
      toolCalls: [{ id: "call_a", name: "list_files", arguments: '{"path":"."}' }],
    });
    const { deltas, done } = await say(opened(api, url()), asked("both"));
    expect(deltas.join("")).toBe("Let me look.");
    expect(done.answer.text).toBe("Let me look.");
    expect(done.answer.calls).toHaveLength(1);
    expect(done.stop).toBe("tool-calls");
  });

  test("is given instructions, tools, calls and their results", async () => {
    server.onToolResult("call_a", { content: "There are two." });
    const messages: ChatMessage[] = [
      { role: "user", text: "how many files?" },
      {
        role: "assistant",
        text: "I will look.",
        calls: [{ id: "call_a", name: "list_files", arguments: '{"path":"."}' }],
      },
      { role: "tool", call: "call_a", name: "list_files", text: "a.txt\nb.txt" },
    ];
    const { done } = await say(opened(api, url()), { ...asked(""), messages });
    expect(done.answer.text).toBe("There are two.");
    const body = server.getLastRequest()?.body;
    expect(body).toMatchObject({ model: "test-model", stream: true });
    const heard = JSON.stringify(body);
    expect(heard).toContain("You are a test.");
    expect(heard).toMatch(/a\.txt.+b\.txt/);
    expect(heard).toContain("lists the files of a folder");
  });

  test("takes back arguments that were no JSON at all", async () => {
    server.onToolResult("call_a", { content: "I see." });
    const messages: ChatMessage[] = [
      { role: "user", text: "go" },
      { role: "assistant", text: "", calls: [{ id: "call_a", name: "list_files", arguments: '{"path": ' }] },
      { role: "tool", call: "call_a", name: "list_files", text: "these arguments are no JSON" },
    ];
    const { done } = await say(opened(api, url()), { ...asked(""), messages });
    expect(done.answer.text).toBe("I see.");
  });

  test("says which model answered, and how many tokens went in and out", async () => {
    const usage =
      api === "openai" || api === "azure"
        ? { prompt_tokens: 11, completion_tokens: 7 }
        : { input_tokens: 11, output_tokens: 7 };
    server.onMessage("count", { content: "one two", model: "test-model-2026-01-01", usage });
    const { done } = await say(opened(api, url()), asked("count"));
    // Google's and Bedrock's answers name no model: it is the one that was asked for.
    const model = api === "google" || api === "bedrock" ? "test-model" : "test-model-2026-01-01";
    expect(done).toMatchObject({ model, inputTokens: 11, outputTokens: 7 });
  });

  test("tells that an answer was cut off at its limit", async () => {
    server.onMessage("end", { content: "half an ans", finishReason: "length" });
    const { done } = await say(opened(api, url()), asked("end"));
    expect(done).toMatchObject({ stop: "length", answer: { text: "half an ans" } });
  });

  test("has its key refused in one sentence that does not hold the key", async () => {
    server.nextRequestError(401, { message: `Incorrect API key provided: ${KEY}`, type: "authentication_error" });
    const failure = await failureOf(say(opened(api, url()), asked("hello")));
    expect(failure).toMatchObject({ code: "key-refused", message: `the key for ${api} was refused` });
    expect(server.getRequests()).toHaveLength(1);
  });

  test("quotes what a provider says about a bad request, without the key", async () => {
    server.nextRequestError(400, {
      message: `max_tokens is too large for ${KEY}\nand\u202e more`,
      type: "invalid_request_error",
    });
    const failure = await failureOf(say(opened(api, url()), asked("hello")));
    expect(failure.code).toBe("bad-request");
    expect(failure.message).toBe(
      `${api} refused the request with status 400: max_tokens is too large for [key] and more`,
    );
  });

  test("is asked again after a passing failure, and answers", async () => {
    server.onMessage("hello", { content: "Here I am." });
    server.nextRequestError(500, { message: "oops" });
    server.nextRequestError(529, { message: "Overloaded", type: "overloaded_error" });
    const { done } = await say(opened(api, url()), asked("hello"));
    expect(done.answer.text).toBe("Here I am.");
    expect(server.getRequests()).toHaveLength(3);
  });

  test.for([
    [500, "failing", "failed with status 500: oops; tried 3 times"],
    [503, "overloaded", "is overloaded; tried 3 times"],
    [529, "overloaded", "is overloaded; tried 3 times"],
  ] as const)("is given up after three answers with status %i", async ([status, code, sentence]) => {
    server.on({ userMessage: "hello" }, { error: { message: "oops" }, status });
    const failure = await failureOf(say(opened(api, url()), asked("hello")));
    expect(failure).toMatchObject({ code, message: `${api} ${sentence}` });
    expect(server.getRequests()).toHaveLength(3);
  });

  test("is waited for as long as it asks, when it has had too many requests", async () => {
    server.onMessage("hello", { content: "Now." });
    server.prependFixture({
      match: { userMessage: "hello", sequenceIndex: 0 },
      response: { error: { message: "slow down", type: "rate_limit_error" }, status: 429, retryAfter: 1 },
    });
    const began = performance.now();
    const { done } = await say(opened(api, url()), asked("hello"));
    expect(done.answer.text).toBe("Now.");
    expect(performance.now() - began).toBeGreaterThan(990);
  });

  test("is not waited for when it asks for longer than the turn may take", async () => {
    server.on(
      { userMessage: "hello" },
      { error: { message: "slow down", type: "rate_limit_error" }, status: 429, retryAfter: 4 },
    );
    const began = performance.now();
    const failure = await failureOf(say(opened(api, url()), asked("hello"), { timeoutMs: 2000 }));
    expect(failure).toMatchObject({ code: "rate-limited", retryAfterMs: 4000 });
    expect(failure.message).toBe(`${api} has had too many requests and asks to wait 4 s`);
    expect(performance.now() - began).toBeLessThan(1000);
  });

  test("breaks off in mid-answer: nothing is tried again once text was given out", async () => {
    server.onMessage("long", { content: "word ".repeat(200) }, { truncateAfterChunks: 6, chunkSize: 20, latency: 20 });
    const deltas: string[] = [];
    const failure = await failureOf(say(opened(api, url()), asked("long"), { onDelta: (text) => deltas.push(text) }));
    expect(deltas.length).toBeGreaterThan(0);
    expect(failure.code).toBe("unreachable");
    expect(failure.message).toMatch(/mid-answer$/);
    expect(server.getRequests()).toHaveLength(1);
  });

  test("is cancelled while it streams", async () => {
    server.onMessage("long", { content: "word ".repeat(500) }, { streamingProfile: { tps: 20 }, chunkSize: 5 });
    const controller = new AbortController();
    const began = performance.now();
    const stopped = new ModelError("cancelled", "the answer was stopped");
    const failure = await failureOf(
      say(opened(api, url()), asked("long"), { signal: controller.signal, onDelta: () => controller.abort(stopped) }),
    );
    expect(failure).toBe(stopped);
    expect(performance.now() - began).toBeLessThan(1000);
  });

  test("has a time limit for everything together", async () => {
    server.onMessage("long", { content: "word ".repeat(500) }, { streamingProfile: { tps: 20 }, chunkSize: 5 });
    const failure = await failureOf(say(opened(api, url()), asked("long"), { timeoutMs: 1000 }));
    expect(failure).toMatchObject({ code: "timeout", message: `${api} did not finish within 1 s` });
  });

  test("that does not exist is named", async () => {
    server.nextRequestError(404, { message: "The model does not exist", type: "not_found_error" });
    const failure = await failureOf(say(opened(api, url()), asked("hello")));
    expect(failure.code).toBe("model-unknown");
    expect(failure.message).toBe(`${api} has no model test-model: The model does not exist`);
  });
});

test.for(["openai", "anthropic", "azure"] as const)("%s lists its models, and its key can be checked", async (api) => {
  server.on({ model: "test-a" }, { content: "" });
  const provider = opened(api, url());
  const signal = new AbortController().signal;
  expect((await provider.models(signal)).map(({ id }) => id)).toEqual(["test-a"]);
  expect(await provider.check(signal)).toEqual({ account: null });
});

test("a content filter is told apart from an end", async () => {
  server.onMessage("end", { content: "half an ans", finishReason: "content_filter" });
  expect((await say(opened("openai", url()), asked("end"))).done.stop).toBe("content-filter");
});

test("OpenAI itself is told the limit under the name its newer models want, other servers under the old one", async () => {
  server.onMessage("hello", { content: "Hi." });
  await say(opened("openai", url()), asked("hello"));
  expect(server.getLastRequest()?.body).toMatchObject({ max_completion_tokens: 1000 });
  expect(server.getLastRequest()?.body).not.toHaveProperty("max_tokens");
  await say(opened("openai", url(), { provider: "my-server" }), asked("hello"));
  expect(server.getLastRequest()?.body).toMatchObject({ max_tokens: 1000 });
});

test("Ollama is asked without a key, and lists what is installed", async () => {
  server.onMessage("hello", { content: "Hi." });
  const ollama = opened("openai", url(), { provider: "ollama", key: null });
  await say(ollama, asked("hello"));
  expect(server.getLastRequest()?.headers).not.toHaveProperty("authorization");
  const models = await ollama.models(new AbortController().signal);
  expect(models.length).toBeGreaterThan(0);
  expect(models[0]).toMatchObject({ tools: null });
  expect(await ollama.check(new AbortController().signal)).toEqual({ account: null });
});
