import { afterEach, beforeEach, expect, test } from "vitest";
import type { CompletionOutcome, ModelChoice } from "../../src/broker/completion.ts";
import { SPARED_MS } from "../../src/broker/outages.ts";
import type { ModelAnswer } from "../../src/effect/model.ts";
import type { AskedRequest } from "../../src/effect/request.ts";
import type { ShownFile } from "../../src/ipc/completion.ts";
import { packRequest } from "../../src/ipc/items.ts";
import type { CompletionFailure } from "../../src/ipc/model-frames.ts";
import { Config } from "../../src/config/schema.ts";
import { Conversation } from "../../src/supervisor/conversation.ts";
import { World } from "./world.ts";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const LIMITS = { maxOutputTokens: 100, timeoutMs: 60_000 };
const OWN: ModelChoice = { provider: "anthropic", model: "claude-sonnet-4-5", ...LIMITS };
const SECOND: ModelChoice = { provider: "openai", model: "gpt-5-mini", ...LIMITS };
const THIRD: ModelChoice = { provider: "openrouter", model: "some/model", ...LIMITS };

const fails = (code: CompletionFailure, streamed = false): ModelAnswer => ({
  state: "failed",
  code,
  sentence: `it is ${code}`,
  streamed,
});
const answers = (model = "m"): ModelAnswer => ({
  state: "completed",
  model,
  inputTokens: 10,
  outputTokens: 10,
  stop: "stop",
  answer: Buffer.from('{"text":"hi","calls":[]}'),
});
const UNHEARD = { delta: () => undefined, answered: () => undefined };
const PICTURE: ShownFile = { sha256: "a".repeat(64), media: "image/png", bytes: 1000 };
const PAPER: ShownFile = { sha256: "b".repeat(64), media: "application/pdf", bytes: 1000 };

function request(files: ShownFile[] = []): AskedRequest {
  const conversation = new Conversation(() => Promise.resolve(null));
  for (const file of files) conversation.shows(file, () => Promise.resolve(null));
  const message = { role: "user" as const, text: "hello", ...(files.length === 0 ? {} : { files }) };
  return conversation.ask(1, 0, packRequest({ instructions: "", tools: [], messages: [message] }, 0));
}
async function ask(models: readonly ModelChoice[], files: ShownFile[] = []): Promise<CompletionOutcome> {
  const turn = world.turn();
  const { signal } = new AbortController();
  return await world.broker.complete(turn, { ref: 1, request: request(files) }, models, UNHEARD, signal);
}
const called = () => world.rows("model.called").map(({ action }) => action);

test.for(["unreachable", "overloaded", "failing", "timeout"] as const)(
  "a model that is %s is answered for by the next one, and the row says for which and why",
  async (code) => {
    world.model.answers.push(fails(code), answers());
    const outcome = await ask([OWN, SECOND]);
    expect(outcome).toMatchObject({
      state: "completed",
      notices: [expect.stringContaining("openai/gpt-5-mini answers")],
    });
    expect(called()).toMatchObject([
      { provider: "anthropic", model: "claude-sonnet-4-5" },
      { provider: "openai", model: "gpt-5-mini", instead: "anthropic/claude-sonnet-4-5", because: code },
    ]);
    expect(called()[0]).not.toHaveProperty("instead");
    // The first is not waited for twice; the last is what there is.
    expect(world.model.asked.map(({ others }) => others)).toEqual([true, false]);
  },
);

test("a model process that died is asked once more, and then the next one is", async () => {
  world.model.answers.push(fails("died"), fails("died"), answers());
  expect(await ask([OWN, SECOND])).toMatchObject({ state: "completed" });
  expect(called()).toHaveLength(3);
});

test.for([
  "key-refused",
  "model-unknown",
  "rate-limited",
  "bad-request",
  "too-long",
  "cancelled",
  "refused",
  "other",
] as const)("%s is no outage: nobody else is asked", async (code) => {
  world.model.answers.push(fails(code));
  expect(await ask([OWN, SECOND])).toMatchObject({ state: "failed", code, sentence: `it is ${code}` });
});

test("what was partly said is not said again by another", async () => {
  world.model.answers.push(fails("overloaded", true));
  expect(await ask([OWN, SECOND])).toMatchObject({ state: "failed", code: "overloaded" });
  expect(called()).toHaveLength(1);
});

test("a model that was not there a moment ago is not waited for, and is asked again later", async () => {
  world.model.answers.push(fails("unreachable"), answers(), answers(), answers());
  await ask([OWN, SECOND]);
  await ask([OWN, SECOND]);
  expect(world.model.asked.map(({ provider }) => provider)).toEqual(["anthropic", "openai", "openai"]);
  expect(called()[2]).toMatchObject({ instead: "anthropic/claude-sonnet-4-5", because: "unreachable" });
  world.clock.advance(SPARED_MS + 1);
  await ask([OWN, SECOND]);
  expect(world.model.asked.at(-1)?.provider).toBe("anthropic");
});

