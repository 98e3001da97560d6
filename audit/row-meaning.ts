import type { IntentKind } from "./action.ts";
import { isCanonical } from "./canonical.ts";
import type { Head } from "./entry.ts";
import { readBody } from "./entry.ts";
import type { Findings } from "./findings.ts";
import { endsIn, isAction, isIntent, isKind, isOutcome, partsOf } from "./kinds.ts";
import type { Pause } from "./verdict.ts";

/** Rows later than the verifier's clock by more than this are worth a word, in milliseconds. */
const FUTURE_MS = 5 * 60_000;
const KEPT_PAUSES = 20;
/** An intent that is open costs memory: a hostile file may have one a row. */
const MAX_OPEN = 100_000;
const TIME = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;
const NONCE = /^[0-9a-f]{32}$/;

/** What the verifier asks of a kind, looked up once. */
interface Role {
  readonly known: boolean;
  readonly intent: IntentKind | null;
  readonly outcome: boolean;
  readonly content: boolean;
  readonly opens: boolean;
  readonly starts: boolean;
  readonly checkpoints: boolean;
}

function roleOf(kind: string): Role {
  const known = isKind(kind);
  return {
    known,
    intent: known && isIntent(kind) ? kind : null,
    outcome: isOutcome(kind),
    content: !known || partsOf(kind).length > 0,
    opens: kind === "log.opened",
    starts: kind === "daemon.starting",
    checkpoints: kind === "log.checkpointed",
  };
}

/** Looks at what unchanged rows say: that time does not go back, that causes come before, that what began has ended. */
export class RowMeaning {
  readonly #findings: Findings;
  readonly #deep: boolean;
  readonly #latest: string;
  readonly #roles = new Map<string, Role>();
  readonly #unknown = new Map<string, { seq: number; rows: number }>();
  readonly #open = new Map<number, IntentKind>();
  #future: { seq: number; rows: number } | null = null;
  /** The first row of the newest start. */
  #startedAt = 0;
  #from: string | null = null;
  #until = "";
  #starts = 0;
  readonly #pauses: Pause[] = [];

  /** @param now the verifier's clock, in milliseconds. */
  constructor(findings: Findings, options: { deep: boolean; now: number }) {
    this.#findings = findings;
    this.#deep = options.deep;
    this.#latest = new Date(Math.min(options.now + FUTURE_MS, 253_402_300_799_999)).toISOString();
  }

  get from(): string | null {
    return this.#from;
  }
  get until(): string | null {
    return this.#until === "" ? null : this.#until;
  }
  get starts(): number {
    return this.#starts;
  }
  get pauses(): readonly Pause[] {
    return this.#pauses;
  }
  get open(): number {
    return this.#open.size;
  }

  /** @returns whether rows of this kind may have content. */
  row({ at, cause, kind, seq }: Head, body: string): boolean {
    const role = this.#roleOf(kind);
    const before = this.#until;
    if (at !== before) this.#time(at, seq);
    if (cause !== null && cause >= seq)
      this.#findings.add("cause", seq, `row ${seq} names row ${cause} as its cause, which is not before it`);
    if (!role.known) this.#countUnknown(kind, seq);
    if (role.intent !== null) this.#began(seq, role.intent);
    else if (role.outcome) this.#ended(seq, cause, kind);
    else if (role.opens && seq !== 0) this.#findings.add("genesis", seq, `row ${seq} is a second beginning of the log`);
    else if (role.starts) this.#started(seq, before, at);
    else if (role.checkpoints && body.includes('"reason":"start"')) this.#settled(seq);
    if (this.#deep) this.#form(seq, kind, body);
    return role.content;
  }

  #roleOf(kind: string): Role {
    const known = this.#roles.get(kind);
    if (known !== undefined) return known;
    const role = roleOf(kind);
    // A hostile file may have as many kinds as rows.
    if (this.#roles.size < 1_000) this.#roles.set(kind, role);
    return role;
  }

  #started(seq: number, before: string, at: string): void {
    this.#startedAt = seq;
    this.#starts += 1;
    if (before !== "") this.#pauses.push({ from: before, to: at });
    if (this.#pauses.length > KEPT_PAUSES) this.#pauses.shift();
  }

  #time(at: string, seq: number): void {
    if (!TIME.test(at)) {
      this.#findings.add("row-form", seq, `row ${seq} has no time of the form that a row has`);
      return;
    }
    this.#from ??= at;
    if (at < this.#until) {
      this.#findings.add(
        "time-backwards",
        seq,
        `row ${seq} is earlier than the row before it (${at}, after ${this.#until})`,
      );
      return;
    }
    if (at > this.#latest) this.#future = { seq: this.#future?.seq ?? seq, rows: (this.#future?.rows ?? 0) + 1 };
    this.#until = at;
  }

  #countUnknown(kind: string, seq: number): void {
    const known = this.#unknown.get(kind);
    if (known !== undefined) known.rows += 1;
    else if (this.#unknown.size < 100) this.#unknown.set(kind, { seq, rows: 1 });
  }

  #began(seq: number, kind: IntentKind): void {
    if (this.#open.size < MAX_OPEN) this.#open.set(seq, kind);
    else
      this.#findings.add(
        "intent",
        seq,
        `more than ${MAX_OPEN} actions are open at row ${seq}, which no log of ours has`,
      );
  }

  #ended(seq: number, cause: number | null, kind: string): void {
    const intent = cause === null ? undefined : this.#open.get(cause);
    if (cause !== null && intent !== undefined && endsIn(intent, kind)) this.#open.delete(cause);
    else this.#findings.add("outcome", seq, `row ${seq} ends an action that did not begin, or had ended`);
  }

  /** At the checkpoint of a start every action of earlier processes has ended. */
  #settled(seq: number): void {
    for (const [intent, kind] of this.#open) {
      if (intent >= this.#startedAt) break;
      this.#open.delete(intent);
      this.#findings.add(
        "intent",
        intent,
        `row ${intent} (${kind}) has no outcome, and the start at row ${seq} did not report it either`,
      );
    }
  }

  #form(seq: number, kind: string, line: string): void {
    const body = readBody(line);
    if (!isCanonical(line) || body === null || !NONCE.test(body.nonce)) {
      this.#findings.add("row-form", seq, `row ${seq} is not in the one form that its values have`);
      return;
    }
    if (!isKind(kind)) return;
    const parts = partsOf(kind);
    if (!isAction({ ...body.fields, kind }) || Object.keys(body.content ?? {}).some((part) => !parts.includes(part)))
      this.#findings.add("row-form", seq, `row ${seq} holds what a row of its kind (${kind}) does not`);
  }

  /** Says what only the end of the log shows. */
  end(): void {
    if (this.#future !== null)
      this.#findings.warn(
        "future",
        this.#future.seq,
        `${this.#future.rows} rows from row ${this.#future.seq} on are later than this machine's clock: one of the two is wrong`,
      );
    for (const [kind, { seq, rows }] of this.#unknown)
      this.#findings.warn(
        "unknown-kind",
        seq,
        `${rows} rows from row ${seq} on are of the kind ${JSON.stringify(kind)}, which this build does not know`,
      );
    const [first] = this.#open.keys();
    if (first !== undefined)
      this.#findings.warn(
        "open-intents",
        first,
        `${this.#open.size} actions have no outcome yet, the first of them row ${first}`,
      );
  }
}
