import type { AuditLog, FactOf } from "../../audit/log.ts";
import { isLocal } from "../broker/pending.ts";
import type { HaltTarget } from "../ipc/halt-calls.ts";
import { mint, SessionId } from "../ipc/ids.ts";
import type { Address, AdapterLink } from "../session/link.ts";
import type { ChannelOut } from "./channel-out.ts";
import type { By } from "./people.ts";
import { isOver } from "./session-idle.ts";
import type { Repeated, RunParts, Waiting } from "./run-parts.ts";
import { SessionRun } from "./session-run.ts";
import type { State } from "./state.ts";

export interface SessionRunsParts {
  readonly log: AuditLog;
  readonly state: State;
  /** Which agent answers in a conversation of this channel. @param conversation null: one that is not known yet. */
  readonly agent: (conversation: string | null) => string;
  /** Makes the key that the content of a new session is sealed under; recorded. */
  readonly contentKey: (scope: string) => Promise<void>;
  /** Unix milliseconds, by the clock that rows are stamped with. */
  readonly now: () => number;
  readonly run: (agent: string, place: string) => RunParts;
}

/** The sessions of one channel instance, each with what runs and waits in it. */
export class SessionRuns<L extends symbol> {
  readonly #link: AdapterLink<L>;
  readonly #out: ChannelOut<L>;
  readonly #parts: SessionRunsParts;
  readonly #runs = new Map<string, SessionRun<L>>();
  #closed = false;

  constructor(link: AdapterLink<L>, out: ChannelOut<L>, parts: SessionRunsParts) {
    this.#link = link;
    this.#out = out;
    this.#parts = parts;
  }

  /** Nothing is begun any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The one of a session that something runs or ran in since the start; null: none. */
  known(session: string): SessionRun<L> | null {
    return this.#runs.get(session) ?? null;
  }

  /** What comes in while the daemon stops stays on the log, for the next start. */
  begin(run: SessionRun<L>, message: Waiting | Repeated): void {
    if (!this.#closed) run.enqueue(message);
  }

  /** A message that was dealt with at once: a turn that begins and ends, so that a restart does not take it up again. */
  async answered(message: string, run: SessionRun<L>, cause: number, sentence: string, who: By): Promise<void> {
    const { log } = this.#parts;
    const agent =
      this.#parts.state.session(run.session.id)?.agent ?? this.#parts.agent(run.session.address.conversation);
    const force = this.#parts.run(agent, run.session.address.at.place).inForce();
    const turn = mint("turn");
    const session = run.session.id;
    const begun = await log.append(
      {
        kind: "turn.started",
        turn,
        session,
        agent: force.agent,
        principal: who.by,
        message,
        policy: force.policy,
        settings: force.settings,
        without: "agent",
      },
      { cause, seal: session },
    );
    // On this machine it is there at once, and whoever asked waits for it.
    const said = { purpose: "answer", text: sentence, cause: begun.seq, session } as const;
    if (sentence !== "" && isLocal(this.#link.channel)) await this.#out.say(run.session.address, said);
    else if (sentence !== "") this.#out.sayLater(run.session.address, said);
    await log.append(
      { kind: "turn.ended", turn, session, reason: "done", rounds: 0 },
      { cause: begun.seq, seal: session },
    );
  }

  /** The conversation goes on in another session. */
  async over(run: SessionRun<L>, reason: "new" | "idle"): Promise<void> {
    // A turn that still runs there can still be stopped.
    if (run.idle) this.#runs.delete(run.session.id);
    await run.endCommands();
    await this.#parts.log.append(
      { kind: "session.closed", session: run.session.id, reason },
      { cause: null, seal: run.session.id },
    );
  }

  /** The session that is open there, or a new one. */
  async in(address: Address<L>, agent: string): Promise<SessionRun<L>> {
    const { state, log } = this.#parts;
    const open = state.openSession(address.conversation, agent);
    if (open !== null) {
      const run = this.of(open.session, address, agent);
      // A turn may be as long as it likes: what runs or waits in a session keeps it open.
      if (!run.idle || !isOver(open.last, this.#parts.now())) return run;
      await this.over(run, "idle");
    }
    const session = mint("session");
    await this.#parts.contentKey(session);
    await log.append(
      { kind: "session.opened", session, conversation: address.conversation, channel: this.#link.channel, agent },
      { cause: null, seal: session },
    );
    return this.of(session, address, agent);
  }

  /** What runs and waits in a session. */
  of(session: string, address: Address<L>, agent: string): SessionRun<L> {
    const known = this.#runs.get(session);
    if (known !== undefined) return known;
    const run = new SessionRun(
      this.#link,
      this.#link.session(SessionId.parse(session), address),
      this.#parts.run(agent, address.at.place),
    );
    this.#runs.set(session, run);
    return run;
  }

  /** Ends a session for good: its turn, and what waits in it. */
  async end(session: string, who: By): Promise<void> {
    const run = this.#runs.get(session);
    this.#runs.delete(session);
    await run?.abandon(who);
  }

  async stop(session: string, who: By): Promise<boolean> {
    return (await this.#runs.get(session)?.stop(who)) ?? false;
  }

  /** Begins no turn any more, and ends those that run. */
  async close(who: By): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#runs.values()].map((run) => run.close(who)));
  }

  /** Begins turns again after {@link close}; what was received meanwhile is taken up by whoever recovers it. */
  reopen(): void {
    this.#runs.clear();
    this.#closed = false;
  }

  /** Ends the turns that run for one person, within this very step. @returns the rows that say so, for whoever records them. */
  cutOf(principal: string, who: By): FactOf[] {
    return [...this.#runs.values()].flatMap((run) => {
      if (run.runsFor !== principal) return [];
      return run.cut(who).map((action) => ({ action, given: { seal: run.session.id } }));
    });
  }

  /** Turns that run for one person. */
  runningFor(principal: string): number {
    return [...this.#runs.values()].filter((run) => run.runsFor === principal).length;
  }

  /** Turns that run for an agent. */
  runningOf(agent: string): number {
    const { state } = this.#parts;
    return [...this.#runs].filter(([session, run]) => run.running !== null && state.session(session)?.agent === agent)
      .length;
  }

  /** Ends the turns that run in what is halted. @returns how many they were. */
  async stopWhere(target: HaltTarget, who: By): Promise<number> {
    const { state } = this.#parts;
    const within = ([session]: [string, SessionRun<L>]): boolean => {
      if (target.subject === "session") return session === target.session;
      return target.subject === "all" || state.session(session)?.agent === target.agent;
    };
    const ended = await Promise.all([...this.#runs].filter(within).map(async ([, run]) => await run.stop(who)));
    return ended.filter(Boolean).length;
  }

  get running(): number {
    return [...this.#runs.values()].filter((run) => run.running !== null).length;
  }
}
