import { readFileSync } from "node:fs";
import type Database from "better-sqlite3";
import { Appender } from "./appender.ts";
import { beside } from "./beside.ts";
import { openForWriting, wrongSchema } from "./database.ts";
import { AuditError } from "./error.ts";
import { type Epoch, findHead, type Genesis, type LogHead, rootAt, type StoredCheckpoint } from "./head.ts";
import { isActionOf } from "./kinds.ts";
import { isSignedBy, parseCheckpoint, parseVkey, type SignedCheckpoint } from "./note.ts";
import type { Clock, Sealer, Signer } from "./ports.ts";
import { Publisher } from "./publisher.ts";
import { Query } from "./query.ts";
import { Reserve } from "./reserve.ts";
import type { CommittedRow } from "./row.ts";
import { type Draft, unwritable, Writer, type Written } from "./writer.ts";

export interface LogEvents {
  /** Copies a checkpoint to where a thief of the files does not reach (the keychain). Called at most once a minute, at a stop and at a rotation. */
  readonly pin?: (note: string) => Promise<void>;
  /** Told of what could not be written: rows refused, a checkpoint not signed, a copy not made. */
  readonly failed?: (error: AuditError) => void;
  /** Told when another connection has changed the file, and where the log goes on is as it was: all of it is to be verified. */
  readonly foreign?: () => void;
}

export interface OpenOptions {
  /** For a call that makes room on a full disk: the reserve is given up for it, and what fits is recorded. It is taken again at the close. */
  readonly spendsReserve?: boolean;
}

/** What a checkpoint that was kept elsewhere says against this log. */
export interface Contradiction {
  /** `behind`: the log has fewer rows. `forked`: other rows. `foreign`: it is of another log, or not signed by this one. */
  readonly code: "behind" | "forked" | "foreign";
  readonly sentence: string;
}

interface Follower {
  last: number;
  readonly take: (row: CommittedRow) => void;
}

/** One open log file: what both of its stages, without keys and with them, have in common. */
export class LogCore {
  readonly database: Database.Database;
  readonly clock: Clock;
  readonly query: Query;
  readonly path: string;
  readonly #reserve: Reserve;
  readonly #writer: Writer;
  readonly #appender: Appender;
  readonly #followers: Follower[] = [];
  readonly #watchers = new Set<() => void>();
  readonly #signed = new Set<(checkpoint: StoredCheckpoint) => void>();
  publisher: Publisher | null = null;
  genesis: Genesis | null;
  epoch: Epoch | null;
  #sealer: Sealer | null = null;
  #events: LogEvents = {};

  constructor(path: string, clock: Clock, options: OpenOptions = {}) {
    this.path = path;
    this.clock = clock;
    this.#reserve = new Reserve(beside(path).reserve);
    // Before the database is opened: what it keeps beside itself wants room too.
    if (options.spendsReserve === true) this.#reserve.spend();
    this.database = openForWriting(path);
    try {
      const { head, genesis, epoch } = findHead(this.database);
      this.genesis = genesis;
      this.epoch = epoch;
      this.query = new Query(
        this.database,
        () => this.genesis?.origin ?? null,
        () => this.#sealer,
      );
      this.#writer = new Writer(this.database, head, clock, () => this.#foreign());
      this.#appender = new Appender(
        {
          writer: this.#writer,
          reserve: this.#reserve,
          monotonic: () => clock.monotonic(),
          origin: genesis?.origin ?? null,
        },
        { written: (rows) => this.#written(rows), failed: (error) => this.#events.failed?.(error) },
      );
    } catch (error) {
      this.database.close();
      throw error;
    }
  }

  get head(): LogHead {
    return this.#writer.head;
  }
  get stopped(): AuditError | null {
    return this.#appender.stopped;
  }
  /** Null while the log has no keys. */
  get sealer(): Sealer | null {
    return this.#sealer;
  }

  /** Gives the log its keys. @param origin of a log that begins now, or of the one that there is. */
  unseal(origin: string, signer: Signer, sealer: Sealer, events: LogEvents): void {
    this.#events = events;
    this.#sealer = sealer;
    this.#writer.unseal(signer, sealer);
    this.#appender.name(origin);
    this.publisher = new Publisher({
      path: beside(this.path).checkpoint,
      pin: events.pin ?? null,
      monotonic: () => this.clock.monotonic(),
      failed: (error) => events.failed?.(error),
    });
  }

