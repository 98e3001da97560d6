import { afterEach, beforeEach, expect, test } from "vitest";
import type { ModelChoice } from "../../src/broker/completion.ts";
import { costOf } from "../../src/broker/prices.ts";
import type { AskedRequest } from "../../src/effect/request.ts";
import { NO_ITEMS, rootWith } from "../../src/ipc/item-digest.ts";
import { packRequest } from "../../src/ipc/items.ts";
import { Conversation } from "../../src/supervisor/conversation.ts";
import { World } from "./world.ts";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const SONNET: ModelChoice = {
  provider: "anthropic",
  model: "claude-sonnet-4-5",
  local: false,
  maxOutputTokens: 1000,
  timeoutMs: 60_000,
};
const UNKNOWN: ModelChoice = { ...SONNET, provider: "openrouter", model: "some/model" };
const LOCAL: ModelChoice = { ...SONNET, provider: "ollama", model: "llama3", local: true };

function answered(inputTokens: number, outputTokens: number): void {
  world.model.answers.push({
    state: "completed",
    model: "the-model",
    inputTokens,
    outputTokens,
    stop: "stop",
    answer: Buffer.from('{"text":"hi","calls":[]}'),
  });
}

function asked(conversation: Conversation, text: string): AskedRequest {
  const messages = [{ role: "user" as const, text }];
  return conversation.ask(3, 0, packRequest({ instructions: "", tools: [], messages }, 0));
}

function ask(model: ModelChoice, bytes = 100): ReturnType<World["broker"]["complete"]> {
  const request = asked(new Conversation(() => Promise.resolve(null)), "x".repeat(bytes));
  return world.broker.complete(world.turn(), { ref: 3, request }, model, () => undefined, new AbortController().signal);
}

test("a completion is recorded with what it is made of before it is asked for, and with its answer after", async () => {
  answered(1000, 100);
  const turn = world.turn();
  const conversation = new Conversation(() => Promise.resolve(null));
  conversation.from(Buffer.from("hello"), { row: 12, part: "text" });
  const request = asked(conversation, "hello");
  const outcome = await world.broker.complete(
    turn,
    { ref: 3, request },
    SONNET,
    () => undefined,
    new AbortController().signal,
  );
  const [called] = world.rows("model.called");
  const [row] = world.rows("model.answered");
  expect(outcome).toMatchObject({ state: "completed", row: row?.seq });
  // The row commits to the very bytes that were sent, and names the rows that have them already.
  const items = JSON.parse(called?.content("items") ?? "") as unknown;
  expect(items).toMatchObject({
    version: 2,
    root: Buffer.from(rootWith(NO_ITEMS, request.packed)).toString("hex"),
    after: null,
    kept: 0,
    items: [{ text: '{"instructions":"","tools":[]}' }, { row: 12, part: "text", bytes: 5 }],
  });
  expect(world.model.asked[0]?.packed).toEqual(request.packed);
  expect(row?.action).toMatchObject({ model: "the-model", microDollars: 1000 * 3 + 100 * 15, stop: "stop" });
  expect(row?.content("answer")).toBe('{"text":"hi","calls":[]}');
  expect(world.model.asked).toMatchObject([
    { provider: "anthropic", model: "claude-sonnet-4-5", maxOutputTokens: 1000 },
  ]);
  // The calls that come from it name it as their cause.
  await world.call(turn, "list_files", {}, 3);
  expect(world.rows("tool.called")[0]?.cause).toBe(row?.seq);
});

test("a call that the day's money does not hold is not made, and the sentence says what to do", async () => {
  answered(1_500_000, 30_000);
  expect(await ask(SONNET)).toMatchObject({ state: "completed" });
  const refused = await ask(SONNET, 40_000);
  expect(refused).toMatchObject({ state: "failed", code: "refused", endTurn: { reason: "budget" } });
  expect(refused.state === "failed" && refused.sentence).toMatch(/\$5\.00.*\$4\.95.*budgetUsdPerDay/);
  expect(world.model.asked).toHaveLength(1);
  expect(world.rows("model.called")).toHaveLength(1);
  // A small one still fits.
  answered(10, 10);
  expect(await ask({ ...SONNET, maxOutputTokens: 100 })).toMatchObject({ state: "completed" });
});

