import type { Facts } from "./action.ts";
import { meaningOf, readKey } from "./keys.ts";
import { type Decision, type DecisionContext, type Grant, rule } from "./policy.ts";
import { askedOfSeveral, severalFor, type SeveralRule } from "./several.ts";
import type { Rule } from "./rules.ts";

/** One thing that could be otherwise, and what would be decided then. */
export interface Change {
  readonly what: string;
  readonly verdict: Decision["verdict"];
  readonly reason: string;
}

/** What is decided about a class of action where the configuration may want two people. */
export function decided(facts: Facts, context: DecisionContext, several: readonly SeveralRule[]): Decision {
  const decision = rule(facts, context);
  return severalFor(facts.keys, several) === null ? decision : askedOfSeveral(decision, facts);
}

/** What would have to change for something to be done without a question: each single thing that would, asked of the very rules that decide.
 *  Where none does alone, those that bring it nearer (from refused to asked) are told.
 *  @param others channels that the person is known on beside this one. */
export function whyNot(
  facts: Facts,
  context: DecisionContext,
  several: readonly SeveralRule[],
  others: readonly string[],
): Change[] {
  const now = decided(facts, context, several);
  if (now.verdict === "allow") return [];
  const changes = [
    ...grantChanges(facts, context),
    ...others.map((channel) => ({ what: `asked on ${channel}`, context: { ...context, channel } })),
    ...(["user", "approver", "owner"] as const)
      .filter((role) => role !== context.role)
      .map((role) => ({ what: `asked by somebody whose role is ${role}`, context: { ...context, role } })),
    ...(context.sandbox === "works"
      ? []
      : [
          {
            what: "a sandbox that works (wirken doctor says how to get it)",
            context: { ...context, sandbox: "works" } as const,
          },
        ]),
    ...context.rules.map((one) => ({
      what: `without the rule of config.json that says ${one.effect} for ${one.key}`,
      context: { ...context, rules: context.rules.filter((other) => other !== one) },
    })),
  ];
  const tried = [
    ...changes.map((change) => ({ what: change.what, decision: decided(facts, change.context, several) })),
    ...several.map((one) => ({
      what: `without the rule of config.json that two people approve ${one.key}`,
      decision: decided(
        facts,
        context,
        several.filter((other) => other !== one),
      ),
    })),
  ].filter(({ decision }) => rank(decision) > rank(now));
  const best = Math.max(...tried.map(({ decision }) => rank(decision)));
  return tried
    .filter(({ decision }) => rank(decision) === best)
    .map(({ what, decision }) => ({ what, verdict: decision.verdict, reason: decision.reason }));
}

function rank({ verdict }: Decision): number {
  return { refuse: 0, ask: 1, allow: 2 }[verdict];
}

/** An approval that is remembered for everything that it needs, and a rule that allows it. */
function grantChanges(facts: Facts, context: DecisionContext): { what: string; context: DecisionContext }[] {
  const wanted = facts.keys.filter((key) => readKey(key)?.is.tier === 2);
  if (wanted.length === 0) return [];
  const { agent, principal, channel, now } = context;
  const given = wanted.map(
    (key): Grant => ({ grant: "", row: 0, key, agent, principal, channel, session: null, until: now + 1, left: null }),
  );
  const grants = {
    at: (...[key, ...place]: [string, string, string, string]) => [
      ...context.grants.at(key, ...place),
      ...given.filter((grant) => grant.key === key && place.join("\n") === [agent, principal, channel].join("\n")),
    ],
  };
  const rules: Rule[] = wanted.map((key) => ({ effect: "allow", key }));
  return [
    {
      what: `an approval that is remembered: wirken grants add ${wanted.join(", then ")}`,
      context: { ...context, grants },
    },
    {
      what: `a rule of config.json that allows ${wanted.map((key) => meaningOf(key)).join(" and ")}`,
      context: { ...context, rules: [...context.rules, ...rules] },
    },
  ];
}
