import { isDeepStrictEqual } from "node:util";
import type { AuditLog } from "../../audit/log.ts";
import { systemClock } from "../../audit/ports.ts";
import type { Config } from "../config/schema.ts";
import { Egress } from "./egress.ts";
import { EgressRecord } from "./egress-record.ts";
import { type Network, networkOf, PROXY_SCOPE } from "./network.ts";
import type { Processes, SecretOf } from "./processes.ts";
import { ResolverWatch } from "./resolver-watch.ts";

export interface OutwardParts {
  readonly log: AuditLog;
  readonly config: () => Config;
  /** That of `wirken start`: it may name a proxy. */
  readonly environment: NodeJS.ProcessEnv;
  readonly processes: () => Processes;
  /** The row that led to the first egress process. */
  readonly cause: number | null;
  /** The credential of a scope where it may be handed over now; null: there is none, or it is withheld. */
  readonly secret: (scope: string) => SecretOf | null;
  readonly line: (role: string, line: string) => void;
}

/** How this machine's network is left: through which proxy, by which egress process, and what was refused on the way. */
export class Outward {
  readonly egress: Egress;
  readonly record: EgressRecord;
  readonly #parts: OutwardParts;
  #network: Network;
  #resolver: ResolverWatch | null = null;

  constructor(parts: OutwardParts) {
    this.#parts = parts;
    this.#network = this.#now();
    this.record = new EgressRecord({
      log: parts.log,
      clock: systemClock,
      line: (text) => parts.line("egress", text),
    });
    this.egress = new Egress({
      processes: parts.processes,
      cause: parts.cause,
      upstream: () => ({ proxy: this.#network.proxy?.proxy ?? null, credential: this.proxyCredential }),
      asked: (asked) => this.record.take(asked),
    });
  }

  get network(): Network {
    return this.#network;
  }

  /** What opens the proxy, where it may be handed over. */
  get proxyCredential(): SecretOf | null {
    return this.#network.proxy === null ? null : this.#parts.secret(PROXY_SCOPE);
  }

  /** A machine that moves to another network has other resolvers: the egress process is told by being replaced. */
  watch(): void {
    if (process.platform === "linux") this.#resolver ??= new ResolverWatch(() => void this.egress.replace());
  }

  /** Puts the configuration of now in force. @returns whether the way out is another. */
  reconfigure(): boolean {
    const before = this.#network;
    this.#network = this.#now();
    return !isDeepStrictEqual(before, this.#network);
  }

  /** What opens the proxy is another, or may not be held: whoever held it before ends. */
  async proxyChanged(): Promise<void> {
    if (this.#network.proxy !== null) await this.egress.replace();
  }

  /** What was refused to whom, a sentence each. */
  notes(): string[] {
    const refused = this.record.refused.map(({ role, subject, times }) => {
      const process = subject === null ? role : `${role}:${subject}`;
      const often = times === 1 ? "1 connection was" : `${times} connections were`;
      return `${often} refused to ${process}, because its list does not allow them: wirken egress log --refused --process ${process}`;
    });
    return [...this.#network.notes, ...refused];
  }

  /** Before everything that has a lane ends: who waits for one does not hold the end up. */
  shut(): void {
    this.#resolver?.[Symbol.dispose]();
    this.egress.shut();
  }

  async close(): Promise<void> {
    await this.egress.close();
    await this.record.close();
  }

  #now(): Network {
    return networkOf(this.#parts.config(), this.#parts.environment);
  }
}
