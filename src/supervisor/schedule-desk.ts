import type { AuditLog } from "../../audit/log.ts";
import { readTimes, timeIn, TimesError } from "../broker/schedules/times.ts";
import type { SchedulePort } from "../effect/scheduling.ts";
import { type Channel, LOCAL_CHANNELS, type LocalChannel } from "../ipc/channel.ts";
import { ConversationId, mint, PrincipalId } from "../ipc/ids.ts";
import type { AnswerTo, OperatorCall } from "../ipc/operator.ts";
import type { ScheduleView } from "../ipc/schedule-calls.ts";
import { OperatorError } from "./operator-error.ts";
import type { By, People } from "./people.ts";
import type { ScheduleRecord } from "./schedule-state.ts";
import type { Schedules } from "./schedules.ts";
import type { State } from "./state.ts";

/** So many schedules may be one person's. */
const MAX_EACH = 50;
/** Times ahead that are shown. */
const SHOWN_NEXT = 3;
/** Runs that are shown, and rows that are looked through for them. */
const SHOWN_RUNS = 10;
const LOOKED_AT = 1_000;

type ScheduleCall = Extract<OperatorCall, { call: `schedule.${string}` }>;
type Answers = { [C in ScheduleCall["call"]]: AnswerTo<C> }[ScheduleCall["call"]];

/** What is to be planned, however it was asked for. */
export interface NewSchedule {
  readonly principal: PrincipalId;
  readonly agent: string;
  /** Plain words, or a cron expression. */
  readonly words: string;
  readonly zone: string | null;
  readonly text: string;
  readonly conversation: string;
  readonly channel: Channel;
}

export interface ScheduleDeskParts {
  readonly log: AuditLog;
  readonly state: State;
  readonly people: People;
  readonly schedules: Schedules;
  readonly knowsAgent: (agent: string) => boolean;
  /** The owner's own conversation with an agent on the terminal or the page, begun where there is none. */
  readonly local: (channel: LocalChannel, agent: string, principal: string) => Promise<string>;
  /** Makes the key under which what is somebody's is sealed. */
  readonly contentKey: (scope: string) => Promise<void>;
  readonly now: () => number;
}

/** What people plan: who may, where it is answered, and how it is shown. */
export class ScheduleDesk {
  readonly #parts: ScheduleDeskParts;

  constructor(parts: ScheduleDeskParts) {
    this.#parts = parts;
  }

  /** @throws {OperatorError} with a sentence for the caller. */
  async answer(call: ScheduleCall, who: By): Promise<Answers> {
    switch (call.call) {
      case "schedule.list":
        return { schedules: this.#parts.state.schedules().map((record) => this.view(record)) };
      case "schedule.show":
        return await this.#show(this.#get(call.schedule));
      case "schedule.add": {
        const { principal, agent, channel, zone, text } = call;
        const conversation = await this.#destination(principal, agent, channel);
        return await this.add({ principal, agent, channel, zone, text, words: call.times, conversation }, who, null);
      }
      case "schedule.pause":
        return await this.#pause(this.#get(call.schedule), who);
      case "schedule.resume":
        return await this.#resume(this.#get(call.schedule), who);
      case "schedule.remove":
        return await this.remove(this.#get(call.schedule), who, null);
      case "schedule.run":
        return await this.#runNow(this.#get(call.schedule));
    }
  }

  #get(schedule: string): ScheduleRecord {
    const record = this.#parts.state.schedule(schedule);
    if (record === null)
      throw new OperatorError("not-found", `there is no schedule ${schedule}`, "see: wirken schedule list");
    return record;
  }

  /** What an agent may ask, for the person whose turn it is. */
  get port(): SchedulePort {
    const { now, state } = this.#parts;
    return {
      zone: ownZone,
      now,
      own: (principal) =>
        this.of(principal).map(({ schedule, cron, zone, text, paused, next: [first] }) => ({
          schedule,
          cron,
          zone,
          text,
          paused: paused === null ? null : "paused",
          next: first === undefined ? null : timeIn(zone, Date.parse(first)),
        })),
      add: async ({ cron, zone, text, conversation, channel }, { agent, principal }, cause) => {
        const by = PrincipalId.parse(principal);
        try {
          const given = { principal: by, agent, words: cron, zone, text, conversation, channel };
          return await this.add(given, { by, via: channel }, cause);
        } catch (error) {
          if (error instanceof OperatorError) return { refused: error.message };
          throw error;
        }
      },
      remove: async ({ schedule, channel }, { principal }, cause) => {
        const record = state.schedule(schedule);
        if (record?.principal !== principal) return false;
        await this.remove(record, { by: principal, via: channel }, cause);
        return true;
      },
    };
  }

  /** Somebody's own, the oldest first. */
  of(principal: string): ScheduleView[] {
    return this.#parts.state
      .schedules()
      .filter((record) => record.principal === principal)
      .map((record) => this.view(record));
  }

  view(record: ScheduleRecord): ScheduleView {
    const { state, schedules } = this.#parts;
    const { schedule, agent, principal, channel, paused, running, failures, last, ending } = record;
    const planned = schedules.planned(record);
    return {
      schedule,
      agent,
      principal,
      owner: state.person(principal)?.name ?? null,
      channel,
      talk: state.conversation(record.conversation)?.talk ?? null,
      cron: planned?.times.cron ?? ERASED,
      zone: planned?.times.zone ?? ERASED,
      text: planned?.text ?? ERASED,
      paused,
      running,
      failures,
      next: schedules.next(schedule, SHOWN_NEXT).map((at) => new Date(at).toISOString()),
      last: last === null ? null : { at: last, ending },
    };
  }

  async #show(record: ScheduleRecord): Promise<AnswerTo<"schedule.show">> {
    const { log } = this.#parts;
    const rows = await log.search({ kinds: ["schedule.started", "schedule.missed"], limit: LOOKED_AT });
    const runs: AnswerTo<"schedule.show">["runs"] = [];
    for (const { seq, at, action } of rows) {
      if (runs.length === SHOWN_RUNS) break;
      if (action.kind === "schedule.missed" && action.schedule === record.schedule)
        runs.push({ at, due: action.due, row: seq, what: "missed", ending: action.reason });
      if (action.kind !== "schedule.started" || action.schedule !== record.schedule) continue;
      const [ended] = log.effects(seq, (kind) => kind === "turn.ended", 1);
      const ending = ended?.action.kind === "turn.ended" ? ended.action.reason : null;
      runs.push({ at, due: action.due, row: seq, what: action.why, ending });
    }
    return { ...this.view(record), runs };
  }

