import type { Decision, GrantLookup } from "./policy.ts";
import type { TurnContext } from "./turn.ts";

/** No approval that was remembered for an agent counts for one that it started. */
export const NO_GRANTS: GrantLookup = { at: () => [] };

/** What a sub-agent may do of what an agent may: nothing that is asked for every time, and what is asked for once each time anew. */
export function lowered(decision: Decision): Decision {
  if (decision.verdict !== "ask") return decision;
  if (decision.tier === 3)
    return {
      verdict: "refuse",
      code: "rule",
      reason: `a sub-agent may not do what is asked for every time (${decision.reason})`,
    };
  return { ...decision, scopes: ["once"], remembers: [] };
}

/** The field of a row that names the agents between the one that a person talks with and the one that acts, by the calls that started them. */
export function chainOf({ chain }: Pick<TurnContext, "chain">): { chain?: string } {
  return chain.length === 0 ? {} : { chain: chain.join(",") };
}

/** An agent as a card names it. */
export function agentName({ agent, chain }: Pick<TurnContext, "agent" | "chain">): string {
  if (chain.length === 0) return agent;
  return `${agent}: ${chain.length === 1 ? "its sub-agent" : "a sub-agent of its sub-agent"}`;
}
