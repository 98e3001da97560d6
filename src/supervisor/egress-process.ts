import type { Duplex } from "node:stream";
import { LOCAL_SOCKETS } from "../confine/role.ts";
import { FromEgress, LANES, type LaneEntry, type ToEgress, type UpstreamProxy } from "../ipc/egress-frames.ts";
import { type Holder, isUntouched, type Lane, LaneError, type LaneHolder } from "./egress-lane.ts";
import type { Kept, Processes, SecretOf } from "./processes.ts";
import type { Reach } from "./reach-list.ts";

/** An egress process that is not up within this time, or has not put a list in force within it, is of no use. */
const UP_MS = 15_000;
const BIND_MS = 5_000;
/** A process that ended so shortly before its egress process ended because of it. */
const JUST_BEFORE_MS = 1_000;

/** How the egress process reaches the world. */
export interface Upstream {
  readonly proxy: UpstreamProxy | null;
  /** Where the proxy's credential is, if it wants one. */
  readonly credential: SecretOf | null;
}

/** What was asked for on a lane. */
export interface Asked {
  readonly holder: Pick<Holder, "role" | "subject">;
  readonly process: LaneHolder;
  readonly reach: Reach;
  readonly verdict: Extract<FromEgress, { type: "verdict" }>;
  /** As it was asked for: a hostile process may have written anything. */
  readonly host: string;
}

/** A lane that was handed out, or is about to be. */
interface Given {
  readonly holder: Holder;
  by: LaneHolder | null;
  reach: Reach;
  /** When it ended, by the monotonic clock; null while somebody has it. */
  overAt: number | null;
}

/** The lanes of one life of an egress process. */
interface Lanes {
  readonly ends: readonly Duplex[];
  /** Which were neither handed out nor found to be touched. */
  readonly free: number[];
  readonly given: Map<number, Given>;
  readonly bound: Map<number, { readonly lane: number; readonly settle: () => void }>;
}

export interface EgressProcessParts {
  readonly processes: Processes;
  /** May it open Unix sockets that have a path? Only where one is on a list. */
  readonly localSockets: boolean;
  readonly upstream: () => Upstream;
  readonly asked: (asked: Asked) => void;
  readonly cause: number | null;
  /** It will not start again. */
  readonly givenUp: () => void;
  /** Somebody let go of a lane. */
  readonly freed: () => void;
}

/** One generation of the egress process: it is started again when it dies, each time with new lanes. */
export class EgressProcess {
  readonly #parts: EgressProcessParts;
  readonly #kept: Kept<ToEgress>;
  #lanes: Lanes | null = null;
  #ref = 0;

