import { FromAgent, type ToAgent } from "../ipc/agent-frames.ts";
import { Conversation } from "./conversation.ts";
import { TurnGate } from "./turn-gate.ts";
import type { Processes, RunningChild } from "./processes.ts";

/** Agent processes at once; a session that has to wait is served in the order it came. */
const MAX_AGENTS = 8;
/** Of them, those that work for one person: another does not wait for them. */
const MAX_OF_ONE = 4;
/** An agent whose session is silent keeps its transcript in memory for this long. */
const IDLE_MS = 10 * 60_000;

export interface AgentEvents {
  frame(header: FromAgent, payload: Uint8Array): void;
  died(): void;
}

/** What an agent process is given when it starts: an `AgentStart` as JSON. Rows before `seq` are the past; `from` is told of the content
 *  that it is made of. */
export type MakeStart = (
  session: string,
  turn: { readonly seq: number; readonly instructions: string },
  conversation: Pick<Conversation, "from" | "shows">,
) => Promise<Uint8Array>;

/** One agent process. It serves one session and is never reused for another. */
export class AgentProcess {
  readonly #child: RunningChild<ToAgent>;
  /** What it has asked models. */
  readonly conversation = new Conversation(async (ref, signal) => await this.#resend(ref, signal));
  readonly #over: (conversation: number) => Promise<void>;
  #events: AgentEvents | null = null;
  #turnOver: (() => void) | null = null;
  #resent: { readonly ref: number; readonly take: (packed: Uint8Array | null) => void } | null = null;
  /** What it said since it was given what is not on the log yet; null: nothing is waited for. */
  #held: { readonly header: FromAgent; readonly payload: Uint8Array }[] | null = null;
  dead = false;

  /** @param over its conversation goes on no more: whoever has any of it lets go of it. */
  constructor(child: RunningChild<ToAgent>, over: (conversation: number) => Promise<void>) {
    this.#child = child;
    this.#over = over;
  }

  /** Whose turn runs now hears it. */
  listen(events: AgentEvents): void {
    this.#events = events;
    if (this.dead) events.died();
  }

  async send(header: ToAgent, payload?: Uint8Array): Promise<void> {
    await this.#child.send(header, payload).catch(() => undefined); // its death is told by `died`
  }

  /** What it says from now on is heard once it is released: it is given something whose row is still being written. */
  hold(): void {
    this.#held ??= [];
  }

  /** @param options.dropped what it said meanwhile is of no account. */
  release({ dropped } = { dropped: false }): void {
    const held = this.#held ?? [];
    this.#held = null;
    if (!dropped) for (const { header, payload } of held) this.heard(header, payload);
  }

  heard(header: FromAgent, payload: Uint8Array): void {
    if (this.#held !== null) {
      this.#held.push({ header, payload });
      return;
    }
    if (header.type === "turn.end") this.#turnOver?.();
    if (header.type === "resent") this.#takeResent(header.ref, payload);
    else this.#events?.frame(header, payload);
  }
  ended(): void {
    this.dead = true;
    this.#turnOver?.();
    this.#resent?.take(null);
    void this.#over(this.conversation.number);
    this.#events?.died();
  }

  /** It said what no agent of ours says: it ends. */
  broke(what: string): void {
    this.#child.end("protocol", what);
  }

  /** Asks it to end its turn, and ends the process if it does not within `graceMs`. */
  async stopTurn(graceMs: number): Promise<void> {
    if (this.dead) return;
    const over = new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), graceMs);
      this.#turnOver = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
    await this.send({ type: "turn.stop" });
    const ended = await over;
    this.#turnOver = null;
    if (!ended) this.#child.end("timeout", "the agent did not end its turn when told to");
  }

  /** Resolves when it is gone, and nobody has anything of its conversation any more. */
  async stop(): Promise<void> {
    await this.#child.stop();
    await this.#over(this.conversation.number);
  }

  #takeResent(ref: number, packed: Uint8Array): void {
    if (this.#resent?.ref === ref) this.#resent.take(packed);
    else this.broke("items that nobody asked for");
  }

  /** Asks for all items of a request again. @returns null if it does not say them before `signal` aborts. */
  async #resend(ref: number, signal: AbortSignal): Promise<Uint8Array | null> {
    if (this.dead || signal.aborted) return null;
    return await new Promise<Uint8Array | null>((resolve) => {
      const take = (packed: Uint8Array | null): void => {
        this.#resent = null;
        signal.removeEventListener("abort", give);
        resolve(packed);
      };
      const give = (): void => take(null);
      signal.addEventListener("abort", give, { once: true });
      this.#resent = { ref, take };
      void this.send({ type: "resend", ref });
    });
  }
}

/** Starts an agent process, which serves whoever starts it and nobody after. @param over its conversation goes on no more. */
export async function startAgent(
  processes: Pick<Processes, "once">,
  cause: number,
  over: (conversation: number) => Promise<void>,
): Promise<AgentProcess> {
  let agent: AgentProcess | null = null;
  const child = await processes.once<FromAgent, ToAgent>({
    role: "agent",
    args: [],
    subject: null,
    accepts: FromAgent,
    stop: { type: "stop" },
    cause,
    hear: (header, payload) => agent?.heard(header, payload),
    ended: () => agent?.ended(),
  });
  agent = new AgentProcess(child, over);
  return agent;
}

