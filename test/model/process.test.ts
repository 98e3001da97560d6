import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { LLMock } from "@copilotkit/aimock";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { NO_ITEMS, rootWith } from "../../src/ipc/item-digest.ts";
import { packRequest } from "../../src/ipc/items.ts";
import { FromModel, type ToModel } from "../../src/ipc/model-frames.ts";
import { Child } from "../support/confined-child.ts";
import { asked, KEY, portOf } from "./opened.ts";

const server = new LLMock({ port: 0, chunkSize: 8 });
beforeAll(async () => {
  await server.start();
});
afterAll(() => server.stop());
beforeEach(() => {
  server.reset();
});

type Start = Extract<ToModel, { type: "start" }>;
const OLLAMA: Omit<Start, "baseUrl"> = { type: "start", check: false, provider: "ollama", api: "openai-compatible" };

async function started(start: Partial<Start> = {}, key: string | null = null) {
  const child = await Child.start<FromModel, ToModel>("model", "src/model/main.ts", FromModel);
  if (key !== null) await child.send({ type: "secret", name: "api-key" }, key);
  await child.send({ ...OLLAMA, baseUrl: `${server.url}/v1`, ...start });
  return child;
}
/** A request that goes on from nothing, in a conversation of its own. */
function complete(ref: number, packed: Uint8Array, timeoutMs = 10_000): Extract<ToModel, { type: "complete" }> {
  const root = rootOf(NO_ITEMS, packed);
  return {
    type: "complete",
    ref,
    conversation: ref,
    keep: 0,
    root,
    show: "all",
    others: false,
    model: "test-model",
    maxOutputTokens: 100,
    timeoutMs,
  };
}
const request = (text: string) => packRequest(asked(text), 0);
const rootOf = (before: Uint8Array, packed: Uint8Array) => Buffer.from(rootWith(before, packed)).toString("hex");

test("a confined model process says its build, answers, and ends when it is told to", async () => {
  server.onMessage("hello", { content: "Good morning, dear reader." });
  await using child = await started();
  expect((await child.next("ready")).frame).toEqual({ type: "ready", protocol: 1, build: "test-build" });
  await child.send(complete(7, request("hello")), request("hello"));
  const { frame, text } = await child.next("completed", 7);
  expect(frame).toMatchObject({ model: "test-model", stop: "stop" });
  expect(JSON.parse(text)).toEqual({ text: "Good morning, dear reader.", calls: [] });
  const deltas = child.heard.filter(({ frame: { type } }) => type === "delta");
  expect(deltas.map(({ text: piece }) => piece).join("")).toBe("Good morning, dear reader.");
  await child.send({ type: "stop" });
  expect(await child.exited).toBe(0);
  expect(child.output).toBe("");
});

test.for([
  ["anthropic", "anthropic", "sk-ant-test-0123456789"],
  ["openai", "openai-compatible", KEY],
] as const)(
  "a model process of %s sends its key to its provider, and shows it to nobody",
  async ([provider, api, key]) => {
    server.onMessage("hello", { content: "Hi." });
    server.nextRequestError(401, { message: `Incorrect API key provided: ${key}` });
    await using child = await started({ provider, api }, `${key}\n`);
    await child.send(complete(1, request("hello")), request("hello"));
    const { frame, text } = await child.next("failed", 1);
    expect(frame).toMatchObject({ code: "key-refused", streamed: false });
    expect(text).toBe(`the key for ${provider} was refused`);
    await child.send(complete(2, request("hello")), request("hello"));
    await child.next("completed", 2);
    const heard = JSON.stringify(child.heard) + child.output;
    expect(heard).not.toContain(key);
    const started2 = readFileSync(`/proc/${child.pid}/cmdline`, "utf8");
    expect(started2).not.toContain(key);
  },
);

test("a model process lists models, and the offline one needs no network for it", async () => {
  await using child = await started();
  await child.send({ type: "models", ref: 1 });
  const { frame, text } = await child.next("models", 1);
  expect(frame.failure).toBeNull();
  expect(JSON.parse(text)).toContainEqual(expect.objectContaining({ id: "gpt-4", tools: null }));
  await using offline = await started({ provider: "offline", api: "offline", baseUrl: null });
  await offline.send({ type: "models", ref: 1 });
  expect(JSON.parse((await offline.next("models", 1)).text)).toMatchObject([{ id: "offline", tools: true }]);
  await offline.send(complete(2, request("list my files")), request("list my files"));
  expect(JSON.parse((await offline.next("completed", 2)).text)).toMatchObject({ calls: [{ name: "list_files" }] });
});

