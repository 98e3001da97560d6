import type { ActionOf } from "../../audit/action.ts";
import type { AuditLog } from "../../audit/log.ts";
import type { Broker } from "../broker/broker.ts";
import type { ToolAnswer, ToolAsk } from "../broker/call.ts";
import { type Suspect, suspectSentence } from "../broker/injection/suspects.ts";
import { ActiveSkills } from "../broker/active-skills.ts";
import type { SessionLabels } from "../broker/labels.ts";
import type { ModelChoice } from "../broker/completion.ts";
import { RunPurse } from "../broker/schedules/purse.ts";
import { newCounters, type TurnContext } from "../broker/turn.ts";
import type { AskedRequest } from "../effect/request.ts";
import type { FromAgent } from "../ipc/agent-frames.ts";
import { type AgentAsks, passCompletion, passTool } from "./agent-asks.ts";
import type { Spawn } from "../effect/spawn.ts";
import { interruptedText, knownOf } from "./known-of-turn.ts";
import { mint, type TurnId } from "../ipc/ids.ts";
import { ItemsError } from "../ipc/items.ts";
import { SKILL_MARK, SKILL_TOOL } from "../ipc/skill-text.ts";
import type { OperatorEvent } from "../ipc/operator.ts";
import type { AdapterLink, Session } from "../session/link.ts";
import { belongingsOf, toldText } from "./belongings.ts";
import type { MessageFiles } from "./message-files.ts";
import type { AgentPool, AgentProcess } from "./agent-pool.ts";
import type { Place } from "../effect/effects.ts";
import type { By } from "./people.ts";
import { SessionOut } from "./session-out.ts";
import type { Person, State } from "./state.ts";
import { BY_NAME } from "./transcript.ts";
import { toolLine } from "./tool-line.ts";
import { TurnOut } from "./turn-out.ts";

/** After `/stop` the agent has this long to end its turn itself; then its process is ended. */
const STOP_GRACE_MS = 500;
/** Calls that are made again came from no completion of this turn. */
const NO_GROUP = -1;

export type TurnEnding = "done" | "stopped" | "rounds" | "time" | "budget" | "failed" | "died" | "denied" | "halted";

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
type Queued = Waiting &
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
}

interface Turn<L extends symbol> {
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

/** One session: the messages that wait in it, the turn that runs, and the agent process that runs it. */
export class SessionRun<L extends symbol> {
  readonly session: Session<L>;
  readonly #link: AdapterLink<L>;
  readonly #parts: RunParts;
  readonly #out: SessionOut<L>;
  readonly #queue: Queued[] = [];
  #turn: Turn<L> | null = null;
  #busy = false;
  /** Settles when nothing runs any more. */
  #quiet = Promise.resolve();
  /** Nothing new is begun: what waits stays on the log for the next start. */
  #closed = false;

  constructor(link: AdapterLink<L>, session: Session<L>, parts: RunParts) {
    this.#link = link;
    this.session = session;
    this.#parts = parts;
    this.#out = new SessionOut(link, session, parts.log);
  }

  get running(): TurnId | null {
    return this.#turn?.id ?? null;
  }
  /** The person whose turn runs. */
  get runsFor(): string | null {
    return this.#turn?.context.principal ?? null;
  }
  get waiting(): number {
    return this.#queue.length;
  }

  /** Nothing runs, and nothing waits. */
  get idle(): boolean {
    return !this.#busy && this.#queue.length === 0;
  }

