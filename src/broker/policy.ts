import type { SandboxState } from "../effect/effects.ts";
import type { ToolAction } from "../effect/action.ts";
import type { ApprovalScope, Role } from "../ipc/operator.ts";
import { type Facts, factsOf } from "./action.ts";
import { type ActionKey, meaningOf, readKey, type Tier } from "./keys.ts";
import { type Rule, ruleOn } from "./rules.ts";

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

/** Finds what was remembered without looking through all of it. */
export interface GrantLookup {
  /** Those of this key, agent, person and channel, whatever their session, time and uses. */
  at(key: string, agent: string, principal: string, channel: string): readonly Grant[];
}

export interface DecisionContext {
  readonly agent: string;
  readonly principal: string;
  readonly role: Role;
  readonly channel: string;
  readonly session: string;
  readonly talk: "direct" | "group";
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly grants: GrantLookup;
  /** What the configuration says. */
  readonly rules: readonly Rule[];
  readonly sandbox: SandboxState["state"];
  /** Of the conversation as it is now. */
  readonly labels: { readonly untrusted: boolean; readonly private: boolean };
  /** Why this way out is open although untrusted and private bytes are both there; null: it is not. */
  readonly exemption: string | null;
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
  | {
      readonly verdict: "allow";
      /** `policy`: the configuration says so. */
      readonly authority: "free" | "grant" | "policy";
      /** What it rests on: a grant for each of its keys that is not free; none where no grant is needed. */
      readonly rests: readonly Grant[];
      readonly reason: string;
    }
  | {
      readonly verdict: "ask";
      readonly tier: Tier;
      readonly scopes: readonly ApprovalScope[];
      /** What an approval that is remembered remembers. */
      readonly remembers: readonly ActionKey[];
      readonly reason: string;
    }
  | {
      readonly verdict: "refuse";
      readonly code: "stopped" | "denied" | "again" | "no-sandbox" | "unknown" | "rule" | "group";
      readonly reason: string;
    };

/** May this be done? Pure and total: the same action in the same context has the same answer, every answer has its reason. */
export function decide(action: ToolAction, context: DecisionContext): Decision {
  return rule(factsOf(action), context);
}

/** The rules, over what bears on them. First whatever refuses, then whatever asks, and only then what allows: so a restriction that is added never
 *  opens what was shut. */
export function rule(facts: Facts, context: DecisionContext): Decision {
  return refusal(facts, context) ?? question(facts, context) ?? permission(facts, context);
}

function refusal(facts: Facts, context: DecisionContext): Decision | null {
  if (context.stopped) return { verdict: "refuse", code: "stopped", reason: "the turn was stopped" };
  if (context.denials >= MAX_DENIALS) {
    return { verdict: "refuse", code: "denied", reason: `${MAX_DENIALS} requests of this turn were denied` };
  }
  if (context.deniedBefore) {
    return { verdict: "refuse", code: "again", reason: "this very action was denied in this turn" };
  }
  const unknown = facts.keys.find((key) => readKey(key) === null);
  if (unknown !== undefined || facts.keys.length === 0) {
    return { verdict: "refuse", code: "unknown", reason: "no rule knows an action of this kind" };
  }
  const denied = ruleOn("deny", facts.keys, context);
  if (denied !== null) {
    return { verdict: "refuse", code: "rule", reason: `the configuration does not allow it (${denied})` };
  }
  if (context.talk === "group" && facts.brings.private === "own") {
    return { verdict: "refuse", code: "group", reason: "in group talk only shared folders are seen" };
  }
  if (facts.needsSandbox && context.sandbox !== "works" && context.sandbox !== "weaker") {
    return {
      verdict: "refuse",
      code: "no-sandbox",
      reason: `there is no sandbox to run commands in (${context.sandbox})`,
    };
  }
  return null;
}

function question(facts: Facts, context: DecisionContext): Decision | null {
  const what = meaningsOf(facts.keys);
  const { leaves } = facts;
  if (leaves !== null && context.labels.untrusted && context.labels.private && waived(facts, context) === null) {
    // A page that is fetched, or a search, can be let through for the rest of the conversation: within bounds that are kept elsewhere.
    const bounded = leaves.by === "get" || leaves.by === "search";
    return {
      verdict: "ask",
      tier: 3,
      scopes: bounded && facts.tier === 1 ? ["once", "session"] : ["once"],
      remembers: bounded && facts.tier === 1 ? facts.keys : [],
      reason: "something untrusted and something private are both in this conversation, so every way out asks",
    };
  }
  if (facts.tier === 3) return asked(3, `${what} is asked for every time`);
  const told = ruleOn("ask", facts.keys, context);
  if (told !== null) return asked(2, `the configuration has ${what} asked for every time (${told})`);
  // What is remembered was approved for the sandbox that keeps more; and nothing is to be remembered for this one.
  if (facts.needsSandbox && facts.tier === 2 && context.sandbox === "weaker") {
    return asked(2, `${what} is asked for every time in a weaker sandbox`);
  }
  if (facts.tier === 1) return null;
  const missing = tier2Of(facts).filter((key) => grantOf(key, context) === null && allowing([key], context) === null);
  if (missing.length === 0) return null;
  return {
    verdict: "ask",
    tier: 2,
    scopes: ["once", "session", "always"],
    remembers: missing,
    reason: `${meaningsOf(missing)} is asked for once`,
  };
}

function asked(tier: Tier, reason: string): Decision {
  return { verdict: "ask", tier, scopes: ["once"], remembers: [], reason };
}

/** Nothing refuses it and nothing asks about it: what it rests on. */
function permission(facts: Facts, context: DecisionContext): Decision {
  const what = meaningsOf(facts.keys);
  const labelled = facts.leaves !== null && context.labels.untrusted && context.labels.private;
  const because = labelled ? waived(facts, context) : null;
  const why = because === null ? "" : `, and ${because}`;
  if (facts.tier === 1) return { verdict: "allow", authority: "free", rests: [], reason: `${what} is free${why}` };
  const rests = tier2Of(facts).flatMap((key) =>
    allowing([key], context) === null ? (grantOf(key, context) ?? []) : [],
  );
  if (rests.length === 0) {
    return { verdict: "allow", authority: "policy", rests, reason: `the configuration allows ${what}${why}` };
  }
  const rows = rests.map(({ row }) => row).join(", ");
  return { verdict: "allow", authority: "grant", rests, reason: `${what} was approved before (row ${rows})${why}` };
}

/** Why untrusted and private bytes beside each other do not shut this way out; null: they do. */
function waived(facts: Facts, context: DecisionContext): string | null {
  if (context.exemption !== null) return context.exemption;
  const allowed = facts.keys.filter((key) => readKey(key)?.is.leaves === true);
  const by = allowed.length === 0 ? null : ruleOn("allow", allowed, context, "named");
  return by === null ? null : `the configuration allows that destination (${by})`;
}

/** The keys that a grant is needed for; where an action is stricter than its keys are, all of them. */
function tier2Of(facts: Facts): readonly ActionKey[] {
  const some = facts.keys.filter((key) => (readKey(key)?.is.tier ?? 3) !== 1);
  return some.length === 0 ? facts.keys : some;
}

function allowing(keys: readonly ActionKey[], context: DecisionContext): string | null {
  return ruleOn("allow", keys, context);
}

/** The grant that covers a key: of this agent, person, channel and session, in its time and with a use left. */
function grantOf(key: ActionKey, context: DecisionContext): Grant | null {
  const { agent, principal, channel, session, now } = context;
  const found = context.grants
    .at(key, agent, principal, channel)
    .find(
      (grant) =>
        (grant.session === null || grant.session === session) &&
        grant.until > now &&
        (grant.left === null || grant.left > 0),
    );
  return found ?? null;
}

function meaningsOf(keys: readonly ActionKey[]): string {
  return keys.map((key) => meaningOf(key)).join(" and ");
}
