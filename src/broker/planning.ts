import { encodeAction, type ToolAction } from "../effect/action.ts";
import { WorkspaceError } from "../effect/effects.ts";
import { factsOf } from "./action.ts";
import type { ActionKey } from "./keys.ts";
import type { Decision } from "./policy.ts";
import { findTool } from "./tools/catalogue.ts";
import { findMcpTool } from "./tools/mcp.ts";
import type { Plan } from "./tools/plan.ts";
import { ArgumentsError, type CallTurn, type Look, whyOf } from "./tools/tool.ts";

/** One call of a plan, as it would be by itself. */
export interface Step {
  readonly action: ToolAction;
  readonly bytes: Uint8Array;
  readonly why: string | null;
  readonly decision: Decision;
}

/** What is asked for with a plan. */
export interface Planned {
  readonly steps: readonly Step[];
  readonly keys: readonly [ActionKey, ...ActionKey[]];
  readonly tier: 2 | 3;
  readonly reason: string;
}

/** Prepares every call of a plan, as if it were made now.
 *  @throws {ArgumentsError} naming the call that is wrong. */
export function stepsOf(
  plan: Plan,
  turn: CallTurn,
  look: Look,
  decideOn: (action: ToolAction, bytes: Uint8Array) => Decision,
): Step[] {
  return plan.steps.map((step, index) => {
    const where = `call ${index + 1} (${step.tool})`;
    const tool = findTool(step.tool) ?? findMcpTool(look.mcp, turn.agent, step.tool);
    if (tool === null) throw new ArgumentsError(`${where}: there is no such tool`);
    try {
      const action = tool.prepare(step.arguments, turn, look);
      const bytes = encodeAction(action);
      return { action, bytes, why: whyOf(step.arguments), decision: decideOn(action, bytes) };
    } catch (wrong) {
      if (wrong instanceof ArgumentsError || wrong instanceof WorkspaceError)
        throw new ArgumentsError(`${where}: ${wrong.message}`, { cause: wrong });
      throw wrong;
    }
  });
}

/** What of a plan has to be asked for: as strictly as its strictest call. @returns null: nothing of it. */
export function askOf(steps: readonly Step[]): Planned | null {
  const asks = steps.filter(({ decision }) => decision.verdict === "ask");
  const [first, ...keys] = [...new Set(asks.flatMap(({ action }) => factsOf(action).keys))];
  if (first === undefined) return null;
  const reasons = new Set(asks.flatMap(({ decision }) => (decision.verdict === "ask" ? [decision.reason] : [])));
  const strict = asks.some(({ decision }) => decision.verdict === "ask" && decision.tier === 3);
  return { steps: asks, keys: [first, ...keys], tier: strict ? 3 : 2, reason: [...reasons].join("; ") };
}