test("where none of them is there, all of them are said, and the first one's reason first", async () => {
  world.model.answers.push(fails("unreachable"), fails("overloaded"));
  expect(await ask([OWN, SECOND])).toMatchObject({
    state: "failed",
    code: "unreachable",
    sentence: "it is unreachable; openai/gpt-5-mini neither: it is overloaded",
  });
});

test("one without a key is passed over, and the log says so", async () => {
  world.model.missing.set("openai", "there is no key for openai");
  world.model.answers.push(fails("unreachable"), answers());
  expect(await ask([OWN, SECOND, THIRD])).toMatchObject({ state: "completed" });
  expect(world.rows("model.refused").map(({ action }) => action)).toMatchObject([
    { provider: "openai", reason: "no-key" },
  ]);
});

test("one without a price is passed over where somebody set a budget in money, and that is said", async () => {
  world.config = Config.parse({ agents: { default: { budgetUsdPerDay: 1 } } });
  world.model.answers.push(fails("unreachable"), answers());
  const outcome = await ask([OWN, THIRD, SECOND]);
  expect(outcome).toMatchObject({
    state: "completed",
    notices: [
      expect.stringContaining("openrouter/some/model has no known price"),
      expect.stringContaining("gpt-5-mini"),
    ],
  });
  expect(world.rows("model.refused").map(({ action }) => action)).toMatchObject([
    { provider: "openrouter", reason: "budget" },
  ]);
});

test("a model that takes no pictures is told in words, once and for all", async () => {
  world.model.answers.push(fails("files-refused"), answers(), answers());
  expect(await ask([OWN], [PICTURE])).toMatchObject({
    state: "completed",
    notices: [expect.stringContaining("it was told in words")],
  });
  await ask([OWN], [PICTURE]);
  expect(called().map((action) => ("files" in action ? action.files : null))).toEqual(["all", "none", "none"]);
  expect(world.model.asked.map(({ show }) => show)).toEqual(["all", "none", "none"]);
});

test("a model that takes pictures but no PDFs is shown the pictures", async () => {
  world.model.answers.push(fails("files-refused"), answers());
  expect(await ask([OWN], [PICTURE, PAPER])).toMatchObject({ state: "completed" });
  expect(world.model.asked.map(({ show }) => show)).toEqual(["all", "images"]);
});

const MANIFEST = "c".repeat(64);
const PRIVATE: ModelChoice = { provider: "privatemode", model: "gpt-oss-120b", ...LIMITS };
const holds = { result: "holds", manifest: MANIFEST, evidence: "the proxy holds a key" } as const;

test("a call to an attested provider rests on the row that names what it showed", async () => {
  world.model.attestations.set("privatemode", holds);
  world.model.answers.push(answers(), answers());
  await ask([PRIVATE]);
  await ask([PRIVATE]);
  const [attested, ...more] = world.rows("model.attested");
  expect(more).toEqual([]);
  expect(attested?.action).toMatchObject({ result: "holds", manifest: MANIFEST });
  expect(called()).toMatchObject([{ attested: attested?.seq }, { attested: attested?.seq }]);
});

test("what does not show what it is, is sent nothing", async () => {
  world.model.attestations.set("privatemode", { ...holds, result: "refused", evidence: "this is no proxy" });
  expect(await ask([PRIVATE, SECOND])).toMatchObject({
    state: "failed",
    sentence: "this is no proxy: nothing was sent to privatemode",
  });
  expect(called()).toEqual([]);
  expect(world.rows("model.refused")).toHaveLength(1);
});

test("what is private goes to no model that is not attested, where the policy demands that; instead of an attested one neither", async () => {
  world.config = Config.parse({ policy: { attested: "private" } });
  await world.labels.of(world.session).raise({ untrusted: false, private: [world.principal] }, 0);
  expect(await ask([OWN, SECOND])).toMatchObject({
    state: "failed",
    code: "refused",
    sentence: expect.stringContaining("anthropic/claude-sonnet-4-5 is not"),
  });
  world.model.attestations.set("privatemode", holds);
  world.model.answers.push(fails("overloaded"));
  expect(await ask([PRIVATE, SECOND])).toMatchObject({ state: "failed", sentence: expect.stringContaining("is not;") });
  expect(called()).toMatchObject([{ provider: "privatemode" }]);
  expect(world.rows("model.refused").map(({ action }) => action)).toMatchObject([
    { provider: "anthropic", reason: "not-attested" },
    { provider: "openai", reason: "not-attested" },
  ]);
});