test("what was spent today is known after a restart, and tomorrow it is new", async () => {
  answered(1_500_000, 30_000);
  await ask(SONNET);
  await world.restart();
  expect(world.budget.spent("default").microDollars).toBe(4_950_000);
  expect(await ask(SONNET, 40_000)).toMatchObject({ state: "failed" });
  world.clock.advance(25 * 3_600_000);
  answered(10, 10);
  expect(await ask(SONNET, 40_000)).toMatchObject({ state: "completed" });
});

test("calls at once cannot spend the same money twice", () => {
  const spending = {
    agent: "default",
    principal: "p",
    provider: "anthropic",
    model: "claude-opus-4-1",
    local: false,
    requestBytes: 300_000,
    maxOutputTokens: 10_000,
  };
  const first = world.budget.reserve(spending);
  expect("reservation" in first).toBe(true);
  expect("refused" in world.budget.reserve(spending)).toBe(true);
  if ("reservation" in first) first.reservation.settle(10, 10);
  expect("reservation" in world.budget.reserve(spending)).toBe(true);
});

test("a model without a known price falls under the token limit", async () => {
  answered(1_900_000, 50_000);
  expect(await ask(UNKNOWN)).toMatchObject({ state: "completed" });
  expect(world.rows("model.answered")[0]?.action).toMatchObject({ microDollars: null });
  const refused = await ask(UNKNOWN, 200_000);
  expect(refused.state === "failed" && refused.sentence).toContain("2,000,000 tokens");
});

test("a local model costs nothing and is never refused", async () => {
  for (let times = 0; times < 3; times += 1) {
    answered(1_900_000, 50_000);
    expect(await ask(LOCAL, 1_000_000)).toMatchObject({ state: "completed" });
  }
  expect(world.rows("model.answered")[0]?.action).toMatchObject({ microDollars: 0 });
  await world.restart();
  expect(world.budget.spent("default")).toEqual({ microDollars: 0, tokens: 0 });
});

test("a model process that died before it said anything is asked once more, under a row of its own", async () => {
  world.model.answers.push({ state: "failed", code: "died", sentence: "the model process died", streamed: false });
  answered(10, 10);
  expect(await ask(SONNET)).toMatchObject({ state: "completed" });
  expect(world.rows("model.called")).toHaveLength(2);
  expect(world.rows("action.failed")).toHaveLength(1);
});

test.for([
  [{ state: "failed", code: "died", sentence: "it died", streamed: true }],
  [{ state: "failed", code: "key-refused", sentence: "the key was refused", streamed: false }],
] as const)("a failure of another kind is not tried again: %#", async ([answer]) => {
  world.model.answers.push(answer);
  expect(await ask(SONNET)).toMatchObject({
    state: "failed",
    code: answer.code,
    sentence: answer.sentence,
    endTurn: null,
  });
  expect(world.rows("model.called")).toHaveLength(1);
  expect(world.rows("action.failed")).toHaveLength(1);
});

test("a call that cannot be recorded is not made", async () => {
  await world.log.close();
  expect(await ask(SONNET)).toMatchObject({ state: "failed", endTurn: { reason: "failed" } });
  expect(world.model.asked).toHaveLength(0);
  await world.restart();
});

test.for([
  ["anthropic", "claude-sonnet-4-5", 18],
  ["anthropic", "claude-sonnet-4-5-20250929", 18],
  ["openai", "gpt-4o-2024-08-06", 13],
  ["anthropic", "claude-sonnet-9", null],
  ["openrouter", "gpt-4o", null],
  ["openai", "constructor", null],
] as const)("a million tokens each way of %s/%s cost %s dollars", ([provider, model, dollars]) => {
  expect(costOf(provider, model, 1e6, 1e6)).toBe(dollars === null ? null : dollars === 13 ? 12.5e6 : dollars * 1e6);
});
