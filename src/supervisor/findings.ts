import { readAlarms, writeAlarms } from "../../audit/alarm.ts";
import type { AuditLog } from "../../audit/log.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";

export interface OpenFinding {
  readonly code: string;
  readonly seq: number | null;
  readonly sentence: string;
}

/** A finding with the row that raised it, and when. */
interface Raised extends OpenFinding {
  readonly row: number | null;
  readonly at: string;
}

/** After these the log is never continued: it would go on behind what was kept elsewhere, as a second history. */
const NOT_EXTENDABLE: ReadonlySet<string> = new Set([
  "PIN_BEHIND",
  "PIN_FORKED",
  "ANCHOR_BEHIND",
  "ANCHOR_FORKED",
  "rolled-back",
  "forked",
]);

/** After these it may be that the log can still be continued: the next start finds that out. */
const OF_ITS_END: ReadonlySet<string> = new Set(["AUDIT_BROKEN", "AUDIT_SECOND_WRITER"]);

export const ACKNOWLEDGE = 'wirken audit acknowledge --reason "…"';
export const RESTORE = 'wirken audit restore --reason "…"';

/** Why nothing runs, and the one command that mends it. */
export function stoppedBy(open: readonly OpenFinding[]): { readonly sentence: string; readonly hint: string } | null {
  const [first] = open;
  if (first === undefined) return null;
  const behind = open.some(({ code }) => NOT_EXTENDABLE.has(code));
  const broken = open.some(({ code }) => OF_ITS_END.has(code));
  const more = open.length === 1 ? "" : ` (and ${open.length - 1} more ${open.length === 2 ? "finding" : "findings"})`;
  const mend = behind
    ? `This log cannot be continued behind what was kept elsewhere; begin a new one that names it with: ${RESTORE}`
    : broken
      ? `End the daemon and begin a new log that names this one with: ${RESTORE} (or, once the right file is back in its place, ${ACKNOWLEDGE})`
      : `If you know why, go on with: ${ACKNOWLEDGE}`;
  return {
    sentence:
      `nothing runs: ${first.sentence}${more}. ` +
      `A restored backup or a new keychain can be the honest cause; otherwise somebody changed the record. ${mend}`,
    hint: `wirken audit verify says more; ${behind || broken ? RESTORE : ACKNOWLEDGE} goes on`,
  };
}

export interface FindingsParts {
  readonly log: AuditLog;
  /** Path of the database: the alarm lies beside it. */
  readonly path: string;
  readonly line: (sentence: string) => void;
  /** Ends everything that runs. */
  readonly stop: () => void;
  /** All are acknowledged. */
  readonly lifted: () => void;
  readonly now: () => number;
}

/** What is wrong with the record. While anything is, nothing is done: the log refuses every intent, and an alarm lies beside it. */
export class Findings {
  readonly #parts: FindingsParts;
  #open: Raised[] = [];
  /** Findings that the owner has seen: a verification finds them again and again. */
  readonly #acknowledged = new Set<string>();

  constructor(parts: FindingsParts) {
    this.#parts = parts;
  }

  get open(): readonly OpenFinding[] {
    return this.#open;
  }

  /** One sentence on why nothing runs, or null when nothing is wrong. */
  get stopped(): string | null {
    return stoppedBy(this.#open)?.sentence ?? null;
  }

  get hint(): string {
    return stoppedBy(this.#open)?.hint ?? "";
  }

  /** What a start finds: the alarm that was raised before, and what is wrong now. @param cause the row of the start. */
  async begin(found: readonly OpenFinding[], cause: number): Promise<void> {
    const { log, path } = this.#parts;
    this.#open = readAlarms(path).map((alarm) => ({
      ...alarm,
      // An alarm that names another row was not written for this log.
      row: alarm.row !== null && log.row(alarm.row)?.action.kind === "finding.raised" ? alarm.row : null,
    }));
    if (this.#open.length > 0) this.#halt();
    await this.#raise(found, cause);
    // What could not be recorded when it was found.
    await this.#record(cause);
  }

  /** Something is wrong with the record: everything stops, now. Each finding is recorded where that is still possible. */
  async raise(found: readonly OpenFinding[]): Promise<void> {
    await this.#raise(found, null);
  }

  /** What an earlier verification found and the owner has acknowledged. */
  seen(finding: Pick<OpenFinding, "code" | "seq">): boolean {
    return this.#acknowledged.has(keyOf(finding));
  }
  remember(finding: Pick<OpenFinding, "code" | "seq">): void {
    this.#acknowledged.add(keyOf(finding));
  }

  async #raise(found: readonly OpenFinding[], cause: number | null): Promise<void> {
    const known = new Set(this.#open.map(keyOf));
    const fresh = found.filter((one) => !known.has(keyOf(one)));
    if (fresh.length === 0) return;
    const at = new Date(this.#parts.now()).toISOString();
    this.#open = [...this.#open, ...fresh.map(({ code, seq, sentence }) => ({ code, seq, sentence, row: null, at }))];
    this.#halt();
    this.#alarm();
    for (const { code, seq, sentence } of fresh)
      this.#parts.line(`ALARM ${code}${seq === null ? "" : ` at row ${seq}`}: ${sentence}`);
    this.#parts.stop();
    await this.#record(cause);
  }

  #halt(): void {
    this.#parts.log.halt(this.stopped ?? "");
  }

  async #record(cause: number | null): Promise<void> {
    const { log } = this.#parts;
    let recorded = false;
    for (const one of this.#open) {
      if (one.row !== null || log.unwritable !== null) continue;
      try {
        const { seq: row } = await log.append({ kind: "finding.raised", code: one.code, at: one.seq }, { cause });
        this.#open = this.#open.map((other) => (other === one ? { ...one, row } : other));
        recorded = true;
      } catch {
        // The alarm says it, and the next start records it.
        break;
      }
    }
    if (recorded) this.#alarm();
  }

  #alarm(): void {
    const { path, line } = this.#parts;
    try {
      writeAlarms(path, this.#open);
    } catch (error) {
      line(`the alarm beside ${path} cannot be written: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** The owner has seen them and knows why. @returns the codes. */
  async acknowledge(reason: string, who: By): Promise<string[]> {
    const { log, path } = this.#parts;
    if (this.#open.length === 0)
      throw new OperatorError("not-found", "there is no finding to acknowledge", "wirken audit verify says what holds");
    const final = this.#open.find(({ code }) => NOT_EXTENDABLE.has(code));
    if (final !== undefined)
      throw new OperatorError(
        "refused",
        `this log cannot be continued: ${final.sentence}. To go on here would be a second history beside the one that was kept elsewhere`,
        `begin a new log that names this one: ${RESTORE}`,
      );
    if (log.unwritable !== null)
      throw new OperatorError(
        "not-ready",
        `this daemon cannot write to its log any more: ${log.unwritable.message}`,
        `end it with: wirken stop; then: ${ACKNOWLEDGE}`,
      );
    const open = this.#open;
    for (const { code, row } of open)
      await log.append({ kind: "finding.acknowledged", code, ...who }, { cause: row, content: { reason } });
    writeAlarms(path, []);
    for (const one of open) this.remember(one);
    this.#open = [];
    log.resume();
    // From here on the record as it is now is what the pin vouches for.
    await log.checkpoint("demand");
    await log.pin();
    this.#parts.lifted();
    return open.map(({ code }) => code);
  }
}

function keyOf({ code, seq }: Pick<OpenFinding, "code" | "seq">): string {
  return `${code} ${seq ?? "-"}`;
}
