import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { lowered } from "../../src/broker/lowered.ts";
import type { TurnContext } from "../../src/broker/turn.ts";
import type { ActionOfType } from "../../src/effect/action.ts";
import type { SpawnEnd, SpawnedAs } from "../../src/effect/spawn.ts";
import { mint } from "../../src/ipc/ids.ts";
import { World } from "./world.ts";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(async () => await world[Symbol.asyncDispose]());

function below(turn: TurnContext, ...tools: string[]): TurnContext {
  return { ...turn, chain: [...turn.chain, mint("call")], tools: new Set(tools) };
}

describe("starting a sub-agent", () => {
  const started: { action: ActionOfType<"agent.spawn">; as: SpawnedAs }[] = [];
  let end: SpawnEnd = { ending: "done", text: "found it" };
  const spawn: TurnContext["spawn"] = (action, as) => {
    started.push({ action, as });
    return Promise.resolve(end);
  };
  beforeEach(() => {
    started.length = 0;
    end = { ending: "done", text: "found it" };
  });

  test("is free, recorded with its task, and its end is the result", async () => {
    const given = { task: "look for it", tools: ["search_files", "read_file", "read_file"] };
    const answer = await world.call(world.turn({ spawn }), "spawn_agent", given);
    expect(answer).toMatchObject({ outcome: "done", text: "found it" });
    const [row] = world.rows("tool.called");
    expect(row?.action).toMatchObject({ key: "agent:spawn", tier: 1, tool: "spawn_agent" });
    expect(row?.content("task")).toBe("look for it");
    const { action, as } = started[0] ?? {};
    expect(action).toMatchObject({ tools: ["read_file", "search_files"], depth: 1, rounds: 10, seconds: 300 });
    expect(as).toMatchObject({ row: row?.seq });
    expect(row?.action).toMatchObject({ call: as?.call });
  });

  test.for([
    ["time", "limit", "its time is up"],
    ["rounds", "limit", "its rounds are used up"],
    ["died", "failed", "ended unexpectedly"],
    ["denied", "failed", "were denied"],
  ] as const)("that ends by %s says so, with what was said until then", async ([ending, outcome, words]) => {
    end = { ending, text: "half of it" };
    const answer = await world.call(world.turn({ spawn }), "spawn_agent", { task: "x" });
    expect(answer.text).toContain(words);
    expect(answer.text).toContain("half of it");
    expect(world.rows("tool.finished")[0]?.action).toMatchObject({ outcome });
  });

  test.for([
    ["no_such_tool", {}],
    ["plan", {}],
    ["http_request", { tools: new Set(["spawn_agent", "read_file"]) }],
  ] as const)("with the tool %s, which is not there to give, is refused", async ([tool, given]) => {
    const answer = await world.call(world.turn({ spawn, ...given }), "spawn_agent", { task: "x", tools: [tool] });
    expect(answer).toMatchObject({ outcome: "refused" });
    expect(answer.text).toContain("you can only give tools that you have");
    expect(started).toEqual([]);
  });

  test("goes two deep and no deeper", async () => {
    const turn = world.turn({ spawn });
    const first = below(turn, "spawn_agent", "read_file");
    const second = below(first, "spawn_agent", "read_file");
    const given = { task: "x", tools: [] };
    expect(await world.call(first, "spawn_agent", given)).toMatchObject({ outcome: "done" });
    expect(started[0]?.action.depth).toBe(2);
    expect((await world.call(second, "spawn_agent", given)).text).toContain("starts no further one");
  });
});

describe("a sub-agent", () => {
  test("has its tools and no others", async () => {
    const turn = below(world.turn(), "list_files");
    expect(await world.call(turn, "list_files", {})).toMatchObject({ outcome: "done" });
    expect((await world.call(turn, "read_file", { path: "a" })).text).toContain("there is no tool");
    expect((await world.call(turn, "plan", { calls: [] })).text).toContain("there is no tool");
  });

  test("has nothing of what was approved for whoever started it, and can have nothing remembered", async () => {
    const turn = world.turn();
    const calling = world.call(turn, "write_file", { path: "a.txt", content: "1" });
    await world.approvals.decide((await world.card()).approval, world.answer({ scope: "always" }));
    await calling;
    // For the agent itself it is remembered.
    expect(await world.call(turn, "write_file", { path: "b.txt", content: "1" })).toMatchObject({ outcome: "done" });
    const child = below(turn, "write_file");
    const asked = world.call(child, "write_file", { path: "c.txt", content: "1" });
    const card = await world.card(2);
    expect([card.tier, card.scopes]).toEqual([2, ["once"]]);
    expect(card.card.text).toContain("its sub-agent");
    await world.approvals.decide(card.approval, world.answer());
    expect(await asked).toMatchObject({ outcome: "done" });
  });

  test("may not do what is asked for every time, and nobody is asked", async () => {
    const child = below(world.turn(), "write_file");
    const answer = await world.call(child, "write_file", { path: "AGENTS.md", content: "x" });
    expect(answer).toMatchObject({ outcome: "refused" });
    expect(answer.text).toContain("a sub-agent may not do what is asked for every time");
    expect(world.cards).toEqual([]);
  });

  test("shares the labels of the session, both ways", async () => {
    const turn = world.turn();
    world.web.answers.push({ state: "answered", status: 200, text: "a page" });
    await world.call(below(turn, "http_request"), "http_request", { url: "https://a.example/" });
    expect(turn.labels.now.untrusted).toBe(true);
    // Its own ways out are then shut where the session's are.
    await turn.labels.raise({ untrusted: false, private: [world.principal] }, 1);
    const out = await world.call(below(turn, "http_request"), "http_request", { url: "https://b.example/" });
    expect(out).toMatchObject({ outcome: "refused" });
    expect(world.web.asked).toHaveLength(1);
  });

  test("is named in every row by the calls that started it", async () => {
    const turn = below(world.turn(), "list_files", "write_file");
    const deeper = below(turn, "list_files");
    await world.call(turn, "list_files", {});
    await world.call(deeper, "list_files", {});
    await world.call(deeper, "write_file", { path: "a", content: "" });
    expect(world.rows("tool.called").map(({ action }) => "chain" in action && action.chain)).toEqual([
      turn.chain.join(),
      deeper.chain.join(),
    ]);
    expect(world.rows("tool.refused")[0]?.action).toMatchObject({ chain: deeper.chain.join() });
  });
});

test("lowering leaves a refusal a refusal and an allowance an allowance", () => {
  const refusal = { verdict: "refuse", code: "stopped", reason: "x" } as const;
  const allowance = { verdict: "allow", authority: "free", rests: [], reason: "x" } as const;
  expect([lowered(refusal), lowered(allowance)]).toEqual([refusal, allowance]);
});
