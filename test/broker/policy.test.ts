import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BRINGS_NOTHING, type Facts, factsOfKeys, type WayOut } from "../../src/broker/action.ts";
import { type ActionKey, isActionKey, KEYS, meaningOf, readKey } from "../../src/broker/keys.ts";
import {
  type Decision,
  type DecisionContext,
  decide,
  type Grant,
  type GrantLookup,
  rule,
} from "../../src/broker/policy.ts";
import { matches, type Rule } from "../../src/broker/rules.ts";
import type { ToolAction } from "../../src/effect/action.ts";

const SOME = {
  host: "api.example.com",
  credential: "credential/github",
  folder: "photos",
  server: "files",
  tool: "read_file",
} as const;
const CONVERSATION = `c_${"0".repeat(26)}`;
/** One key of each class. */
const ALL = KEYS.map(({ form }) =>
  form
    .replace("<host>", SOME.host)
    .replace("<credential>", SOME.credential)
    .replace("<folder>", SOME.folder)
    .replace("<server>", SOME.server)
    .replace("<tool>", SOME.tool)
    .replace("<conversation>", CONVERSATION),
).filter((text) => isActionKey(text));

const someKey = fc.constantFrom(...ALL);
const way: fc.Arbitrary<WayOut | null> = fc.constantFrom(
  null,
  { by: "get", host: "a.example", url: "https://a.example/" } as const,
  { by: "search", query: "a" } as const,
  { by: "request", hosts: ["a.example"] } as const,
  { by: "message", conversation: CONVERSATION } as const,
  { by: "reply" } as const,
);
const facts: fc.Arbitrary<Facts> = fc
  .record({
    first: someKey,
    more: fc.array(someKey, { maxLength: 2 }),
    leaves: way,
    tier: fc.constantFrom(1 as const, 2 as const, 3 as const),
    brings: fc.constantFrom(BRINGS_NOTHING, { untrusted: true, private: "own" } as const),
  })
  .map(({ first, more, ...rest }) => factsOfKeys([first, ...more], rest));
const who = fc.constantFrom("a", "a", "a", "b");
const NOW = 1_000_000;
const grant: fc.Arbitrary<Grant> = fc.record({
  grant: fc.constant("g_0"),
  row: fc.nat(100),
  key: someKey,
  agent: who,
  principal: who,
  channel: who,
  session: fc.option(who),
  until: fc.integer({ min: NOW - 2, max: NOW + 2 }),
  left: fc.option(fc.nat(2)),
});
const rules: fc.Arbitrary<Rule> = fc.record(
  {
    effect: fc.constantFrom("deny" as const, "ask" as const, "allow" as const),
    key: fc.oneof(someKey, fc.constantFrom("*", "http:*", "exec:*", "http*:*.example.com", "file.*:workspace")),
    agent: who,
    person: who,
    role: fc.constantFrom("user" as const, "owner" as const),
    channel: who,
  },
  { requiredKeys: ["effect", "key"] },
);

/** Looks through all of them: what the real one finds by its index. */
function lookup(grants: readonly Grant[]): GrantLookup {
  return {
    at: (key, agent, principal, channel) =>
      grants.filter(
        (one) => one.key === key && one.agent === agent && one.principal === principal && one.channel === channel,
      ),
  };
}

type Given = Omit<DecisionContext, "grants"> & { readonly remembered: readonly Grant[] };
const given: fc.Arbitrary<Given> = fc.record({
  agent: who,
  principal: who,
  role: fc.constantFrom("user" as const, "approver" as const, "owner" as const),
  channel: who,
  session: who,
  talk: fc.constantFrom("direct" as const, "group" as const),
  now: fc.constant(NOW),
  remembered: fc.array(grant, { maxLength: 6 }),
  rules: fc.array(rules, { maxLength: 3 }),
  sandbox: fc.constantFrom(
    "works" as const,
    "weaker" as const,
    "missing" as const,
    "forbidden" as const,
    "broken" as const,
  ),
  labels: fc.record({ untrusted: fc.boolean(), private: fc.boolean() }),
  exemption: fc.constantFrom(null, "it was typed"),
  deniedBefore: fc.boolean(),
  denials: fc.nat(4),
  stopped: fc.boolean(),
});
/** Half of what is made up at random is stopped or denied: here nothing is, so that the rest of the rules decides. */
const going = given.map((one) => ({ ...one, stopped: false, deniedBefore: false, denials: 0 }));
const context = ({ remembered, ...rest }: Given): DecisionContext => ({ ...rest, grants: lookup(remembered) });

const STRENGTH = { allow: 0, ask: 1, refuse: 2 } as const;
const strength = ({ verdict }: Decision): number => STRENGTH[verdict];

