import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FACTS, type Facts } from "../../src/broker/action.ts";
import { type DecisionContext, decide, type Grant, MAX_DENIALS, rule } from "../../src/broker/policy.ts";
import type { ToolAction } from "../../src/effect/action.ts";

const KEYS = Object.values(FACTS);
const facts: fc.Arbitrary<Facts> = fc.record({
  key: fc.constantFrom(...KEYS.map(({ key }) => key)),
  tier: fc.constantFrom(1 as const, 2 as const, 3 as const),
  needsSandbox: fc.boolean(),
  leaves: fc.boolean(),
});
const who = fc.constantFrom("a", "b");
const NOW = 1_000_000;
const grant: fc.Arbitrary<Grant> = fc.record({
  grant: fc.constant("g_0"),
  row: fc.nat(100),
  key: fc.constantFrom(...KEYS.map(({ key }) => key)),
  agent: who,
  principal: who,
  channel: who,
  session: fc.option(who),
  until: fc.integer({ min: NOW - 2, max: NOW + 2 }),
  left: fc.option(fc.nat(2)),
});
const context: fc.Arbitrary<DecisionContext> = fc.record({
  agent: who,
  principal: who,
  role: fc.constantFrom("user" as const, "approver" as const, "owner" as const),
  channel: who,
  session: who,
  now: fc.constant(NOW),
  grants: fc.array(grant, { maxLength: 4 }),
  sandbox: fc.constantFrom(
    "works" as const,
    "weaker" as const,
    "missing" as const,
    "forbidden" as const,
    "broken" as const,
  ),
  labels: fc.record({ untrusted: fc.boolean(), private: fc.boolean() }),
  deniedBefore: fc.boolean(),
  denials: fc.nat(4),
  stopped: fc.boolean(),
});

describe("a decision", () => {
  test("is total, pure, and has a reason", () => {
    fc.assert(
      fc.property(facts, context, (action, given) => {
        const before = JSON.stringify([action, given]);
        const decision = rule(action, given);
        expect(decision.reason).not.toBe("");
        expect(rule(action, given)).toEqual(decision);
        expect(JSON.stringify([action, given])).toBe(before);
      }),
    );
  });

  test("never allows without authority", () => {
    fc.assert(
      fc.property(facts, context, (action, given) => {
        const decision = rule(action, given);
        fc.pre(decision.verdict === "allow");
        expect(given.stopped || given.deniedBefore || given.denials >= MAX_DENIALS).toBe(false);
        expect(action.needsSandbox && given.sandbox !== "works" && given.sandbox !== "weaker").toBe(false);
        expect(action.leaves && given.labels.untrusted && given.labels.private).toBe(false);
        expect(action.tier).toBe(decision.verdict === "allow" && decision.authority === "free" ? 1 : 2);
      }),
      { numRuns: 1000, maxSkipsPerRun: 1000 },
    );
  });

  test("rests only on a grant of this kind, agent, person, channel and session, in its time and with a use left", () => {
    fc.assert(
      fc.property(facts, context, (action, given) => {
        const decision = rule({ ...action, tier: 2 }, given);
        fc.pre(decision.verdict === "allow");
        const rests = decision.verdict === "allow" ? decision.rests : null;
        expect(given.grants).toContain(rests);
        const { agent, principal, channel } = given;
        expect(rests).toMatchObject({ key: action.key, agent, principal, channel });
        expect(rests?.until).toBeGreaterThan(NOW);
        expect(rests?.left).not.toBe(0);
        expect([null, given.session]).toContain(rests?.session);
      }),
      { numRuns: 100, maxSkipsPerRun: 100_000 },
    );
  });

  test("asks for tier 3 every time, and such an approval is never remembered", () => {
    fc.assert(
      fc.property(facts, context, (action, given) => {
        const decision = rule({ ...action, tier: 3 }, given);
        expect(decision.verdict).not.toBe("allow");
        expect(decision.verdict === "ask" ? decision.scopes : ["once"]).toEqual(["once"]);
      }),
    );
  });
});

const exec = (argv: string[], write: boolean): ToolAction => ({
  type: "exec",
  workspace: "/w",
  argv,
  write,
  stdin: null,
  timeoutSeconds: 60,
  files: [],
});
const SEARCH: ToolAction = {
  type: "file.search",
  workspace: "/w",
  path: ".",
  pattern: "a",
  regexp: false,
  ignoreCase: false,
  files: null,
  limit: 1,
};
const CONTEXT: DecisionContext = {
  agent: "a",
  principal: "p",
  role: "owner",
  channel: "terminal",
  session: "s",
  now: NOW,
  grants: [],
  sandbox: "works",
  labels: { untrusted: false, private: false },
  deniedBefore: false,
  denials: 0,
  stopped: false,
};

test("the name of a command decides nothing", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ minLength: 1 }), { minLength: 1 }), fc.boolean(), (argv, write) => {
      expect(decide(exec(argv, write), CONTEXT)).toEqual(decide(exec(["ls"], write), CONTEXT));
    }),
  );
});

test.for([
  [exec(["rm", "-rf", "/"], false), "allow"],
  [exec(["ls"], true), "ask"],
  [{ type: "file.read", workspace: "/w", path: "a", offset: 1, limit: 1 }, "allow"],
  [{ type: "file.list", workspace: "/w", path: ".", depth: 1 }, "allow"],
  [SEARCH, "allow"],
] as const satisfies [ToolAction, string][])("what the sandbox lets an action do decides: %#", ([action, verdict]) => {
  expect(decide(action, CONTEXT).verdict).toBe(verdict);
});

test("in a weaker sandbox nothing that was remembered covers a command that may change the workspace", () => {
  const given = { ...CONTEXT, sandbox: "weaker" } as const;
  const remembered = {
    grant: "g",
    key: "exec:rw",
    agent: "a",
    principal: "p",
    channel: "terminal",
    session: null,
    until: NOW + 1000,
    left: null,
    row: 1,
  } as const;
  expect(decide(exec(["ls"], true), { ...CONTEXT, grants: [remembered] })).toMatchObject({ verdict: "allow" });
  expect(decide(exec(["ls"], true), { ...given, grants: [remembered] })).toMatchObject({
    verdict: "ask",
    scopes: ["once"],
  });
  expect(decide(exec(["ls"], false), given)).toMatchObject({ verdict: "allow", authority: "free" });
});

test("without a sandbox no command runs, and none is asked for", () => {
  for (const sandbox of ["missing", "forbidden", "broken"] as const) {
    expect(decide(SEARCH, { ...CONTEXT, sandbox })).toMatchObject({ verdict: "refuse", code: "no-sandbox" });
    expect(decide(exec(["ls"], true), { ...CONTEXT, sandbox })).toMatchObject({
      verdict: "refuse",
      code: "no-sandbox",
    });
  }
});
