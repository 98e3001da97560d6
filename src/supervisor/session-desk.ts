import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import { SessionId } from "../ipc/ids.ts";
import type { Setup } from "../ipc/items.ts";
import type { AnswerTo, OperatorCall } from "../ipc/operator.ts";
import type { SessionView, StepView } from "../ipc/session-calls.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";
import { answerOf, Transcript } from "./transcript.ts";
import { byItems, compared, messageView, Requests, setupOf } from "./replay.ts";
import { saidBefore } from "./said-rows.ts";
import type { SessionExport } from "./session-export.ts";
import { added, rowsOf, type TurnRows, turnsOf } from "./session-turns.ts";
import type { SessionRow, State } from "./state.ts";
import { summaryAsked } from "./compaction.ts";

type SessionName = "session.list" | "session.show" | "session.replay" | "session.close" | "session.export";
type SessionCall = Extract<OperatorCall, { call: SessionName }>;
type Answers = { [C in SessionName]: AnswerTo<C> }[SessionName];

export interface SessionDeskParts {
  readonly log: AuditLog;
  readonly state: State;
  /** Ends what runs and waits in it for good. */
  readonly end: (session: string, who: By) => Promise<void>;
  readonly exports: SessionExport;
}

/** Conversations, as the owner looks at them: which there were, what became of each turn, what a model was shown. */
export class SessionDesk {
  readonly #parts: SessionDeskParts;

  constructor(parts: SessionDeskParts) {
    this.#parts = parts;
  }

  async answer(call: SessionCall, who: By, signal: AbortSignal): Promise<Answers> {
    switch (call.call) {
      case "session.list":
        return await this.#list(call.limit, call.agent);
      case "session.show":
        return await this.#show(call.session, signal);
      case "session.replay":
        return await this.#replay(call.session, call.turn, signal);
      case "session.close":
        return await this.#close(call.session, who);
      case "session.export":
        return await this.#parts.exports.write(await this.#view(this.#known(call.session)), call.out, who);
    }
  }

