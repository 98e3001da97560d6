import type { Clock } from "./ports.ts";

/** How far the system's clock may leave the monotonic one between two rows, in milliseconds. */
const JUMP_MS = 5_000;
/** The last instant that the 24 characters of `$at` can hold. */
const END_OF_TIME = Date.parse("9999-12-31T23:59:59.999Z");

/** What the times of rows follow from. Kept with the rows: a write that fails changes nothing here either. */
export interface Timeline {
  /** The newest row's time in milliseconds; no row is earlier. */
  readonly last: number;
  /** System clock minus monotonic clock at the newest row; null before the first row of this process. */
  readonly offset: number | null;
  /** The system's clock is behind the newest row, and a row says so. */
  readonly behind: boolean;
}

/** @param at the time of the newest row; null for an empty log. */
export function timelineFrom(at: string | null): Timeline {
  return { last: at === null ? 0 : Date.parse(at), offset: null, behind: false };
}

export interface Stamp {
  readonly at: string;
  /** A row to be written first: the clock moved. A machine that slept is such a jump too; neither is a finding. */
  readonly changed: { readonly real: string; readonly reason: "backwards" | "jump" } | null;
  readonly next: Timeline;
}

/** The time of rows that are written now: the clock's, and never before the newest row's. */
export function stamp(timeline: Timeline, clock: Clock): Stamp {
  const now = Math.min(Math.max(0, Math.floor(clock.now())), END_OF_TIME);
  const offset = now - clock.monotonic();
  const moved = timeline.offset === null ? 0 : offset - timeline.offset;
  const behind = now < timeline.last;
  const reason =
    Math.abs(moved) > JUMP_MS ? (moved < 0 ? "backwards" : "jump") : behind && !timeline.behind ? "backwards" : null;
  const last = Math.max(now, timeline.last);
  return {
    at: new Date(last).toISOString(),
    changed: reason === null ? null : { real: new Date(now).toISOString(), reason },
    next: { last, offset, behind },
  };
}