  enqueue(message: Waiting | Repeated): void {
    this.#queue.push(this.#busy ? { ...message, text: null } : message);
    if (this.#busy && message.mark !== undefined) this.#link.react(this.session.address, message.mark, "waiting");
    if (!this.#busy) this.#quiet = this.#drain();
  }

  /** Whoever wrote it took it back. @returns false where it does not wait here. */
  drop(message: string): boolean {
    const at = this.#queue.findIndex((one) => one.message === message);
    const [dropped] = at < 0 ? [] : this.#queue.splice(at, 1);
    dropped?.ended?.("stopped");
    return dropped !== undefined;
  }

  /** Whoever wrote it changed it. @param row with its new text. @returns false where it does not wait here. */
  replace(message: string, row: Promise<number>): boolean {
    const at = this.#queue.findIndex((one) => one.message === message);
    const old = this.#queue[at];
    if (old === undefined) return false;
    this.#queue[at] = { ...old, text: null, origin: old.origin ?? old.seq, changed: row };
    return true;
  }

  /** What nobody remembers any more may have many readers. */
  get #talk(): "direct" | "group" {
    const { channel } = this.#link;
    if (channel === "terminal" || channel === "web") return "direct";
    return this.#parts.state.conversation(this.session.address.conversation)?.talk ?? "group";
  }

  async #drain(): Promise<void> {
    this.#busy = true;
    try {
      for (let next = this.#next(); next !== undefined; next = this.#next()) {
        let ending: TurnEnding = "failed";
        try {
          ending = await this.#run(next);
        } catch (error) {
          await this.#out.notice(sentenceOf(error), next.seq).catch(() => undefined);
        }
        next.ended?.(ending);
      }
    } finally {
      this.#busy = false;
    }
  }

  #next(): Queued | undefined {
    return this.#closed ? undefined : this.#queue.shift();
  }

  /** Begins nothing more, and ends what runs. Resolves when that is said and recorded. */
  async close(who: By): Promise<void> {
    this.#closed = true;
    await this.stop(who);
    await this.#quiet;
  }

