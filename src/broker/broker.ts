import { join } from "node:path";
import { AuditError } from "../../audit/error.ts";
import type { Recorded } from "../../audit/recorded.ts";
import { digestOf, encodeAction, type ToolAction } from "../effect/action.ts";
import { boundText, MAX_RESULT } from "../effect/bound.ts";
import { type Effects, WorkspaceError } from "../effect/effects.ts";
import { SKILL_TOOL } from "../ipc/skill-text.ts";
import type { McpAsker } from "../effect/mcp-port.ts";
import type { ToolResult } from "../effect/tool.ts";
import { McpQuestions } from "./mcp-questions.ts";
import type { ToolDescription } from "../ipc/completion.ts";
import { mint } from "../ipc/ids.ts";
import { factsOf } from "./action.ts";
import { Attestations } from "./attestations.ts";
import { type Call, recordedOf, type ToolAnswer, type ToolAsk } from "./call.ts";
import {
  complete,
  type CompletionAsk,
  type CompletionEvents,
  type CompletionGates,
  type CompletionOutcome,
  type ModelChoice,
} from "./completion.ts";
import type { Gates } from "./gates.ts";
import { entryOf } from "./injection/entry.ts";
import type { Suspect } from "./injection/suspects.ts";
import { exemptionOf, Judge, REFUSAL } from "./judge.ts";
import { labelsBefore, mayBeFound, Written } from "./labelling.ts";
import { NO_LABELS, union } from "./labels.ts";
import { Leaving } from "./leaving.ts";
import { Outages } from "./outages.ts";
import { PlanAsking } from "./plan-asking.ts";
import { Plans } from "./plans.ts";
import type { Decision } from "./policy.ts";
import { Refusing } from "./refusing.ts";
import { Repeats } from "./repeats.ts";
import { unattended } from "./schedules/unattended.ts";
import { severalFor } from "./several.ts";
import { parseArguments } from "./tools/arguments.ts";
import { findTool, toolDescriptions } from "./tools/catalogue.ts";
import { findMcpTool } from "./tools/mcp.ts";
import { PLAN } from "./tools/plan.ts";
import { ArgumentsError, type Tool, whyOf } from "./tools/tool.ts";
import type { TurnContext } from "./turn.ts";
import { wentNoFurther } from "./went-no-further.ts";

/** Bytes of refused arguments that are kept. */
const MAX_KEPT = 64 * 1024;

interface Authority {
  readonly authority: "free" | "grant" | "approval" | "policy";
  readonly rests: number | null;
  readonly restsAlso?: string;
}

/** Decides, records and executes what agents ask for. */
export class Broker {
  readonly #gates: Gates;
  readonly #completing: CompletionGates;
  readonly #judge: Judge;
  readonly #refusing: Refusing;
  readonly #plans: Plans;
  readonly #planAsking: PlanAsking;
  /** What nobody answered in time. */
  readonly repeats = new Repeats();

