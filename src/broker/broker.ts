import type { ActionOf } from "../../audit/action.ts";
import { AuditError } from "../../audit/error.ts";
import type { AuditLog } from "../../audit/log.ts";
import type { Recorded } from "../../audit/recorded.ts";
import type { Clock } from "../../audit/ports.ts";
import { digestOf, encodeAction, type ToolAction } from "../effect/action.ts";
import { boundText, MAX_RESULT } from "../effect/bound.ts";
import { type Effects, WorkspaceError } from "../effect/effects.ts";
import type { ToolDescription } from "../ipc/completion.ts";
import type { ToolResult } from "../effect/tool.ts";
import { mint } from "../ipc/ids.ts";
import { factsOf } from "./action.ts";
import type { ApprovalRequest, Approvals } from "./approvals.ts";
import type { Budget } from "./budget.ts";
import { complete, type CompletionAsk, type CompletionOutcome, type ModelChoice } from "./completion.ts";
import type { Grants } from "./grants.ts";
import { entryOf } from "./injection/entry.ts";
import type { Suspect, Suspects } from "./injection/suspects.ts";
import { Plans } from "./plans.ts";
import { Repeats } from "./repeats.ts";
import { askOf, type Planned, type Step, stepsOf } from "./planning.ts";
import { askedOfSeveral, severalFor, type SeveralRule } from "./several.ts";
import type { FileLabels } from "./file-labels.ts";
import { labelsBefore, mayBeFound, Written } from "./labelling.ts";
import { NO_LABELS, union } from "./labels.ts";
import type { SessionLabels } from "./labels.ts";
import { chainOf, lowered, NO_GRANTS } from "./lowered.ts";
import { type Decision, decide, MAX_DENIALS } from "./policy.ts";
import type { Rule } from "./rules.ts";
import { wentNoFurther } from "./went-no-further.ts";
import { unattended } from "./schedules/unattended.ts";
import { findTool, toolDescriptions } from "./tools/catalogue.ts";
import { parseArguments } from "./tools/arguments.ts";
import { PLAN, planOf } from "./tools/plan.ts";
import { ArgumentsError, type Tool, whyOf } from "./tools/tool.ts";
import type { EndTurn, TurnContext } from "./turn.ts";

/** Calls with bad arguments of one tool that end a turn. */
export const MAX_BAD_ARGUMENTS = 3;
/** Bytes of refused arguments that are kept. */
const MAX_KEPT = 64 * 1024;

/** A tool call as an agent asks for it. Nothing in it says for whom or where: that is the turn's. */
export interface ToolAsk {
  /** The completion that it came from, by its reference on the agent's pipe. */
  readonly group: number;
  readonly name: string;
  /** The model's own id for it, at most 200 characters. */
  readonly call: string;
  /** The model's own JSON, as UTF-8: it may be anything. */
  readonly arguments: Uint8Array;
}

export interface ToolAnswer {
  readonly outcome: "done" | "failed" | "refused" | "denied";
  /** For the model, at most 64 KiB. */
  readonly text: string;
  /** The row whose `result` that text is; null where nothing ran. */
  readonly row: number | null;
  /** What looks in that text as if it tried to steer the agent. */
  readonly suspects: readonly Suspect[];
  /** The turn is over, and why. */
  readonly endTurn: { readonly reason: EndTurn; readonly sentence: string } | null;
}

type Refusal = ActionOf<"tool.refused">["reason"];
interface Authority {
  readonly authority: "free" | "grant" | "approval" | "policy";
  readonly rests: number | null;
  readonly restsAlso?: string;
}
/** A call on its way, as far as it is known what it is. */
interface Call {
  readonly turn: TurnContext;
  readonly cause: number;
  /** The model's id for it. */
  readonly id: string;
  readonly tool: Pick<Tool, "name"> | null;
  /** Why the model says it wants it. */
  readonly why: string | null;
  readonly action: ToolAction | null;
  /** The action's bytes; the arguments where there is no action. */
  readonly bytes: Uint8Array;
}

/** Everything the broker stands on. There is no broker without one of them. */
export interface Gates {
  readonly log: Pick<AuditLog, "record" | "append">;
  readonly effects: Effects;
  readonly approvals: Approvals;
  readonly grants: Grants;
  readonly budget: Budget;
  readonly clock: Clock;
  readonly suspects: Suspects;
  /** What is known of files that agents wrote. */
  readonly files: FileLabels;
  /** What the configuration says now. */
  readonly rules: () => readonly Rule[];
  /** What takes two people. */
  readonly several: () => readonly SeveralRule[];
}

