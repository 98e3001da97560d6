import { expect, test } from "vitest";
import { factsOfKey } from "../../src/broker/action.ts";
import type { DecisionContext, Grant } from "../../src/broker/policy.ts";
import type { SeveralRule } from "../../src/broker/several.ts";
import { decided, whyNot } from "../../src/broker/why-not.ts";

const NOW = 1_000_000;
const CONTEXT: DecisionContext = {
  agent: "default",
  principal: "p_1",
  role: "user",
  channel: "slack",
  session: "s_1",
  talk: "direct",
  now: NOW,
  grants: { at: () => [] },
  rules: [],
  sandbox: "works",
  labels: { untrusted: false, private: false },
  exemption: null,
  deniedBefore: false,
  denials: 0,
  stopped: false,
};
const GRANT: Grant = {
  grant: "g_1",
  row: 7,
  key: "exec:rw",
  agent: "default",
  principal: "p_1",
  channel: "telegram",
  session: null,
  until: NOW + 1,
  left: null,
};

function changes(key: string, context: Partial<DecisionContext> = {}, several: readonly SeveralRule[] = []): string[] {
  const facts = factsOfKey(key);
  if (facts === null) throw new Error(`${key} is no key`);
  const whole = { ...CONTEXT, ...context };
  const found = whyNot(facts, whole, several, ["telegram"]);
  // What is said is what the rules say.
  for (const { verdict } of found) expect(verdict).not.toBe(decided(facts, whole, several).verdict);
  return found.map(({ what, verdict }) => `${verdict}: ${what}`);
}

test.for([
  ["what is free needs nothing", "file.read:workspace", {}, []],
  [
    "what is asked once needs an approval that is remembered, or a rule",
    "exec:rw",
    {},
    [
      "allow: an approval that is remembered: wirken grants add exec:rw",
      "allow: a rule of config.json that allows running commands that can change the workspace",
    ],
  ],
  ["what is asked every time stays so", "file.write:protected", {}, []],
  [
    "without a sandbox, one",
    "exec:ro",
    { sandbox: "missing" },
    ["allow: a sandbox that works (wirken doctor says how to get it)"],
  ],
  [
    "what a rule refuses, that rule; and to be asked is nearer",
    "exec:rw",
    { rules: [{ effect: "deny", key: "exec:*" }] },
    ["ask: without the rule of config.json that says deny for exec:*"],
  ],
  [
    "what a rule refuses to a role, another role",
    "file.read:workspace",
    { rules: [{ effect: "deny", key: "file.*", role: "user" }] },
    [
      "allow: asked by somebody whose role is approver",
      "allow: asked by somebody whose role is owner",
      "allow: without the rule of config.json that says deny for file.*",
    ],
  ],
  [
    "what was remembered on another channel, that channel",
    "exec:rw",
    {
      grants: {
        at: (key: string, _: string, __: string, channel: string) =>
          key === "exec:rw" && channel === "telegram" ? [GRANT] : [],
      },
    },
    [
      "allow: an approval that is remembered: wirken grants add exec:rw",
      "allow: a rule of config.json that allows running commands that can change the workspace",
      "allow: asked on telegram",
    ],
  ],
] as const)("%s", ([, key, context, expected]) => {
  expect(changes(key, context)).toEqual(expected);
});

test("what takes two people is not opened by an approval that is remembered, only by the end of that rule", () => {
  const rules: Partial<DecisionContext> = { rules: [{ effect: "allow", key: "exec:rw" }] };
  expect(changes("exec:rw", rules, [{ key: "exec:*", requesterCounts: false }])).toEqual([
    "allow: without the rule of config.json that two people approve exec:*",
  ]);
  const facts = factsOfKey("exec:rw");
  if (facts === null) throw new Error("exec:rw is a key");
  expect(decided(facts, { ...CONTEXT, ...rules }, [{ key: "exec:*", requesterCounts: false }])).toMatchObject({
    verdict: "ask",
    scopes: ["once"],
    reason: "the configuration has this approved by two people",
  });
});
