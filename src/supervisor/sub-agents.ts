import type { Broker } from "../broker/broker.ts";
import type { TurnContext } from "../broker/turn.ts";
import { turnBelow } from "../broker/turn-below.ts";
import type { ActionOfType } from "../effect/action.ts";
import type { Spawn, SpawnEnd, SpawnedAs } from "../effect/spawn.ts";
import type { FromAgent } from "../ipc/agent-frames.ts";
import type { ToolDescription } from "../ipc/completion.ts";
import { ItemsError } from "../ipc/items.ts";
import { type AgentAsks, passCompletion, passTool } from "./agent-asks.ts";
import { type AgentProcess, startAgent } from "./agent-pool.ts";
import type { Processes } from "./processes.ts";
import type { AgentInForce } from "./run-parts.ts";

/** Sub-agents at once, of everybody. They do not wait for each other: whoever started one holds a place of its own meanwhile. */
const MOST = 8;
/** Of what one says, in bytes. */
const MAX_SAID = 256 * 1024;

const INSTRUCTIONS =
  "You were started by another agent to do a part of its work: the message is your task, and nobody answers questions about it. What you say last is all that the other agent gets of you, so say there what you found or did.";

export interface SubAgentsParts {
  readonly processes: Processes;
  /** What an agent has. */
  readonly tools: (agent: string) => readonly ToolDescription[];
  /** What it is told, the files of its workspace with it; what that brings is labelled first. */
  readonly instructed: (turn: TurnContext, broker: Broker) => Promise<string>;
  /** A conversation has ended: resolves when nobody has anything of it. */
  readonly over: (conversation: number) => Promise<void>;
}

/** Agents that agents start: each in a process of its own, for one task, never used again, and ended with the turn that it belongs to. */
export class SubAgents {
  readonly #parts: SubAgentsParts;
  #running = 0;

  constructor(parts: SubAgentsParts) {
    this.#parts = parts;
  }

  /** The way in which the agent of this turn starts one. */
  spawner(parent: () => TurnContext, force: AgentInForce, broker: Broker): Spawn {
    return async (action, as, signal) => await this.#run(parent(), force, broker, action, as, signal);
  }

  async #run(
    parent: TurnContext,
    force: AgentInForce,
    broker: Broker,
    action: ActionOfType<"agent.spawn">,
    as: SpawnedAs,
    signal: AbortSignal,
  ): Promise<SpawnEnd> {
    if (this.#running >= MOST)
      return { ending: "failed", text: `${MOST} sub-agents run already: do it yourself, or try again later` };
    this.#running += 1;
    const stop = new AbortController();
    const child: TurnContext = turnBelow(parent, as, {
      tools: action.tools,
      signal: AbortSignal.any([signal, stop.signal]),
      spawn: this.spawner(() => child, force, broker),
    });
    const run = new SubRun();
    const end = (): void => run.end("stopped");
    signal.addEventListener("abort", end, { once: true });
    const limit = setTimeout(() => run.end("time"), action.seconds * 1000);
    let agent: AgentProcess | null = null;
    try {
      const instructions = await this.#parts.instructed(child, broker);
      agent = await startAgent(this.#parts.processes, as.row, this.#parts.over);
      const start = {
        instructions: `${instructions}\n\n${INSTRUCTIONS}`,
        tools: this.#parts.tools(parent.agent).filter(({ name }) => child.tools.has(name)),
        transcript: [],
      };
      agent.listen({
        frame: (header, payload) =>
          agent !== null &&
          run.hear({ broker, agent, context: child, force, notify: () => undefined }, header, payload),
        died: () => run.end("died"),
      });
      await agent.send({ type: "start", rounds: action.rounds }, Buffer.from(JSON.stringify(start)));
      agent.conversation.from(as.task, { row: as.row, part: "task" });
      if (!signal.aborted) await agent.send({ type: "turn" }, as.task);
      else run.end("stopped");
      const ending = await run.ended;
      stop.abort();
      await run.quiet();
      return { ending, text: run.said };
    } finally {
      clearTimeout(limit);
      signal.removeEventListener("abort", end);
      stop.abort();
      this.#running -= 1;
      await agent?.stop();
    }
  }
}

/** One task: what is under way, and what was said of it. */
class SubRun {
  readonly #finished = Promise.withResolvers<SpawnEnd["ending"]>();
  readonly #work = new Set<Promise<void>>();
  #over = false;
  #asking = false;
  /** The newest reply. */
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  get ended(): Promise<SpawnEnd["ending"]> {
    return this.#finished.promise;
  }
  get said(): string {
    return Buffer.concat(this.#pieces).toString("utf8").trim();
  }

  end(ending: SpawnEnd["ending"]): void {
    if (this.#over) return;
    this.#over = true;
    this.#finished.resolve(ending);
  }

  /** Resolves when nothing of it is under way any more. */
  async quiet(): Promise<void> {
    await Promise.all(this.#work);
  }

  hear(asks: AgentAsks, header: FromAgent, payload: Uint8Array): void {
    if (this.#over) return;
    switch (header.type) {
      case "ready":
        asks.agent.broke("a second ready");
        return;
      case "complete":
        this.#complete(asks, header, payload);
        return;
      case "resent":
        return;
      case "tool":
        this.#do(async () => {
          const { endTurn } = await passTool(asks, header, payload, () => undefined);
          if (endTurn !== null) this.end(endTurn.reason);
        });
        return;
      case "reply":
        this.#pieces = [];
        this.#bytes = 0;
        return;
      case "reply.text":
        if (this.#bytes + payload.length > MAX_SAID) return;
        this.#bytes += payload.length;
        this.#pieces.push(Uint8Array.from(payload));
        return;
      case "reply.end":
        return;
      case "turn.end":
        if (header.reason === "failed" && payload.length > 0) this.#pieces = [Uint8Array.from(payload)];
        this.end(header.reason);
    }
  }

  #complete(asks: AgentAsks, { ref, keep }: Extract<FromAgent, { type: "complete" }>, packed: Uint8Array): void {
    if (this.#asking) {
      asks.agent.broke("a completion while another one is waited for");
      return;
    }
    try {
      const request = asks.agent.conversation.ask(ref, keep, packed);
      this.#asking = true;
      this.#do(async () => {
        const over = await passCompletion(asks, ref, request, () => {
          this.#asking = false;
        });
        if (over !== null) this.end(over);
      });
    } catch (error) {
      if (!(error instanceof ItemsError)) throw error;
      asks.agent.broke(error.message);
    }
  }

  #do(work: () => Promise<void>): void {
    const settled = work().catch(() => this.end("failed"));
    this.#work.add(settled);
    void settled.finally(() => this.#work.delete(settled));
  }
}