  /** The same, and nothing of it is left to the next start either: whoever waits for an answer is told so. */
  async abandon(who: By): Promise<void> {
    await this.close(who);
    for (const waiting of this.#queue.splice(0)) waiting.ended?.("stopped");
  }

  async #run(queued: Queued): Promise<TurnEnding> {
    const { log, pool } = this.#parts;
    if (queued.mark !== undefined) this.#link.react(this.session.address, queued.mark, null);
    const message = { ...queued, seq: (await queued.changed) ?? queued.seq };
    const text = message.text ?? log.row(message.seq)?.bytes("text") ?? null;
    if (text === null) {
      await this.#out.notice(ERASED, message.seq);
      return "failed";
    }
    const person = this.#parts.state.person(message.principal);
    if (person === null) return "denied"; // revoked while the message waited
    const unwelcome = this.#parts.refusal(person);
    if (unwelcome?.gone === true) {
      await this.#out.notice(unwelcome.sentence, message.seq);
      return "denied";
    }
    await this.#parts.renew();
    const force = this.#parts.inForce();
    const id = mint("turn");
    const begun = await log.append(
      {
        kind: "turn.started",
        turn: id,
        session: this.session.id,
        agent: force.agent,
        principal: message.principal,
        message: message.message,
        policy: force.policy,
        settings: force.settings,
      },
      { cause: message.seq, seal: this.session.id },
    );
    if (this.#parts.halted(this.session.id)) return await this.#refuse(id, begun.seq, "halted");
    if (unwelcome !== null) {
      await this.#out.notice(unwelcome.sentence, begun.seq).catch(() => undefined);
      return await this.#refuse(id, begun.seq, "denied");
    }
    // Their access was taken away while this was recorded.
    if (this.#parts.state.person(message.principal) === null) return await this.#refuse(id, begun.seq, "denied");
    const stop = new AbortController();
    const turn: Turn<L> = {
      id,
      seq: begun.seq,
      stop,
      rounds: 0,
      asking: false,
      context: {
        turn: id,
        session: this.session.id,
        conversation: this.session.address.conversation,
        channel: this.#link.channel,
        agent: force.agent,
        principal: person.principal,
        role: person.role,
        requester: person.name,
        ...this.#parts.place(person.principal, this.session.address.conversation),
        talk: this.#talk,
        labels: this.#parts.labels(this.session.id),
        skills: new ActiveSkills(),
        policy: force.policy,
        settings: force.settings,
        cause: begun.seq,
        signal: stop.signal,
        counters: newCounters(),
        // What runs by schedule is known by its row, also where it is taken up again after a crash.
        scheduled: log.row(message.seq)?.action.kind === "schedule.started" ? new RunPurse() : null,
        chain: [],
        tools: force.tools,
        spawn: this.#parts.spawner(() => turn.context, force),
      },
      force,
      out: new TurnOut(
        this.#out,
        () => this.#parts.broker.leaving(turn.context),
        begun.seq,
        () => this.#end(turn, "failed"),
      ),
      work: new Set(),
      ending: null,
      answered: false,
      finished: Promise.withResolvers(),
    };
    this.#turn = turn;
    turn.context.labels.words.typed(person.principal, Buffer.from(text).toString("utf8"));
    this.#parts.tell({ event: "turn", session: this.session.id, conversation: this.session.address.conversation });
    this.#link.typing(this.session.address);
    const limit = setTimeout(() => this.#end(turn, "time"), force.turnMs);
    let agent: AgentProcess | null = null;
    try {
      const { asks = [], replies = [] } = message;
      for (const reply of replies) turn.out.answer(Buffer.from(reply));
      if (replies.length > 0 && asks.length === 0) {
        this.#over(turn, "done");
        return await this.#close(turn, null, await turn.finished.promise);
      }
      const { text: instructions, notices } = await this.#parts.instructed(turn.context);
      for (const notice of notices) turn.out.say(notice);
      agent = await pool.acquire(this.session.id, {
        instructions,
        principal: person.principal,
        turnSeq: begun.seq,
        cause: begun.seq,
        rounds: force.rounds,
        signal: stop.signal,
      });
      agent.listen({
        frame: (header, payload) => this.#heard(turn, agent, header, payload),
        died: () => this.#end(turn, "died"),
      });
      const told =
        message.asks === undefined
          ? Buffer.concat([await this.#told(turn, agent, message, text), await this.#invoked(turn, text)])
          : await this.#toldAgain(turn, agent, message, Buffer.concat([text, await this.#repeat(turn, asks)]));
      if (turn.ending === null) await agent.send({ type: "turn" }, told);
      const ending = await turn.finished.promise;
      return await this.#close(turn, agent, ending);
    } catch (error) {
      return await this.#close(turn, agent, turn.ending ?? "failed", sentenceOf(error));
    } finally {
      clearTimeout(limit);
      this.#turn = null;
    }
  }

  /** What the agent is given: the words, and what belongs to them. @throws {AuditError} if that cannot be recorded. */
  async #told(turn: Turn<L>, agent: AgentProcess, message: Queued, words: Uint8Array): Promise<Uint8Array> {
    const { log, broker, files } = this.#parts;
    const belongings = belongingsOf(log.row(message.origin ?? message.seq));
    const given = { text: words, row: message.seq };
    if (belongings.quote !== null || belongings.files.length + belongings.left > 0) {
      const lines = await files.receive(this.#link, turn.context, message.message, belongings.files);
      given.text = Buffer.from(toldText(Buffer.from(words).toString("utf8"), belongings, lines));
      // What somebody else wrote is in it: nobody typed that to us.
      if (belongings.quote?.by === "other") await turn.context.labels.raise({ untrusted: true, private: [] }, turn.seq);
      const row = await log.append(
        { kind: "message.told", turn: turn.id, session: this.session.id, message: message.message },
        { cause: turn.seq, seal: this.session.id, content: { text: given.text } },
      );
      given.row = row.seq;
    }
    agent.conversation.from(given.text, { row: given.row, part: "text" });
    this.#suspected(await broker.received(turn.context, given.text, given.row));
    return given.text;
  }

  /** What it is given where calls were made again. @throws {AuditError} if that cannot be recorded. */
  async #toldAgain(turn: Turn<L>, agent: AgentProcess, { message }: Queued, text: Uint8Array): Promise<Uint8Array> {
    const row = await this.#parts.log.append(
      { kind: "message.told", turn: turn.id, session: this.session.id, message },
      { cause: turn.seq, seal: this.session.id, content: { text } },
    );
    agent.conversation.from(text, { row: row.seq, part: "text" });
    return text;
  }

  /** A turn that ends where it begins: the person is told, and a restart does not take the message up again. */
  async #refuse(turn: TurnId, seq: number, reason: "halted" | "denied"): Promise<TurnEnding> {
    if (reason === "halted") await this.#out.notice(HALTED, seq).catch(() => undefined);
    await this.#parts.log.append(
      { kind: "turn.ended", turn, session: this.session.id, reason, rounds: 0 },
      { cause: seq, seal: this.session.id },
    );
    this.#parts.tell({ event: "turn.end", end: reason });
    return reason;
  }

  #heard(turn: Turn<L>, agent: AgentProcess | null, header: FromAgent, payload: Uint8Array): void {
    if (agent === null || this.#turn !== turn) return;
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
        this.#over(turn, header.reason);
        return;
    }
  }