  /** Nobody else writes. What they may have changed is looked at at once where the log goes on: schema, newest checkpoint, the rows since. */
  #foreign(): void {
    const wrong = wrongSchema(this.database);
    if (wrong !== null) throw new AuditError("AUDIT_BROKEN", `nothing was recorded, and nothing is any more: ${wrong}`);
    const { size, previous } = findHead(this.database).head;
    if (size !== this.head.size || previous !== this.head.previous)
      throw new AuditError(
        "AUDIT_SECOND_WRITER",
        `nothing was recorded, and nothing is any more: somebody else wrote to the audit log (it has ${size} rows, and we wrote ${this.head.size})`,
      );
    this.#events.foreign?.();
  }

  /** Looks for a foreign writer while nothing is recorded. What is found stops the log. */
  look(): void {
    if (this.stopped !== null) return;
    try {
      this.#writer.look();
    } catch (error) {
      this.#appender.poison(unwritable(error));
    }
  }

  submit(drafts: readonly Draft[]): Promise<readonly Written[]> {
    return this.#appender.submit(drafts);
  }

  /** Changes the file in other ways than by appending. @throws {AuditError} AUDIT_UNWRITABLE. */
  attempt<T>(change: () => T): T {
    try {
      return change();
    } catch (error) {
      throw unwritable(error);
    }
  }

  failed(error: AuditError): void {
    this.#events.failed?.(error);
  }

  /** Gives every row above `after` to `take`, in order, then each new one before its recorder is told.
   *  @param before is given the rows that are there already instead, a page at a time. */
  follow(after: number, take: (row: CommittedRow) => void, before?: (page: readonly CommittedRow[]) => void): void {
    const follower: Follower = { last: after, take };
    for (const page of this.query.pages(after)) {
      if (before === undefined) this.#catchUp(follower, page);
      else before(page);
      follower.last = page.at(-1)?.seq ?? follower.last;
    }
    this.#followers.push(follower);
  }

  /** Tells of every checkpoint that was committed, from now on. `tell` throws nothing. @returns what ends it. */
  onCheckpoint(tell: (checkpoint: StoredCheckpoint) => void): () => void {
    this.#signed.add(tell);
    return () => this.#signed.delete(tell);
  }

  #written(rows: readonly Written[]): void {
    const checkpoint = rows.findLast((row) => row.checkpoint !== null)?.checkpoint ?? null;
    if (checkpoint !== null) {
      this.publisher?.publish(checkpoint);
      for (const tell of this.#signed) tell(checkpoint);
    }
    const [first] = rows;
    if (first === undefined) return;
    for (const follower of this.#followers) {
      // One that threw before has missed rows: it gets them from the file, so that none is left out.
      this.#catchUp(
        follower,
        follower.last + 1 === first.seq ? rows.map((row) => this.#view(row)) : this.#since(follower.last),
      );
    }
    for (const heard of this.#watchers) heard();
  }

  /** Told after each commit; it is given nothing, and reads what it wants. */
  watch(heard: () => void): () => void {
    this.#watchers.add(heard);
    return () => this.#watchers.delete(heard);
  }

  *#since(seq: number): Generator<CommittedRow> {
    for (const page of this.query.pages(seq)) yield* page;
  }

  #catchUp(follower: Follower, rows: Iterable<CommittedRow>): void {
    for (const row of rows) {
      follower.take(row);
      follower.last = row.seq;
    }
  }

  /** A row just written: its content is still at hand. */
  #view(row: Written): CommittedRow {
    const stored = this.query.view(row.seq, row.body);
    const bytes = (part: string): Uint8Array | null => {
      const found = row.parts.find(({ name }) => name === part);
      return found === undefined ? null : Uint8Array.from(found.bytes);
    };
    return {
      ...stored,
      bytes,
      content: (part) => {
        const found = bytes(part);
        return found === null ? null : Buffer.from(found.buffer).toString("utf8");
      },
    };
  }

  /** @returns null if the note is a checkpoint of this log, and the log has all that it covers. */
  compare(note: string): Contradiction | null {
    const checkpoint = this.#ownCheckpoint(note);
    if (checkpoint === null) return { code: "foreign", sentence: "the checkpoint is not one that this log signed" };
    const { size } = this.head;
    if (checkpoint.size > size)
      return {
        code: "behind",
        sentence: `the log has ${size} rows, and a checkpoint kept elsewhere covers ${checkpoint.size}: an older copy of it was put back, or rows were lost`,
      };
    return rootAt(this.database, checkpoint.size) === checkpoint.root
      ? null
      : {
          code: "forked",
          sentence: `the first ${checkpoint.size} rows are not those that a checkpoint kept elsewhere was signed for`,
        };
  }

  #ownCheckpoint(note: string): SignedCheckpoint | null {
    try {
      const checkpoint = parseCheckpoint(note);
      if (checkpoint.origin !== this.genesis?.origin) return null;
      return this.#vkeys().some((vkey) => isSignedBy(checkpoint, parseVkey(vkey))) ? checkpoint : null;
    } catch {
      return null;
    }
  }

  #vkeys(): string[] {
    const rotated = this.epoch?.number === 1 ? [] : this.query.rows({ kind: "key.rotated", limit: 1000 });
    return [
      ...(this.genesis === null ? [] : [this.genesis.vkey]),
      ...rotated.flatMap(({ action }) => (isActionOf("key.rotated", action) ? [action.vkey] : [])),
    ];
  }

  /** What the file beside the database says against it. One that cannot be read, or is not of this log, says nothing here: `verify` reports it. */
  contradictionBeside(): Contradiction | null {
    let note: string;
    try {
      note = readFileSync(beside(this.path).checkpoint, "utf8");
    } catch {
      return null;
    }
    const contradiction = this.genesis === null ? null : this.compare(note);
    return contradiction?.code === "foreign" ? null : contradiction;
  }

  close(): void {
    this.publisher?.close();
    this.#appender.close();
    this.database.close();
    this.#reserve.restore();
  }

  /** Takes no more rows; what is queued is still written. */
  stopTaking(): void {
    this.#appender.close();
  }
}
