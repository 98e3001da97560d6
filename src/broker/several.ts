import type { Facts } from "./action.ts";
import type { ActionKey } from "./keys.ts";
import type { Decision } from "./policy.ts";
import { matches } from "./rules.ts";

/** What the operator wrote about who has to approve a kind of action together. */
export interface SeveralRule {
  /** An action's key; `*` stands for any characters of it. */
  readonly key: string;
  /** May whoever asks be one of the two? */
  readonly requesterCounts: boolean;
}

/** Two: more of them is a meeting. */
export const SEVERAL = 2;

/** Does an action need more than one person? One key of it that does is enough, and the stricter rule holds. */
export function severalFor(
  keys: readonly ActionKey[],
  rules: readonly SeveralRule[],
): { readonly needs: number; readonly requesterCounts: boolean } | null {
  const found = rules.filter((rule) => keys.some((key) => matches(rule.key, key)));
  if (found.length === 0) return null;
  return { needs: SEVERAL, requesterCounts: found.every(({ requesterCounts }) => requesterCounts) };
}

/** What takes two people is asked for every time: neither what is free nor what one person had remembered opens it, and a refusal stays one. */
export function askedOfSeveral(decision: Decision, { tier }: Pick<Facts, "tier">): Decision {
  if (decision.verdict === "refuse") return decision;
  const reason = "the configuration has this approved by two people";
  if (decision.verdict === "ask")
    return { ...decision, scopes: ["once"], remembers: [], reason: `${decision.reason}; ${reason}` };
  return { verdict: "ask", tier: tier === 3 ? 3 : 2, scopes: ["once"], remembers: [], reason };
}
