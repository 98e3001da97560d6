import type { IntentKind } from "./action.ts";
import { isCanonical } from "./canonical.ts";
import { readBody } from "./entry.ts";
import { atOf } from "./head-parser.ts";
import { HeadReader } from "./head-reader.ts";
import type { Findings } from "./findings.ts";
import { endsIn, isAction, isIntent, isKind, isOutcome, partsOf } from "./kinds.ts";
import type { PrunedCheck } from "./pruned.ts";
import type { Pause } from "./verdict.ts";

/** Rows later than the verifier's clock by more than this are worth a word, in milliseconds. */
const FUTURE_MS = 5 * 60_000;
const END_OF_TIME = Date.parse("9999-12-31T23:59:59.999Z");
const KEPT_PAUSES = 20;
/** An intent that is open costs memory: a hostile file may have one a row. */
const MAX_OPEN = 100_000;
/** Of a span it is not usual to have more of them. */
const MAX_OPEN_OF_SPAN = 10_000;
/** Kinds that this build does not know, named one by one. */
const MAX_UNKNOWN = 100;
/** Actions that may follow a checkpoint before the next one: one is due after 1,000 rows, and one transaction may add 64. */
const MAX_UNSIGNED = 1_064;
const NONCE = /^[0-9a-f]{32}$/;

const reader = new HeadReader();

/** Where a row stands. */
export interface RowHead {
  /** -1 for null. */
  readonly cause: number;
  readonly kind: string;
  readonly seq: number;
  /** Later rows have a larger one. */
  readonly time: number;
  readonly at: string;
}

/** What the verifier asks of a kind, looked up once. */
export interface Role {
  readonly kind: string;
  readonly known: boolean;
  readonly intent: IntentKind | null;
  readonly outcome: boolean;
  readonly content: boolean;
  readonly opens: boolean;
  readonly starts: boolean;
  /** Names rows whose bodies were taken out. */
  readonly prunes: boolean;
  /** Is the last row of a checkpoint. */
  readonly signed: boolean;
  /** Promises an anchor, or says how one does. */
  readonly anchor: boolean;
}

function roleOf(kind: string): Role {
  const known = isKind(kind);
  return {
    kind,
    known,
    intent: known && isIntent(kind) ? kind : null,
    outcome: isOutcome(kind),
    content: !known || partsOf(kind).length > 0,
    opens: kind === "log.opened",
    starts: kind === "daemon.starting",
    prunes: kind === "log.pruned",
    signed: kind === "log.checkpointed" || kind === "key.rotated",
    anchor: kind.startsWith("anchor."),
  };
}

/** What a span of rows says that the rows before it bear on, in order: the end of an action that began there, or a start that has settled them all. */
type Outer =
  | { readonly seq: number; readonly cause: number; readonly kind: string }
  | { readonly seq: number; readonly startedAt: number | null };

/** What was read of the rows of a span. */
export interface MeaningPart {
  readonly oldest: string;
  readonly newest: string;
  readonly outer: readonly Outer[];
  readonly open: readonly (readonly [seq: number, kind: IntentKind])[];
  readonly unknown: readonly (readonly [kind: string, { readonly seq: number; readonly rows: number }])[];
  readonly starts: number;
  /** Null without a start. */
  readonly startedAt: number | null;
  readonly pauses: readonly Pause[];
}

