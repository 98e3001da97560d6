import { afterEach, beforeEach, expect, test } from "vitest";
import type { ModelChoice } from "../../src/broker/completion.ts";
import { costOf, shippedPrice } from "../../src/broker/prices.ts";
import { Config } from "../../src/config/schema.ts";
import type { AskedRequest } from "../../src/effect/request.ts";
import { NO_ITEMS, rootWith } from "../../src/ipc/item-digest.ts";
import { mint, Name, type PrincipalId } from "../../src/ipc/ids.ts";
import { packRequest } from "../../src/ipc/items.ts";
import { Conversation } from "../../src/supervisor/conversation.ts";
import { People } from "../../src/supervisor/people.ts";
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
  model: "claude-sonnet-4-6",
  maxOutputTokens: 1000,
  timeoutMs: 60_000,
};
const UNKNOWN: ModelChoice = { ...SONNET, provider: "openrouter", model: "some/model" };
const LOCAL: ModelChoice = { ...SONNET, provider: "ollama", model: "llama3" };

const DEFAULT = { subject: "agent", agent: Name.parse("default") } as const;
const OWNER = { by: mint("principal"), via: "terminal" } as const;

async function ownerOf(): Promise<{ principal: PrincipalId }> {
  const people = new People(
    world.log,
    world.state,
    () => world.clock.now(),
    () => Promise.resolve(),
  );
  return await people.ensureOwner("account");
}

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

const UNHEARD = { delta: () => undefined, answered: () => undefined };

function asked(conversation: Conversation, text: string): AskedRequest {
  const messages = [{ role: "user" as const, text }];
  return conversation.ask(3, 0, packRequest({ instructions: "", tools: [], messages }, 0));
}

function ask(model: ModelChoice, bytes = 100): ReturnType<World["broker"]["complete"]> {
  const request = asked(new Conversation(() => Promise.resolve(null)), "x".repeat(bytes));
  return world.broker.complete(world.turn(), { ref: 3, request }, [model], UNHEARD, new AbortController().signal);
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
    [SONNET],
    UNHEARD,
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
    { provider: "anthropic", model: "claude-sonnet-4-6", maxOutputTokens: 1000 },
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
  expect(refused.state === "failed" && refused.sentence).toMatch(/\$5\.00.*\$4\.95.*wirken budget set/);
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
  expect(world.budgets.budget.account("agent", "default", "day").spent.microDollars).toBe(4_950_000);
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
    requestBytes: 300_000,
    maxOutputTokens: 10_000,
  };
  const { budget } = world.budgets;
  const first = budget.reserve(spending);
  expect("reservation" in first).toBe(true);
  expect("refused" in budget.reserve(spending)).toBe(true);
  if ("reservation" in first) first.reservation.settle(10, 10);
  expect("reservation" in budget.reserve(spending)).toBe(true);
});

test("where nobody set a budget, a model without a known price falls under the token limit", async () => {
  answered(1_900_000, 50_000);
  expect(await ask(UNKNOWN)).toMatchObject({ state: "completed" });
  expect(world.rows("model.answered")[0]?.action).toMatchObject({ microDollars: null });
  const refused = await ask(UNKNOWN, 200_000);
  expect(refused.state === "failed" && refused.sentence).toContain("2,000,000 tokens");
});

test("a money budget that somebody set is no budget for a model without a price: it is refused, until it has one", async () => {
  await world.budgets.set(
    { call: "budget.set", of: DEFAULT, per: "month", unit: "usd", state: "limited", most: 9e6 },
    OWNER,
  );
  const refused = await ask(UNKNOWN);
  expect(refused).toMatchObject({ state: "failed", endTurn: { reason: "budget" } });
  expect(refused.state === "failed" && refused.sentence).toMatch(
    /no known price.*month's budget.*prices in config\.json/,
  );
  expect(world.model.asked).toEqual([]);
  world.config = Config.parse({ prices: { "openrouter/some/model": { input: 2, output: 4 } } });
  answered(1_000_000, 500_000);
  expect(await ask(UNKNOWN)).toMatchObject({ state: "completed" });
  expect(world.rows("model.answered")[0]?.action).toMatchObject({ microDollars: 4e6 });
  // So is one of the configuration.
  world.config = Config.parse({ agents: { default: { budgetUsdPerDay: 100 } } });
  expect(await ask(UNKNOWN)).toMatchObject({ state: "failed" });
});