test("a provider that is not there is an answer, not the end of its process", async () => {
  const gone = createServer();
  await new Promise<void>((resolve) => gone.listen(0, "127.0.0.1", resolve));
  const port = portOf(gone);
  await new Promise((resolve) => gone.close(resolve));
  await using child = await started({ baseUrl: `http://127.0.0.1:${port}/v1` });
  await child.send({ type: "models", ref: 1 });
  const { frame, text } = await child.next("models", 1);
  expect(frame.failure).toBe("unreachable");
  expect(text).toBe(`cannot reach ollama at http://127.0.0.1:${port}: is it running?`);
  await child.send(complete(2, request("hello")), request("hello"));
  expect((await child.next("failed", 2)).frame).toMatchObject({ code: "unreachable", streamed: false });
});

test.for([
  ["a good key", null, "sk-test-0123456789", null, ""],
  ["a refused key", 401, "sk-test-0123456789", "refused", "the key for openai was refused"],
  [
    "another provider's key",
    401,
    "sk-ant-0123456789",
    "mixed-up",
    "this looks like a key of anthropic, not of openai: did you mean `wirken vault add anthropic`?",
  ],
  ["a failing provider", 500, "sk-test-0123456789", "other", "openai failed with status 500: no"],
] as const)("a check of %s says so, and ends the process", async ([, status, key, failure, sentence]) => {
  const provider = createServer((_, response) => {
    response.writeHead(status ?? 200, { "content-type": "application/json" });
    response.end(status === null ? '{"data":[]}' : '{"error":{"message":"no"}}');
  });
  await new Promise<void>((resolve) => provider.listen(0, "127.0.0.1", resolve));
  const baseUrl = `http://127.0.0.1:${portOf(provider)}/v1`;
  await using child = await started({ check: true, provider: "openai", baseUrl }, key);
  const { frame, text } = await child.next("checked");
  expect(frame).toEqual({ type: "checked", failure, account: null });
  expect(text).toBe(sentence);
  expect(await child.exited).toBe(0);
  provider.closeAllConnections();
  provider.close();
});

test("a completion is cancelled, and the next one is answered", async () => {
  server.onMessage("long", { content: "word ".repeat(500) }, { streamingProfile: { tps: 20 }, chunkSize: 5 });
  server.onMessage("hello", { content: "Hi." });
  await using child = await started();
  await child.send(complete(1, request("long"), 60_000), request("long"));
  await child.next("delta", 1);
  await child.send({ type: "cancel", ref: 1 });
  expect((await child.next("failed", 1)).frame).toMatchObject({ code: "cancelled", streamed: true });
  await child.send(complete(2, request("hello")), request("hello"));
  await child.next("completed", 2);
});

test("a process that is stopped in mid-answer cuts it off in time and exits with 0", async () => {
  server.onMessage("long", { content: "word ".repeat(500) }, { streamingProfile: { tps: 20 }, chunkSize: 5 });
  await using child = await started();
  await child.send(complete(1, request("long"), 60_000), request("long"));
  await child.next("delta", 1);
  const began = performance.now();
  await child.send({ type: "stop" });
  expect((await child.next("failed", 1)).frame).toMatchObject({ code: "cancelled" });
  expect(await child.exited).toBe(0);
  expect(performance.now() - began).toBeLessThan(5000);
});

test("a request that is none is refused in words", async () => {
  await using child = await started();
  const bad = Buffer.from(packRequest(asked("hello"), 0));
  bad[bad.indexOf('"instructions"')] = 0x20;
  await child.send(complete(1, bad), bad);
  const { frame, text } = await child.next("failed", 1);
  expect(frame.code).toBe("bad-request");
  expect(text).toBe("the agent's request is not of the agreed form");
});

