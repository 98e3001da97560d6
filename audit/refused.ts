import type { ActionOf } from "./action.ts";
import type { AuditLog } from "./log.ts";
import type { Clock } from "./ports.ts";

/** One row per source in this time, in milliseconds. */
const WINDOW_MS = 60_000;
/** Rows of refusals on one channel in this time; what is refused beyond that is only counted. */
const HOUR_MS = 3_600_000;
export const REFUSALS_AN_HOUR = 600;

export interface Refusal {
  readonly channel: string;
  readonly reason: ActionOf<"message.refused">["reason"];
  /** The platform's id of whoever was refused. It is content: no body holds it. */
  readonly source: string;
}

/** What was counted since the last row of a source. */
interface Count {
  readonly refusal: Refusal;
  /** Of the last row, by the monotonic clock. */
  readonly at: number;
  times: number;
  since: number;
}

interface Hour {
  readonly from: number;
  rows: number;
  /** Refused beyond the limit, and not on the log yet. */
  flooded: number;
  floodSince: number;
  floodTold: boolean;
}

/** Strangers cannot fill the log: the first refusal of a source is a row at once, further ones within a minute share the next, and a channel has at most
 *  {@link REFUSALS_AN_HOUR} such rows an hour; then one `refused.flood` says so at once, and one more says how many there were when the hour is over. */
export class Refusals {
  readonly #log: Pick<AuditLog, "append">;
  readonly #clock: Clock;
  readonly #counts = new Map<string, Count>();
  readonly #hours = new Map<string, Hour>();
  #timer: NodeJS.Timeout | null = null;

  constructor(log: Pick<AuditLog, "append">, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Resolves when the refusal is on the log, or counted for a row that will be. @throws {AuditError} as `append`. */
  async refuse(refusal: Refusal): Promise<void> {
    const now = this.#clock.monotonic();
    this.#timer ??= setInterval(() => void this.sweep().catch(() => undefined), WINDOW_MS).unref();
    const key = JSON.stringify([refusal.channel, refusal.reason, refusal.source]);
    const count = this.#counts.get(key);
    if (count !== undefined && now - count.at < WINDOW_MS) {
      if (count.times === 0) count.since = this.#clock.now();
      count.times += 1;
      return;
    }
    const hour = this.#hourOf(refusal.channel, now);
    if (hour.rows >= REFUSALS_AN_HOUR) {
      if (hour.flooded === 0) hour.floodSince = this.#clock.now();
      hour.flooded += 1;
      if (!hour.floodTold) await this.#tellFlood(refusal.channel, hour);
      return;
    }
    hour.rows += 1;
    const since = count !== undefined && count.times > 0 ? count.since : this.#clock.now();
    const times = 1 + (count?.times ?? 0);
    this.#counts.set(key, { refusal, at: now, times: 0, since });
    await this.#write(refusal, times, since);
  }

  /** Writes what was counted and is due: called once a minute. */
  async sweep(): Promise<void> {
    const now = this.#clock.monotonic();
    await this.#settle((count) => now - count.at >= WINDOW_MS);
    for (const [channel, hour] of this.#hours) {
      if (now - hour.from < HOUR_MS) continue;
      this.#hours.delete(channel);
      if (hour.flooded > 0) await this.#tellFlood(channel, hour);
    }
    if (this.#counts.size === 0 && this.#hours.size === 0) this.#stop();
  }

  /** Writes all that was counted, at a stop. */
  async close(): Promise<void> {
    this.#stop();
    await this.#settle(() => true);
    for (const [channel, hour] of this.#hours) if (hour.flooded > 0) await this.#tellFlood(channel, hour);
    this.#hours.clear();
  }

  async #settle(due: (count: Count) => boolean): Promise<void> {
    const now = this.#clock.monotonic();
    const writes: Promise<void>[] = [];
    for (const [key, count] of this.#counts) {
      if (!due(count)) continue;
      this.#counts.delete(key);
      if (count.times === 0) continue;
      const hour = this.#hourOf(count.refusal.channel, now);
      if (hour.rows >= REFUSALS_AN_HOUR) {
        if (hour.flooded === 0) hour.floodSince = count.since;
        hour.flooded += count.times;
        if (!hour.floodTold) writes.push(this.#tellFlood(count.refusal.channel, hour));
        continue;
      }
      hour.rows += 1;
      writes.push(this.#write(count.refusal, count.times, count.since));
    }
    await Promise.all(writes);
  }

  #hourOf(channel: string, now: number): Hour {
    const known = this.#hours.get(channel);
    if (known !== undefined && now - known.from < HOUR_MS) return known;
    // What the last hour still counted goes into this one's telling.
    const hour: Hour = {
      from: now,
      rows: 0,
      flooded: known?.flooded ?? 0,
      floodSince: known?.floodSince ?? 0,
      floodTold: false,
    };
    this.#hours.set(channel, hour);
    return hour;
  }

  async #write({ channel, reason, source }: Refusal, times: number, since: number): Promise<void> {
    await this.#log.append(
      { kind: "message.refused", channel, reason, times, since: iso(since) },
      { cause: null, content: { sender: source } },
    );
  }

  async #tellFlood(channel: string, hour: Hour): Promise<void> {
    const times = hour.flooded;
    hour.flooded = 0;
    hour.floodTold = true;
    await this.#log.append({ kind: "refused.flood", channel, times, since: iso(hour.floodSince) }, { cause: null });
  }

  #stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
