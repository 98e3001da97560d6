import { type Asked, EgressProcess, type Upstream } from "./egress-process.ts";
import { type Holder, type Lane, LaneError, type LaneSource } from "./egress-lane.ts";
import type { Processes } from "./processes.ts";

/** When so many lanes are left, the next egress process is started: a running one cannot be given more. */
const FEW = 8;

export interface EgressParts {
  /** It is started by these, which get their lanes here. */
  readonly processes: () => Processes;
  readonly upstream: () => Upstream;
  readonly asked: (asked: Asked) => void;
  /** The row that led to it. */
  readonly cause: number | null;
}

function reachesSocket({ reach }: Holder): boolean {
  return reach().some(({ entry }) => entry.to === "socket");
}

/** The one way out of this machine: an egress process, and a lane of it for every process that is to reach something. A new generation of it is
 *  started when its lanes run low, and the old one goes on until the last of its lanes is over. */
export class Egress implements LaneSource {
  readonly #parts: EgressParts;
  #current: EgressProcess | null = null;
  /** It takes the current one's place when it is up. */
  #next: EgressProcess | null = null;
  readonly #retired = new Set<EgressProcess>();
  #closing = false;
  /** Was a Unix socket ever on a list? From then on egress processes may open such ones. */
  #localSockets = false;
  /** The first of them is in place. */
  #successor: Promise<void> = Promise.resolve();

  constructor(parts: EgressParts) {
    this.#parts = parts;
  }

  /** Starts it before the first lane is asked for. */
  begin(): void {
    this.#current ??= this.#start();
  }

  async lane(holder: Holder): Promise<Lane> {
    if (reachesSocket(holder)) await this.#allowSockets();
    for (;;) {
      if (this.#closing) throw new LaneError("LANE_NO_EGRESS", "the daemon is about to end");
      const current = (this.#current ??= this.#start());
      const from = current.free === 0 ? (this.#next ?? current) : current;
      await from.up();
      const lane = await from.lane(holder);
      if (from === this.#current && from.free <= FEW) this.#renew();
      if (lane !== null) return lane;
    }
  }

  /** Puts in force what changed in the lists of those who have a lane. */
  async rebind(): Promise<void> {
    if (this.holders.some(reachesSocket)) await this.#allowSockets();
    await Promise.all(this.#all.map((egress) => egress.rebind()));
  }

  async #allowSockets(): Promise<void> {
    if (this.#localSockets) return await this.#successor;
    this.#localSockets = true;
    this.#successor = this.replace();
    await this.#successor;
  }

  /** The way out is another: a new egress process takes it, and whoever has a lane of the one before is started again. */
  async replace(): Promise<void> {
    const before = this.#current;
    if (before === null) return;
    this.#renew();
    const next = this.#next;
    if (next === null) return;
    await next.up().catch(() => undefined);
    // Where the new one does not start, the one before goes on.
    if (this.#current === next) before.moveHolders();
  }

  /** Who has a lane. */
  get holders(): Holder[] {
    return this.#all.flatMap((egress) => egress.holders);
  }

  get #all(): EgressProcess[] {
    return [this.#current, this.#next, ...this.#retired].filter((egress) => egress !== null);
  }

  #start(): EgressProcess {
    const started: EgressProcess = new EgressProcess({
      processes: this.#parts.processes(),
      localSockets: this.#localSockets,
      upstream: this.#parts.upstream,
      asked: this.#parts.asked,
      cause: this.#parts.cause,
      givenUp: () => this.#drop(started),
      freed: () => this.#settle(started),
    });
    return started;
  }

  #renew(): void {
    if (this.#next !== null || this.#closing) return;
    const next = this.#start();
    this.#next = next;
    void this.#succeed(next);
  }

  async #succeed(next: EgressProcess): Promise<void> {
    try {
      await next.up();
    } catch {
      // The current one goes on with what it has, and the next lane tries again.
      this.#drop(next);
      return;
    }
    if (this.#next !== next) return;
    const before = this.#current;
    this.#current = next;
    this.#next = null;
    if (before === null) return;
    before.close();
    this.#retired.add(before);
    this.#settle(before);
  }

  /** One that was retired ends with the last of its lanes. */
  #settle(egress: EgressProcess): void {
    if (egress.used > 0 || !this.#retired.delete(egress)) return;
    void egress.stop();
  }

  #drop(egress: EgressProcess): void {
    if (this.#current === egress) this.#current = null;
    if (this.#next === egress) this.#next = null;
    this.#retired.delete(egress);
    void egress.stop();
  }

  /** Hands out no further lane. */
  shut(): void {
    this.#closing = true;
  }

  async close(): Promise<void> {
    this.shut();
    const all = this.#all;
    this.#current = null;
    this.#next = null;
    this.#retired.clear();
    await Promise.all(all.map((egress) => egress.stop()));
  }
}