  constructor(gates: Gates) {
    this.#gates = gates;
    const { log, effects, clock } = gates;
    this.#completing = {
      ...gates,
      attestations: new Attestations(log, effects, clock),
      outages: new Outages(clock),
    };
    this.#judge = new Judge(gates);
    this.#refusing = new Refusing(gates.log);
    this.#plans = new Plans(gates.clock);
    this.#planAsking = new PlanAsking({
      gates,
      judge: this.#judge,
      refusing: this.#refusing,
      plans: this.#plans,
      repeats: this.repeats,
    });
  }

  /** The tools as a model is shown them. */
  get tools(): ToolDescription[] {
    return toolDescriptions();
  }

  /** A completion: within the budget, recorded, then answered by a model.
   *  @param models the agent's own, and those that are asked where that is not there. */
  complete(
    turn: TurnContext,
    ask: CompletionAsk,
    models: readonly ModelChoice[],
    on: CompletionEvents,
    signal: AbortSignal,
  ): Promise<CompletionOutcome> {
    return complete(this.#completing, turn, ask, models, on, signal);
  }

  /** A person's message that is about to enter a context is looked through. @param row the one that it came in. */
  async received(turn: TurnContext, text: Uint8Array, row: number): Promise<readonly Suspect[]> {
    return await this.#gates.suspects.look(turn, "message", Buffer.from(text).toString("utf8"), row);
  }

  /** Files that the agent is told as instructions are about to enter a context. @param row the one that this stands under. */
  async instructed(turn: TurnContext, text: string, row: number): Promise<readonly Suspect[]> {
    return await this.#gates.suspects.look(turn, "instructions", text, row);
  }

  /** A reply that is about to leave where its turn is: nothing of it does but what this gives back. */
  leaving(turn: TurnContext): Leaving {
    return new Leaving(
      { gates: this.#gates, judge: this.#judge, refusing: this.#refusing, repeats: this.repeats },
      turn,
    );
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
    const tool = findTool(ask.name) ?? findMcpTool(this.#gates.effects.mcp, turn.agent, ask.name);
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
    if (turn.signal.aborted) return this.#refusing.refuse(unread, "stopped", "the turn was stopped");
    if (plans && turn.chain.length === 0) return this.#planAsking.ask(unread, ask);
    if (tool === null || !turn.tools.has(ask.name)) {
      return this.#refusing.refuse(
        unread,
        "unknown-tool",
        `there is no tool ${JSON.stringify(ask.name.slice(0, 100))}`,
      );
    }
    // What is asked is decided for the sandbox that stands: so it is looked at before.
    if (this.#gates.effects.sandboxDue) await this.#judge.probe(turn);
    let action: ToolAction;
    let bytes: Uint8Array;
    let why: string | null;
    try {
      const given = parseArguments(ask.arguments);
      why = whyOf(given);
      action = tool.prepare(given, turn, this.#gates.effects);
      bytes = encodeAction(action);
    } catch (wrong) {
      if (wrong instanceof ArgumentsError) return this.#refusing.badArguments(unread, tool, wrong.message);
      if (wrong instanceof WorkspaceError) {
        const outside = wrong.code === "PATH_OUTSIDE" || wrong.code === "PATH_FORBIDDEN";
        return outside
          ? this.#refusing.refuse(unread, "policy", wrong.message)
          : this.#refusing.badArguments(unread, tool, wrong.message);
      }
      throw wrong;
    }
    return this.#decided({ turn, cause, id: ask.call, tool, why, action, bytes }, tool, action, ask);
  }

  async #decided(call: Call, tool: Tool, action: ToolAction, ask: ToolAsk): Promise<ToolAnswer> {
    const { turn, bytes } = call;
    if (turn.counters.unsure.has(digestOf(bytes)))
      return this.#refusing.refuse(
        call,
        "again",
        "nobody knows whether this very action took effect before, so it is not repeated",
      );
    let decision = this.#judge.decide(turn, bytes, action);
    if (decision.verdict === "refuse" && decision.code === "no-sandbox") {
      await this.#judge.probe(turn);
      decision = this.#judge.decide(turn, bytes, action);
    }
    switch (decision.verdict) {
      case "refuse":
        return this.#refusing.refuse(call, REFUSAL[decision.code], this.#judge.withHint(decision));
      case "allow": {
        exemptionOf(turn, action)?.use();
        // Counted before it is awaited: two calls at once do not share one use.
        for (const grant of decision.rests) this.#gates.grants.used(grant);
        return this.#run(call, tool, action, authorityOf(decision), ask);
      }
      case "ask": {
        if (turn.scheduled !== null) return this.#refusing.refuse(call, "policy", unattended(decision));
        const planned = turn.chain.length === 0 ? this.#plans.take(turn.session, digestOf(bytes)) : null;
        if (planned !== null) return this.#run(call, tool, action, { authority: "approval", rests: planned }, ask);
        const { keys } = factsOf(action);
        const verdict = await this.#gates.approvals.request({
          ...this.#judge.asking(turn),
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
              return this.#refusing.refuse(call, "changed", "it is not what was approved");
            if (verdict.scope === "session") cover(turn, action);
            return this.#run(call, tool, action, { authority: "approval", rests: verdict.rests }, ask);
          case "denied":
            return this.#refusing.deny(call, verdict.reason);
          case "expired":
            turn.counters.denied.add(digestOf(bytes));
            if (turn.chain.length === 0) this.repeats.add(verdict.approval, turn, ask);
            return this.#refusing.refuse(call, "expired", "nobody approved it in time");
          case "withdrawn":
            return this.#refusing.refuse(call, "stopped", "the turn was stopped");
        }
      }
    }
  }

  async #run(call: Call, tool: Tool, action: ToolAction, authority: Authority, ask: ToolAsk): Promise<ToolAnswer> {
    const { turn, bytes } = call;
    if (turn.signal.aborted) return this.#refusing.refuse(call, "stopped", "the turn was stopped");
    const changed = this.#gates.effects.changed(action);
    if (changed !== null) return this.#refusing.refuse(call, "changed", changed);
    const { keys, tier } = factsOf(action);
    const before = this.#gates.effects.before(action);
    await using recorded = await this.#gates.log.record(
      {
        kind: "tool.called",
        ...recordedOf(turn),
        tool: tool.name,
        key: keys[0],
        tier,
        ...authority,
        ...(turn.skills.none ? {} : { skills: turn.skills.names.join(",") }),
        ...serverOf(action),
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
    const questions =
      action.type === "mcp.call"
        ? new McpQuestions({
            gates: this.#gates,
            judge: this.#judge,
            completing: this.#completing,
            call,
            action,
            ask,
            row: recorded.seq,
          })
        : null;
    const ran =
      action.type === "exec" && action.background === true
        ? await this.#inBackground(recorded, call)
        : await this.#gates.effects.runTool(recorded, turn.signal, turn.spawn, questions?.asker ?? NOBODY_ASKS);
    const result = withQuestions(ran, questions);
    await written.after(result.outcome);
    // From here on what the agent does may be what the skill had it do.
    if (action.type === "skill.read" && result.outcome === "done") this.#began(turn, action);
    if (mayBeFound(action, union(labels, result.brings ?? NO_LABELS)))
      turn.labels.words.resulted(result.text, Buffer.from(bytes).toString("utf8"));
    if (result.brings !== undefined) await turn.labels.raise(result.brings, recorded.seq);
    const row = await recorded.finish(
      {
        kind: "tool.finished",
        outcome: result.outcome,
        status: result.status,
        ...(result.limits === undefined ? {} : { limits: result.limits }),
      },
      { result: result.text },
    );
    if (result.next !== undefined)
      return await this.#goOn({ ...call, cause: row.seq }, tool, result.next, result.text, ask);
    if (result.unsure === true) turn.counters.unsure.add(digestOf(bytes));
    const outcome = result.outcome === "done" ? "done" : "failed";
    const suspects = await this.#gates.suspects.look(turn, entryOf(action), result.text, row.seq);
    return { outcome, text: result.text, row: row.seq, suspects, endTurn: null };
  }

  /** Can the agent of this turn use a skill of that name? */
  hasSkill(turn: TurnContext, name: string): boolean {
    return turn.tools.has(SKILL_TOOL) && typeof this.#gates.effects.skills.find(turn.agent, name) !== "string";
  }

  /** The turn is over: nothing of its skills is needed any more. */
  endSkills(turn: TurnContext): void {
    for (const [path, name] of turn.skills.folders)
      this.#gates.effects.skills.release(path, join(turn.workspace, name));
  }

  #began(turn: TurnContext, { skill, digest }: Extract<ToolAction, { type: "skill.read" }>): void {
    const found = this.#gates.effects.skills.find(turn.agent, skill);
    // Another one, or none, since a moment ago: then nothing may be done under it.
    const limits = typeof found === "string" || found.digest !== digest ? NOTHING : found.limits;
    turn.skills.add({ name: skill, digest, limits });
  }

  /** A command that goes on is an intent of its own, with an end of its own: its call is over when it runs. */
  async #inBackground(recorded: Recorded<"tool.called">, { turn, bytes }: Call): Promise<ToolResult> {
    recorded.redeem();
    const { agent, principal, session } = turn;
    const started = await this.#gates.log.record(
      { kind: "command.started", turn: turn.turn, session, command: mint("command"), agent, principal },
      { cause: recorded.seq, seal: session, content: { action: bytes } },
    );
    // What a sub-agent left would be nobody's: who started it does not know it by its name.
    return await this.#gates.effects.startCommand(started, { signal: turn.signal, outlives: turn.chain.length === 0 });
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
}