  constructor(parts: EgressProcessParts) {
    this.#parts = parts;
    this.#kept = parts.processes.keep<FromEgress, ToEgress>({
      role: "egress",
      args: parts.localSockets ? [LOCAL_SOCKETS] : [],
      subject: null,
      accepts: FromEgress,
      stop: { type: "stop" },
      secret: () => ({ type: "secret", name: "proxy-credential" }),
      secrets: () => {
        const { credential } = parts.upstream();
        return credential === null ? [] : [credential];
      },
      cause: parts.cause,
      pipes: { count: LANES, opened: (ends) => this.#opened(ends) },
      started: (child) => child.send({ type: "start", proxy: parts.upstream().proxy }),
      hear: (header, payload) => this.#hear(header, payload),
      down: () => this.#down(),
      givenUp: () => parts.givenUp(),
    });
  }

  /** Lanes that are left. */
  get free(): number {
    return this.#lanes?.free.length ?? 0;
  }

  /** Lanes that somebody has. */
  get used(): number {
    return this.#live.length;
  }

  get holders(): Holder[] {
    return this.#live.map(({ holder }) => holder);
  }

  get #live(): Given[] {
    return [...(this.#lanes?.given.values() ?? [])].filter(({ overAt }) => overAt === null);
  }

  /** @throws {LaneError} when it does not start. */
  async up(): Promise<void> {
    try {
      await this.#kept.whenReady(UP_MS);
    } catch (cause) {
      throw new LaneError("LANE_NO_EGRESS", "the egress process does not start, so nothing is reached", { cause });
    }
  }

  /** Binds a lane to the holder's list. @returns null when none is left. @throws {LaneError}. */
  async lane(holder: Holder): Promise<Lane | null> {
    const lanes = this.#lanes;
    if (lanes === null) throw gone();
    const index = this.#pick(lanes);
    const end = index === null ? undefined : lanes.ends[index];
    if (index === null || end === undefined) return null;
    const given: Given = { holder, by: null, reach: holder.reach(), overAt: null };
    lanes.given.set(index, given);
    const over = (): void => {
      given.overAt ??= performance.now();
      end.destroy();
      this.#parts.freed();
    };
    try {
      await this.#bind(lanes, index, given.reach);
    } catch (error) {
      over();
      throw error;
    }
    return {
      take: () => {
        if (!isUntouched(end))
          throw new LaneError(
            "LANE_TOUCHED",
            "the egress process wrote on a lane, or closed it, before anybody had it",
          );
        return end;
      },
      held: (by) => {
        given.by = by;
        void by.ended.then(over);
      },
      end: over,
    };
  }

  #pick(lanes: Lanes): number | null {
    for (;;) {
      const index = lanes.free.shift();
      if (index === undefined) return null;
      const end = lanes.ends[index];
      if (end !== undefined && isUntouched(end)) return index;
      end?.destroy();
    }
  }

  async #bind(lanes: Lanes, lane: number, reach: Reach): Promise<void> {
    this.#ref += 1;
    const ref = this.#ref;
    const { promise, resolve } = Promise.withResolvers<"bound" | "late">();
    const late = setTimeout(() => resolve("late"), BIND_MS);
    lanes.bound.set(ref, { lane, settle: () => resolve("bound") });
    try {
      await this.#kept.send({ type: "bind", lane, ref, entries: entriesOf(reach) });
      const how = await promise;
      if (this.#lanes !== lanes) throw gone();
      if (how === "bound") return;
      this.#kept.broke("did not put a list in force");
      throw gone();
    } catch (cause) {
      if (cause instanceof LaneError) throw cause;
      throw gone(cause);
    } finally {
      clearTimeout(late);
      lanes.bound.delete(ref);
    }
  }

  /** Puts the lists in force that have changed. Resolves when they are. */
  async rebind(): Promise<void> {
    const lanes = this.#lanes;
    if (lanes === null) return;
    const binding = [...lanes.given].map(async ([index, given]) => {
      const reach = given.holder.reach();
      if (given.overAt !== null || isSame(reach, given.reach)) return;
      given.reach = reach;
      // Where it cannot be told, it ends, and whoever has its lanes is given others by the new list.
      await this.#bind(lanes, index, reach).catch(() => undefined);
    });
    await Promise.all(binding);
  }

  /** Whoever has one of its lanes is started again, and gets one of another egress process. */
  moveHolders(): void {
    for (const { holder } of this.#live) holder.lost({ gone: false });
  }

  /** No further lane is handed out. */
  close(): void {
    for (const index of this.#lanes?.free.splice(0) ?? []) this.#lanes?.ends[index]?.destroy();
  }

  async stop(): Promise<void> {
    await this.#kept.stop();
  }

  #opened(ends: readonly Duplex[]): void {
    // It comes when the process ends.
    for (const end of ends) end.on("error", () => undefined);
    this.#lanes = { ends, free: ends.map((_, index) => index), given: new Map(), bound: new Map() };
  }

  #hear(header: FromEgress, payload: Uint8Array): void {
    const lanes = this.#lanes;
    if (header.type === "ready" || lanes === null) return;
    if (header.type === "bound") {
      const waiting = lanes.bound.get(header.ref);
      // One that was waited for too long is on its way out already.
      if (waiting?.lane === header.lane) waiting.settle();
      return;
    }
    const given = lanes.given.get(header.lane);
    if (given === undefined || given.by === null || payload.length > MAX_HOST_BYTES) {
      this.#kept.broke("spoke of a lane that nobody has");
      return;
    }
    const { holder, by, reach } = given;
    this.#parts.asked({
      holder,
      process: by,
      reach,
      verdict: header,
      host: Buffer.from(payload).toString("utf8"),
    });
  }

  #down(): void {
    const lanes = this.#lanes;
    this.#lanes = null;
    if (lanes === null) return;
    for (const end of lanes.ends) end.destroy();
    for (const { settle } of lanes.bound.values()) settle();
    const now = performance.now();
    for (const { holder, overAt } of lanes.given.values()) {
      if (overAt === null) holder.lost({ gone: false });
      else if (now - overAt < JUST_BEFORE_MS) holder.lost({ gone: true });
    }
  }
}

/** Of a host as it was asked for, in bytes. */
const MAX_HOST_BYTES = 255;

function entriesOf(reach: Reach): LaneEntry[] {
  return reach.map(({ entry }) => entry);
}

function isSame(one: Reach, other: Reach): boolean {
  return JSON.stringify(entriesOf(one)) === JSON.stringify(entriesOf(other));
}

function gone(cause?: unknown): LaneError {
  return new LaneError("LANE_NO_EGRESS", "the egress process ended before a lane could be bound", { cause });
}
