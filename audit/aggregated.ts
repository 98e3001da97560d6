import type { Clock } from "./ports.ts";

/** One row per source in this time, in milliseconds. */
const WINDOW_MS = 60_000;
/** Rows of one place in this time; what happens beyond that is only counted. */
const HOUR_MS = 3_600_000;
export const ROWS_AN_HOUR = 600;

/** How things of one kind are told apart, and written. */
export interface Telling<T> {
  /** What has a limit of its own, such as a channel. */
  readonly placeOf: (one: T) => string;
  /** Those of one source share rows. */
  readonly sourceOf: (one: T) => string;
  /** @param since milliseconds since 1970. */
  readonly write: (one: T, times: number, since: number) => Promise<void>;
  readonly flood: (place: string, times: number, since: number) => Promise<void>;
}

/** What was counted since the last row of a source. */
interface Count<T> {
  readonly one: T;
  /** Of the last row, by the monotonic clock. */
  readonly at: number;
  times: number;
  since: number;
}

interface Hour {
  readonly from: number;
  rows: number;
  /** Beyond the limit, and not on the log yet. */
  flooded: number;
  floodSince: number;
  floodTold: boolean;
}

/** What comes as often as a stranger likes cannot fill the log: the first of a source is a row at once, further ones within a minute share the next, and
 *  a place has at most {@link ROWS_AN_HOUR} such rows an hour; then one row says so at once, and one more says how many there were when the hour is over. */
export class Aggregated<T> {
  readonly #telling: Telling<T>;
  readonly #clock: Clock;
  readonly #counts = new Map<string, Count<T>>();
  readonly #hours = new Map<string, Hour>();
  #timer: NodeJS.Timeout | null = null;

  constructor(telling: Telling<T>, clock: Clock) {
    this.#telling = telling;
    this.#clock = clock;
  }

  /** Resolves when it is on the log, or counted for a row that will be. @param more how often it happened. @throws what `write` and `flood` throw. */
  async tell(one: T, more = 1): Promise<void> {
    const now = this.#clock.monotonic();
    this.#timer ??= setInterval(() => void this.sweep().catch(() => undefined), WINDOW_MS).unref();
    const place = this.#telling.placeOf(one);
    const key = JSON.stringify([place, this.#telling.sourceOf(one)]);
    const count = this.#counts.get(key);
    if (count !== undefined && now - count.at < WINDOW_MS) {
      if (count.times === 0) count.since = this.#clock.now();
      count.times += more;
      return;
    }
    const hour = this.#hourOf(place, now);
    if (hour.rows >= ROWS_AN_HOUR) {
      if (hour.flooded === 0) hour.floodSince = this.#clock.now();
      hour.flooded += more;
      if (!hour.floodTold) await this.#tellFlood(place, hour);
      return;
    }
    hour.rows += 1;
    const since = count !== undefined && count.times > 0 ? count.since : this.#clock.now();
    const times = more + (count?.times ?? 0);
    this.#counts.set(key, { one, at: now, times: 0, since });
    await this.#telling.write(one, times, since);
  }

  /** Writes what was counted and is due: called once a minute. */
  async sweep(): Promise<void> {
    const now = this.#clock.monotonic();
    await this.#settle((count) => now - count.at >= WINDOW_MS);
    for (const [place, hour] of this.#hours) {
      if (now - hour.from < HOUR_MS) continue;
      this.#hours.delete(place);
      if (hour.flooded > 0) await this.#tellFlood(place, hour);
    }
    if (this.#counts.size === 0 && this.#hours.size === 0) this.#stop();
  }

  /** Writes all that was counted, at a stop. */
  async close(): Promise<void> {
    this.#stop();
    await this.#settle(() => true);
    for (const [place, hour] of this.#hours) if (hour.flooded > 0) await this.#tellFlood(place, hour);
    this.#hours.clear();
  }

  async #settle(due: (count: Count<T>) => boolean): Promise<void> {
    const now = this.#clock.monotonic();
    const writes: Promise<void>[] = [];
    for (const [key, count] of this.#counts) {
      if (!due(count)) continue;
      this.#counts.delete(key);
      if (count.times === 0) continue;
      const place = this.#telling.placeOf(count.one);
      const hour = this.#hourOf(place, now);
      if (hour.rows >= ROWS_AN_HOUR) {
        if (hour.flooded === 0) hour.floodSince = count.since;
        hour.flooded += count.times;
        if (!hour.floodTold) writes.push(this.#tellFlood(place, hour));
        continue;
      }
      hour.rows += 1;
      writes.push(this.#telling.write(count.one, count.times, count.since));
    }
    await Promise.all(writes);
  }

  #hourOf(place: string, now: number): Hour {
    const known = this.#hours.get(place);
    if (known !== undefined && now - known.from < HOUR_MS) return known;
    // What the last hour still counted goes into this one's telling.
    const hour: Hour = {
      from: now,
      rows: 0,
      flooded: known?.flooded ?? 0,
      floodSince: known?.floodSince ?? 0,
      floodTold: false,
    };
    this.#hours.set(place, hour);
    return hour;
  }

  async #tellFlood(place: string, hour: Hour): Promise<void> {
    const times = hour.flooded;
    hour.flooded = 0;
    hour.floodTold = true;
    await this.#telling.flood(place, times, hour.floodSince);
  }

  #stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}