test("tokens can be the budget, and the money's be taken away", async () => {
  const set = { call: "budget.set", of: DEFAULT, per: "day" } as const;
  await world.budgets.set({ ...set, unit: "tokens", state: "limited", most: 10_000 }, OWNER);
  answered(8_000, 100);
  expect(await ask(UNKNOWN)).toMatchObject({ state: "completed" });
  const refused = await ask(UNKNOWN, 4_000);
  expect(refused.state === "failed" && refused.sentence).toMatch(/day's budget.*10,000 tokens.*8,100 tokens/);
  await world.budgets.set({ ...set, unit: "tokens", state: "default", most: null }, OWNER);
  answered(1, 1);
  expect(await ask(UNKNOWN, 4_000)).toMatchObject({ state: "completed" });
});

test("a person's budget is their own, whichever agent works for them", async () => {
  const of = { subject: "person", principal: (await ownerOf()).principal } as const;
  await world.budgets.set({ call: "budget.set", of, per: "hour", unit: "usd", state: "limited", most: 10_000 }, OWNER);
  const { budget } = world.budgets;
  const spending = { ...SONNET, agent: "another", requestBytes: 100, maxOutputTokens: 1_000 };
  expect(budget.reserve({ ...spending, principal: of.principal })).toMatchObject({
    refused: expect.stringContaining("the hour's budget of the person who asks ($0.01)"),
  });
  expect("reservation" in budget.reserve({ ...spending, principal: world.principal })).toBe(true);
});

test("at 80 % it is said once, on the log and in the conversation, and not again after a restart", async () => {
  answered(1_200_000, 20_000);
  expect(await ask(SONNET)).toMatchObject({ state: "completed", notices: [] });
  answered(100_000, 0);
  const outcome = await ask(SONNET);
  expect(outcome.state === "completed" && outcome.notices).toEqual([
    expect.stringMatching(/^84 % of the day's budget of agent default are used: \$4\.20 of \$5\.00/),
    expect.stringMatching(/^84 % of the day's budget of the person who asks/),
  ]);
  expect(world.rows("budget.warned").map(({ action }) => action)).toMatchObject([
    { agent: "default", principal: null, per: "day", unit: "usd", most: 5e6, used: 4.2e6 },
    { agent: null, principal: world.principal },
  ]);
  expect(world.budgets.notes()).toEqual([expect.stringContaining("84 % of the day's budget of agent default")]);
  await world.restart();
  answered(10, 10);
  expect(await ask(SONNET)).toMatchObject({ notices: [] });
  // A call that is refused is a row once as well.
  for (let times = 0; times < 2; times++) expect(await ask(SONNET, 900_000)).toMatchObject({ state: "failed" });
  expect(world.rows("budget.exhausted").map(({ action }) => action)).toMatchObject([{ agent: "default", most: 5e6 }]);
  // Tomorrow it is said anew.
  world.clock.advance(25 * 3_600_000);
  answered(1_400_000, 0);
  expect(await ask(SONNET)).toMatchObject({ notices: [expect.stringContaining("84 %"), expect.anything()] });
});

test("an answer that broke off is counted, before and after a restart", async () => {
  world.model.answers.push({ state: "failed", code: "died", sentence: "it died", streamed: true });
  await ask(SONNET, 4_000);
  const counted = world.rows("budget.estimated")[0]?.action;
  expect(counted).toMatchObject({ agent: "default", model: "claude-sonnet-4-6", outputTokens: 1000 });
  const before = world.budgets.budget.account("agent", "default", "month").spent;
  expect(before.microDollars).toBeGreaterThan(15_000);
  await world.restart();
  expect(world.budgets.budget.account("agent", "default", "month").spent).toEqual(before);
});

test("a budget of nobody, or of no amount, is not set", async () => {
  const set = { call: "budget.set", per: "day", unit: "usd", state: "limited", most: 1 } as const;
  const nobody = { subject: "person", principal: world.principal } as const;
  await expect(world.budgets.set({ ...set, of: nobody }, OWNER)).rejects.toThrow("nobody has the id");
  await expect(
    world.budgets.set({ ...set, of: { subject: "agent", agent: Name.parse("ghost") } }, OWNER),
  ).rejects.toThrow("there is no agent ghost");
  await expect(world.budgets.set({ ...set, of: DEFAULT, most: null }, OWNER)).rejects.toThrow("a limit says how much");
  expect(world.rows("budget.set")).toEqual([]);
});

test("what was used is told by agent, person, model and day", async () => {
  answered(1_000_000, 10_000);
  await ask(SONNET);
  answered(500, 50);
  await ask(UNKNOWN);
  answered(70, 7);
  await ask(LOCAL);
  const today = new Date(world.clock.now()).toISOString().slice(0, 10);
  const yesterday = new Date(world.clock.now() - 86_400_000).toISOString().slice(0, 10);
  const show = (by: "agent" | "person" | "model" | "day") =>
    world.budgets.usage({ call: "usage.show", by, from: yesterday, to: today });
  expect(show("model").rows).toMatchObject([
    { key: "anthropic/claude-sonnet-4-6", calls: 1, inputTokens: 1_000_000, microDollars: 3_150_000, unpriced: 0 },
    { key: "openrouter/some/model", calls: 1, microDollars: 0, unpriced: 550 },
    { key: "ollama/llama3", calls: 1, outputTokens: 7, microDollars: 0, unpriced: 0 },
  ]);
  expect(show("agent").rows).toMatchObject([{ key: "default", calls: 3 }]);
  expect(show("person").rows).toMatchObject([{ key: world.principal, name: null, calls: 3 }]);
  expect(show("day").rows).toMatchObject([
    { key: yesterday, calls: 0 },
    { key: today, calls: 3, microDollars: 3_150_000 },
  ]);
  expect(show("day").total).toMatchObject({ calls: 3, inputTokens: 1_000_570, outputTokens: 10_057 });
  const before = show("model");
  await world.restart();
  expect(show("model")).toEqual(before);
});

test("a local model costs nothing and is refused by no amount of money", async () => {
  for (let times = 0; times < 3; times += 1) {
    answered(1_900_000, 50_000);
    expect(await ask(LOCAL, 1_000_000)).toMatchObject({ state: "completed" });
  }
  expect(world.rows("model.answered")[0]?.action).toMatchObject({ microDollars: 0 });
  await world.restart();
  expect(world.budgets.budget.account("agent", "default", "month").spent).toEqual({
    microDollars: 0,
    tokens: 5_850_000,
    unpriced: 0,
  });
});

test("a budget in tokens that somebody set holds for a local model too", async () => {
  await world.budgets.set(
    { call: "budget.set", of: DEFAULT, per: "day", unit: "tokens", state: "limited", most: 2_000 },
    OWNER,
  );
  answered(900, 50);
  expect(await ask({ ...LOCAL, maxOutputTokens: 100 })).toMatchObject({ state: "completed" });
  expect(await ask(LOCAL)).toMatchObject({ state: "failed", endTurn: { reason: "budget" } });
});

test("a server on this machine that passes everything on to one that costs money is held by the price that its owner gives", async () => {
  world.config = Config.parse({ prices: { "ollama/llama3": { input: 2, output: 2 } } });
  answered(1_000_000, 0);
  expect(await ask(LOCAL)).toMatchObject({ state: "completed" });
  expect(world.rows("model.answered")[0]?.action).toMatchObject({ microDollars: 2_000_000 });
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
  ["anthropic", "claude-opus-4-5", 30],
  ["anthropic", "claude-opus-4-5-20251101", 30],
  ["anthropic", "claude-sonnet-4-5", 28.5],
  ["openai", "gpt-4o-2024-08-06", 12.5],
  ["mistral", "mistral-large-latest", null],
  ["openrouter", "openai/gpt-5", null],
  ["anthropic", "claude-sonnet-9", null],
  ["openrouter", "gpt-4o", null],
  ["openai", "constructor", null],
  ["constructor", "name", null],
] as const)("a million tokens each way of %s/%s cost %s dollars", ([provider, model, dollars]) => {
  const price = shippedPrice(provider, model);
  expect(price === null ? null : costOf(price, 1e6, 1e6) / 1e6).toBe(dollars);
});

test("a long request costs what the provider says of long ones", () => {
  const price = { input: 3, output: 15, above: { tokens: 200_000, input: 6, output: 22.5 } };
  expect(costOf(price, 200_000, 10)).toBe(600_150);
  expect(costOf(price, 200_001, 10)).toBe(1_200_231);
});
