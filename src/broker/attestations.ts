import type { AuditLog } from "../../audit/log.ts";
import type { Clock } from "../../audit/ports.ts";
import type { Attestation } from "../effect/attestation.ts";
import type { Effects } from "../effect/effects.ts";

/** A provider shows anew what it is after so long. */
export const ATTESTED_MS = 10 * 60_000;

export interface Attested extends Attestation {
  /** The row that says it. */
  readonly row: number;
}

/** What providers have shown of themselves, and when. */
export class Attestations {
  readonly #log: Pick<AuditLog, "record">;
  readonly #effects: Pick<Effects, "attestProvider">;
  readonly #clock: Clock;
  readonly #shown = new Map<string, { readonly at: number; readonly what: Attested }>();

  constructor(log: Pick<AuditLog, "record">, effects: Pick<Effects, "attestProvider">, clock: Clock) {
    this.#log = log;
    this.#effects = effects;
    this.#clock = clock;
  }

  /** @param cause the row that it is asked for. @throws {AuditError} */
  async of(provider: string, cause: number, signal: AbortSignal): Promise<Attested> {
    const known = this.#shown.get(provider);
    if (known !== undefined && this.#clock.monotonic() - known.at < ATTESTED_MS) return known.what;
    const recorded = await this.#log.record({ kind: "model.attesting", provider }, { cause });
    const what = await this.#effects.attestProvider(recorded, signal);
    // What did not show it is asked again the next time.
    if (what.result === "holds") this.#shown.set(provider, { at: this.#clock.monotonic(), what });
    else this.#shown.delete(provider);
    return what;
  }

  /** It did not answer, or another one may by now: it shows anew what it is. */
  forget(provider: string): void {
    this.#shown.delete(provider);
  }
}
