import type { ActionOf } from "../../audit/action.ts";
import { digestOf, type ToolAction } from "../effect/action.ts";
import { factsOf } from "./action.ts";
import type { ApprovalRequest } from "./approval-ports.ts";
import type { Gates } from "./gates.ts";
import type { SessionLabels } from "./labels.ts";
import { lowered, NO_GRANTS } from "./lowered.ts";
import { type Decision, decide } from "./policy.ts";
import { beyondSkills } from "./skill-limits.ts";
import { askedOfSeveral, severalFor } from "./several.ts";
import type { TurnContext } from "./turn.ts";

/** What a row says of a refusal. */
export type Refusal = ActionOf<"tool.refused">["reason"];

/** Asks the policy about an action, with everything that holds in its turn at this moment. */
export class Judge {
  readonly #gates: Gates;

  constructor(gates: Gates) {
    this.#gates = gates;
  }

  /** @param bytes those of the action. */
  decide(turn: TurnContext, bytes: Uint8Array, action: ToolAction): Decision {
    const facts = factsOf(action);
    const decision = this.#alone(turn, bytes, action);
    return severalFor(facts.keys, this.#gates.several()) === null ? decision : askedOfSeveral(decision, facts);
  }

  /** What one person may allow. */
  #alone(turn: TurnContext, bytes: Uint8Array, action: ToolAction): Decision {
    const beyond = beyondSkills(action, turn.skills);
    if (beyond !== null) return { verdict: "refuse", code: "rule", reason: beyond };
    const { agent, principal, role, channel, session, talk, labels, counters } = turn;
    const decision = decide(action, {
      agent,
      principal,
      role,
      channel,
      session,
      talk,
      labels: { untrusted: labels.now.untrusted, private: labels.now.private.length > 0 },
      exemption: exemptionOf(turn, action)?.reason ?? null,
      now: this.#gates.clock.now(),
      grants: turn.chain.length === 0 ? this.#gates.grants : NO_GRANTS,
      rules: this.#gates.rules(),
      sandbox: this.#gates.effects.sandboxState.state,
      deniedBefore: counters.denied.has(digestOf(bytes)),
      denials: counters.denials,
      stopped: turn.signal.aborted,
    });
    return turn.chain.length === 0 ? decision : lowered(decision);
  }

  /** What a card says beside the actions. */
  asking(turn: TurnContext): Pick<ApprovalRequest, "turn" | "labels" | "suspects"> {
    const { untrusted, private: whose } = turn.labels.now;
    const suspects = this.#gates.suspects.of(turn.session);
    return { turn, labels: { untrusted, private: whose.length > 0 }, suspects };
  }

  /** Tries the sandbox again: whoever installed it in the meantime need not restart. A change is on the record. */
  async probe(turn: TurnContext): Promise<void> {
    const before = this.#gates.effects.sandboxState.state;
    const now = await this.#gates.effects.probeSandbox();
    if (now.state === before) return;
    const detail = now.state === "works" ? "" : `${now.sentence}\n${now.hint}`;
    await this.#gates.log.append(
      { kind: "sandbox.probed", state: now.state },
      { cause: turn.cause, content: { detail } },
    );
  }

  /** Why not; where the sandbox is missing, with what mends it. */
  withHint(decision: Extract<Decision, { verdict: "refuse" }>): string {
    const { sandboxState } = this.#gates.effects;
    if (decision.code !== "no-sandbox" || sandboxState.state === "works") return decision.reason;
    return [sandboxState.sentence, sandboxState.hint].filter((text) => text !== "").join("; to mend it: ");
  }
}

/** Why a way out is open although untrusted and private bytes are both there. It is used up in the same step of the program in which it was decided on: calls
 *  that come at once do not share one. */
export function exemptionOf(turn: TurnContext, action: ToolAction): ReturnType<SessionLabels["exempts"]> {
  const { leaves } = factsOf(action);
  return leaves === null ? null : turn.labels.exempts(leaves, turn);
}

/** What a row says of it. */
export const REFUSAL: Readonly<Record<Extract<Decision, { verdict: "refuse" }>["code"], Refusal>> = {
  stopped: "stopped",
  denied: "denied",
  again: "again",
  "no-sandbox": "no-sandbox",
  unknown: "policy",
  rule: "policy",
  group: "policy",
};
