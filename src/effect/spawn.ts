import type { Recorded } from "../../audit/recorded.ts";
import type { ActionOfType } from "./action.ts";
import { boundText, MAX_RESULT } from "./bound.ts";
import type { ToolResult } from "./tool.ts";

/** How a sub-agent ended, and what it said last. */
export interface SpawnEnd {
  readonly ending: "done" | "stopped" | "rounds" | "time" | "budget" | "failed" | "died" | "denied";
  readonly text: string;
}

/** What a sub-agent is, beside its task. */
export interface SpawnedAs {
  /** The call that started it: what rows name it by. */
  readonly call: string;
  readonly row: number;
  /** The task as it is on the log. */
  readonly task: Uint8Array;
}

/** Runs a sub-agent to its end, for the turn that this belongs to: with no more authority than that, and not longer. */
export type Spawn = (action: ActionOfType<"agent.spawn">, as: SpawnedAs, signal: AbortSignal) => Promise<SpawnEnd>;

const OUTCOMES: Readonly<Record<SpawnEnd["ending"], ToolResult["outcome"]>> = {
  done: "done",
  stopped: "stopped",
  rounds: "limit",
  time: "limit",
  budget: "limit",
  failed: "failed",
  died: "failed",
  denied: "failed",
};

const SENTENCES: Readonly<Record<Exclude<SpawnEnd["ending"], "done">, string>> = {
  stopped: "stopped: the turn was ended",
  rounds: "its rounds are used up",
  time: "its time is up",
  budget: "the budget is used up",
  failed: "it failed",
  died: "its process ended unexpectedly",
  denied: "its requests were denied",
};

export async function runSpawn(
  action: ActionOfType<"agent.spawn">,
  recorded: Recorded<"tool.called">,
  spawn: Spawn,
  signal: AbortSignal,
): Promise<ToolResult> {
  const as = { call: recorded.action.call, row: recorded.seq, task: recorded.content("task") };
  const { ending, text } = await spawn(action, as, signal);
  const note = ending === "done" ? "" : `[the sub-agent did not come to an end: ${SENTENCES[ending]}]`;
  const whole = [note, text].filter((part) => part !== "").join("\n");
  return {
    outcome: OUTCOMES[ending],
    status: null,
    text: boundText(whole === "" ? "[it said nothing]" : whole, MAX_RESULT),
  };
}
