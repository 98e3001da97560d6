import type { ToolAnswer, ToolAsk } from "../broker/call.ts";
import { type Suspect, suspectSentence } from "../broker/injection/suspects.ts";
import type { TurnContext } from "../broker/turn.ts";
import type { AskedRequest } from "../effect/request.ts";
import type { FromAgent } from "../ipc/agent-frames.ts";
import { type AgentAsks, passCompletion, passTool } from "./agent-asks.ts";
import type { TurnId } from "../ipc/ids.ts";
import { ItemsError } from "../ipc/items.ts";
import { SKILL_MARK, SKILL_TOOL } from "../ipc/skill-text.ts";
import type { AdapterLink, Session } from "../session/link.ts";
import type { AgentProcess } from "./agent-pool.ts";
import { BY_NAME } from "./transcript.ts";
import { toolLine } from "./tool-line.ts";
import type { TurnOut } from "./turn-out.ts";
import type { AgentInForce, RunParts } from "./run-parts.ts";
import { sentenceOf, type TurnEnding } from "./turn-ending.ts";

/** Calls that are made again came from no completion of this turn. */
const NO_GROUP = -1;

/** A turn that runs. */
export interface RunningTurn<L extends symbol> {
  readonly id: TurnId;
  readonly seq: number;
  readonly context: TurnContext;
  readonly force: AgentInForce;
  /** Completions asked for. */
  rounds: number;
  /** Whether one is waited for. */
  asking: boolean;
  readonly stop: AbortController;
  readonly out: TurnOut<L>;
  readonly work: Set<Promise<void>>;
  ending: TurnEnding | null;
  /** The agent has said that it is done: what is still to leave may wait for somebody. */
  answered: boolean;
  readonly finished: PromiseWithResolvers<TurnEnding>;
}

/** What ends a turn. */
interface TurnEnds<L extends symbol> {
  /** At once. */
  end(turn: RunningTurn<L>, ending: TurnEnding): void;
  /** The agent is done: what it said may still have to leave. */
  over(turn: RunningTurn<L>, ending: TurnEnding): void;
}

/** Does what the agent of a turn asks for: completions, tool calls, replies. */
export class TurnWork<L extends symbol> {
  readonly #link: AdapterLink<L>;
  readonly #session: Session<L>;
  readonly #parts: Pick<RunParts, "broker" | "tell">;
  readonly #ends: TurnEnds<L>;

  constructor(link: AdapterLink<L>, session: Session<L>, parts: Pick<RunParts, "broker" | "tell">, ends: TurnEnds<L>) {
    this.#link = link;
    this.#session = session;
    this.#parts = parts;
    this.#ends = ends;
  }

  /** The agent of a turn said something. */
  heard(turn: RunningTurn<L>, agent: AgentProcess, header: FromAgent, payload: Uint8Array): void {
    switch (header.type) {
      case "ready":
        agent.broke("a second ready");
        return;
      case "complete":
        this.#ask(turn, agent, header, payload);
        return;
      case "resent":
        // Taken by the agent's process itself.
        return;
      case "tool":
        this.#work(turn, this.#tool(turn, agent, header, payload));
        return;
      case "reply":
        if (turn.out.has(header.ref)) agent.broke("a reply that is open already");
        else turn.out.openReply(header.ref);
        return;
      case "reply.text":
      case "reply.end":
        if (!turn.out.has(header.ref)) agent.broke("text of a reply that is not open");
        else if (header.type === "reply.text") turn.out.piece(header.ref, payload);
        else turn.out.closeReply(header.ref);
        return;
      case "turn.end":
        turn.answered = true;
        if (header.reason === "failed" && payload.length > 0) turn.out.failed(payload);
        this.#ends.over(turn, header.reason);
        return;
    }
  }

