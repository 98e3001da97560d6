import type { ActionOf } from "../../audit/action.ts";
import { ActiveSkills } from "../broker/active-skills.ts";
import { RunPurse } from "../broker/schedules/purse.ts";
import { newCounters } from "../broker/turn.ts";
import { interruptedText, knownOf } from "./known-of-turn.ts";
import { mint, type TurnId } from "../ipc/ids.ts";
import type { AdapterLink, Session } from "../session/link.ts";
import { belongingsOf, toldText } from "./belongings.ts";
import type { AgentProcess } from "./agent-pool.ts";
import type { By } from "./people.ts";
import { compactedText } from "./compactor.ts";
import { slashCommand } from "./slash-commands.ts";
import { EVERYBODY } from "../broker/labels.ts";
import type { ShownFile } from "../ipc/completion.ts";
import { bytesShown, type HeldFile, messageFiles, readerOf, shownFor, shownOf } from "./shown-files.ts";
import { SessionOut } from "./session-out.ts";
import { TurnOut } from "./turn-out.ts";
import type { Queued, Repeated, RunParts, Waiting } from "./run-parts.ts";
import { DIED, ENDINGS, ERASED, HALTED, sentenceOf, STOPPED_BY_US, type TurnEnding } from "./turn-ending.ts";
import { type RunningTurn, TurnWork } from "./turn-work.ts";

