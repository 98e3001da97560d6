import type { SandboxState } from "../effect/effects.ts";
import type { ToolAction } from "../effect/action.ts";
import type { ApprovalScope, Role } from "../ipc/operator.ts";
import { type Facts, factsOf, meaningOf, type Tier } from "./action.ts";
import type { Labels } from "./turn.ts";

/** An approval that is remembered, for one kind of action of one agent, for one person on one channel. */
export interface Grant {
  readonly grant: string;
  /** The row that gave it. */
  readonly row: number;
  readonly key: string;
  readonly agent: string;
  readonly principal: string;
  readonly channel: string;
  /** For this session only; null: for all. */
  readonly session: string | null;
  /** Milliseconds since 1970. */
  readonly until: number;
  /** How often it may still be used; null: as often as one likes. */
  readonly left: number | null;
}

export interface DecisionContext {
  readonly agent: string;
  readonly principal: string;
  readonly role: Role;
  readonly channel: string;
  readonly session: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly grants: readonly Grant[];
  readonly sandbox: SandboxState["state"];
  readonly labels: Labels;
  /** Was this very action denied in this turn? */
  readonly deniedBefore: boolean;
  /** Denials in this turn. */
  readonly denials: number;
  /** Was the turn stopped? */
  readonly stopped: boolean;
}

/** The denial that ends a turn. */
export const MAX_DENIALS = 3;

export type Decision =
  | { readonly verdict: "allow"; readonly authority: "free"; readonly rests: null; readonly reason: string }
  | { readonly verdict: "allow"; readonly authority: "grant"; readonly rests: Grant; readonly reason: string }
  | { readonly verdict: "ask"; readonly tier: Tier; readonly scopes: readonly ApprovalScope[]; readonly reason: string }
  | {
      readonly verdict: "refuse";
      readonly code: "stopped" | "denied" | "again" | "no-sandbox";
      readonly reason: string;
    };

/** May this be done? Pure and total: the same action in the same context has the same answer, every answer has its reason. */
export function decide(action: ToolAction, context: DecisionContext): Decision {
  return rule(factsOf(action), context);
}

/** The rules, over what bears on them. */
export function rule(facts: Facts, context: DecisionContext): Decision {
  if (context.stopped) return { verdict: "refuse", code: "stopped", reason: "the turn was stopped" };
  if (context.denials >= MAX_DENIALS) {
    return { verdict: "refuse", code: "denied", reason: `${MAX_DENIALS} requests of this turn were denied` };
  }
  if (context.deniedBefore) {
    return { verdict: "refuse", code: "again", reason: "this very action was denied in this turn" };
  }
  if (facts.needsSandbox && context.sandbox !== "works" && context.sandbox !== "weaker") {
    return {
      verdict: "refuse",
      code: "no-sandbox",
      reason: `there is no sandbox to run commands in (${context.sandbox})`,
    };
  }
  if (facts.leaves && context.labels.untrusted && context.labels.private) {
    return {
      verdict: "ask",
      tier: 3,
      scopes: ["once"],
      reason: "something untrusted and something private are both in this conversation, so every way out asks",
    };
  }
  const what = meaningOf(facts.key);
  // What is remembered was approved for the sandbox that keeps more; and nothing is to be remembered for this one.
  if (facts.needsSandbox && facts.tier === 2 && context.sandbox === "weaker") {
    return { verdict: "ask", tier: 2, scopes: ["once"], reason: `${what} is asked for every time in a weaker sandbox` };
  }
  switch (facts.tier) {
    case 1:
      return { verdict: "allow", authority: "free", rests: null, reason: `${what} is free` };
    case 2: {
      const grant = context.grants.find((one) => covers(one, facts, context));
      if (grant !== undefined) {
        return {
          verdict: "allow",
          authority: "grant",
          rests: grant,
          reason: `${what} was approved before (row ${grant.row})`,
        };
      }
      return { verdict: "ask", tier: 2, scopes: ["once", "session", "always"], reason: `${what} is asked for once` };
    }
    case 3:
      return { verdict: "ask", tier: 3, scopes: ["once"], reason: `${what} is asked for every time` };
  }
}

/** Is it this grant's key, agent, person, channel and session, in its time and with a use left? */
function covers(grant: Grant, facts: Facts, context: DecisionContext): boolean {
  return (
    grant.key === facts.key &&
    grant.agent === context.agent &&
    grant.principal === context.principal &&
    grant.channel === context.channel &&
    (grant.session === null || grant.session === context.session) &&
    grant.until > context.now &&
    (grant.left === null || grant.left > 0)
  );
}