/** Decides, records and executes what agents ask for. */
export class Broker {
  readonly #gates: Gates;
  readonly #plans: Plans;
  /** What nobody answered in time. */
  readonly repeats = new Repeats();

  constructor(gates: Gates) {
    this.#gates = gates;
    this.#plans = new Plans(gates.clock);
  }

  /** The tools as a model is shown them. */
  get tools(): ToolDescription[] {
    return toolDescriptions();
  }

  /** A completion: within the budget, recorded, then answered by a model. */
  complete(
    turn: TurnContext,
    ask: CompletionAsk,
    model: ModelChoice,
    onDelta: (text: Uint8Array) => void,
    signal: AbortSignal,
  ): Promise<CompletionOutcome> {
    return complete(this.#gates, turn, ask, model, onDelta, signal);
  }

  /** A person's message that is about to enter a context is looked through. @param row the one that it came in. */
  async received(turn: TurnContext, text: Uint8Array, row: number): Promise<readonly Suspect[]> {
    return await this.#gates.suspects.look(turn, "message", Buffer.from(text).toString("utf8"), row);
  }

  /** A tool call: decided, recorded, run; or refused, which is recorded as well. It does not throw for what a model, a person or the disk does. */
  async tool(turn: TurnContext, ask: ToolAsk): Promise<ToolAnswer> {
    try {
      return await this.#tool(turn, ask);
    } catch (cause) {
      if (!(cause instanceof AuditError)) throw cause;
      const sentence = `it could not be recorded (${cause.message})`;
      return {
        outcome: "refused",
        text: `refused: ${sentence}, so nothing more is done`,
        row: null,
        suspects: [],
        endTurn: { reason: "failed", sentence },
      };
    }
  }

  async #tool(turn: TurnContext, ask: ToolAsk): Promise<ToolAnswer> {
    const cause = turn.counters.answered.get(ask.group) ?? turn.cause;
    const tool = findTool(ask.name);
    const plans = ask.name === PLAN.name;
    const unread: Call = {
      turn,
      cause,
      id: ask.call,
      tool: plans ? PLAN : tool,
      why: null,
      action: null,
      bytes: ask.arguments.subarray(0, MAX_KEPT),
    };
    if (turn.signal.aborted) return this.#refuse(unread, "stopped", "the turn was stopped");
    if (plans && turn.chain.length === 0) return this.#plan(unread, ask);
    if (tool === null || !turn.tools.has(ask.name)) {
      return this.#refuse(unread, "unknown-tool", `there is no tool ${JSON.stringify(ask.name.slice(0, 100))}`);
    }
    // What is asked is decided for the sandbox that stands: so it is looked at before.
    if (this.#gates.effects.sandboxDue) await this.#probe(turn);
    let action: ToolAction;
    let bytes: Uint8Array;
    let why: string | null;
    try {
      const given = parseArguments(ask.arguments);
      why = whyOf(given);
      action = tool.prepare(given, turn, this.#gates.effects);
      bytes = encodeAction(action);
    } catch (wrong) {
      if (wrong instanceof ArgumentsError) return this.#badArguments(unread, tool, wrong.message);
      if (wrong instanceof WorkspaceError) {
        const outside = wrong.code === "PATH_OUTSIDE" || wrong.code === "PATH_FORBIDDEN";
        return outside
          ? this.#refuse(unread, "policy", wrong.message)
          : this.#badArguments(unread, tool, wrong.message);
      }
      throw wrong;
    }
    return this.#decided({ turn, cause, id: ask.call, tool, why, action, bytes }, tool, action, ask);
  }

  /** Several calls at once, to be made when they are approved. It runs nothing. */
  async #plan(call: Call, ask: ToolAsk): Promise<ToolAnswer> {
    const { turn } = call;
    let steps: Step[];
    let minutes: number;
    let why: string | null;
    try {
      const given = parseArguments(ask.arguments);
      why = whyOf(given);
      const plan = planOf(given);
      minutes = plan.minutes;
      const decideOn = (action: ToolAction, bytes: Uint8Array): Decision => this.#decide(turn, bytes, action);
      steps = stepsOf(plan, turn, this.#gates.effects, decideOn);
    } catch (wrong) {
      if (wrong instanceof ArgumentsError) return this.#badArguments(call, PLAN, wrong.message);
      throw wrong;
    }
    const refused = steps.findIndex(({ decision }) => decision.verdict === "refuse");
    const refusal = steps[refused]?.decision;
    if (refusal?.verdict === "refuse")
      return this.#refuse(call, REFUSAL[refusal.code], `call ${refused + 1}: ${this.#withHint(refusal)}`);
    const planned = askOf(steps);
    if (planned === null)
      return this.#refuse(call, "bad-arguments", "none of these calls needs an approval: just make them");
    if (turn.scheduled !== null) return this.#refuse(call, "policy", unattended(planned));
    const actions = planned.steps.map(({ bytes }) => bytes);
    const until = this.#gates.clock.now() + minutes * 60_000;
    const verdict = await this.#gates.approvals.request({
      ...this.#asking(turn),
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
      several: severalFor(planned.keys, this.#gates.several()),
    });
    switch (verdict.state) {
      case "approved": {
        this.#plans.add(turn.session, verdict.covers, { rests: verdict.rests, until });
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
        return this.#deny(call, verdict.reason);
      case "expired":
        for (const bytes of actions) turn.counters.denied.add(digestOf(bytes));
        this.repeats.add(verdict.approval, turn, ask);
        return this.#refuse(call, "expired", "nobody approved it in time");
      case "withdrawn":
        return this.#refuse(call, "stopped", "the turn was stopped");
    }
  }

  /** A plan was approved: that is on the record, as the result of the call that asked for it. */
  async #told(call: Call, planned: Planned, rests: number, text: string): Promise<ToolAnswer> {
    const { turn } = call;
    await using recorded = await this.#gates.log.record(
      {
        kind: "tool.called",
        turn: turn.turn,
        session: turn.session,
        call: mint("call"),
        agent: turn.agent,
        principal: turn.principal,
        ...chainOf(turn),
        tool: PLAN.name,
        key: "plan:calls",
        tier: planned.tier,
        authority: "approval",
        rests,
        policy: turn.policy,
        settings: turn.settings,
      },
      { cause: call.cause, seal: turn.session, content: { action: call.bytes, call: call.id } },
    );
    recorded.redeem();
    const row = await recorded.finish({ kind: "tool.finished", outcome: "done", status: null }, { result: text });
    return { outcome: "done", text, row: row.seq, suspects: [], endTurn: null };
  }

