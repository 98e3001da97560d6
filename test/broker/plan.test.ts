import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { World } from "./world.ts";

let world: World;
beforeEach(async () => {
  world = await World.make();
  await world.sandbox.probe();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const WRITE = { path: "a.txt", content: "one\n", why: "the notes are wanted there" };
const OTHER = { path: "b.txt", content: "two\n" };
const RUN = { argv: ["sh", "-c", "echo once >> log.txt"], write: true };
const STEPS = [
  { tool: "write_file", arguments: WRITE },
  { tool: "exec", arguments: RUN },
  { tool: "read_file", arguments: { path: "a.txt" } },
];

async function approved(steps: readonly unknown[] = STEPS, minutes = 10) {
  const turn = world.turn();
  const answer = world.call(turn, "plan", { steps, minutes, why: "to save you presses" });
  const card = await world.card(world.cards.length + 1);
  await world.approvals.decide(card.approval, world.answer({ card: card.card.digest }));
  expect(await answer).toMatchObject({ outcome: "done" });
  return { turn, card };
}

test("a plan is one card with everything that needs an approval, word for word, and its end", async () => {
  const { card } = await approved();
  expect(card.card.text).toMatch(
    /^a PLAN of 2 actions, all of them or none: .* until 20\S+Z and in this conversation only$/m,
  );
  expect(card.card.text).toContain(
    "1. create a file (write_file)\n  the agent's reason, in its own words | the notes are wanted there\n",
  );
  expect(card.card.text).toContain(
    "2. run a command that CAN CHANGE the workspace\n  the agent's reason, in its own words | to save you presses\n",
  );
  expect(card.scopes).toEqual(["once"]);
});

test("what is on an approved plan runs without another question, once, and rests on it", async () => {
  const { turn, card } = await approved();
  expect(await world.call(turn, "write_file", WRITE)).toMatchObject({ outcome: "done" });
  expect(await world.call(turn, "exec", RUN)).toMatchObject({ outcome: "done" });
  expect(readFileSync(join(world.workspace, "a.txt"), "utf8")).toBe("one\n");
  const [decided] = world.rows("approval.decided");
  const ran = world.rows("tool.called").map(({ action }) => action);
  expect(ran).toMatchObject([{ tool: "plan" }, { tool: "write_file" }, { tool: "exec" }]);
  for (const action of ran) expect(action).toMatchObject({ authority: "approval", rests: decided?.seq });
  expect(decided?.cause).toBe(card.row);
  // A second time it is asked for.
  const again = world.call(turn, "exec", RUN);
  const second = await world.card(2);
  await world.approvals.decide(second.approval, world.answer({ decision: "deny" }));
  expect(await again).toMatchObject({ outcome: "denied" });
  expect(readFileSync(join(world.workspace, "log.txt"), "utf8")).toBe("once\n");
});

test("an action that differs by one byte is not on the plan", async () => {
  const { turn } = await approved();
  const other = world.call(turn, "write_file", { ...WRITE, content: "one \n" });
  const card = await world.card(2);
  await world.approvals.decide(card.approval, world.answer({ decision: "deny" }));
  expect(await other).toMatchObject({ outcome: "denied" });
});

test("a file that changed since it was planned voids its call", async () => {
  writeFileSync(join(world.workspace, "a.txt"), "before\n", { mode: 0o644 });
  const { turn } = await approved();
  writeFileSync(join(world.workspace, "a.txt"), "meanwhile\n");
  const call = world.call(turn, "write_file", WRITE);
  const card = await world.card(2);
  expect(card.card.text).toContain("-meanwhile");
  await world.approvals.decide(card.approval, world.answer({ decision: "deny" }));
  await call;
  expect(readFileSync(join(world.workspace, "a.txt"), "utf8")).toBe("meanwhile\n");
});

test("after its end, in another conversation and after a restart a plan is worth nothing", async () => {
  const { turn } = await approved(
    [
      { tool: "write_file", arguments: WRITE },
      { tool: "write_file", arguments: OTHER },
    ],
    5,
  );
  const elsewhere = { ...world.turn(), session: "s_00000000000000000000000000" };
  expect(turn.session).not.toBe(elsewhere.session);
  world.clock.advance(5 * 60_000 + 1);
  const late = world.call(turn, "write_file", WRITE);
  const card = await world.card(2);
  await world.approvals.decide(card.approval, world.answer({ decision: "deny" }));
  expect(await late).toMatchObject({ outcome: "denied" });
  await world.restart();
  const anew = world.call(world.turn(), "write_file", OTHER);
  const third = await world.card(3);
  await world.approvals.decide(third.approval, world.answer({ decision: "deny" }));
  expect(await anew).toMatchObject({ outcome: "denied" });
});

test("a plan is as strict as its strictest call", async () => {
  const answer = world.call(world.turn(), "plan", {
    steps: [
      { tool: "write_file", arguments: WRITE },
      { tool: "write_file", arguments: { path: "AGENTS.md", content: "x" } },
    ],
  });
  const card = await world.card();
  expect(card.tier).toBe(3);
  await world.approvals.decide(card.approval, world.answer({ decision: "deny", reason: "not that file" }));
  expect((await answer).text).toContain("not that file");
});

test("a plan that was denied is not asked for call by call in the same turn", async () => {
  const turn = world.turn();
  const answer = world.call(turn, "plan", { steps: STEPS });
  const card = await world.card();
  await world.approvals.decide(card.approval, world.answer({ decision: "deny" }));
  expect(await answer).toMatchObject({ outcome: "denied" });
  expect((await world.call(turn, "write_file", WRITE)).text).toContain("denied in this turn");
  expect(world.cards).toHaveLength(1);
});

test.for([
  ["what needs no approval", [{ tool: "read_file", arguments: { path: "." } }], "needs an approval"],
  ["a tool that is not there", [{ tool: "teleport", arguments: {} }], "call 1 (teleport): there is no such tool"],
  ["a plan in a plan", [{ tool: "plan", arguments: { steps: [] } }], "there is no such tool"],
  ["wrong arguments", [STEPS[0], { tool: "exec", arguments: { argv: [] } }], "call 2 (exec):"],
  ["a path outside", [{ tool: "write_file", arguments: { path: "../x", content: "" } }], "call 1 (write_file):"],
  ["nothing", [], "steps"],
] as const)("%s is no plan, and the model is told what is wrong", async ([, steps, told]) => {
  const answer = await world.call(world.turn(), "plan", { steps });
  expect(answer.outcome).toBe("refused");
  expect(answer.text).toContain(told);
  expect(world.cards).toEqual([]);
});