  #work(turn: RunningTurn<L>, work: Promise<void>): void {
    const settled = work.catch((error: unknown) => {
      turn.out.say(sentenceOf(error));
      this.#ends.end(turn, "failed");
    });
    turn.work.add(settled);
    void settled.finally(() => turn.work.delete(settled));
  }

  /** One completion at a time: the next goes on from what this one was. */
  #ask(
    turn: RunningTurn<L>,
    agent: AgentProcess,
    { ref, keep }: Extract<FromAgent, { type: "complete" }>,
    packed: Uint8Array,
  ): void {
    if (turn.asking) {
      agent.broke("a completion while another one is waited for");
      return;
    }
    let request: AskedRequest;
    try {
      request = agent.conversation.ask(ref, keep, packed);
    } catch (error) {
      if (!(error instanceof ItemsError)) throw error;
      agent.broke(error.message);
      return;
    }
    turn.asking = true;
    this.#work(turn, this.#complete(turn, agent, ref, request));
  }

  async #complete(turn: RunningTurn<L>, agent: AgentProcess, ref: number, request: AskedRequest): Promise<void> {
    turn.rounds += 1;
    const over = await passCompletion(this.#asks(turn, agent), ref, request, () => {
      turn.asking = false;
    });
    if (over !== null) this.#ends.end(turn, over);
  }

  #asks(turn: RunningTurn<L>, agent: AgentProcess): AgentAsks {
    const notify = (sentence: string): void => turn.out.say(sentence);
    return { broker: this.#parts.broker, agent, context: turn.context, force: turn.force, notify };
  }

  async #tool(
    turn: RunningTurn<L>,
    agent: AgentProcess,
    ask: Extract<FromAgent, { type: "tool" }>,
    args: Uint8Array,
  ): Promise<void> {
    this.#parts.tell(
      { event: "notice", about: "tool" },
      Buffer.from(toolLine(ask.name, Buffer.from(args).toString("utf8"))),
    );
    this.#link.typing(this.#session.address);
    const result = await passTool(this.#asks(turn, agent), ask, args, ({ outcome, text, suspects }) => {
      if (outcome === "refused" || outcome === "denied")
        this.#parts.tell({ event: "notice", about: "refusal" }, Buffer.from(text));
      this.suspected(suspects);
    });
    this.#endWith(turn, result);
  }

  /** Whoever watches is told; what it means is theirs to judge. */
  suspected(suspects: readonly Suspect[]): void {
    for (const suspect of suspects) {
      const sentence = `Noticed: ${suspectSentence(suspect)} (row ${suspect.row}). It decides nothing; look before you approve.`;
      this.#parts.tell({ event: "notice", about: "info" }, Buffer.from(sentence));
    }
  }

  /** The skill that a message begins with, as `/weather`: read before the agent is told anything. @returns what it is told of it. */
  async invoked(turn: RunningTurn<L>, text: Uint8Array): Promise<Uint8Array> {
    const name = /^\/([a-z0-9-]{1,64})(?:\s|$)/.exec(Buffer.from(text.subarray(0, 80)).toString("utf8"))?.[1];
    if (name === undefined || !this.#parts.broker.hasSkill(turn.context, name)) return new Uint8Array();
    const ask = {
      group: NO_GROUP,
      name: SKILL_TOOL,
      call: BY_NAME,
      arguments: Buffer.from(JSON.stringify({ name })),
    };
    const result = await this.#parts.broker.tool(turn.context, ask);
    this.suspected(result.suspects);
    this.#endWith(turn, result);
    return Buffer.from(`${SKILL_MARK}${result.text}`);
  }

  /** Makes calls again. @returns what came of them, for the agent. */
  async repeat(turn: RunningTurn<L>, asks: readonly ToolAsk[]): Promise<Uint8Array> {
    const told = await Promise.all(
      asks.map(async (ask) => {
        const result = await this.#parts.broker.tool(turn.context, { ...ask, group: NO_GROUP });
        this.suspected(result.suspects);
        this.#endWith(turn, result);
        return `\n\n[${ask.name}, asked again: ${result.outcome}]\n${result.text}`;
      }),
    );
    return Buffer.from(told.join(""));
  }

  #endWith(turn: RunningTurn<L>, { endTurn }: ToolAnswer): void {
    if (endTurn === null) return;
    if (endTurn.reason !== "stopped") turn.out.say(`I stopped: ${endTurn.sentence}.`);
    this.#ends.end(turn, endTurn.reason);
  }
}
