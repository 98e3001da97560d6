import { digestOf } from "../effect/action.ts";
import { boundText, MAX_RESULT } from "../effect/bound.ts";
import { factsOf } from "./action.ts";
import { type Call, recordedOf, type ToolAnswer } from "./call.ts";
import type { Gates } from "./gates.ts";
import type { Refusal } from "./judge.ts";
import { MAX_DENIALS } from "./policy.ts";

/** Calls with bad arguments of one tool that end a turn. */
export const MAX_BAD_ARGUMENTS = 3;

/** What is not done: that is on the record, and the model is told what was refused, why, and that nothing ran. */
export class Refusing {
  readonly #log: Gates["log"];

  constructor(log: Gates["log"]) {
    this.#log = log;
  }

  /** @throws {AuditError} */
  async refuse(call: Call, reason: Refusal, why: string, more = ""): Promise<ToolAnswer> {
    const { turn, tool, action } = call;
    const text = `${boundText(`refused: ${why}. Nothing ran.`, MAX_RESULT)}${more}`;
    await this.#log.append(
      {
        kind: "tool.refused",
        ...recordedOf(turn),
        tool: tool?.name ?? null,
        key: action === null ? null : factsOf(action).keys[0],
        reason,
      },
      { cause: call.cause, seal: turn.session, content: { action: call.bytes, why, call: call.id, told: text } },
    );
    return {
      outcome: "refused",
      text,
      row: null,
      suspects: [],
      endTurn:
        reason === "stopped"
          ? { reason: "stopped", sentence: "stopped" }
          : reason === "denied" && turn.counters.denials >= MAX_DENIALS
            ? TOO_MANY
            : null,
    };
  }

  /** The third time of one tool ends the turn. @throws {AuditError} */
  async badArguments(call: Call, tool: { readonly name: string }, why: string): Promise<ToolAnswer> {
    const { badArguments } = call.turn.counters;
    const times = (badArguments.get(tool.name) ?? 0) + 1;
    badArguments.set(tool.name, times);
    const answer = await this.refuse(call, "bad-arguments", why);
    if (times < MAX_BAD_ARGUMENTS) return answer;
    const sentence = `the agent called ${tool.name} wrongly ${times} times`;
    return { ...answer, endTurn: { reason: "failed", sentence } };
  }

  /** Somebody said no. @throws {AuditError} */
  async deny(call: Call, reason: string | null): Promise<ToolAnswer> {
    const { counters } = call.turn;
    counters.denials += 1;
    counters.denied.add(digestOf(call.bytes));
    const why = reason === null ? "a person denied it" : `a person denied it: ${reason}`;
    const answer = await this.refuse(call, "denied", why, "; do not ask for it again in this turn");
    return {
      outcome: "denied",
      text: answer.text,
      row: null,
      suspects: [],
      endTurn: counters.denials >= MAX_DENIALS ? TOO_MANY : null,
    };
  }
}

const TOO_MANY = { reason: "denied", sentence: `${MAX_DENIALS} requests were denied` } as const;
