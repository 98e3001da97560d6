import { afterEach, beforeEach, expect, test } from "vitest";
import type { ModelRequest } from "../../src/effect/model.ts";
import type { AskedRequest } from "../../src/effect/request.ts";
import type { ChatMessage } from "../../src/ipc/completion.ts";
import { NO_ITEMS, rootWith } from "../../src/ipc/item-digest.ts";
import { ItemsError, packRequest } from "../../src/ipc/items.ts";
import { Conversation } from "../../src/supervisor/conversation.ts";
import { World } from "../broker/world.ts";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const SONNET = {
  provider: "anthropic",
  model: "claude-sonnet-4-5",
  maxOutputTokens: 100,
  timeoutMs: 60_000,
};
const packed = (texts: readonly string[], from = 0) =>
  packRequest(
    { instructions: "i", tools: [], messages: texts.map((text): ChatMessage => ({ role: "user", text })) },
    from,
  );
const rootOf = (all: Uint8Array) => Buffer.from(rootWith(NO_ITEMS, all)).toString("hex");
const silent = () => new Conversation(() => Promise.resolve(null));

function complete(request: AskedRequest) {
  world.model.answers.push({
    state: "completed",
    model: "m",
    inputTokens: 1,
    outputTokens: 1,
    stop: "stop",
    answer: Buffer.from('{"text":"hi","calls":[]}'),
  });
  const { signal } = new AbortController();
  return world.broker.complete(
    world.turn(),
    { ref: 1, request },
    [SONNET],
    { delta: () => undefined, answered: () => undefined },
    signal,
  );
}
const recorded = () => world.rows("model.called").map((row) => JSON.parse(row.content("items") ?? "") as unknown);
function sent(): ModelRequest {
  const last = world.model.asked.at(-1);
  if (last === undefined) throw new Error("nothing was sent");
  return last;
}

test("each call sends what is new, and its row commits to all of it and says where the rest stands", async () => {
  const conversation = silent();
  await complete(conversation.ask(1, 0, packed(["one"])));
  await complete(conversation.ask(2, 2, packed(["one", "two", "three"], 2)));
  expect(sent()).toMatchObject({ keep: 2, packed: packed(["one", "two", "three"], 2) });
  expect(sent().root).toBe(rootOf(packed(["one", "two", "three"])));
  const [first] = world.rows("model.called");
  expect(recorded()).toMatchObject([
    { after: null, kept: 0, root: rootOf(packed(["one"])) },
    {
      after: first?.seq,
      kept: 2,
      root: rootOf(packed(["one", "two", "three"])),
      items: [{ bytes: 3 }, { bytes: 5 }],
    },
  ]);
});

test("bytes that are not the recorded ones are not sent", async () => {
  const asked = silent().ask(1, 0, packed(["pay 10"]));
  const other = { ...asked, packed: packed(["pay 99"]) };
  await expect(complete(other)).resolves.toMatchObject({ state: "failed", code: "refused" });
  const elsewhere = { ...asked, before: rootWith(NO_ITEMS, packed(["something before"])) };
  await expect(complete(elsewhere)).resolves.toMatchObject({ state: "failed" });
  expect(world.model.asked).toHaveLength(0);
  // They were recorded, and the record says that they came to nothing.
  expect(world.rows("action.failed")).toHaveLength(2);
});

test("what an agent says again must be what it said before, to the byte", async () => {
  let again: Uint8Array | null = null;
  const conversation = new Conversation(() => Promise.resolve(again));
  await complete(conversation.ask(1, 0, packed(["one"])));
  await complete(conversation.ask(2, 2, packed(["one", "two"], 2)));
  const { whole } = sent();
  again = packed(["one", "TWO"]);
  expect(await whole()).toBeNull();
  again = packed(["one", "two", "three"]);
  expect(await whole()).toBeNull();
  again = Buffer.from("no items");
  expect(await whole()).toBeNull();
  again = packed(["one", "two"]);
  expect(await whole()).toEqual(packed(["one", "two"]));
});

test("what a refused request had added is on the row of the next one that is made", async () => {
  const conversation = silent();
  await complete(conversation.ask(1, 0, packed(["one"])));
  // Refused for its budget, say: it reaches no row.
  conversation.ask(2, 2, packed(["one", "two"], 2));
  await complete(conversation.ask(3, 3, packed(["one", "two", "three"], 3)));
  expect(recorded().at(-1)).toMatchObject({ kept: 2, items: [{ bytes: 3 }, { bytes: 5 }] });
});

test("a request that is tried again names the row that has its items", async () => {
  world.model.answers.push({ state: "failed", code: "died", sentence: "it died", streamed: false });
  await complete(silent().ask(1, 0, packed(["one"])));
  const [first] = world.rows("model.called");
  expect(recorded().at(-1)).toMatchObject({ after: first?.seq, kept: 2, items: [] });
});

test.for([
  ["goes on from what was never sent", 5, packed(["x"], 1)],
  ["is made of nothing", 0, new Uint8Array(0)],
  ["is no items", 0, Buffer.from("nonsense")],
  ["is too large", 0, packed(["x".repeat(33 * 1024 * 1024)])],
] as const)("a request that %s is none", ([, keep, bytes]) => {
  const conversation = silent();
  expect(() => conversation.ask(1, keep, bytes)).toThrow(ItemsError);
  // And leaves no trace in what comes next.
  expect(conversation.ask(2, 0, packed(["one"])).before).toEqual(NO_ITEMS);
});