  #work(turn: Turn<L>, work: Promise<void>): void {
    const settled = work.catch((error: unknown) => {
      turn.out.say(sentenceOf(error));
      this.#end(turn, "failed");
    });
    turn.work.add(settled);
    void settled.finally(() => turn.work.delete(settled));
  }

  /** One completion at a time: the next goes on from what this one was. */
  #ask(
    turn: Turn<L>,
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

  async #complete(turn: Turn<L>, agent: AgentProcess, ref: number, request: AskedRequest): Promise<void> {
    turn.rounds += 1;
    const over = await passCompletion(this.#asks(turn, agent), ref, request, () => {
      turn.asking = false;
    });
    if (over !== null) this.#end(turn, over);
  }

  #asks(turn: Turn<L>, agent: AgentProcess): AgentAsks {
    const notify = (sentence: string): void => turn.out.say(sentence);
    return { broker: this.#parts.broker, agent, context: turn.context, force: turn.force, notify };
  }

  async #tool(
    turn: Turn<L>,
    agent: AgentProcess,
    ask: Extract<FromAgent, { type: "tool" }>,
    args: Uint8Array,
  ): Promise<void> {
    this.#parts.tell(
      { event: "notice", about: "tool" },
      Buffer.from(toolLine(ask.name, Buffer.from(args).toString("utf8"))),
    );
    this.#link.typing(this.session.address);
    const result = await passTool(this.#asks(turn, agent), ask, args, ({ outcome, text, suspects }) => {
      if (outcome === "refused" || outcome === "denied")
        this.#parts.tell({ event: "notice", about: "refusal" }, Buffer.from(text));
      this.#suspected(suspects);
    });
    this.#endWith(turn, result);
  }

  /** Whoever watches is told; what it means is theirs to judge. */
  #suspected(suspects: readonly Suspect[]): void {
    for (const suspect of suspects) {
      const sentence = `Noticed: ${suspectSentence(suspect)} (row ${suspect.row}). It decides nothing; look before you approve.`;
      this.#parts.tell({ event: "notice", about: "info" }, Buffer.from(sentence));
    }
  }

  /** The skill that a message begins with, as `/weather`: read before the agent is told anything. @returns what it is told of it. */
  async #invoked(turn: Turn<L>, text: Uint8Array): Promise<Uint8Array> {
    const name = /^\/([a-z0-9-]{1,64})(?:\s|$)/.exec(Buffer.from(text.subarray(0, 80)).toString("utf8"))?.[1];
    if (name === undefined || !this.#parts.broker.hasSkill(turn.context, name)) return new Uint8Array();
    const ask = {
      group: NO_GROUP,
      name: SKILL_TOOL,
      call: BY_NAME,
      arguments: Buffer.from(JSON.stringify({ name })),
    };
    const result = await this.#parts.broker.tool(turn.context, ask);
    this.#suspected(result.suspects);
    this.#endWith(turn, result);
    return Buffer.from(`${SKILL_MARK}${result.text}`);
  }

  /** Makes calls again. @returns what came of them, for the agent. */
  async #repeat(turn: Turn<L>, asks: readonly ToolAsk[]): Promise<Uint8Array> {
    const told = await Promise.all(
      asks.map(async (ask) => {
        const result = await this.#parts.broker.tool(turn.context, { ...ask, group: NO_GROUP });
        this.#suspected(result.suspects);
        this.#endWith(turn, result);
        return `\n\n[${ask.name}, asked again: ${result.outcome}]\n${result.text}`;
      }),
    );
    return Buffer.from(told.join(""));
  }

  #endWith(turn: Turn<L>, { endTurn }: ToolAnswer): void {
    if (endTurn === null) return;
    if (endTurn.reason !== "stopped") turn.out.say(`I stopped: ${endTurn.sentence}.`);
    this.#end(turn, endTurn.reason);
  }

  /** The agent is done. What it said may wait for somebody who lets it out: until then the turn can be stopped. */
  #over(turn: Turn<L>, ending: TurnEnding): void {
    if (ending !== "done" && ending !== "rounds") this.#end(turn, ending);
    else void turn.out.drained().then(() => this.#end(turn, ending));
  }

  #end(turn: Turn<L>, ending: TurnEnding): void {
    if (turn.ending !== null) return;
    turn.ending = ending;
    if (ending !== "done") turn.stop.abort();
    // Nobody is left to look after what it started.
    if (ending !== "done" && ending !== "rounds") void this.#parts.broker.background.endWhere({ turn: turn.id });
    turn.finished.resolve(ending);
  }

  async #close(turn: Turn<L>, agent: AgentProcess | null, ending: TurnEnding, why?: string): Promise<TurnEnding> {
    turn.stop.abort();
    if (agent !== null && !turn.answered && STOPPED_BY_US.has(ending)) await agent.stopTurn(STOP_GRACE_MS);
    await Promise.all(turn.work);
    this.#parts.broker.endSkills(turn.context);
    await turn.out.close();
    const sentence = why ?? (ending === "died" ? this.#diedText(turn) : ENDINGS[ending]);
    if (sentence !== null) turn.out.say(sentence);
    await turn.out.drained();
    const ended = this.#parts.log.append(
      { kind: "turn.ended", turn: turn.id, session: this.session.id, reason: ending, rounds: turn.rounds },
      { cause: turn.seq, seal: this.session.id },
    );
    await Promise.all([ended, turn.out.recorded()]);
    this.#parts.tell({ event: "turn.end", end: ending });
    if (agent !== null) this.#parts.pool.release(this.session.id, ending !== "done");
    return ending;
  }

  #diedText({ seq }: Turn<L>): string {
    return interruptedText(knownOf(this.#parts.log, seq, this.#talk === "direct"), DIED);
  }

  /** Ends the running turn: what reduces authority is done first and recorded when it can be.
   *  @returns false when nothing runs, not even a command in the background. */
  async stop(who: By): Promise<boolean> {
    const cause = this.#turn?.seq ?? null;
    const commands = this.endCommands();
    const [stopped] = this.cut(who);
    if (stopped === undefined) return (await commands) > 0;
    await this.#parts.log.append(stopped, { cause, seal: this.session.id }).catch(() => undefined);
    return true;
  }

  /** Ends the commands that its turns left in the background. @returns how many they were. */
  async endCommands(): Promise<number> {
    return await this.#parts.broker.background.endWhere({ session: this.session.id });
  }

  /** The same, within this very step. @returns what says so, for whoever records it: nothing when nothing runs. */
  cut(who: By): ActionOf<"turn.stopped">[] {
    const turn = this.#turn;
    if (turn === null || turn.ending !== null) return [];
    this.#end(turn, "stopped");
    return [{ kind: "turn.stopped", turn: turn.id, session: this.session.id, ...who }];
  }
}

/** Endings that the agent may not have heard of. */
const STOPPED_BY_US: ReadonlySet<TurnEnding> = new Set(["stopped", "time", "budget", "denied", "halted"]);

/** What the person is told, where the agent itself says nothing. */
const ENDINGS: Readonly<Record<TurnEnding, string | null>> = {
  done: null,
  rounds: null,
  failed: null,
  stopped: "Stopped.",
  time: "I stopped: this turn took longer than it may.",
  budget: null,
  died: null,
  denied: null,
  halted: null,
};

const DIED = "I was interrupted: my process ended unexpectedly.";

const HALTED = "I am halted by the owner: your message is recorded, and nothing is done about it.";

const ERASED = "What you wrote while I was busy was erased before I came to it: say it again if you still need it.";

function sentenceOf(error: unknown): string {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  if (code.startsWith("AUDIT_"))
    return "I stopped: this action cannot be recorded, and nothing runs that cannot be. The daemon's status says what to do.";
  return "I stopped: something went wrong inside wirken. The daemon's own lines say what.";
}
