import type { TurnEnding } from "./turn-ending.ts";
import type { AuditLog } from "../../audit/log.ts";
import type { Broker } from "../broker/broker.ts";
import type { ToolAsk } from "../broker/call.ts";
import type { SessionLabels } from "../broker/labels.ts";
import type { ModelChoice } from "../broker/completion.ts";
import type { TurnContext } from "../broker/turn.ts";
import type { Spawn } from "../effect/spawn.ts";
import type { OperatorEvent } from "../ipc/operator.ts";
import type { Compactor } from "./compactor.ts";
import type { ContextWindows } from "./context-windows.ts";
import type { MessageFiles } from "./message-files.ts";
import type { AgentPool } from "./agent-pool.ts";
import type { Place } from "../effect/effects.ts";
import type { Person, State } from "./state.ts";

/** A recorded message that an agent is to answer. */
export interface Waiting {
  readonly message: string;
  readonly seq: number;
  readonly principal: string;
  /** Null: it is read from its row. */
  readonly text: Uint8Array | null;
  /** The row that it came in, where its text is in another one by now. */
  readonly origin?: number;
  /** The platform's id of it: it is marked while it waits. */
  readonly mark?: string;
  readonly ended?: (ending: TurnEnding) => void;
}

/** What nobody approved in time, to be done again: decided anew. Calls are made before the agent goes on; for answers it has nothing more to do. */
export interface Repeated extends Waiting {
  readonly text: Uint8Array;
  readonly asks: readonly ToolAsk[];
  readonly replies: readonly string[];
}

/** One that waits for another to be answered. Its text is not kept, it is on the log: however much is written to a session, it holds no memory here. */
export type Queued = Waiting &
  Partial<Pick<Repeated, "asks" | "replies">> & {
    /** It was changed: the row with its new text, on its way to the log. */
    readonly changed?: Promise<number>;
  };

/** What is in force for the agent that answers. */
export interface AgentInForce {
  readonly agent: string;
  readonly provider: string;
  readonly model: string;
  /** Models that are asked where that one is not there, in this order. */
  readonly fallback?: readonly Pick<ModelChoice, "provider" | "model">[];
  readonly rounds: number;
  /** Of one answer at the most. */
  readonly outputTokens: number;
  /** Of its instructions and tools in a request, in bytes. */
  readonly setupBytes: number;
  /** On this machine. */
  readonly local: boolean;
  readonly turnMs: number;
  readonly policy: string;
  readonly settings: string;
  /** The names of its tools. */
  readonly tools: ReadonlySet<string>;
}

/** Why somebody may not talk to an agent. `gone`: nobody may, it was removed. */
export interface Unwelcome {
  readonly sentence: string;
  readonly gone: boolean;
}

export interface RunParts {
  readonly log: AuditLog;
  readonly state: State;
  readonly broker: Broker;
  readonly pool: AgentPool;
  readonly inForce: () => AgentInForce;
  /** Puts on the record what is in force, where that is not what it was. */
  readonly renew: () => Promise<void>;
  /** Why somebody may not talk to the agent; null: they may. */
  readonly refusal: (person: Person) => Unwelcome | null;
  /** What the agent is told in this turn, and what the people there are to be told of it. */
  readonly instructed: (turn: TurnContext) => Promise<{ readonly text: string; readonly notices: readonly string[] }>;
  /** How the agent of a turn starts another. */
  readonly spawner: (parent: () => TurnContext, force: AgentInForce) => Spawn;
  /** Where that person's turn takes place in a conversation; made if it is not there. */
  readonly place: (principal: string, conversation: string) => Place;
  /** What the agent was given in a session. */
  readonly labels: (session: string) => SessionLabels;
  /** Has the owner halted this session, its agent or everything? */
  readonly halted: (session: string) => boolean;
  /** Told to whoever watches this conversation live; nothing is kept of it. */
  readonly tell: (event: OperatorEvent, payload?: Uint8Array) => void;
  /** What comes with messages beside their words. */
  readonly files: MessageFiles;
  /** How much models take. */
  readonly windows: ContextWindows;
  /** Makes a conversation shorter that is too long for its model. */
  readonly compactor: Compactor;
}