  /** Where somebody is told what came of it: in their direct conversation on a channel. */
  async #destination(principal: PrincipalId, agent: string, channel: Channel): Promise<string> {
    const { people, state, local } = this.#parts;
    const person = people.get(principal);
    const own = LOCAL_CHANNELS.find((one) => one === channel);
    if (own !== undefined) {
      if (people.owner().principal !== principal)
        throw new OperatorError(
          "usage",
          `${person.name} reads neither the terminal nor the page of this machine`,
          "name a channel that they write on, such as --as telegram:NAME",
        );
      return await local(own, agent, principal);
    }
    const found = state.directOf(principal).find((record) => record.channel === channel);
    if (found === undefined)
      throw new OperatorError(
        "not-ready",
        `${person.name} has not written to the bot on ${channel} yet, so there is nowhere to answer`,
        "a direct message there begins a conversation",
      );
    return found.conversation;
  }

  /** @param cause the row that led to it; null: the owner asked for it. @throws {OperatorError} for what cannot be planned. */
  async add(given: NewSchedule, who: By, cause: number | null): Promise<ScheduleView> {
    const { log, state, people, knowsAgent, contentKey, now, schedules } = this.#parts;
    const { principal, agent, conversation, channel, text } = given;
    people.get(principal);
    if (!knowsAgent(agent))
      throw new OperatorError("not-found", `there is no agent ${agent}`, "see: wirken agents list");
    if (state.schedules().filter((record) => record.principal === principal).length >= MAX_EACH)
      throw new OperatorError("refused", `${MAX_EACH} schedules are one person's already`, "remove one first");
    const { cron, zone } = this.#times(given.words, given.zone ?? ownZone(), now());
    const schedule = mint("schedule");
    await contentKey(principal);
    await log.append(
      {
        kind: "schedule.added",
        schedule,
        agent,
        principal,
        conversation: ConversationId.parse(conversation),
        channel,
        ...who,
      },
      { cause, seal: principal, content: { cron, zone, text } },
    );
    void schedules.look();
    return this.view(this.#get(schedule));
  }

  #times(words: string, zone: string, now: number): { cron: string; zone: string } {
    try {
      return readTimes(words, zone, now);
    } catch (error) {
      if (!(error instanceof TimesError)) throw error;
      throw new OperatorError("usage", error.message, 'such as: wirken schedule add "every weekday at 9" "…"');
    }
  }

  async #pause(record: ScheduleRecord, who: By): Promise<ScheduleView> {
    const { schedule, seq, paused } = record;
    if (paused === null)
      await this.#parts.log.append({ kind: "schedule.paused", schedule, reason: "asked", ...who }, { cause: seq });
    return this.view(this.#get(schedule));
  }

  async #resume(record: ScheduleRecord, who: By): Promise<ScheduleView> {
    const { log, state, schedules } = this.#parts;
    const { schedule, seq, principal, paused } = record;
    if (state.person(principal) === null)
      throw new OperatorError(
        "refused",
        "whose it is was removed, so nothing is done for them",
        `make it somebody else's: wirken people transfer ${principal} NAME`,
      );
    if (paused !== null) await log.append({ kind: "schedule.resumed", schedule, ...who }, { cause: seq });
    void schedules.look();
    return this.view(this.#get(schedule));
  }

  /** @returns it as it was. */
  async remove(record: ScheduleRecord, who: By, cause: number | null): Promise<ScheduleView> {
    const view = this.view(record);
    await this.#parts.log.append(
      { kind: "schedule.removed", schedule: record.schedule, ...who },
      { cause: cause ?? record.seq },
    );
    return { ...view, next: [] };
  }

  async #runNow(record: ScheduleRecord): Promise<ScheduleView> {
    const { state, schedules } = this.#parts;
    if (state.person(record.principal) === null)
      throw new OperatorError("refused", "whose it is was removed, so nothing is done for them");
    const reason = await schedules.once(record);
    if (reason !== null) throw new OperatorError("not-ready", `it was not begun: ${NOT_BEGUN[reason]}`);
    return this.view(this.#get(record.schedule));
  }
}

const NOT_BEGUN = {
  late: "it is too late",
  running: "it runs already",
  halted: "the owner has halted it: wirken status says what to do",
  nowhere: "there is nowhere to answer: its conversation or its text was erased, or the daemon does not run",
} as const;

const ERASED = "[erased]";

/** The zone of this machine's own clock. */
export function ownZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}