  /** What a card says beside the actions. */
  #asking(turn: TurnContext): Pick<ApprovalRequest, "turn" | "labels" | "suspects"> {
    const { untrusted, private: whose } = turn.labels.now;
    const suspects = this.#gates.suspects.of(turn.session);
    return { turn, labels: { untrusted, private: whose.length > 0 }, suspects };
  }

  async #decided(call: Call, tool: Tool, action: ToolAction, ask: ToolAsk): Promise<ToolAnswer> {
    const { turn, bytes } = call;
    if (turn.counters.unsure.has(digestOf(bytes)))
      return this.#refuse(
        call,
        "again",
        "nobody knows whether this very action took effect before, so it is not repeated",
      );
    let decision = this.#decide(turn, bytes, action);
    if (decision.verdict === "refuse" && decision.code === "no-sandbox") {
      await this.#probe(turn);
      decision = this.#decide(turn, bytes, action);
    }
    switch (decision.verdict) {
      case "refuse":
        return this.#refuse(call, REFUSAL[decision.code], this.#withHint(decision));
      case "allow": {
        exemptionOf(turn, action)?.use();
        // Counted before it is awaited: two calls at once do not share one use.
        for (const grant of decision.rests) this.#gates.grants.used(grant);
        return this.#run(call, tool, action, authorityOf(decision), ask);
      }
      case "ask": {
        if (turn.scheduled !== null) return this.#refuse(call, "policy", unattended(decision));
        const planned = turn.chain.length === 0 ? this.#plans.take(turn.session, digestOf(bytes)) : null;
        if (planned !== null) return this.#run(call, tool, action, { authority: "approval", rests: planned }, ask);
        const { keys } = factsOf(action);
        const verdict = await this.#gates.approvals.request({
          ...this.#asking(turn),
          group: ask.group,
          cause: call.cause,
          keys,
          tier: decision.tier,
          scopes: decision.scopes,
          remembers: decision.remembers,
          reason: decision.reason,
          actions: [bytes],
          whys: [call.why],
          end: null,
          several: severalFor(keys, this.#gates.several()),
        });
        switch (verdict.state) {
          case "approved":
            // What was approved are these bytes and no others.
            if (verdict.covers[0] !== digestOf(bytes))
              return this.#refuse(call, "changed", "it is not what was approved");
            if (verdict.scope === "session") cover(turn, action);
            return this.#run(call, tool, action, { authority: "approval", rests: verdict.rests }, ask);
          case "denied":
            return this.#deny(call, verdict.reason);
          case "expired":
            turn.counters.denied.add(digestOf(bytes));
            if (turn.chain.length === 0) this.repeats.add(verdict.approval, turn, ask);
            return this.#refuse(call, "expired", "nobody approved it in time");
          case "withdrawn":
            return this.#refuse(call, "stopped", "the turn was stopped");
        }
      }
    }
  }

  #decide(turn: TurnContext, bytes: Uint8Array, action: ToolAction): Decision {
    const facts = factsOf(action);
    const decision = this.#alone(turn, bytes, action);
    return severalFor(facts.keys, this.#gates.several()) === null ? decision : askedOfSeveral(decision, facts);
  }

  /** What one person may allow. */
  #alone(turn: TurnContext, bytes: Uint8Array, action: ToolAction): Decision {
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

  async #run(call: Call, tool: Tool, action: ToolAction, authority: Authority, ask: ToolAsk): Promise<ToolAnswer> {
    const { turn, bytes } = call;
    if (turn.signal.aborted) return this.#refuse(call, "stopped", "the turn was stopped");
    const changed = this.#gates.effects.changed(action);
    if (changed !== null) return this.#refuse(call, "changed", changed);
    const { keys, tier } = factsOf(action);
    const before = this.#gates.effects.before(action);
    await using recorded = await this.#gates.log.record(
      {
        kind: "tool.called",
        turn: turn.turn,
        session: turn.session,
        call: mint("call"),
        agent: turn.agent,
        principal: turn.principal,
        ...chainOf(turn),
        tool: tool.name,
        key: keys[0],
        tier,
        ...authority,
        policy: turn.policy,
        settings: turn.settings,
      },
      {
        cause: call.cause,
        seal: turn.session,
        content: { action: bytes, call: call.id, ...(before === null ? {} : { before }), ...taskOf(action) },
      },
    );
    // Before it runs: a crash in between leaves no result without its label.
    const labels = labelsBefore(action, turn, this.#gates);
    await turn.labels.raise(labels, recorded.seq);
    const written = await Written.before(action, turn, this.#gates, recorded.seq);
    const result =
      action.type === "exec" && action.background === true
        ? await this.#inBackground(recorded, call)
        : await this.#gates.effects.runTool(recorded, turn.signal, turn.spawn);
    await written.after(result.outcome);
    if (mayBeFound(action, union(labels, result.brings ?? NO_LABELS)))
      turn.labels.words.resulted(result.text, Buffer.from(bytes).toString("utf8"));
    if (result.brings !== undefined) await turn.labels.raise(result.brings, recorded.seq);
    const row = await recorded.finish(
      { kind: "tool.finished", outcome: result.outcome, status: result.status },
      { result: result.text },
    );
    if (result.next !== undefined)
      return await this.#goOn({ ...call, cause: row.seq }, tool, result.next, result.text, ask);
    if (result.unsure === true) turn.counters.unsure.add(digestOf(bytes));
    const outcome = result.outcome === "done" ? "done" : "failed";
    const suspects = await this.#gates.suspects.look(turn, entryOf(action), result.text, row.seq);
    return { outcome, text: result.text, row: row.seq, suspects, endTurn: null };
  }

  /** A command that goes on is an intent of its own, with an end of its own: its call is over when it runs. */
  async #inBackground(recorded: Recorded<"tool.called">, { turn, bytes }: Call): Promise<ToolResult> {
    recorded.redeem();
    const { agent, principal, session } = turn;
    const started = await this.#gates.log.record(
      { kind: "command.started", turn: turn.turn, session, command: mint("command"), agent, principal },
      { cause: recorded.seq, seal: session, content: { action: bytes } },
    );
    return await this.#gates.effects.startCommand(started);
  }

  /** Commands in the background. */
  get background(): Effects["background"] {
    return this.#gates.effects.background;
  }

  /** What a result leads to is an action of its own: decided, recorded and run like any other, or refused.
   *  @param said the result so far: that much was done, whatever becomes of the next. */
  async #goOn(call: Call, tool: Tool, next: ToolAction, said: string, ask: ToolAsk): Promise<ToolAnswer> {
    const answer = await this.#decided({ ...call, action: next, bytes: encodeAction(next) }, tool, next, ask);
    return answer.row === null ? { ...answer, text: boundText(wentNoFurther(said, answer.text), MAX_RESULT) } : answer;
  }

  async #badArguments(call: Call, tool: Pick<Tool, "name">, why: string): Promise<ToolAnswer> {
    const { badArguments } = call.turn.counters;
    const times = (badArguments.get(tool.name) ?? 0) + 1;
    badArguments.set(tool.name, times);
    const answer = await this.#refuse(call, "bad-arguments", why);
    if (times < MAX_BAD_ARGUMENTS) return answer;
    const sentence = `the agent called ${tool.name} wrongly ${times} times`;
    return { ...answer, endTurn: { reason: "failed", sentence } };
  }

  async #deny(call: Call, reason: string | null): Promise<ToolAnswer> {
    const { counters } = call.turn;
    counters.denials += 1;
    counters.denied.add(digestOf(call.bytes));
    const why = reason === null ? "a person denied it" : `a person denied it: ${reason}`;
    const answer = await this.#refuse(call, "denied", why);
    const last = counters.denials >= MAX_DENIALS;
    return {
      outcome: "denied",
      text: `${answer.text}; do not ask for it again in this turn`,
      row: null,
      suspects: [],
      endTurn: last ? { reason: "denied", sentence: `${MAX_DENIALS} requests were denied` } : null,
    };
  }

  /** Records a refusal, and tells the model what was refused, why, and that nothing ran. */
  async #refuse(call: Call, reason: Refusal, why: string): Promise<ToolAnswer> {
    const { turn, tool, action } = call;
    await this.#gates.log.append(
      {
        kind: "tool.refused",
        turn: turn.turn,
        session: turn.session,
        call: mint("call"),
        agent: turn.agent,
        principal: turn.principal,
        ...chainOf(turn),
        tool: tool?.name ?? null,
        key: action === null ? null : factsOf(action).keys[0],
        reason,
        policy: turn.policy,
        settings: turn.settings,
      },
      { cause: call.cause, seal: turn.session, content: { action: call.bytes, why, call: call.id } },
    );
    const over = reason === "denied" && turn.counters.denials >= MAX_DENIALS;
    return {
      outcome: "refused",
      text: boundText(`refused: ${why}. Nothing ran.`, MAX_RESULT),
      row: null,
      suspects: [],
      endTurn:
        reason === "stopped"
          ? { reason: "stopped", sentence: "stopped" }
          : over
            ? { reason: "denied", sentence: `${MAX_DENIALS} requests were denied` }
            : null,
    };
  }

  /** Tries the sandbox again: whoever installed it in the meantime need not restart. A change is on the record. */
  async #probe(turn: TurnContext): Promise<void> {
    const before = this.#gates.effects.sandboxState.state;
    const now = await this.#gates.effects.probeSandbox();
    if (now.state === before) return;
    const detail = now.state === "works" ? "" : `${now.sentence}\n${now.hint}`;
    await this.#gates.log.append(
      { kind: "sandbox.probed", state: now.state },
      { cause: turn.cause, content: { detail } },
    );
  }

  #withHint(decision: Extract<Decision, { verdict: "refuse" }>): string {
    const { sandboxState } = this.#gates.effects;
    if (decision.code !== "no-sandbox" || sandboxState.state === "works") return decision.reason;
    return [sandboxState.sentence, sandboxState.hint].filter((text) => text !== "").join("; to mend it: ");
  }
}

