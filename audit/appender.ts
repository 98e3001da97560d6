import type { Kind } from "./action.ts";
import { AuditError } from "./error.ts";
import { isOutcome } from "./kinds.ts";
import type { Reserve } from "./reserve.ts";
import {
  BATCH_BYTES,
  BATCH_ROWS,
  bytesOf,
  type Draft,
  isFull,
  type Unit,
  unwritable,
  type Writer,
  type Written,
} from "./writer.ts";

/** So many rows after a checkpoint the next one is due. */
const CHECKPOINT_ROWS = 1_000;

/** Outcomes apart, what may be written into the reserve: it ends something, and calls for nothing. */
const STOPS: ReadonlySet<Kind> = new Set<Kind>([
  "turn.ended",
  "turn.stopped",
  "daemon.stopped",
  "process.ended",
  "session.closed",
  "channel.disabled",
  "person.revoked",
  "identity.unlinked",
  "schedule.paused",
  "schedule.removed",
  "grant.revoked",
  "web.session.ended",
  // Makes room, and says that there was none.
  "log.pruned",
  "storage.exhausted",
]);

/** Does this row take authority away, or say how something ended? */
function endsSomething({ kind, fields }: Draft): boolean {
  if (isOutcome(kind) || STOPS.has(kind)) return true;
  if (kind === "approval.decided") return fields["decision"] !== "approved";
  return kind === "log.checkpointed" && fields["reason"] === "stop";
}

export interface AppenderEvents {
  /** After a commit and before anybody is told: rows in order. An error it throws is given to whoever recorded them. */
  readonly written: (rows: readonly Written[]) => void;
  readonly failed: (error: AuditError) => void;
}

/** The queue before the writer: what is submitted in one turn of the event loop shares one transaction and one sync. */
export class Appender {
  readonly #writer: Writer;
  readonly #reserve: Reserve;
  readonly #monotonic: () => number;
  readonly #events: AppenderEvents;
  readonly #queue: Unit[] = [];
  #scheduled = false;
  #origin: string | null;
  #poisoned: AuditError | null = null;
  #full: AuditError | null = null;
  #closed = false;

  constructor(
    parts: { writer: Writer; reserve: Reserve; monotonic: () => number; origin: string | null },
    events: AppenderEvents,
  ) {
    this.#writer = parts.writer;
    this.#reserve = parts.reserve;
    this.#monotonic = parts.monotonic;
    this.#origin = parts.origin;
    this.#events = events;
    if (!this.#reserve.take()) this.#full = noReserve();
  }

  get stopped(): AuditError | null {
    return this.#poisoned ?? this.#full;
  }

  /** The name of a log that begins now. */
  name(origin: string): void {
    this.#origin = origin;
  }

  /** What was written is not what is stored: nothing more is. */
  poison(error: AuditError): void {
    this.#poisoned ??= error;
    this.#events.failed(error);
  }

  /** Resolves when the rows are on disk, all of them in one transaction. */
  submit(drafts: readonly Draft[]): Promise<readonly Written[]> {
    if (this.#closed)
      return Promise.reject(new AuditError("AUDIT_CLOSED", "nothing was recorded: the audit log is closed"));
    const { promise, resolve, reject } = Promise.withResolvers<readonly Written[]>();
    this.#queue.push({ drafts, resolve, reject });
    this.#schedule();
    return promise;
  }

  /** Refuses what comes from now on; what is queued is still written. */
  close(): void {
    this.#closed = true;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
      if (this.#queue.length > 0) this.#schedule();
    });
  }

  #flush(): void {
    let units = this.#take();
    if (this.#poisoned !== null) {
      for (const unit of units) unit.reject(this.#poisoned);
      return;
    }
    if (this.#full !== null) {
      if (this.#reserve.recover(this.#monotonic())) this.#full = null;
      else units = this.#refuse(units, this.#full);
    }
    try {
      this.#write(this.#full === null ? this.#withCheckpoint(units) : units);
    } catch (error) {
      if (isFull(error)) this.#intoTheReserve(units, error);
      else this.#fail(units, unwritable(error));
    }
  }

  #take(): Unit[] {
    const units: Unit[] = [];
    let [rows, bytes] = [0, 0];
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      rows += next.drafts.length;
      bytes += bytesOf(next);
      if (units.length > 0 && (rows > BATCH_ROWS || bytes > BATCH_BYTES)) break;
      units.push(next);
      this.#queue.shift();
    }
    return units;
  }

  #write(units: readonly Unit[]): void {
    if (units.length === 0) return;
    const done = this.#writer.write(units, this.#origin, this.#full !== null);
    if (done.length === 0) return;
    let late: unknown = null;
    try {
      this.#events.written(done.flatMap(({ rows }) => rows));
    } catch (cause) {
      const last = this.#writer.head.size - 1;
      late = new AuditError("AUDIT_BEHIND", `row ${last} is on the log, and what follows it could not take it in`, {
        cause,
      });
    }
    for (const { unit, rows } of done) {
      if (late === null) unit.resolve(rows);
      else unit.reject(late);
    }
  }

  /** Adds the checkpoint that so many rows call for. */
  #withCheckpoint(units: readonly Unit[]): readonly Unit[] {
    const { size, checkpoint } = this.#writer.head;
    const rows = units.reduce((sum, unit) => sum + unit.drafts.length, 0);
    if (this.#writer.signer === null || units.length === 0 || size + rows - (checkpoint?.size ?? 0) < CHECKPOINT_ROWS)
      return units;
    const draft: Draft = {
      kind: "log.checkpointed",
      fields: { reason: "rows" },
      cause: null,
      seal: "daemon",
      parts: [],
      signed: true,
    };
    const reject = (error: unknown): void => this.#events.failed(unwritable(error));
    return [...units, { drafts: [draft], resolve: () => undefined, reject }];
  }

  /** What was just refused for want of room is tried again in the reserve, if it ends something. */
  #intoTheReserve(units: readonly Unit[], error: unknown): void {
    const full = unwritable(error);
    if (this.#full === null) this.#events.failed(full);
    this.#full = full;
    const ending = this.#refuse(units, full);
    if (ending.length === 0) return;
    this.#reserve.release();
    try {
      this.#write(ending);
    } catch (again) {
      this.#fail(ending, unwritable(again));
    }
  }

  /** @returns the units that may be written on a full disk. */
  #refuse(units: readonly Unit[], error: AuditError): Unit[] {
    return units.filter((unit) => {
      if (unit.drafts.every(endsSomething)) return true;
      unit.reject(error);
      return false;
    });
  }

  #fail(units: readonly Unit[], error: AuditError): void {
    if (error.code === "AUDIT_SECOND_WRITER" || error.code === "AUDIT_BROKEN") this.#poisoned = error;
    this.#events.failed(error);
    for (const unit of units) unit.reject(error);
  }
}

function noReserve(): AuditError {
  return new AuditError("AUDIT_UNWRITABLE", "nothing was recorded, so nothing runs: the disk has less than 20 MB free");
}
