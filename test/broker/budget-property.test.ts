import fc from "fast-check";
import { expect, test } from "vitest";
import { Budget, type BudgetPorts, type Reservation } from "../../src/broker/budget.ts";
import { type Limit, PERIODS, type Period, used, windowOf } from "../../src/broker/budget-limit.ts";
import type { Price } from "../../src/broker/prices.ts";

const ROUNDS = process.env["WIRKEN_TEST_ROUNDS"] === "long" ? 5_000 : 200;
const AGENTS = ["a", "b"] as const;
const PEOPLE = ["p", "q"] as const;

const price = fc.record({ input: fc.integer({ min: 0, max: 20 }), output: fc.integer({ min: 0, max: 80 }) });
const limit: fc.Arbitrary<Limit> = fc
  .record({
    who: fc.constantFrom(
      { subject: "agent", id: "a" } as const,
      { subject: "agent", id: "b" } as const,
      { subject: "person", id: "p" } as const,
      { subject: "person", id: "q" } as const,
    ),
    per: fc.constantFrom(...PERIODS),
    unit: fc.constantFrom("usd", "tokens"),
    most: fc.integer({ min: 0, max: 3_000_000 }),
  })
  .map(({ who, ...rest }) => ({ ...who, ...rest, unpriced: "refused" }));

