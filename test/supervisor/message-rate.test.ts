import fc from "fast-check";
import { expect, test } from "vitest";
import { MESSAGES_AT_ONCE, MessageRate, ONE_MORE_MS } from "../../src/supervisor/message-rate.ts";

const ROUNDS = process.env["WIRKEN_TEST_ROUNDS"] === "long" ? 5_000 : 200;

test("so many messages are taken in one go, then one more every three seconds; it is said once a minute", () => {
  let now = 1_000_000;
  const rate = new MessageRate(() => now);
  const took = (): string[] => Array.from({ length: MESSAGES_AT_ONCE + 2 }, () => rate.take("ada"));
  expect(took()).toEqual([...Array(MESSAGES_AT_ONCE).fill("taken"), "refused", "told"]);
  now += ONE_MORE_MS;
  expect([rate.take("ada"), rate.take("ada")]).toEqual(["taken", "told"]);
  // Nobody else is the slower for it.
  expect(rate.take("ben")).toBe("taken");
  now += MESSAGES_AT_ONCE * ONE_MORE_MS;
  expect(took()).toEqual([...Array(MESSAGES_AT_ONCE).fill("taken"), "refused", "told"]);
});

test("however somebody writes, no more is taken in any time than what may come at once and what that time adds", () => {
  const steps = fc.array(fc.integer({ min: -10_000, max: 20_000 }), { maxLength: 200 });
  fc.assert(
    fc.property(steps, (pauses) => {
      let now = 0;
      let gained = 0;
      let taken = 0;
      const rate = new MessageRate(() => now);
      for (const pause of pauses) {
        const before = now;
        now += pause;
        gained += Math.max(0, now - before);
        if (rate.take("ada") === "taken") taken += 1;
      }
      expect(taken).toBeLessThanOrEqual(MESSAGES_AT_ONCE + gained / ONE_MORE_MS);
    }),
    { numRuns: ROUNDS, seed: 6 },
  );
});
