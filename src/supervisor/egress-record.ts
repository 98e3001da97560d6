import type { ActionOf } from "../../audit/action.ts";
import { Aggregated } from "../../audit/aggregated.ts";
import type { AuditLog } from "../../audit/log.ts";
import type { Clock } from "../../audit/ports.ts";
import type { EgressReason } from "../ipc/egress-frames.ts";
import type { Asked } from "./egress-process.ts";
import { entryFor, type ReachEntry, type ReachSource } from "./reach-list.ts";

/** Hosts and ports of one process that are known to be on the log. Beyond that it may be told again, within the limit of all rows. */
const MAX_KNOWN = 1_000;

/** Reasons for which a lane's rules said no; the others are the network's. */
const BY_RULE: ReadonlySet<EgressReason> = new Set<EgressReason>([
  "unlisted",
  "literal",
  "private",
  "server-name",
  "malformed",
  "withdrawn",
]);

/** Sources whose entries are shipped: what they name is nobody's own. */
const SHIPPED: ReadonlySet<ReachSource> = new Set<ReachSource>(["channel", "provider"]);

/** What a lane's rules refused to one process since the daemon's start. */
export interface RefusedOf {
  readonly role: string;
  readonly subject: string | null;
  times: number;
}

/** Puts on the log what was reached over lanes, and what was refused on them. */
export class EgressRecord {
  readonly #log: Pick<AuditLog, "append">;
  readonly #line: (text: string) => void;
  readonly #reached: Aggregated<Asked>;
  readonly #refused: Aggregated<Asked>;
  /** By process: what it is known to have reached. */
  readonly #known = new Map<string, Set<string>>();
  readonly #refusedOf = new Map<string, RefusedOf>();

  constructor(parts: { log: Pick<AuditLog, "append">; clock: Clock; line: (text: string) => void }) {
    this.#log = parts.log;
    this.#line = parts.line;
    this.#reached = this.#aggregated("reached", async (asked) => await this.#writeReached(asked), parts.clock);
    this.#refused = this.#aggregated(
      "refused",
      async (asked, times, since) => await this.#writeRefused(asked, times, since),
      parts.clock,
    );
  }

  #aggregated(
    what: ActionOf<"egress.flood">["what"],
    write: (asked: Asked, times: number, since: number) => Promise<void>,
    clock: Clock,
  ): Aggregated<Asked> {
    return new Aggregated<Asked>(
      {
        // A process that is started again has no allowance of its own.
        // A command has one: what another asked for leaves nothing of it out.
        placeOf: ({ holder: { role, subject }, process }) =>
          JSON.stringify(role === "relay" ? [role, subject, process.id] : [role, subject]),
        sourceOf: ({ process, host, verdict: { port, reason } }) => JSON.stringify([process.id, reason, host, port]),
        write,
        flood: async (place, times, since) => {
          const [role = "", subject = null]: [string?, (string | null)?, string?] = JSON.parse(place);
          await this.#log.append(
            { kind: "egress.flood", role, subject, what, times, since: new Date(since).toISOString() },
            { cause: null },
          );
        },
      },
      clock,
    );
  }

  /** Takes one verdict of the egress process. What cannot be recorded stops every action by itself: the log says so. */
  take(asked: Asked): void {
    const { verdict } = asked;
    const told = verdict.reason === null ? this.#takeReached(asked) : this.#takeRefused(asked, verdict.reason);
    told.catch((error: unknown) => {
      this.#line(`a host could not be recorded: ${error instanceof Error ? error.message : String(error)}`);
    });
  }

  async #takeReached(asked: Asked): Promise<void> {
    const { process, host, verdict } = asked;
    let known = this.#known.get(process.id);
    if (known === undefined) {
      known = new Set();
      this.#known.set(process.id, known);
      void process.ended.then(() => this.#known.delete(process.id));
    }
    const place = JSON.stringify([host, verdict.port]);
    if (known.has(place)) return;
    if (known.size < MAX_KNOWN) known.add(place);
    await this.#reached.tell(asked);
  }

  async #takeRefused(asked: Asked, reason: EgressReason): Promise<void> {
    const { role, subject } = asked.holder;
    const { times } = asked.verdict;
    if (BY_RULE.has(reason)) {
      const key = JSON.stringify([role, subject]);
      const before = this.#refusedOf.get(key);
      if (before === undefined) this.#refusedOf.set(key, { role, subject, times });
      else before.times += times;
    }
    await this.#refused.tell(asked, times);
  }

  async #writeReached({ holder: { role, subject }, process, reach, host, verdict: { port } }: Asked): Promise<void> {
    const by = port === null ? null : entryFor(reach, host, port);
    await this.#log.append(
      {
        kind: "egress.reached",
        process: process.id,
        role,
        subject,
        host: shippedHost(by),
        port,
        source: by?.source ?? null,
      },
      { cause: process.seq, content: { host } },
    );
  }

  async #writeRefused(asked: Asked, times: number, since: number): Promise<void> {
    const { role, subject } = asked.holder;
    const { port, reason } = asked.verdict;
    if (reason === null) return;
    await this.#log.append(
      {
        kind: "egress.refused",
        process: asked.process.id,
        role,
        subject,
        reason,
        port,
        times,
        since: new Date(since).toISOString(),
      },
      { cause: asked.process.seq, content: { host: asked.host } },
    );
  }

  /** What the rules refused to whom, the most first. */
  get refused(): readonly RefusedOf[] {
    return [...this.#refusedOf.values()].toSorted((a, b) => b.times - a.times);
  }

  /** Writes all that was counted, at a stop. */
  async close(): Promise<void> {
    await this.#reached.close();
    await this.#refused.close();
  }
}

function shippedHost(by: ReachEntry | null): string | null {
  return by !== null && by.entry.to === "host" && SHIPPED.has(by.source) ? by.entry.host : null;
}
