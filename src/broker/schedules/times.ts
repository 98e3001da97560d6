import { Cron } from "croner";
import { cronOf, WORDS } from "./words.ts";

/** Two runs are so far apart at least, in minutes: each may cost money, and somebody is to read what it says. */
export const LEAST_MINUTES = 5;
const MINUTE_MS = 60_000;
/** So many runs are looked at for two that are too near. An expression repeats its minutes within a day. */
const LOOKED_AT = 300;
/** Missed runs are counted up to this many. */
const MAX_COUNTED = 1_000;

/** When something is to be done: a cron expression of five parts, in the local time of a zone of the IANA's list. */
export interface Times {
  readonly cron: string;
  readonly zone: string;
}

/** Words that say no times, or times that are too many. */
export class TimesError extends Error {
  override readonly name = "TimesError";
  readonly code = "TIMES_BAD";
}

/** @param words plain ones, or a cron expression. @param now milliseconds since 1970. @throws {TimesError} with what can be said instead. */
export function readTimes(words: string, zone: string, now: number): Times {
  const text = words.trim().replaceAll(/\s+/g, " ");
  const times = { cron: cronOf(text) ?? text, zone };
  if (!isZone(zone))
    throw new TimesError(`${JSON.stringify(zone)} is no time zone that is known here: such as Europe/Berlin or UTC`);
  const next = EXPRESSION.test(times.cron) ? nextOrNone(times, now) : null;
  if (next === null) throw new TimesError(`${JSON.stringify(words.slice(0, 100))} says no times; what does: ${WORDS}`);
  if (next.length === 0) throw new TimesError(`${times.cron} never comes`);
  if (next.some((time, index) => index > 0 && time - (next[index - 1] ?? 0) < LEAST_MINUTES * MINUTE_MS))
    throw new TimesError(`${times.cron} comes more often than every ${LEAST_MINUTES} minutes`);
  return times;
}

/** Minute, hour, day, month and day of the week: what parses them is generous with what it takes for one. */
const EXPRESSION = /^[\d*,/-]+ [\d*,/-]+ [\d*,/LW?-]+ [\dA-Za-z*,/-]+ [\dA-Za-z*,/#L?-]+$/;

function nextOrNone(times: Times, now: number): number[] | null {
  try {
    return nextTimes(times, now, LOOKED_AT);
  } catch {
    return null;
  }
}

function isZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

/** The next times after a moment, at most `count`, as milliseconds since 1970. A local time that a change of the clocks skips comes at the first
 *  moment after the gap; one that it doubles comes once, the first time, unless the expression names every hour.
 *  @throws {TypeError | RangeError} for what is no expression. */
export function nextTimes({ cron, zone }: Times, after: number, count: number): number[] {
  const pattern = new Cron(cron, { timezone: zone, mode: "5-part" });
  const found: number[] = [];
  for (let from = new Date(after); found.length < count; ) {
    const next = pattern.nextRun(from);
    if (next === null) break;
    found.push(next.getTime());
    from = next;
  }
  return found;
}

/** What was due after one moment and up to another. `last` is the latest of them, `count` how many they were, up to a thousand. */
export interface Due {
  readonly last: number;
  /** The one before it, where there was one. */
  readonly before: number | null;
  readonly count: number;
}

/** @returns null: nothing was. */
export function dueBetween(times: Times, after: number, to: number): Due | null {
  const pattern = new Cron(times.cron, { timezone: times.zone, mode: "5-part" });
  const all: number[] = [];
  for (let next = pattern.nextRun(new Date(after)); next !== null && next.getTime() <= to; ) {
    all.push(next.getTime());
    // More than are counted: the latest are found from the end.
    if (all.length === MAX_COUNTED) return latest(pattern, all, to);
    next = pattern.nextRun(next);
  }
  const last = all.at(-1);
  return last === undefined ? null : { last, before: all.at(-2) ?? null, count: all.length };
}

function latest(pattern: Cron, all: readonly number[], to: number): Due | null {
  const [last, before] = pattern.previousRuns(2, new Date(to + 1));
  if (last === undefined) return null;
  return { last: last.getTime(), before: before?.getTime() ?? null, count: all.length };
}

/** A time as it is read in a zone, such as `Mon 2027-03-29 09:00`. */
export function timeIn(zone: string, at: number): string {
  const parts = new Intl.DateTimeFormat("en-GB", {
    timeZone: zone,
    weekday: "short",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    hour12: false,
  }).formatToParts(at);
  const part = (type: Intl.DateTimeFormatPartTypes): string => parts.find((one) => one.type === type)?.value ?? "";
  return `${part("weekday")} ${part("year")}-${part("month")}-${part("day")} ${part("hour")}:${part("minute")}`;
}