/** Why a way out is open although untrusted and private bytes are both there. It is used up in the same step of the program in which it was decided on: calls
 *  that come at once do not share one. */
function exemptionOf(turn: TurnContext, action: ToolAction): ReturnType<SessionLabels["exempts"]> {
  const { leaves } = factsOf(action);
  return leaves === null ? null : turn.labels.exempts(leaves, turn);
}

/** Somebody let this through for the session. */
function cover(turn: TurnContext, action: ToolAction): void {
  const { leaves } = factsOf(action);
  if (leaves !== null) turn.labels.exemptions.cover(leaves);
}

/** A sub-agent begins with these bytes: what it is asked can be shown to come from here. */
function taskOf(action: ToolAction): { task?: string } {
  return action.type === "agent.spawn" ? { task: action.task } : {};
}

/** What a row says of it. */
const REFUSAL: Readonly<Record<Extract<Decision, { verdict: "refuse" }>["code"], Refusal>> = {
  stopped: "stopped",
  denied: "denied",
  again: "again",
  "no-sandbox": "no-sandbox",
  unknown: "policy",
  rule: "policy",
  group: "policy",
};

function authorityOf({ authority, rests }: Extract<Decision, { verdict: "allow" }>): Authority {
  const [first, ...others] = rests.map(({ row }) => row);
  return {
    authority,
    rests: first ?? null,
    ...(others.length === 0 ? {} : { restsAlso: others.join(",") }),
  };
}