interface Held {
  agent: AgentProcess;
  /** What it was told when it started. */
  instructions: string;
  busy: boolean;
  last: number;
  /** It was started with what is not in force any more. */
  outdated?: true;
}

/** What a process is started for. */
interface Starting {
  /** Rows before it are the past. */
  readonly turnSeq: number;
  readonly cause: number;
  readonly rounds: number;
  /** One that was told something else is not gone on with. */
  readonly instructions: string;
}

/** The agent processes there are: at most eight, each of one session. */
export class AgentPool {
  readonly #processes: Pick<Processes, "once">;
  readonly #now: () => number;
  readonly #start: MakeStart;
  readonly #over: (conversation: number) => Promise<void>;
  readonly #held = new Map<string, Held>();
  /** Sessions whose process is on its way out. */
  readonly #ending = new Map<string, Promise<void>>();
  /** Turns that run, by whose they are. */
  readonly #gate = new TurnGate(MAX_AGENTS, MAX_OF_ONE);
  readonly #turns = new Map<string, string>();
  readonly #sweep: NodeJS.Timeout;
  #starting = 0;

  /** @param over a conversation has ended: resolves when nobody has anything of it. @param now milliseconds on a clock that nobody sets. */
  constructor(
    processes: Pick<Processes, "once">,
    start: MakeStart,
    over: (conversation: number) => Promise<void>,
    now: () => number,
  ) {
    this.#processes = processes;
    this.#start = start;
    this.#over = over;
    this.#now = now;
    this.#sweep = setInterval(() => void this.endIdle(), 60_000);
    this.#sweep.unref();
  }

  /** Sessions that have a process. */
  get held(): readonly string[] {
    return [...this.#held.keys()];
  }

  /** The session's own agent process: the one it has, or a new one as soon as there is room. */
  async acquire(
    session: string,
    options: { principal: string; signal: AbortSignal } & Starting,
  ): Promise<AgentProcess> {
    await this.#gate.enter(options.principal, options.signal);
    this.#turns.set(session, options.principal);
    try {
      return await this.#process(session, options);
    } catch (error) {
      this.#leave(session);
      throw error;
    }
  }

  async #process(session: string, { turnSeq, cause, rounds, instructions }: Starting): Promise<AgentProcess> {
    const held = this.#held.get(session);
    if (held !== undefined && !held.agent.dead) {
      if (held.instructions === instructions) {
        held.busy = true;
        return held.agent;
      }
      // It is told something else from here on: another process is, with what was said so far.
      await this.#end(session, held.agent);
    }
    this.#room();
    this.#starting += 1;
    try {
      const agent = await startAgent(this.#processes, cause, this.#over);
      this.#held.set(session, { agent, instructions, busy: true, last: this.#now() });
      const { conversation } = agent;
      const turn = { seq: turnSeq, instructions };
      const start = await this.#start(session, turn, conversation);
      await agent.send({ type: "start", rounds }, start);
      return agent;
    } finally {
      this.#starting -= 1;
    }
  }

  /** The turn is over. @param discard the process is not to be trusted with another one. */
  release(session: string, discard: boolean): void {
    this.#leave(session);
    const held = this.#held.get(session);
    if (held === undefined) return;
    held.busy = false;
    held.last = this.#now();
    if (discard || held.agent.dead || held.outdated === true) void this.#end(session, held.agent);
  }

  /** The session is over, and with it its process. Resolves when nothing of it is in any process's memory. */
  async forget(session: string): Promise<void> {
    const held = this.#held.get(session);
    if (held !== undefined && !held.busy) await this.#end(session, held.agent);
    await this.#ending.get(session);
  }

  /** What agents are told at their start is another now: none that was started before is given another turn. */
  async renew(): Promise<void> {
    for (const [session, held] of this.#held)
      if (held.busy) held.outdated = true;
      else await this.#end(session, held.agent);
  }

  #leave(session: string): void {
    const principal = this.#turns.get(session);
    if (principal === undefined) return;
    this.#turns.delete(session);
    this.#gate.leave(principal);
  }

  #end(session: string, agent: AgentProcess): Promise<void> {
    this.#held.delete(session);
    const ended = Promise.all([this.#ending.get(session), agent.stop()]).then(() => undefined);
    this.#ending.set(session, ended);
    void ended.finally(() => {
      if (this.#ending.get(session) === ended) this.#ending.delete(session);
    });
    return ended;
  }

  #room(): void {
    for (const [session, held] of this.#held) if (held.agent.dead) this.#held.delete(session);
    if (this.#held.size + this.#starting < MAX_AGENTS) return;
    const [idlest] = [...this.#held].filter(([, held]) => !held.busy).toSorted(([, a], [, b]) => a.last - b.last);
    // There is one: fewer turns run than there are processes, this one aside.
    if (idlest !== undefined) void this.#end(idlest[0], idlest[1].agent);
  }

  /** Ends those whose session was silent for long: done once a minute. */
  async endIdle(): Promise<void> {
    const before = this.#now() - IDLE_MS;
    for (const [session, held] of this.#held) {
      if (held.busy || held.last > before) continue;
      await this.#end(session, held.agent);
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    await Promise.all([...this.#held.values()].map((held) => held.agent.stop()));
    this.#held.clear();
  }
}
