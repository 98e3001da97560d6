import type { AuditLog } from "../../audit/log.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";

export interface OpenFinding {
  readonly code: string;
  readonly seq: number | null;
  readonly sentence: string;
}

/** What a start found wrong with the record: nothing is done until the owner has looked at it and said so. */
export class Findings {
  readonly #log: AuditLog;
  #open: readonly OpenFinding[];
  readonly #lifted: () => void;

  private constructor(log: AuditLog, open: readonly OpenFinding[], lifted: () => void) {
    this.#log = log;
    this.#open = open;
    this.#lifted = lifted;
  }

  /** Records each finding. @param lifted called when all are acknowledged. */
  static async raise(
    log: AuditLog,
    found: readonly OpenFinding[],
    cause: number,
    lifted: () => void,
  ): Promise<Findings> {
    for (const { code, seq } of found) await log.append({ kind: "finding.raised", code, at: seq }, { cause });
    return new Findings(log, found, lifted);
  }

  get open(): readonly OpenFinding[] {
    return this.#open;
  }

  /** One sentence on why nothing runs, or null when nothing is wrong. */
  get stopped(): string | null {
    const [first] = this.#open;
    if (first === undefined) return null;
    return (
      `nothing runs: ${first.sentence}. A restored backup or a new keychain can be the honest cause; otherwise somebody changed the record. ` +
      'If you know why, go on with: wirken audit acknowledge --reason "…"'
    );
  }

  /** The owner has seen them and knows why. @returns the codes. */
  async acknowledge(reason: string, who: By): Promise<string[]> {
    if (this.#open.length === 0)
      throw new OperatorError("not-found", "there is no finding to acknowledge", "wirken audit verify says what holds");
    const codes = this.#open.map((finding) => finding.code);
    for (const code of codes)
      await this.#log.append({ kind: "finding.acknowledged", code, ...who }, { cause: null, content: { reason } });
    this.#open = [];
    // From here on the record as it is now is what the pin vouches for.
    await this.#log.checkpoint("demand");
    await this.#log.pin();
    this.#lifted();
    return codes;
  }
}
