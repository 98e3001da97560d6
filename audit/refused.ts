import type { ActionOf } from "./action.ts";
import { Aggregated } from "./aggregated.ts";
import type { AuditLog } from "./log.ts";
import type { Clock } from "./ports.ts";

export interface Refusal {
  readonly channel: string;
  readonly reason: ActionOf<"message.refused">["reason"];
  /** The platform's id of whoever was refused. It is content: no body holds it. */
  readonly source: string;
}

/** Strangers cannot fill the log: what is refused on a channel is aggregated by who was refused, and why. */
export class Refusals {
  readonly #aggregated: Aggregated<Refusal>;

  constructor(log: Pick<AuditLog, "append">, clock: Clock) {
    this.#aggregated = new Aggregated<Refusal>(
      {
        placeOf: ({ channel }) => channel,
        sourceOf: ({ reason, source }) => JSON.stringify([reason, source]),
        write: async ({ channel, reason, source }, times, since) => {
          await log.append(
            { kind: "message.refused", channel, reason, times, since: new Date(since).toISOString() },
            { cause: null, content: { sender: source } },
          );
        },
        flood: async (channel, times, since) => {
          await log.append(
            { kind: "refused.flood", channel, times, since: new Date(since).toISOString() },
            { cause: null },
          );
        },
      },
      clock,
    );
  }

  /** Resolves when the refusal is on the log, or counted for a row that will be. @throws {AuditError} as `append`. */
  async refuse(refusal: Refusal): Promise<void> {
    await this.#aggregated.tell(refusal);
  }

  /** Writes what was counted and is due: called once a minute. */
  async sweep(): Promise<void> {
    await this.#aggregated.sweep();
  }

  /** Writes all that was counted, at a stop. */
  async close(): Promise<void> {
    await this.#aggregated.close();
  }
}
