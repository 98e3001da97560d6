import type { Folder } from "../effect/effects.ts";
import type { Channel } from "../ipc/channel.ts";
import type { ConversationId, PrincipalId, SessionId, TurnId } from "../ipc/ids.ts";
import type { Role } from "../ipc/operator.ts";
import type { Spawn } from "../effect/spawn.ts";
import type { ActiveSkills } from "./active-skills.ts";
import type { SessionLabels } from "./labels.ts";
import type { RunPurse } from "./schedules/purse.ts";

/** Why the broker ends a turn, as `turn.ended` says it. */
export type EndTurn = "denied" | "failed" | "budget" | "stopped";

/** What a turn has used up; made by {@link newCounters} once a turn. */
export interface TurnCounters {
  /** Answers "no" of people. */
  denials: number;
  /** Calls with bad arguments, by tool. */
  readonly badArguments: Map<string, number>;
  /** Digests of actions that were denied: not asked again. */
  readonly denied: Set<string>;
  /** Digests of actions of which nobody knows whether they took effect: not done again. */
  readonly unsure: Set<string>;
  /** Addresses out of results that were fetched although untrusted and private bytes were both there. */
  fetched: number;
  /** The `model.answered` row of each completion, by its reference on the agent's pipe: the cause of the calls that came from it. */
  readonly answered: Map<number, number>;
  /** Sentences that the people were told, and are told once. */
  readonly told: Set<string>;
}

export function newCounters(): TurnCounters {
  return {
    denials: 0,
    fetched: 0,
    badArguments: new Map(),
    denied: new Set(),
    unsure: new Set(),
    answered: new Map(),
    told: new Set(),
  };
}

/** For whom, by which agent and under what a turn runs. Everything here is a property of the pipe or of rows, never of a frame. */
export interface TurnContext {
  readonly turn: TurnId;
  readonly session: SessionId;
  readonly conversation: ConversationId;
  readonly channel: Channel;
  readonly agent: string;
  readonly principal: PrincipalId;
  readonly role: Role;
  /** What the principal is called; shown on cards. */
  readonly requester: string;
  /** The person's own workspace with this agent; in group talk what all share with it. */
  readonly workspace: string;
  /** What else is part of it, each under its own name: `shared`, and what the owner added. In group talk nothing that is one person's. */
  readonly folders: readonly Folder[];
  /** Does the conversation have one reader, or may it have many? */
  readonly talk: "direct" | "group";
  /** The calls that started this agent and those above it; none for the one that a person talks with. */
  readonly chain: readonly string[];
  /** The names of the tools that it has. */
  readonly tools: ReadonlySet<string>;
  /** How it starts an agent below it. */
  readonly spawn: Spawn;
  /** The `turn.started` row; of an agent below, the call that started it. */
  readonly cause: number;
  /** Commitments of the newest `policy.loaded` and `agent.configured`. */
  readonly policy: string;
  readonly settings: string;
  /** Of the session as it is now; what it starts shares them. */
  readonly labels: SessionLabels;
  /** Whose instructions are in the context; what it starts is under them too. */
  readonly skills: ActiveSkills;
  /** Aborts when the turn is stopped or its time is up. */
  readonly signal: AbortSignal;
  readonly counters: TurnCounters;
  /** It runs by schedule, with nobody there to ask: what it may still cost. Null: somebody wrote, and may be asked. */
  readonly scheduled: RunPurse | null;
}