describe("a decision", () => {
  test("is total, pure, and has a reason", () => {
    fc.assert(
      fc.property(facts, given, (action, one) => {
        const before = JSON.stringify([action, one]);
        const decision = rule(action, context(one));
        expect(decision.reason).not.toBe("");
        expect(rule(action, context(one))).toEqual(decision);
        expect(JSON.stringify([action, one])).toBe(before);
      }),
    );
  });

  test("never allows without authority that it names", () => {
    fc.assert(
      fc.property(facts, going, (action, one) => {
        const decision = rule(action, context(one));
        fc.pre(decision.verdict === "allow");
        expect(action.needsSandbox && one.sandbox !== "works" && one.sandbox !== "weaker").toBe(false);
        if (action.leaves !== null && one.labels.untrusted && one.labels.private && one.exemption === null) {
          expect(one.rules.some(({ effect }) => effect === "allow")).toBe(true);
        }
        expect(action.tier).not.toBe(3);
        const authority = decision.verdict === "allow" ? decision.authority : null;
        if (action.tier === 1) expect(authority).toBe("free");
        else expect(["grant", "policy"]).toContain(authority);
      }),
      { numRuns: 300, maxSkipsPerRun: 1000 },
    );
  });

  test("rests, for each key that is asked for once, on a grant of it or a rule that allows it", () => {
    fc.assert(
      fc.property(facts, going, (action, one) => {
        const decision = rule(action, context(one));
        fc.pre(decision.verdict === "allow" && action.tier === 2);
        const rests = decision.verdict === "allow" ? decision.rests : [];
        for (const found of rests) {
          expect(one.remembered).toContain(found);
          const { agent, principal, channel } = one;
          expect(found).toMatchObject({ agent, principal, channel });
          expect(found.until).toBeGreaterThan(NOW);
          expect(found.left).not.toBe(0);
          expect([null, one.session]).toContain(found.session);
        }
        const free = new Set(KEYS.filter(({ tier }) => tier === 1).map(({ form }) => form));
        const needed = action.keys.filter((key) => !free.has(readKey(key)?.is.form ?? ""));
        for (const key of needed) {
          const granted = rests.some((found) => found.key === key);
          const allowed = one.rules.some((each) => each.effect === "allow" && matches(each.key, key));
          expect(granted || allowed).toBe(true);
        }
      }),
      { numRuns: 60, maxSkipsPerRun: 100_000 },
    );
  });

  test("asks for tier 3 every time, whatever is remembered or configured", () => {
    fc.assert(
      fc.property(facts, given, (action, one) => {
        const decision = rule({ ...action, tier: 3 }, context(one));
        expect(decision.verdict).not.toBe("allow");
        expect(decision.verdict === "ask" ? decision.scopes : ["once"]).toEqual(["once"]);
      }),
    );
  });

  test("grows no weaker by a restriction", () => {
    const restrict: readonly ((one: Given) => Given)[] = [
      (one) => ({ ...one, stopped: true }),
      (one) => ({ ...one, deniedBefore: true }),
      (one) => ({ ...one, denials: one.denials + 1 }),
      (one) => ({ ...one, sandbox: "missing" }),
      (one) => (one.sandbox === "works" ? { ...one, sandbox: "weaker" } : one),
      (one) => ({ ...one, labels: { ...one.labels, untrusted: true } }),
      (one) => ({ ...one, labels: { ...one.labels, private: true } }),
      (one) => ({ ...one, exemption: null }),
      (one) => ({ ...one, talk: "group" }),
      (one) => ({ ...one, remembered: one.remembered.slice(1) }),
      (one) => ({ ...one, rules: one.rules.filter(({ effect }) => effect !== "allow") }),
    ];
    fc.assert(
      fc.property(facts, given, rules, fc.nat(restrict.length), (action, one, more, at) => {
        const before = strength(rule(action, context(one)));
        const harder = restrict[at]?.(one) ?? {
          ...one,
          rules: [{ ...more, effect: more.effect === "allow" ? ("ask" as const) : more.effect }, ...one.rules],
        };
        expect(strength(rule(action, context(harder)))).toBeGreaterThanOrEqual(before);
        const stricter = { ...action, tier: 3 as const };
        expect(strength(rule(stricter, context(one)))).toBeGreaterThanOrEqual(before);
      }),
      { numRuns: 1000 },
    );
  });

  test("refuses what no rule knows, whatever is allowed", () => {
    fc.assert(
      fc.property(fc.string(), going, (text, one) => {
        fc.pre(!isActionKey(text));
        // A key is a string at run time: what the type says of it is not what is relied on.
        const forged: Facts = {
          ...factsOfKeys(["exec:ro"], { leaves: null, brings: BRINGS_NOTHING }),
          keys: unknown(text),
        };
        const everything = { ...one, rules: [{ effect: "allow", key: "*" } as const] };
        expect(rule(forged, context(everything)).verdict).toBe("refuse");
      }),
    );
  });
});

function unknown(text: string): [ActionKey, ...ActionKey[]] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return [text as ActionKey];
}