type Step =
  | {
      readonly step: "reserve";
      readonly agent: "a" | "b";
      readonly principal: "p" | "q";
      readonly bytes: number;
      readonly output: number;
    }
  | { readonly step: "settle"; readonly which: number; readonly share: number }
  | { readonly step: "release"; readonly which: number }
  | { readonly step: "wait"; readonly minutes: number };
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    step: fc.constant("reserve" as const),
    agent: fc.constantFrom(...AGENTS),
    principal: fc.constantFrom(...PEOPLE),
    bytes: fc.integer({ min: 0, max: 100_000 }),
    output: fc.integer({ min: 1, max: 20_000 }),
  }),
  fc.record({
    step: fc.constant("settle" as const),
    which: fc.nat(),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  fc.record({ step: fc.constant("release" as const), which: fc.nat() }),
  fc.record({ step: fc.constant("wait" as const), minutes: fc.integer({ min: -120, max: 60 * 24 * 40 }) }),
);

interface Open {
  readonly reservation: Reservation;
  readonly input: number;
  readonly output: number;
}

function portsOf(limits: readonly Limit[], of: Price | null): BudgetPorts {
  return {
    limits: (agent, principal) => limits.filter(({ subject, id }) => id === (subject === "agent" ? agent : principal)),
    price: () => of,
    used: () => [],
    told: () => false,
  };
}

test("however calls come, wait and end, no limit is passed by what is spent and set aside", () => {
  fc.assert(
    fc.property(fc.array(limit, { maxLength: 6 }), price, fc.array(step, { maxLength: 60 }), (limits, of, steps) => {
      let now = Date.parse("2026-01-30T22:10:00.000Z");
      const budget = new Budget({ now: () => now, monotonic: () => now }, portsOf(limits, of));
      const open: Open[] = [];
      for (const one of steps) {
        if (one.step === "wait") {
          // One that ends in another hour than it began in is counted there unasked: that is the next test's.
          for (const { reservation } of open.splice(0)) reservation.release();
          now += one.minutes * 60_000;
        } else if (one.step === "reserve") {
          const { agent, principal, bytes, output } = one;
          const spending = { agent, principal, provider: "x", model: "y", requestBytes: bytes };
          const reserving = budget.reserve({ ...spending, maxOutputTokens: output });
          if ("reservation" in reserving)
            open.push({ reservation: reserving.reservation, input: Math.ceil(bytes / 2), output });
        } else if (open.length > 0) {
          const [taken] = open.splice(one.which % open.length, 1);
          if (one.step === "release") taken?.reservation.release();
          // Never more than was set aside, as a model that keeps its limits.
          else taken?.reservation.settle(Math.floor(taken.input * one.share), Math.floor(taken.output * one.share));
        }
        for (const held of limits) {
          const { spent, reserved } = budget.account(held.subject, held.id, held.per);
          expect(used(held, spent) + used(held, reserved)).toBeLessThanOrEqual(held.most);
          expect(used(held, reserved)).toBeGreaterThanOrEqual(0);
        }
      }
    }),
    { numRuns: ROUNDS, seed: 6 },
  );
});

test("a call that ends in the next hour is counted there, and nothing stays set aside of it", () => {
  let now = Date.parse("2026-01-31T23:59:00.000Z");
  const budget = new Budget({ now: () => now, monotonic: () => now }, portsOf([], { input: 1, output: 1 }));
  const spending = { agent: "a", principal: "p", provider: "x", model: "y", requestBytes: 100 };
  const reserving = budget.reserve({ ...spending, maxOutputTokens: 50 });
  expect(budget.account("agent", "a", "day").reserved.tokens).toBe(100);
  now += 120_000;
  if ("reservation" in reserving) reserving.reservation.settle(40, 2);
  for (const per of PERIODS)
    expect(budget.account("agent", "a", per)).toMatchObject({ spent: { tokens: 42 }, reserved: { tokens: 0 } });
});

test("when every call has ended, nothing is set aside, and what is spent is the sum of what was settled", () => {
  const calls = fc.array(
    fc.record({
      bytes: fc.nat(10_000),
      output: fc.integer({ min: 1, max: 5_000 }),
      share: fc.double({ min: 0, max: 2, noNaN: true }),
      settled: fc.boolean(),
    }),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(calls, fc.option(price), (all, of) => {
      const budget = new Budget({ now: () => 1e12, monotonic: () => 0 }, portsOf([], of));
      let [money, tokens] = [0, 0];
      const open = all.map(({ bytes, output, ...rest }) => {
        const spending = { agent: "a", principal: "p", provider: "x", model: "y", requestBytes: bytes };
        return { reserving: budget.reserve({ ...spending, maxOutputTokens: output }), bytes, output, ...rest };
      });
      for (const { reserving, bytes, output, share, settled } of open.toReversed()) {
        if (!("reservation" in reserving)) throw new Error("nothing limits it");
        if (settled) {
          const [input, out] = [Math.floor(bytes * share), Math.floor(output * share)];
          money += reserving.reservation.settle(input, out) ?? 0;
          tokens += input + out;
        }
        // A second end changes nothing.
        reserving.reservation.release();
        reserving.reservation.settle(1_000_000, 1_000_000);
      }
      for (const [subject, id] of [
        ["agent", "a"],
        ["person", "p"],
      ] as const)
        for (const per of PERIODS) {
          const { spent, reserved } = budget.account(subject, id, per);
          expect(reserved).toEqual({ microDollars: 0, tokens: 0, unpriced: 0 });
          expect(spent).toEqual({ microDollars: money, tokens, unpriced: of === null ? tokens : 0 });
        }
    }),
    { numRuns: ROUNDS, seed: 6 },
  );
});

test("one more limit never lets a call through that was refused without it", () => {
  const ask = fc.record({ bytes: fc.nat(200_000), output: fc.integer({ min: 1, max: 50_000 }) });
  fc.assert(
    fc.property(
      fc.array(limit, { maxLength: 4 }),
      limit,
      fc.option(price),
      ask,
      (limits, more, of, { bytes, output }) => {
        const refused = (all: readonly Limit[]): boolean => {
          const budget = new Budget({ now: () => 1e12, monotonic: () => 0 }, portsOf(all, of));
          const spending = { agent: "a", principal: "p", provider: "x", model: "y", requestBytes: bytes };
          return "refused" in budget.reserve({ ...spending, maxOutputTokens: output });
        };
        if (refused(limits)) expect(refused([...limits, more])).toBe(true);
      },
    ),
    { numRuns: ROUNDS, seed: 6 },
  );
});

test("a window is named by the time it holds, and the next one begins anew", () => {
  const time = fc.date({ min: new Date("2020-01-01"), max: new Date("2090-01-01"), noInvalidDate: true });
  fc.assert(
    fc.property(time, fc.constantFrom<Period>(...PERIODS), (at, per) => {
      const window = windowOf(per, at.getTime());
      expect(at.toISOString().startsWith(window)).toBe(true);
      const lengths = { hour: 3_600_000, day: 86_400_000, month: 31 * 86_400_000 };
      expect(windowOf(per, at.getTime() + lengths[per])).not.toBe(window);
    }),
    { numRuns: ROUNDS, seed: 6 },
  );
});