/** Looks at what unchanged rows say: that time does not go back, that causes come before, that what began has ended. */
export class RowMeaning {
  readonly #findings: Findings;
  readonly #deep: boolean;
  readonly #latest: string;
  readonly #pruned: Pick<PrunedCheck, "isEmpty">;
  /** By kind. */
  readonly #roles = new Map<string, Role>();
  readonly #unknown = new Map<string, { seq: number; rows: number }>();
  readonly #open = new Map<number, IntentKind>();
  /** Rows that say nothing: each may have been the outcome of an intent, or the intent of an outcome. */
  readonly #unread = new Set<number>();
  #lastUnread = -1;
  /** Actions since the last row that a checkpoint ends with. */
  #unsigned = 0;
  /** The first row of the newest start. */
  #startedAt = 0;
  #oldest: string | null = null;
  /** The body of the newest row: its time is cut out when it is asked for. */
  #newest: string | null = null;
  #newestTime = 0;
  #starts = 0;
  readonly #isSpan: boolean;
  readonly #since: number;
  readonly #outer: Outer[] = [];
  readonly #pauses: Pause[] = [];

  /** @param now the verifier's clock, in milliseconds. */
  constructor(
    findings: Findings,
    pruned: Pick<PrunedCheck, "isEmpty">,
    options: {
      deep: boolean;
      now: number;
      /** For a span: its first row, and the body of the row before. What began before it is not known here. */
      since?: { readonly seq: number; readonly body: string | null };
    },
  ) {
    this.#findings = findings;
    this.#pruned = pruned;
    this.#deep = options.deep;
    this.#isSpan = options.since !== undefined;
    this.#since = options.since?.seq ?? 0;
    this.#takeNewest(options.since?.body ?? null);
    this.#latest = new Date(Math.min(options.now + FUTURE_MS, END_OF_TIME)).toISOString();
  }