/** After `/stop` the agent has this long to end its turn itself; then its process is ended. */
const STOP_GRACE_MS = 500;
/** One session: the messages that wait in it, the turn that runs, and the agent process that runs it. */
export class SessionRun<L extends symbol> {
  readonly session: Session<L>;
  readonly #link: AdapterLink<L>;
  readonly #parts: RunParts;
  readonly #out: SessionOut<L>;
  readonly #work: TurnWork<L>;
  readonly #queue: Queued[] = [];
  #turn: RunningTurn<L> | null = null;
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
    this.#work = new TurnWork(link, session, parts, {
      end: (turn, ending) => this.#end(turn, ending),
      over: (turn, ending) => this.#over(turn, ending),
    });
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
    const { asks = [], replies = [] } = message;
    const repliesOnly = replies.length > 0 && asks.length === 0;
    const compacts = message.asks === undefined && isCompact(text);
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
        ...(repliesOnly || compacts ? { without: "agent" as const } : {}),
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
    const turn: RunningTurn<L> = {
      id,
      seq: begun.seq,
      stop,
      rounds: 0,
      asking: false,
      shortened: 0,
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
      for (const reply of replies) turn.out.answer(Buffer.from(reply));
      if (compacts) turn.out.say(await this.#compactNow(turn));
      if (repliesOnly || compacts) {
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
        frame: (header, payload) => {
          if (agent !== null && this.#turn === turn) this.#work.heard(turn, agent, header, payload);
        },
        died: () => this.#end(turn, "died"),
      });
      const told =
        message.asks === undefined
          ? await this.#told(turn, agent, message, text)
          : await this.#toldAgain(turn, agent, message, Buffer.concat([text, await this.#work.repeat(turn, asks)]));
      const skill = message.asks === undefined ? await this.#work.invoked(turn, text) : new Uint8Array();
      const { files } = told;
      const header = { type: "turn", ...(files === undefined ? {} : { files }) } as const;
      if (turn.ending === null) await agent.send(header, Buffer.concat([told.text, skill]));
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
  async #told(turn: RunningTurn<L>, agent: AgentProcess, message: Queued, words: Uint8Array): Promise<ToldText> {
    const { log, broker, files } = this.#parts;
    const belongings = belongingsOf(log.row(message.origin ?? message.seq));
    const given = { text: words, row: message.seq };
    let shown: readonly HeldFile[] = [];
    if (belongings.quote !== null || belongings.files.length + belongings.left > 0) {
      const lines = await files.receive(this.#link, turn.context, message.message, belongings.files);
      given.text = Buffer.from(toldText(Buffer.from(words).toString("utf8"), belongings, lines));
      // What somebody else wrote is in it: nobody typed that to us.
      const told = lines.length === 0 ? [] : this.#parts.compactor.told(this.session.id);
      shown = shownOf(lines, bytesShown(told.map((one) => one.message)));
      // What a model is shown is in its context as what it reads is: nobody vouches for it, and it is of the workspace that it lies in.
      if (shown.length > 0) {
        const whose = turn.context.talk === "group" ? EVERYBODY : turn.context.principal;
        await turn.context.labels.raise({ untrusted: true, private: [whose] }, turn.seq);
        for (const file of shown) agent.conversation.shows(file, readerOf(log, file));
      }
      if (belongings.quote?.by === "other") await turn.context.labels.raise({ untrusted: true, private: [] }, turn.seq);
      const row = await log.append(
        { kind: "message.told", turn: turn.id, session: this.session.id, message: message.message },
        { cause: turn.seq, seal: this.session.id, content: { text: given.text, ...shownFor(shown) } },
      );
      given.row = row.seq;
    }
    agent.conversation.from(given.text, { row: given.row, part: "text" });
    this.#work.suspected(await broker.received(turn.context, given.text, given.row));
    return { text: given.text, ...messageFiles(shown) };
  }

  /** What it is given where calls were made again. @throws {AuditError} if that cannot be recorded. */
  async #toldAgain(
    turn: RunningTurn<L>,
    agent: AgentProcess,
    { message }: Queued,
    text: Uint8Array,
  ): Promise<ToldText> {
    const row = await this.#parts.log.append(
      { kind: "message.told", turn: turn.id, session: this.session.id, message },
      { cause: turn.seq, seal: this.session.id, content: { text } },
    );
    agent.conversation.from(text, { row: row.seq, part: "text" });
    return { text };
  }

  /** A turn that ends where it begins: the person is told, and a restart does not take the message up again. */
  async #refuse(turn: TurnId, seq: number, reason: "halted" | "denied"): Promise<TurnEnding> {
    if (reason === "halted") await this.#out.notice(HALTED, seq).catch(() => undefined);
    // It has not heard of this message: who goes on with the conversation is told what was said by then.
    await this.#parts.pool.forget(this.session.id);
    await this.#parts.log.append(
      { kind: "turn.ended", turn, session: this.session.id, reason, rounds: 0 },
      { cause: seq, seal: this.session.id },
    );
    this.#parts.tell({ event: "turn.end", end: reason });
    return reason;
  }

  /** `/compact`. @returns what is said of it. */
  async #compactNow(turn: RunningTurn<L>): Promise<string> {
    const { windows, compactor, pool } = this.#parts;
    const { force } = turn;
    const made = await compactor.compact(turn.context, force, force.setupBytes, windows.roomOf(force), "asked");
    if (made === null) return "There is nothing to make shorter here yet.";
    if (typeof made === "string") return `This conversation was not made shorter: ${made}`;
    // Whoever goes on with it is told what is left.
    await pool.forget(this.session.id);
    const sizes = `about ${made.before.toLocaleString("en-US")} tokens before, ${made.after.toLocaleString("en-US")} now`;
    return `${compactedText(made, true) ?? `Of ${made.results} results I know the row only; all of them stay on the record.`} (${sizes})`;
  }

  /** The agent is done. What it said may wait for somebody who lets it out: until then the turn can be stopped. */
  #over(turn: RunningTurn<L>, ending: TurnEnding): void {
    if (ending !== "done" && ending !== "rounds") this.#end(turn, ending);
    else void turn.out.drained().then(() => this.#end(turn, ending));
  }

  #end(turn: RunningTurn<L>, ending: TurnEnding): void {
    if (turn.ending !== null) return;
    turn.ending = ending;
    if (ending !== "done") turn.stop.abort();
    // Nobody is left to look after what it started.
    if (ending !== "done" && ending !== "rounds") void this.#parts.broker.background.endWhere({ turn: turn.id });
    turn.finished.resolve(ending);
  }

  async #close(
    turn: RunningTurn<L>,
    agent: AgentProcess | null,
    ending: TurnEnding,
    why?: string,
  ): Promise<TurnEnding> {
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

  #diedText({ seq }: RunningTurn<L>): string {
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

/** What an agent is given as a message. */
interface ToldText {
  readonly text: Uint8Array;
  readonly files?: ShownFile[];
}

/** What is longer is a message. */
const MAX_COMMAND_BYTES = 100;

function isCompact(text: Uint8Array): boolean {
  return text.length <= MAX_COMMAND_BYTES && slashCommand(Buffer.from(text).toString("utf8")) === "compact";
}