test("a conversation is told once and goes on; what is not here any more is asked for, and nothing is sent meanwhile", async () => {
  let asked1 = 0;
  server.onMessage(/./, () => {
    asked1++;
    return { content: "Hi." };
  });
  await using child = await started();
  const one = { ...asked("one") };
  const two = { ...one, messages: [...one.messages, { role: "user" as const, text: "two" }] };
  const root = rootOf(NO_ITEMS, packRequest(two, 0));
  const whole = { ...complete(2, packRequest(two, 0)), conversation: 1 };
  const rest = { ...whole, keep: 2, root };

  await child.send({ ...complete(1, packRequest(one, 0)), conversation: 1 }, packRequest(one, 0));
  await child.next("completed", 1);
  await child.send(rest, packRequest(two, 2));
  await child.next("completed", 2);
  expect(JSON.stringify(server.getLastRequest()?.body)).toMatch(/one.*two/);

  // In a conversation of another number, and with a root that is of other items.
  await child.send({ ...rest, ref: 3, conversation: 2 }, packRequest(two, 2));
  await child.next("resend", 3);
  await child.send({ ...rest, ref: 4, keep: 3, root: "0".repeat(64) }, packRequest(two, 3));
  await child.next("resend", 4);
  await child.send({ ...whole, ref: 5 }, packRequest(two, 0));
  await child.next("completed", 5);

  await child.send({ type: "forget", conversation: 1 });
  expect((await child.next("forgot")).frame).toEqual({ type: "forgot", conversation: 1 });
  await child.send({ ...rest, ref: 6, keep: 3 }, packRequest(two, 3));
  await child.next("resend", 6);
  expect(asked1).toBe(3);
});

test("a request of thirty megabytes goes through", async () => {
  let bytes = 0;
  const large = createServer((incoming, response) => {
    incoming.on("data", (piece: Buffer) => {
      bytes += piece.length;
    });
    incoming.on("end", () => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end('data: {"choices":[{"delta":{"content":"Hi."},"finish_reason":"stop"}]}\n\n');
    });
  });
  await new Promise<void>((resolve) => large.listen(0, "127.0.0.1", resolve));
  await using child = await started({ baseUrl: `http://127.0.0.1:${portOf(large)}/v1` });
  const packed = packRequest({ ...asked("hello"), instructions: "x".repeat(30_000_000) }, 0);
  await child.send(complete(1, packed), packed);
  await child.next("completed", 1);
  expect(bytes).toBeGreaterThan(30_000_000);
  large.closeAllConnections();
  large.close();
});

test("an answer of many small pieces becomes few frames", async () => {
  server.onMessage("long", { content: "ab".repeat(8000) }, { chunkSize: 2 });
  await using child = await started();
  await child.send(complete(1, request("long"), 60_000), request("long"));
  await child.next("completed", 1);
  expect(child.heard.filter(({ frame }) => frame.type === "delta").length).toBeLessThan(100);
});

test("a key that comes after the start is used for the next request, and the one before for what is under way", async () => {
  const seen: (string | undefined)[] = [];
  const held = Promise.withResolvers<void>();
  const provider = createServer((incoming, response) => {
    seen.push(incoming.headers.authorization);
    void (seen.length === 1 ? held.promise : Promise.resolve()).then(() => {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ data: [] }));
    });
  });
  await new Promise<void>((resolve) => provider.listen(0, "127.0.0.1", resolve));
  const baseUrl = `http://127.0.0.1:${portOf(provider)}/v1`;
  await using child = await started({ provider: "openai", baseUrl }, KEY);
  await child.send({ type: "models", ref: 1 });
  await expect.poll(() => seen.length).toBe(1);
  await child.send({ type: "secret", name: "api-key" }, "sk-proj-the-next-key-0123456789");
  await child.send({ type: "models", ref: 2 });
  await child.next("models", 2);
  held.resolve();
  expect((await child.next("models", 1)).frame).toMatchObject({ failure: null });
  expect(seen).toEqual([`Bearer ${KEY}`, "Bearer sk-proj-the-next-key-0123456789"]);
  provider.closeAllConnections();
  provider.close();
});

test("a secret of another name ends the process", async () => {
  await using child = await started();
  await child.next("ready");
  await child.send({ type: "secret", name: "bot-token" }, KEY);
  expect(await child.exited).toBe(1);
});