  #known(session: string): SessionRow {
    const record = this.#parts.state.sessionRow(session);
    if (record === null)
      throw new OperatorError("not-found", `there is no session ${session}`, "wirken sessions list names them");
    return record;
  }

  async #list(limit: number, agent: string | null): Promise<AnswerTo<"session.list">> {
    const all = this.#parts.state.sessionRows().filter((one) => agent === null || one.agent === agent);
    return {
      sessions: await Promise.all(all.slice(0, limit).map(async (one) => await this.#view(one))),
      all: all.length,
    };
  }

  async #view(record: SessionRow): Promise<SessionView> {
    const { log, state } = this.#parts;
    const { session, agent, channel, last, open } = record;
    const [opened] = await log.search({ session, kind: "session.opened", limit: 1 });
    return {
      session: SessionId.parse(session),
      agent,
      channel,
      people: state.principalsOf(session).map((principal) => state.person(principal)?.name ?? principal),
      started: opened?.at ?? null,
      last,
      turns: state.turnCount(session),
      state: this.#runs(session) ? "running" : open ? "open" : "closed",
    };
  }

  #runs(session: string): boolean {
    return this.#parts.state.openTurns().some((turn) => turn.session === session);
  }

  async #show(session: string, signal: AbortSignal): Promise<AnswerTo<"session.show">> {
    const { log, state } = this.#parts;
    const record = this.#known(session);
    const turns = turnsOf(log, state, await rowsOf(log, session, signal)).map(({ view }) => view);
    const { untrusted, private: whose } = state.labelsOf(session);
    return {
      session: await this.#view(record),
      turns,
      inputTokens: turns.reduce((sum, one) => sum + one.inputTokens, 0),
      outputTokens: turns.reduce((sum, one) => sum + one.outputTokens, 0),
      microDollars: turns.reduce<number | null>((sum, one) => added(sum, one.microDollars), 0),
      labels: { untrusted, private: whose.map((person) => state.person(person)?.name ?? person) },
    };
  }

  async #close(session: string, who: By): Promise<AnswerTo<"session.close">> {
    const { log, end } = this.#parts;
    const record = this.#known(session);
    if (!record.open)
      throw new OperatorError(
        "not-found",
        `session ${session} is closed already`,
        "the next message there begins a new one",
      );
    const stopped = this.#runs(session);
    // First this: what is written from here on begins another session.
    const row = await log.append(
      { kind: "session.closed", session, reason: "closed", ...who },
      { cause: null, seal: session },
    );
    await end(session, who);
    return { session: SessionId.parse(session), stopped, row: row.seq };
  }

  async #replay(session: string, number: number, signal: AbortSignal): Promise<AnswerTo<"session.replay">> {
    const { log, state } = this.#parts;
    this.#known(session);
    const turns = turnsOf(log, state, await rowsOf(log, session, signal));
    const turn = turns[number - 1];
    if (turn === undefined)
      throw new OperatorError(
        "not-found",
        turns.length === 0
          ? `nothing was asked in session ${session}`
          : `session ${session} has ${turns.length} turns, and no turn ${number}`,
        `wirken sessions show ${session} lists them`,
      );
    const steps = await this.#steps(session, turn, signal);
    const verdicts = new Set(steps.map(({ verdict }) => verdict));
    const verdict = verdicts.has("different") ? "different" : verdicts.has("not provable") ? "not provable" : "same";
    return { turn: turn.view, of: turns.length, steps, verdict };
  }

  async #steps(session: string, { rows }: TurnRows, signal: AbortSignal): Promise<StepView[]> {
    const { log, state } = this.#parts;
    const rowOf = (seq: number): CommittedRow | null => log.row(seq);
    const requests = new Requests(log);
    const calls = rows.filter(({ action }) => action.kind === "model.called");
    const [first] = calls;
    const last = calls.at(-1);
    if (first === undefined || last === undefined) return [];
    const answers = new Map(
      rows.flatMap((row) => (row.action.kind === "model.answered" ? [[row.cause, row] as const] : [])),
    );
    const transcript = new Transcript(rowOf);
    const said = saidBefore(log, state, session, last.seq + 1, first.seq);
    const steps: StepView[] = [];
    let [at, before, shown]: [number, string[], string | null] = [0, [], null];
    for (const call of calls) {
      signal.throwIfAborted();
      const { action } = call;
      if (action.kind !== "model.called") continue;
      for (let next = said[at]; next !== undefined && next.row.seq < call.seq; next = said[++at]) transcript.take(next);
      const record = requests.of(call.seq);
      const setup = setupOf(record);
      const answer = answers.get(call.seq) ?? null;
      const made =
        action.chain !== undefined
          ? byItems(record, rowOf)
          : await this.#made(transcript, setup, record, { call, answer, purpose: action.purpose ?? null });
      const messages = made.told.map((one) => messageView(one));
      const each = messages.map((message) => JSON.stringify(message));
      const from = each.findIndex((message, nth) => message !== before[nth]);
      const kept = from < 0 ? each.length : from;
      const set = JSON.stringify(setup);
      steps.push({
        row: call.seq,
        at: call.at,
        model: `${action.provider}/${action.model}`,
        purpose: action.chain !== undefined ? "agent" : (action.purpose ?? "turn"),
        verdict: made.verdict,
        why: made.why,
        from: kept,
        messages: messages.slice(kept),
        setup: set === shown ? null : { instructions: setup?.instructions ?? null, tools: setup?.tools ?? [] },
        answer: answered(answer),
      });
      [before, shown] = [each, set];
    }
    return steps;
  }

  async #made(
    transcript: Transcript,
    setup: Setup | null,
    record: ReturnType<Requests["of"]>,
    {
      call,
      answer,
      purpose,
    }: { readonly call: CommittedRow; readonly answer: CommittedRow | null; readonly purpose: string | null },
  ) {
    const compaction = purpose === null ? null : this.#compactionOf(answer);
    const told = purpose === null ? transcript.now : summaryAsked(transcript.now, compaction);
    // What is put to a model follows from what was decided with its answer.
    if (purpose !== null && compaction === null && record !== null)
      return {
        verdict: "not provable" as const,
        why: "no summary came of it, so no row says what it was asked of",
        told,
      };
    const verdict = compared(record, setup, told);
    if (verdict.verdict !== "same" || purpose !== null || call.action.kind !== "model.called")
      return { ...verdict, told };
    const other = await this.#otherSettings(call.action.settings, setup, call.seq);
    return other === null ? { ...verdict, told } : { verdict: "different" as const, why: other, told };
  }

  /** The compaction that a summary was made for. */
  #compactionOf(answer: CommittedRow | null): CommittedRow | null {
    if (answer === null) return null;
    return this.#parts.log.effects(answer.seq, (kind) => kind === "context.compacted", 1)[0] ?? null;
  }

  /** Does a setup hold what was in force? @returns what it does not; null: it does, or what was in force is erased. */
  async #otherSettings(digest: string, setup: Setup | null, before: number): Promise<string | null> {
    const { log } = this.#parts;
    const rows = await log.search({ kind: "agent.configured", before, limit: 1000 });
    const row = rows.find(({ action }) => action.kind === "agent.configured" && action.digest === digest);
    const json = row?.content("settings") ?? null;
    if (row === undefined || json === null || setup === null) return null;
    const value: unknown = JSON.parse(json);
    if (typeof value !== "object" || value === null || !("tools" in value) || !("instructions" in value)) return null;
    if (JSON.stringify(value.tools) !== JSON.stringify(setup.tools))
      return `the tools that it offers are not those in force (row ${row.seq})`;
    if (typeof value.instructions !== "string" || !setup.instructions.startsWith(value.instructions))
      return `its system prompt does not begin with the instructions in force (row ${row.seq})`;
    return null;
  }
}

function answered(row: CommittedRow | null): StepView["answer"] {
  if (row?.action.kind !== "model.answered") return null;
  const { model, stop, inputTokens, outputTokens, microDollars } = row.action;
  const json = row.content("answer");
  const answer = json === null ? null : answerOf(json);
  return {
    row: row.seq,
    model,
    stop,
    inputTokens,
    outputTokens,
    microDollars,
    text: answer?.text ?? null,
    calls: (answer?.calls ?? []).map(({ id, name, arguments: given }) => ({ id, name, arguments: given })),
  };
}
