import type { ActionOf } from "../../audit/action.ts";
import type { AuditLog, FactOf } from "../../audit/log.ts";
import { dueBetween, nextTimes, type Times } from "../broker/schedules/times.ts";
import type { By } from "./people.ts";
import type { ScheduleRecord } from "./schedule-state.ts";
import type { ConversationRecord, State } from "./state.ts";

/** What was missed while nothing ran is made up for if it is found within so long, once. */
export const MADE_UP_MS = 60 * 60_000;
/** Failures in a row after which a schedule pauses itself. */
export const MAX_FAILURES = 3;
/** A clock that jumps, or a machine that wakes, is noticed within this long. */
const LOOK_MS = 30_000;
/** Later than this is late. */
const ON_TIME_MS = 60_000;

/** What is to be done, and when. */
export interface Planned {
  readonly times: Times;
  readonly text: string;
}

/** One run that is to be begun. */
export interface Run {
  readonly schedule: ScheduleRecord;
  readonly place: ConversationRecord;
  readonly text: string;
  /** ISO time. */
  readonly due: string;
  readonly why: ActionOf<"schedule.started">["why"];
}

export interface SchedulesParts {
  readonly log: Pick<AuditLog, "append" | "row">;
  readonly state: Pick<State, "schedules" | "schedule" | "conversation">;
  /** Unix milliseconds, by the clock of the wall. */
  readonly now: () => number;
  /** Puts a run on the log and begins its turn. @returns when that has ended; null: there is nowhere to answer. */
  readonly begin: (run: Run) => Promise<{ readonly ended: Promise<unknown> } | null>;
  readonly halted: (schedule: ScheduleRecord) => boolean;
  /** Says something in a conversation. */
  readonly tell: (place: ConversationRecord, sentence: string, cause: number) => Promise<void>;
  readonly line: (sentence: string) => void;
}

/** Does at its times what people had planned: each once, never two of one at the same time, and what was missed as far as it still makes sense. */
export class Schedules {
  readonly #parts: SchedulesParts;
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> | null = null;
  #open = false;
  /** Where the clock was set back behind what was done: from when on times count again. */
  readonly #anew = new Map<string, number>();

  constructor(parts: SchedulesParts) {
    this.#parts = parts;
  }

  /** Begins to do what is due, what was missed first. */
  start(): void {
    this.#open = true;
    void this.look();
  }

  /** Begins nothing more. What runs is the business of whoever ends turns. */
  async stop(): Promise<void> {
    this.#open = false;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#looking;
  }

