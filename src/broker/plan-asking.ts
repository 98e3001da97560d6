import { digestOf, type ToolAction } from "../effect/action.ts";
import { type Call, recordedOf, type ToolAnswer, type ToolAsk } from "./call.ts";
import type { Gates } from "./gates.ts";
import { type Judge, REFUSAL } from "./judge.ts";
import { askOf, type Planned, type Step, stepsOf } from "./planning.ts";
import type { Plans } from "./plans.ts";
import type { Decision } from "./policy.ts";
import type { Refusing } from "./refusing.ts";
import type { Repeats } from "./repeats.ts";
import { unattended } from "./schedules/unattended.ts";
import { severalFor } from "./several.ts";
import { parseArguments } from "./tools/arguments.ts";
import { PLAN, planOf } from "./tools/plan.ts";
import { ArgumentsError, whyOf } from "./tools/tool.ts";

export interface PlanAskingParts {
  readonly gates: Gates;
  readonly judge: Judge;
  readonly refusing: Refusing;
  readonly plans: Plans;
  readonly repeats: Repeats;
}

/** Several calls at once, to be made when they are approved. It runs nothing. */
export class PlanAsking {
  readonly #parts: PlanAskingParts;

  constructor(parts: PlanAskingParts) {
    this.#parts = parts;
  }

  /** @throws {AuditError} */
  async ask(call: Call, ask: ToolAsk): Promise<ToolAnswer> {
    const { gates, judge, refusing, plans, repeats } = this.#parts;
    const { turn } = call;
    let steps: Step[];
    let minutes: number;
    let why: string | null;
    try {
      const given = parseArguments(ask.arguments);
      why = whyOf(given);
      const plan = planOf(given);
      minutes = plan.minutes;
      const decideOn = (action: ToolAction, bytes: Uint8Array): Decision => judge.decide(turn, bytes, action);
      steps = stepsOf(plan, turn, gates.effects, decideOn);
    } catch (wrong) {
      if (wrong instanceof ArgumentsError) return refusing.badArguments(call, PLAN, wrong.message);
      throw wrong;
    }
    const refused = steps.findIndex(({ decision }) => decision.verdict === "refuse");
    const refusal = steps[refused]?.decision;
    if (refusal?.verdict === "refuse")
      return refusing.refuse(call, REFUSAL[refusal.code], `call ${refused + 1}: ${judge.withHint(refusal)}`);
    const planned = askOf(steps);
    if (planned === null)
      return refusing.refuse(call, "bad-arguments", "none of these calls needs an approval: just make them");
    if (turn.scheduled !== null) return refusing.refuse(call, "policy", unattended(planned));
    const actions = planned.steps.map(({ bytes }) => bytes);
    const until = gates.clock.now() + minutes * 60_000;
    const verdict = await gates.approvals.request({
      ...judge.asking(turn),
      group: ask.group,
      cause: call.cause,
      keys: planned.keys,
      tier: planned.tier,
      scopes: ["once"],
      remembers: [],
      reason: planned.reason,
      actions,
      whys: planned.steps.map((step) => step.why ?? why),
      end: until,
      several: severalFor(planned.keys, gates.several()),
    });
    switch (verdict.state) {
      case "approved": {
        plans.add(turn.session, verdict.covers, { rests: verdict.rests, until });
        const end = new Date(until).toISOString();
        return await this.#told(
          call,
          planned,
          verdict.rests,
          `approved: make each of these ${actions.length} calls with exactly these arguments, once, before ${end}`,
        );
      }
      case "denied":
        for (const bytes of actions) turn.counters.denied.add(digestOf(bytes));
        return refusing.deny(call, verdict.reason);
      case "expired":
        for (const bytes of actions) turn.counters.denied.add(digestOf(bytes));
        repeats.add(verdict.approval, turn, ask);
        return refusing.refuse(call, "expired", "nobody approved it in time");
      case "withdrawn":
        return refusing.refuse(call, "stopped", "the turn was stopped");
    }
  }

  /** A plan was approved: that is on the record, as the result of the call that asked for it. */
  async #told(call: Call, planned: Planned, rests: number, text: string): Promise<ToolAnswer> {
    const { turn } = call;
    await using recorded = await this.#parts.gates.log.record(
      {
        kind: "tool.called",
        ...recordedOf(turn),
        tool: PLAN.name,
        key: "plan:calls",
        tier: planned.tier,
        authority: "approval",
        rests,
      },
      { cause: call.cause, seal: turn.session, content: { action: call.bytes, call: call.id } },
    );
    recorded.redeem();
    const row = await recorded.finish({ kind: "tool.finished", outcome: "done", status: null }, { result: text });
    return { outcome: "done", text, row: row.seq, suspects: [], endTurn: null };
  }
}
