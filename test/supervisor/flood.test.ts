import { expect, test } from "vitest";
import { MESSAGES_AT_ONCE } from "../../src/supervisor/message-rate.ts";
import { newTalk } from "./talk-world.ts";

const BEN = "77";

test("a flood from one person is not taken beyond their share, is told to them once, and does not delay another", async () => {
  const { world, say, clock, people } = await newTalk();
  await say("hello", BEN);
  const code = people.pending().find(({ id }) => id === BEN)?.code ?? "";
  const { person: ben } = await people.approve(code, "user", "Ben", { by: people.owner().principal, via: "terminal" });
  const from = (principal: string): number =>
    world
      .rows("message.received")
      .filter(({ action }) => action.kind === "message.received" && action.principal === principal).length;
  const sent = (): number => world.rows("message.sent").length;
  clock.advance(120_000);
  const [before, told] = [from(people.owner().principal), sent()];
  const began = performance.now();
  await say("/help");
  const one = performance.now() - began;
  const flooding = Array.from({ length: 2_000 }, () => say("/help"));
  const asked = performance.now();
  await say("/help", BEN);
  const waited = performance.now() - asked;
  await Promise.all(flooding);
  expect(from(people.owner().principal) - before).toBe(MESSAGES_AT_ONCE);
  expect(from(ben.principal)).toBe(1);
  // An answer to each that was taken, one sentence for all that were not, and Ben's.
  expect(sent() - told).toBe(MESSAGES_AT_ONCE + 1 + 1);
  const refused = world.rows("message.refused").map(({ action }) => action);
  expect(refused).toMatchObject([{ reason: "too-many", times: 1 }]);
  // Behind two thousand messages of another's he waits about as long as behind those that were taken.
  expect(waited).toBeLessThan(Math.max(1_500, one * MESSAGES_AT_ONCE * 5));
});

test("who wrote too much is heard again after a while, and stopping works at any time", async () => {
  const { world, say, clock } = await newTalk();
  const taken = (): number => world.rows("message.received").length;
  for (let times = 0; times < MESSAGES_AT_ONCE + 10; times++) await say("/help");
  const full = taken();
  await say("/help");
  expect(taken()).toBe(full);
  await say("/stop");
  expect(taken()).toBe(full + 1);
  clock.advance(10_000);
  await say("/help");
  expect(taken()).toBe(full + 2);
});
