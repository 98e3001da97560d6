import { afterEach, beforeEach, expect, test } from "vitest";
import { World } from "./world.ts";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const ADD = { action: "add", when: "every weekday at 9", what: "Read my\nnotes" } as const;

test("what an agent plans is approved every time: words, cron, zone, the next three times and where it is answered stand on the card", async () => {
  const called = world.call(world.turn(), "schedule", ADD);
  const card = await world.card();
  expect(card.tier).toBe(3);
  expect(card.scopes).toEqual(["once"]);
  const { text } = card.card;
  for (const line of [
    "do something AT CERTAIN TIMES, when nobody is there to ask",
    "  when | every weekday at 9",
    "  that is, in cron | 0 9 * * 1-5",
    "  in the time zone | Europe/Berlin",
    "  answers on | terminal",
    `  conversation | ${world.conversation}`,
  ])
    expect(text).toContain(line);
  expect(text.match(/ {2}next \| (Mon|Tue|Wed|Thu|Fri) \d{4}-\d\d-\d\d 09:00/g)).toHaveLength(3);
  expect(text).toMatch(/what it is to do \(13 bytes, 3 lines\)\n.*Read my\n.*notes/);
  await world.approvals.decide(card.approval, world.answer());
  expect(await called).toMatchObject({ outcome: "done", text: expect.stringContaining("scheduled as sc_") });
  expect(world.schedules.planned).toMatchObject([{ cron: "0 9 * * 1-5", zone: "Europe/Berlin" }]);
  const [row] = world.rows("tool.called");
  expect(row?.action).toMatchObject({ tool: "schedule", key: "schedule:add", tier: 3, authority: "approval" });
});

test("what is denied is not planned, and looking at what is needs no approval", async () => {
  const called = world.call(world.turn(), "schedule", ADD);
  await world.approvals.decide((await world.card()).approval, world.answer({ decision: "deny" }));
  expect((await called).outcome).toBe("denied");
  expect(await world.call(world.turn(), "schedule", { action: "list" })).toMatchObject({
    outcome: "done",
    text: "nothing is scheduled for this person",
  });
});

test("removing is approved every time, of the person's own alone", async () => {
  const added = world.call(world.turn(), "schedule", ADD);
  await world.approvals.decide((await world.card()).approval, world.answer());
  await added;
  const [planned] = world.schedules.lines;
  const removed = world.call(world.turn(), "schedule", { action: "remove", schedule: planned?.schedule });
  const card = await world.card(2);
  expect(card.tier).toBe(3);
  expect(card.card.text).toContain("never again do what was scheduled");
  await world.approvals.decide(card.approval, world.answer());
  expect((await removed).text).toBe(`removed ${planned?.schedule}`);
  const other = await world.call(world.turn(), "schedule", { action: "remove", schedule: planned?.schedule });
  expect(other).toMatchObject({ outcome: "refused", text: expect.stringContaining("list says them") });
});

test.for([
  [{ action: "add", when: "every weekday at 9" }, "add needs when and what"],
  [{ action: "add", when: "now and then", what: "x" }, "says no times"],
  [{ action: "add", when: "*/2 * * * *", what: "x" }, "more often than every 5 minutes"],
  [{ action: "add", when: "every hour", what: "x", zone: "Mars/X" }, "is no time zone"],
  [{ action: "add", when: "every hour", what: "half \ud800" }, "half a character"],
  [{ action: "postpone" }, "action"],
] as const)("the model is told what is wrong with %j", async ([given, why]) => {
  const answer = await world.call(world.turn(), "schedule", given);
  expect(answer.outcome).toBe("refused");
  expect(answer.text).toContain(why);
  expect(world.cards).toEqual([]);
});
