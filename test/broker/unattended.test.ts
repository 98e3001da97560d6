import { readdirSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DOLLARS_A_RUN, RunPurse, TOKENS_A_RUN } from "../../src/broker/schedules/purse.ts";
import { World } from "./world.ts";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const BY = { by: "p_00000000000000000000000000", via: "terminal", cause: 0 } as const;

test("the detector detects: what somebody writes may be asked about", async () => {
  const called = world.call(world.turn(), "write_file", { path: "a.txt", content: "a" });
  const card = await world.card();
  await world.approvals.decide(card.approval, world.answer({ decision: "deny" }));
  expect((await called).outcome).toBe("denied");
});

test("by schedule nobody is asked: what is asked once is done only where it is remembered, and the reason says so", async () => {
  const turn = world.turn({ scheduled: new RunPurse() });
  const refused = await world.call(turn, "write_file", { path: "a.txt", content: "a" });
  expect(refused.outcome).toBe("refused");
  expect(refused.text).toContain("nobody is there to ask in a run by schedule (tier 2");
  expect(refused.text).toContain("wirken grants add");
  expect(world.cards).toEqual([]);
  const [row] = world.rows("tool.refused");
  expect(row?.action).toMatchObject({ reason: "policy" });
  expect(row?.content("why")).toContain("nobody is there to ask");
  await world.grants.give(turn, "file.write:workspace", "always", BY);
  expect((await world.call(turn, "write_file", { path: "a.txt", content: "a" })).outcome).toBe("done");
});

test("nor is a plan asked for, and one that was approved before is not made use of", async () => {
  const steps = ["a.txt", "b.txt"].map((path) => ({ tool: "write_file", arguments: { path, content: "a" } }));
  const asked = world.call(world.turn(), "plan", { steps, why: "two files" });
  const card = await world.card();
  await world.approvals.decide(card.approval, world.answer());
  expect((await asked).text).toContain("approved");
  const turn = world.turn({ scheduled: new RunPurse() });
  expect((await world.call(turn, "plan", { steps, why: "two files" })).text).toContain("nobody is there to ask");
  expect((await world.call(turn, "write_file", { path: "a.txt", content: "a" })).text).toContain("nobody is there");
  expect(world.cards).toHaveLength(1);
});

test("what is asked for every time is refused by schedule, whatever is remembered", async () => {
  const turn = world.turn({ scheduled: new RunPurse() });
  await world.grants.give(turn, "file.write:workspace", "always", BY);
  const refused = await world.call(turn, "write_file", { path: "AGENTS.md", content: "a" });
  expect(refused.text).toContain("what is asked for every time is not done by schedule");
  expect(readdirSync(world.workspace)).toEqual([]);
});

/** What a call of a known price is allowed, and then used; in millionths of a dollar. */
function spend(purse: RunPurse, most: number, used: number): string | null {
  const reservation = { settle: () => used, release: () => undefined };
  const reserving = purse.within({ microDollars: most, tokens: 1_000 }, { reservation });
  if ("refused" in reserving) return reserving.refused;
  reserving.reservation.settle(0, 0);
  return null;
}

test("a run costs a dollar at the most: reserved before each call, settled after it", () => {
  const purse = new RunPurse();
  for (let call = 0; call < 4; call += 1) expect(spend(purse, 400_000, 200_000)).toBeNull();
  expect(spend(purse, 400_000, 200_000)).toBe(
    "a run by schedule may cost $1.00: $0.80 are spent, and another call may cost $0.40",
  );
  expect(spend(purse, 150_000, 10_000), "a smaller one still fits").toBeNull();
  expect(DOLLARS_A_RUN).toBe(1);
});

test("what is refused by the run is given back to the budgets, and what the budgets refuse stays refused", () => {
  let released = 0;
  const reservation = { settle: () => 0, release: () => void (released += 1) };
  const purse = new RunPurse();
  expect(purse.within({ microDollars: 2e6, tokens: 1 }, { reservation })).toHaveProperty("refused");
  expect(released).toBe(1);
  const refused = { refused: "the day's budget", reached: null };
  expect(purse.within({ microDollars: 1, tokens: 1 }, refused)).toEqual(refused);
});

test("a model of unknown price is held by tokens, and one on this machine costs nothing", () => {
  const purse = new RunPurse();
  const reservation = { settle: () => null, release: () => undefined };
  const unknown = { microDollars: null, tokens: 220_000 };
  const first = purse.within(unknown, { reservation });
  if ("refused" in first) throw new Error(first.refused);
  expect(purse.within(unknown, { reservation })).toHaveProperty("refused");
  first.reservation.settle(1_000, 1_000);
  expect(purse.within(unknown, { reservation })).not.toHaveProperty("refused");
  expect(TOKENS_A_RUN).toBe(400_000);
  const local = { provider: "ollama", model: "m", requestBytes: 1e9, maxOutputTokens: 1e9 };
  const free = world.budgets.budget.most({ agent: "default", principal: "p", ...local });
  for (let call = 0; call < 3; call += 1)
    expect(purse.within(free, { reservation: { settle: () => 0, release: () => undefined } })).not.toHaveProperty(
      "refused",
    );
});