test("what the configuration denies no grant opens, and what it allows no grant is needed for", () => {
  const http = factsOfKeys(["http:api.example.com"], {
    leaves: { by: "request", hosts: ["api.example.com"] },
    brings: BRINGS_NOTHING,
  });
  const remembered = { ...GRANT, key: "http:api.example.com" };
  const at = (...all: Rule[]): Decision => rule(http, { ...CONTEXT, grants: lookup([remembered]), rules: all });
  expect(at()).toMatchObject({ verdict: "allow", authority: "grant", rests: [remembered] });
  expect(at({ effect: "deny", key: "http:*.example.com" })).toMatchObject({ verdict: "refuse", code: "rule" });
  expect(at({ effect: "ask", key: "http:*" })).toMatchObject({ verdict: "ask", scopes: ["once"] });
  expect(at({ effect: "deny", key: "http:*", role: "user" })).toMatchObject({ verdict: "allow" });
  expect(rule(http, CONTEXT)).toMatchObject({ verdict: "ask", remembers: ["http:api.example.com"] });
  const allowed = { ...CONTEXT, rules: [{ effect: "allow", key: "http:api.example.com" }] as const };
  expect(rule(http, allowed)).toMatchObject({ verdict: "allow", authority: "policy" });
});

const held = (...keys: string[]): DecisionContext => ({
  ...CONTEXT,
  grants: lookup(keys.map((key) => ({ ...GRANT, key }))),
});

test("an action with several keys needs each of them, and an approval of it remembers those that were missing", () => {
  const both = factsOfKeys(["exec:rw", "exec:net:a.example", "exec:net:b.example"], {
    leaves: { by: "request", hosts: ["a.example", "b.example"] },
    brings: BRINGS_NOTHING,
  });
  expect(rule(both, held("exec:rw"))).toMatchObject({
    verdict: "ask",
    remembers: ["exec:net:a.example", "exec:net:b.example"],
  });
  const all = rule(both, held("exec:rw", "exec:net:a.example", "exec:net:b.example"));
  expect(all).toMatchObject({ verdict: "allow", rests: [{ key: "exec:rw" }, {}, {}] });
});

test("where untrusted and private meet every way out asks, whatever was granted", () => {
  const met = { ...CONTEXT, labels: { untrusted: true, private: true } };
  const get = factsOfKeys(["http.get:a.example"], {
    leaves: { by: "get", host: "a.example", url: "https://a.example/x" },
    brings: BRINGS_NOTHING,
  });
  expect(rule(get, CONTEXT)).toMatchObject({ verdict: "allow", authority: "free" });
  expect(rule(get, met)).toMatchObject({ verdict: "ask", tier: 3, scopes: ["once", "session"] });
  expect(rule(get, { ...met, exemption: "it was typed" })).toMatchObject({ verdict: "allow", authority: "free" });
  const exempting: Rule[] = [{ effect: "allow", key: "http.get:*.example" }];
  expect(rule(get, { ...met, rules: exempting })).toMatchObject({ verdict: "allow" });
  expect(rule(get, { ...met, rules: [{ effect: "allow", key: "http.get:*" }] })).toMatchObject({ verdict: "ask" });
  const post = factsOfKeys(["http:a.example"], {
    leaves: { by: "request", hosts: ["a.example"] },
    brings: BRINGS_NOTHING,
  });
  const granted = { ...met, grants: lookup([{ ...GRANT, key: "http:a.example" }]) };
  expect(rule(post, granted)).toMatchObject({ verdict: "ask", tier: 3, scopes: ["once"], remembers: [] });
});

test.for([
  ["exec:net:example.com", true],
  ["exec:net:EXAMPLE.com", false],
  ["exec:net:", false],
  ["exec:net:a b", false],
  [`exec:net:${"a".repeat(254)}`, false],
  ["http:example.com", true],
  ["http:example.com:credential/github", true],
  ["http:example.com:credential/github:more", false],
  [`message:${CONVERSATION}`, true],
  ["message:somebody", false],
  ["exec", false],
  ["exec:ro\n", false],
  ["__proto__", false],
  ["", false],
] as const)("%s is a key: %s", ([text, is]) => {
  expect(isActionKey(text)).toBe(is);
});

test("every key says in words what it covers", () => {
  expect(new Set(ALL.map((key) => meaningOf(key))).size).toBe(ALL.length);
  expect(ALL).toHaveLength(KEYS.length);
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
  talk: "direct",
  now: NOW,
  grants: lookup([]),
  rules: [],
  exemption: null,
  sandbox: "works",
  labels: { untrusted: false, private: false },
  deniedBefore: false,
  denials: 0,
  stopped: false,
};
const GRANT: Grant = {
  grant: "g",
  row: 1,
  key: "exec:rw",
  agent: "a",
  principal: "p",
  channel: "terminal",
  session: null,
  until: NOW + 1000,
  left: null,
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
  const weaker = { ...CONTEXT, sandbox: "weaker" } as const;
  const grants = lookup([GRANT]);
  expect(decide(exec(["ls"], true), { ...CONTEXT, grants })).toMatchObject({ verdict: "allow" });
  expect(decide(exec(["ls"], true), { ...weaker, grants })).toMatchObject({
    verdict: "ask",
    scopes: ["once"],
  });
  expect(decide(exec(["ls"], false), weaker)).toMatchObject({ verdict: "allow", authority: "free" });
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
