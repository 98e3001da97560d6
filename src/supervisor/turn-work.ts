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
import { bytesOf, compactedText } from "./compactor.ts";
import { tellOrigins } from "./said-rows.ts";
import { BY_NAME } from "./transcript.ts";
import { toolLine } from "./tool-line.ts";
import type { TurnOut } from "./turn-out.ts";
import type { AgentInForce, RunParts } from "./run-parts.ts";
import { sentenceOf, type TurnEnding } from "./turn-ending.ts";

/** Calls that are made again came from no completion of this turn. */
const NO_GROUP = -1;
/** The conversation is made shorter so often for one answer. */
const MAX_SHORTENED = 2;
/** It is not made shorter than for so many tokens. */
const MIN_ROOM = 1_000;

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
  /** How often the conversation was made shorter since the last answer. */
  shortened: number;
  readonly stop: AbortController;
  readonly out: TurnOut<L>;
  readonly work: Set<Promise<void>>;
  ending: TurnEnding | null;
  /** The agent has said that it is done: what is still to leave may wait for somebody. */
  answered: boolean;
  readonly finished: PromiseWithResolvers<TurnEnding>;
}

type WorkParts = Pick<RunParts, "broker" | "tell" | "log" | "windows" | "compactor">;

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
  readonly #parts: WorkParts;
  readonly #ends: TurnEnds<L>;

  constructor(link: AdapterLink<L>, session: Session<L>, parts: WorkParts, ends: TurnEnds<L>) {
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
    const { windows } = this.#parts;
    const files = request.files.map(({ bytes }) => bytes);
    const tokens = windows.tokensOf(turn.force, request.bytes, files);
    if (tokens > windows.roomOf(turn.force) && (await this.#shorten(turn, agent, ref, request, "window"))) return;
    const answered = (counted: number | null): void => {
      turn.asking = false;
      if (counted === null) return;
      turn.shortened = 0;
      if (files.length === 0) windows.counted(turn.force, request.bytes, counted);
    };
    const over = await passCompletion(this.#asks(turn, agent), ref, request, answered, async () => {
      windows.tooLong(turn.force, tokens);
      return await this.#shorten(turn, agent, ref, request, "too-long");
    });
    if (over !== null) this.#ends.end(turn, over);
  }

  /** Makes the conversation shorter, and has the agent ask anew. @returns false where that is of no use. */
  async #shorten(
    turn: RunningTurn<L>,
    agent: AgentProcess,
    ref: number,
    request: AskedRequest,
    reason: "window" | "too-long",
  ): Promise<boolean> {
    const { windows, compactor, log } = this.#parts;
    if (turn.shortened === MAX_SHORTENED || turn.ending !== null) return false;
    turn.shortened += 1;
    const fixed = Math.max(0, request.bytes - bytesOf(compactor.told(this.#session.id)));
    // Files that stay take their part of it.
    const shown = windows.tokensOf(
      turn.force,
      0,
      request.files.map(({ bytes }) => bytes),
    );
    const room = Math.max(MIN_ROOM, windows.roomOf(turn.force) - shown);
    const made = await compactor.compact(turn.context, turn.force, fixed, room, reason);
    if (made === null || typeof made === "string") return false;
    const text = compactedText(made);
    if (text !== null) turn.out.say(text);
    tellOrigins(log, made.told, agent.conversation);
    turn.asking = false;
    const transcript = made.told.map(({ message }) => message);
    await agent.send({ type: "compacted", ref }, Buffer.from(JSON.stringify({ transcript })));
    return true;
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
