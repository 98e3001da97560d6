import { type CallId, mint } from "../ipc/ids.ts";
import type { ToolAction } from "../effect/action.ts";
import { chainOf } from "./lowered.ts";
import type { Suspect } from "./injection/suspects.ts";
import type { EndTurn, TurnContext } from "./turn.ts";

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

/** A call on its way, as far as it is known what it is. */
export interface Call {
  readonly turn: TurnContext;
  readonly cause: number;
  /** The model's id for it. */
  readonly id: string;
  readonly tool: { readonly name: string } | null;
  /** Why the model says it wants it. */
  readonly why: string | null;
  readonly action: ToolAction | null;
  /** The action's bytes; the arguments where there is no action. */
  readonly bytes: Uint8Array;
}

/** What every row about a call says: whose it is, and what was in force. */
export function recordedOf(turn: TurnContext): {
  readonly turn: string;
  readonly session: string;
  readonly call: CallId;
  readonly agent: string;
  readonly principal: string;
  readonly chain?: string;
  readonly policy: string;
  readonly settings: string;
} {
  const { turn: id, session, agent, principal, policy, settings } = turn;
  return { turn: id, session, call: mint("call"), agent, principal, ...chainOf(turn), policy, settings };
}
