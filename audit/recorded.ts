import type { ActionOf, ContentOf, IntentKind, OutcomeKind, PartOf } from "./action.ts";
import { AuditError } from "./error.ts";
import type { Row } from "./row.ts";

/** Writes the row that ends an intent. */
type End = (outcome: { readonly kind: string }, content: object) => Promise<Row>;

/** How much of an error's text is kept, in characters. */
const MAX_ERROR = 8_192;

/** An action that is on the log and has not run yet. An effect takes one of these, redeems it, and says how it ended.
 *  The class is not exported: only the log makes one. */
class RecordedIntent<in out K extends IntentKind> implements AsyncDisposable {
  readonly seq: number;
  readonly at: string;
  /** Parsed back from the bytes in the database, and frozen: what runs is what is on the log. */
  readonly action: ActionOf<K>;
  readonly commitments: Readonly<Record<string, string>>;
  readonly #content: ReadonlyMap<string, Uint8Array>;
  readonly #end: End;
  #redeemed = false;
  #ended = false;

  constructor(row: Row, action: ActionOf<K>, content: ReadonlyMap<string, Uint8Array>, end: End) {
    this.seq = row.seq;
    this.at = row.at;
    this.commitments = row.commitments;
    this.action = action;
    this.#content = content;
    this.#end = end;
  }

  /** The very bytes that the row commits to; each call gives a copy of its own.
   *  @throws {AuditError} AUDIT_INVALID if the row was recorded without this part. */
  content(part: PartOf<K>): Uint8Array {
    const bytes = this.#content.get(part);
    if (bytes === undefined) throw new AuditError("AUDIT_INVALID", `row ${this.seq} was recorded without ${part}`);
    return Uint8Array.from(bytes);
  }

  /** An effect calls this before it acts. @throws {AuditError} AUDIT_SPENT the second time: one record is one action. */
  redeem(): void {
    if (this.#redeemed) throw new AuditError("AUDIT_SPENT", `row ${this.seq} was acted upon already`);
    if (this.#ended) throw new AuditError("AUDIT_SPENT", `row ${this.seq} has ended already`);
    this.#redeemed = true;
  }

  /** Records how it ended. After AUDIT_UNWRITABLE it may be called again.
   *  @throws {AuditError} AUDIT_SPENT if it has ended already, and what the log throws. */
  finish<O extends OutcomeKind<K>>(outcome: ActionOf<O>, content?: ContentOf<O>): Promise<Row> {
    return this.#endOnce(outcome, content ?? {});
  }

  /** Records that it did not end in any of its outcomes, and why. @throws as {@link finish}. */
  fail(error: unknown): Promise<Row> {
    const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return this.#endOnce({ kind: "action.failed" }, { error: why.slice(0, MAX_ERROR) });
  }

  async #endOnce(outcome: { readonly kind: string }, content: object): Promise<Row> {
    if (this.#ended) throw new AuditError("AUDIT_SPENT", `row ${this.seq} has ended already`);
    this.#ended = true;
    try {
      return await this.#end(outcome, content);
    } catch (error) {
      this.#ended = false;
      throw error;
    }
  }

  /** Writes `action.failed` when the block was left without an outcome. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    await this.fail(new Error(this.#redeemed ? "ended without saying how" : "was never acted upon"));
  }
}

/** What an effect asks for: nothing else has this type, so an action that is not on the log does not compile. */
export type Recorded<K extends IntentKind> = RecordedIntent<K>;

export type Mint = <K extends IntentKind>(
  row: Row,
  action: ActionOf<K>,
  content: ReadonlyMap<string, Uint8Array>,
  end: End,
) => Recorded<K>;

let taken = false;

/** Hands out the one way to make a {@link Recorded}, once: the log takes it when it is loaded.
 *  @throws {AuditError} AUDIT_SPENT for everybody else. */
export function takeMint(): Mint {
  if (taken) throw new AuditError("AUDIT_SPENT", "only the log makes recorded actions");
  taken = true;
  return (row, action, content, end) => new RecordedIntent(row, action, content, end);
}