  /** Looks at the clock, and does what is due. One look at a time: a second one waits for the first. */
  async look(): Promise<void> {
    const before = this.#looking;
    const now = (async () => {
      await before;
      await this.#look();
    })();
    this.#looking = now;
    await now;
    if (this.#looking === now) this.#looking = null;
  }

  async #look(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (!this.#open) return;
    let next = Number.POSITIVE_INFINITY;
    for (const record of this.#parts.state.schedules()) {
      try {
        await this.#lookAt(record);
      } catch (error) {
        // The log tells of its own failures; the next look tries again.
        this.#parts.line(`${record.schedule} could not be begun: ${error instanceof Error ? error.message : "error"}`);
      }
      next = Math.min(next, this.next(record.schedule, 1)[0] ?? next);
    }
    if (next === Number.POSITIVE_INFINITY) return;
    const wait = Math.max(0, Math.min(LOOK_MS, next - this.#parts.now()));
    this.#timer = setTimeout(() => void this.look(), wait).unref();
  }

  /** What a schedule says, or null where that was erased. */
  planned({ seq }: ScheduleRecord): Planned | null {
    const row = this.#parts.log.row(seq);
    const [cron, zone, text] = [row?.content("cron"), row?.content("zone"), row?.content("text")];
    if (typeof cron !== "string" || typeof zone !== "string" || typeof text !== "string") return null;
    return { times: { cron, zone }, text };
  }

  /** When it comes next, in milliseconds since 1970; never while it is paused. */
  next(schedule: string, count: number): number[] {
    const record = this.#parts.state.schedule(schedule);
    const planned = record === null || record.paused !== null ? null : this.planned(record);
    if (record === null || planned === null) return [];
    return nextTimes(planned.times, Math.max(this.#from(record), this.#parts.now()), count);
  }

  /** From when on its times count. A clock that is set back a little does nothing twice; one that was wrong for long does not keep it from ever coming again. */
  #from(record: ScheduleRecord): number {
    const handled = Date.parse(record.handled);
    const now = this.#parts.now();
    if (handled <= now + MADE_UP_MS) {
      this.#anew.delete(record.schedule);
      return handled;
    }
    const known = this.#anew.get(record.schedule);
    const from = known === undefined || known > now ? now : known;
    this.#anew.set(record.schedule, from);
    return from;
  }

  async #lookAt(record: ScheduleRecord): Promise<void> {
    if (record.paused !== null) return;
    if (record.failures >= MAX_FAILURES) {
      if (!record.running) await this.#givenUp(record);
      return;
    }
    const planned = this.planned(record);
    if (planned === null) return;
    const now = this.#parts.now();
    const due = dueBetween(planned.times, this.#from(record), now);
    if (due === null) return;
    if (now - due.last > MADE_UP_MS) {
      await this.#missed(record, due.last, due.count, "late");
      return;
    }
    if (due.before !== null) await this.#missed(record, due.before, due.count - 1, "late");
    const why = now - due.last > ON_TIME_MS ? "late" : "due";
    const reason = await this.#begin(record, planned, due.last, why);
    if (reason !== null) await this.#missed(record, due.last, 1, reason);
  }

  /** Does it once, now, because somebody asks for it. @returns why not, or null. */
  async once(record: ScheduleRecord): Promise<ActionOf<"schedule.missed">["reason"] | null> {
    const planned = this.planned(record);
    return planned === null ? "nowhere" : await this.#begin(record, planned, this.#parts.now(), "asked");
  }

  async #begin(
    record: ScheduleRecord,
    { text }: Planned,
    due: number,
    why: Run["why"],
  ): Promise<ActionOf<"schedule.missed">["reason"] | null> {
    if (this.#parts.halted(record)) return "halted";
    if (record.running) return "running";
    const place = this.#parts.state.conversation(record.conversation);
    if (place === null) return "nowhere";
    const begun = await this.#parts.begin({ schedule: record, place, text, due: iso(due), why });
    if (begun === null) return "nowhere";
    // Whether it failed too often is looked at when it is over.
    void begun.ended.then(async () => await this.look()).catch(() => undefined);
    return null;
  }

  async #missed(
    { schedule, seq }: ScheduleRecord,
    due: number,
    times: number,
    reason: ActionOf<"schedule.missed">["reason"],
  ): Promise<void> {
    await this.#parts.log.append({ kind: "schedule.missed", schedule, due: iso(due), times, reason }, { cause: seq });
  }

  async #givenUp({ schedule, seq, conversation }: ScheduleRecord): Promise<void> {
    const { log, state, tell } = this.#parts;
    const row = await log.append({ kind: "schedule.paused", schedule, reason: "failures" }, { cause: seq });
    const place = state.conversation(conversation);
    if (place === null) return;
    const sentence = `A schedule of yours failed ${MAX_FAILURES} times in a row and is paused: wirken schedule show ${schedule} says what happened, wirken schedule resume ${schedule} has it go on.`;
    // That it is paused does not wait for a platform.
    void tell(place, sentence, row.seq).catch(() => undefined);
  }

  /** Pauses what is somebody's. @returns the rows that say so, for whoever records them. */
  pauseOf(principal: string, who: By): FactOf[] {
    return this.#parts.state
      .schedules()
      .filter((record) => record.principal === principal && record.paused === null)
      .map(({ schedule }) => ({ action: { kind: "schedule.paused", schedule, reason: "removed", ...who }, given: {} }));
  }
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