const NOTHING = { tools: [], hosts: [], read: [], write: [], credentials: [], commands: [] };

/** Only a tool of an MCP server asks back. */
const NOBODY_ASKS: McpAsker = () => Promise.resolve({ verdict: "decline", payload: new Uint8Array(), model: null });

/** What the server would have had of the person, for the agent to ask them. */
function withQuestions(result: ToolResult, questions: McpQuestions | null): ToolResult {
  const [first, ...more] = questions?.unanswered ?? [];
  if (first === undefined) return result;
  const asked = [first, ...more].map((one) => `- ${one}`).join("\n");
  const text = `${result.text}\n[Meanwhile the server asked for what only the person can say, and was told nothing. Ask them, if it serves them, and call again with mcp_answers: an object with these, by name.]\n${asked}`;
  return { ...result, text: boundText(text, MAX_RESULT) };
}

/** Whose tool it is, and what was accepted of it. */
function serverOf(action: ToolAction): { server?: string; accepted?: string } {
  if (action.type === "mcp.call") return { server: action.server, accepted: action.digest };
  return action.type === "mcp.read" || action.type === "mcp.prompt" ? { server: action.server } : {};
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

function authorityOf({ authority, rests }: Extract<Decision, { verdict: "allow" }>): Authority {
  const [first, ...others] = rests.map(({ row }) => row);
  return {
    authority,
    rests: first ?? null,
    ...(others.length === 0 ? {} : { restsAlso: others.join(",") }),
  };
}