  get from(): string | null {
    return this.#oldest === null ? null : atOf(this.#oldest);
  }
  get until(): string | null {
    return this.#newest === null ? null : atOf(this.#newest);
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

  /** @returns null where there is too much to tell. */
  get part(): MeaningPart | null {
    if (this.#oldest === null || this.#newest === null) return null;
    if (this.#unknown.size >= MAX_UNKNOWN || this.#open.size > MAX_OPEN_OF_SPAN || this.#outer.length > MAX_OPEN)
      return null;
    return {
      oldest: this.#oldest,
      newest: this.#newest,
      outer: this.#outer,
      open: [...this.#open],
      unknown: [...this.#unknown],
      starts: this.#starts,
      startedAt: this.#starts === 0 ? null : this.#startedAt,
      pauses: this.#pauses,
    };
  }

  /** Takes over what rows say that were looked at elsewhere; called in order. @returns false where one thread has to look at them: some limit is near. */
  take(part: MeaningPart): boolean {
    if (this.#open.size + MAX_OPEN_OF_SPAN > MAX_OPEN) return false;
    for (const outer of part.outer) {
      if ("cause" in outer) this.#ended(outer.seq, outer.cause, outer.kind);
      else {
        this.#startedAt = outer.startedAt ?? this.#startedAt;
        this.#settled(outer.seq);
      }
    }
    this.#oldest ??= part.oldest;
    this.#takeNewest(part.newest);
    for (const [seq, kind] of part.open) this.#open.set(seq, kind);
    for (const [kind, { seq, rows }] of part.unknown) this.#countUnknown(kind, seq, rows);
    this.#starts += part.starts;
    this.#startedAt = part.startedAt ?? this.#startedAt;
    this.#pauses.push(...part.pauses);
    this.#pauses.splice(0, this.#pauses.length - KEPT_PAUSES);
    return true;
  }

  #takeNewest(body: string | null): void {
    this.#newest = body;
    this.#newestTime = body !== null && reader.read(body) ? reader.time : 0;
  }

  /** What is known of this row's kind. */
  roleOf({ kind }: Pick<RowHead, "kind">): Role {
    const known = this.#roles.get(kind);
    if (known !== undefined) return known;
    const role = roleOf(kind);
    // A hostile file may have as many kinds as rows.
    if (this.#roles.size < 1_000) this.#roles.set(kind, role);
    return role;
  }

  /** Row `seq` is missing or changed. */
  unread(seq: number): void {
    if (this.#unread.size < MAX_OPEN) this.#unread.add(seq);
    this.#lastUnread = seq;
  }

  row(head: RowHead, role: Role, body: string): void {
    const { cause, seq, time } = head;
    const before = this.#newest;
    if (before !== null && time < this.#newestTime)
      this.#findings.add(
        "time-backwards",
        seq,
        `row ${seq} is earlier than the row before it (${atOf(body)}, after ${atOf(before)})`,
      );
    else [this.#newest, this.#newestTime] = [body, time];
    this.#oldest ??= body;
    if (cause >= seq)
      this.#findings.add("cause", seq, `row ${seq} names row ${cause} as its cause, which is not before it`);
    if (!role.known) this.#countUnknown(role.kind, seq);
    if (role.intent !== null) this.#began(seq, role.intent);
    else if (role.outcome) this.#ended(seq, cause, role.kind);
    else if (role.opens && seq !== 0) this.#findings.add("genesis", seq, `row ${seq} is a second beginning of the log`);
    else if (role.starts) this.#started(seq, before, head.at);
    else if (role.signed) {
      this.#unsigned = 0;
      if (body.includes('"reason":"start"')) this.#settled(seq);
    }
    if (this.#deep) this.#form(seq, role.kind, body);
  }

  #started(seq: number, before: string | null, at: string): void {
    this.#startedAt = seq;
    this.#starts += 1;
    if (before !== null) this.#pauses.push({ from: atOf(before), to: at });
    if (this.#pauses.length > KEPT_PAUSES) this.#pauses.shift();
  }

  #countUnknown(kind: string, seq: number, rows = 1): void {
    const known = this.#unknown.get(kind);
    if (known !== undefined) known.rows += rows;
    else if (this.#unknown.size < MAX_UNKNOWN) this.#unknown.set(kind, { seq, rows });
  }

  #began(seq: number, kind: IntentKind): void {
    this.#unsigned += 1;
    if (this.#unsigned === MAX_UNSIGNED + 1)
      this.#findings.add(
        "checkpoint-missing",
        seq,
        `more than ${MAX_UNSIGNED} actions before row ${seq} are covered by no checkpoint, and one is due after 1000 rows`,
      );
    if (this.#open.size < (this.#isSpan ? MAX_OPEN_OF_SPAN : MAX_OPEN)) this.#open.set(seq, kind);
    else
      this.#findings.add(
        "intent",
        seq,
        `more than ${MAX_OPEN} actions are open at row ${seq}, which no log of ours has`,
      );
  }

  #ended(seq: number, cause: number, kind: string): void {
    if (cause >= 0 && cause < this.#since) {
      this.#outer.push({ seq, cause, kind });
      return;
    }
    const intent = this.#open.get(cause);
    if (intent !== undefined && endsIn(intent, kind)) this.#open.delete(cause);
    // What a row that cannot be read, or has no body any more, began cannot be told.
    else if (!this.#unread.has(cause) && (cause < 0 || !this.#pruned.isEmpty(cause)))
      this.#findings.add("outcome", seq, `row ${seq} ends an action that did not begin, or had ended`);
  }

  /** At the checkpoint of a start every action of earlier processes has ended. */
  #settled(seq: number): void {
    if (this.#since > 0) this.#outer.push({ seq, startedAt: this.#starts === 0 ? null : this.#startedAt });
    for (const [intent, kind] of this.#open) {
      if (intent >= this.#startedAt) break;
      this.#open.delete(intent);
      // What it ended in may be the row that says nothing.
      if (this.#lastUnread > intent) continue;
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

  /** Says what only the end of the log shows. @param firstAfter finds the first row later than a time. */
  end(firstAfter: (at: string) => number | null): void {
    if ((this.until ?? "") > this.#latest) {
      const seq = firstAfter(this.#latest);
      this.#findings.warn(
        "future",
        seq,
        `the rows from row ${seq ?? 0} on are later than this machine's clock: one of the two is wrong`,
      );
    }
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
