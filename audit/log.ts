import type { ActionOf, FactKind, IntentKind } from "./action.ts";
import { AnchorStore } from "./anchor-store.ts";
import { commitParts, DAEMON } from "./content.ts";
import { type Contradiction, LogCore, type LogEvents, type OpenOptions } from "./core.ts";
import { readBody } from "./entry.ts";
import { AuditError } from "./error.ts";
import type { Genesis, Protector, StoredCheckpoint } from "./head.ts";
import { openIntents } from "./intents.ts";
import { checkedFields, endsIn, isActionOf, isIntent, isKind, isOutcome } from "./kinds.ts";
import { parseVkey } from "./note.ts";
import type { Clock, Sealer, Signer } from "./ports.ts";
import { Removal } from "./removal.ts";
import { type Recorded, takeMint } from "./recorded.ts";
import type { CommittedRow, Given, Row, RowFilter, SearchFilter } from "./row.ts";
import { type Draft, unwritable, type Written } from "./writer.ts";

export type { Contradiction, LogEvents } from "./core.ts";
export type { Genesis, Protector, StoredCheckpoint } from "./head.ts";
export type { CommittedRow, Row, RowFilter, SearchFilter } from "./row.ts";

const mint = takeMint();

/** A checkpoint is due so long after the last, if rows were added since, in milliseconds. */
const CHECKPOINT_MS = 5 * 60_000;

/** Kinds that the log writes itself. */
export type OwnKind = "log.opened" | "log.checkpointed" | "key.rotated" | "clock.changed" | "action.interrupted";
const OWN: ReadonlySet<string> = new Set<OwnKind>([
  "log.opened",
  "log.checkpointed",
  "key.rotated",
  "clock.changed",
  "action.interrupted",
]);
export type CheckpointReason = Exclude<ActionOf<"log.checkpointed">["reason"], "rows" | "time" | "rotation">;

/** An intent of an earlier process whose effect nobody knows. */
export interface Interrupted {
  readonly intent: CommittedRow;
  /** The `action.interrupted` that was written for it. */
  readonly row: Row;
}

/** A fact that ends no intent and is not the log's own. */
type SingleKind = Exclude<FactKind, OwnKind>;
interface Fact<K extends SingleKind> {
  readonly action: ActionOf<K>;
  readonly given: Given<K>;
}
/** One of several that {@link AuditLog.together} writes: what led to it is the first of them. */
export type FactOf = {
  [K in SingleKind]: { readonly action: ActionOf<K>; readonly given: Omit<Given<K>, "cause"> };
}[SingleKind];

/** The log that a new one takes the place of, and why. */
export interface Succeeds {
  /** Its name. */
  readonly predecessor: string;
  /** Rows in the file that was kept, and the root over them, hex. */
  readonly kept: number;
  readonly keptRoot: string;
  /** The size of a checkpoint kept elsewhere that was ahead of it. */
  readonly ahead: number | null;
  readonly by: string;
  readonly via: string;
  /** One sentence; content. */
  readonly reason: string;
}

/** The log before its keys are there: it can say that the daemon starts, and what the vault was like when it stopped. */
export class BootLog {
  readonly #core: LogCore;
  #handedOver = false;

  private constructor(core: LogCore) {
    this.#core = core;
  }

  /** Opens or makes the file and checks its end: the newest checkpoint, the rows since, the checkpoint file beside it. The caller holds the lock.
   *  @throws {AuditError} AUDIT_BROKEN when it cannot be continued, AUDIT_NEWER, AUDIT_UNREADABLE, AUDIT_UNWRITABLE. */
  static open(path: string, clock: Clock, options: OpenOptions = {}): BootLog {
    const core = new LogCore(path, clock, options);
    const contradiction = core.contradictionBeside();
    if (contradiction === null) return new BootLog(core);
    core.close();
    throw new AuditError("AUDIT_BROKEN", `the audit log cannot be continued: ${contradiction.sentence}`);
  }

  get size(): number {
    return this.#core.head.size;
  }
  /** Null for a log that has no row yet. */
  get genesis(): Genesis | null {
    return this.#core.genesis;
  }
  /** The key that {@link unseal} needs: the genesis's, or the newest rotation's. */
  get vkey(): string | null {
    return this.#core.epoch?.vkey ?? null;
  }
  /** From 1; 0 for an empty log. */
  get epoch(): number {
    return this.#core.epoch?.number ?? 0;
  }
  get protector(): Protector | null {
    return this.#core.epoch?.protector ?? null;
  }
  get lastCheckpoint(): StoredCheckpoint | null {
    return this.#core.head.checkpoint;
  }

  /** @throws {AuditError} AUDIT_INVALID for an empty log, which begins with its genesis. */
  async append<K extends "daemon.starting" | "vault.refused">(
    action: ActionOf<K>,
    cause: number | null = null,
  ): Promise<Row> {
    if (this.#core.genesis === null) throw invalid("a log begins with its genesis");
    return rowOf(await submitOne(this.#core, draftOf(this.#core, action, { cause })));
  }

  /** Rows without their content. */
  rows(filter: RowFilter): CommittedRow[] {
    return this.#core.query.rows(filter);
  }
  row(seq: number): CommittedRow | null {
    return this.#core.query.row(seq);
  }
  /** Intents that have no outcome yet, oldest first. */
  openIntents(): CommittedRow[] {
    const open = [...openIntents(this.#core.database, this.size).keys()].toSorted((a, b) => a - b);
    return open.flatMap((seq) => this.row(seq) ?? []);
  }
  /** What a checkpoint that was kept elsewhere (the pin) says against this log; null when they agree. */
  compare(note: string): Contradiction | null {
    return this.#core.compare(note);
  }

  /** Begins a new log: genesis and first checkpoint, in one transaction.
   *  @param given `anchors`: how many its policy promises. `succeeds`: the log whose place it takes. @throws {AuditError} AUDIT_INVALID if it has begun already. */
  async create(
    signer: Signer,
    sealer: Sealer,
    given: { readonly protector: Protector; readonly anchors: number; readonly succeeds?: Succeeds },
    events: LogEvents = {},
  ): Promise<AuditLog> {
    if (this.#core.genesis !== null || this.#handedOver) throw invalid("this log has begun already");
    const origin = parseVkey(signer.vkey).name;
    const { protector, anchors, succeeds } = given;
    const { reason, ...before } = succeeds ?? { reason: null };
    const genesis = { origin, vkey: signer.vkey, format: 1, protector, anchors, ...before };
    this.#core.unseal(origin, signer, sealer, events);
    const [first] = await this.#core.submit([
      draftOf(
        this.#core,
        { kind: "log.opened", ...genesis },
        { cause: null, ...(reason === null ? {} : { content: { reason } }) },
      ),
      checkpointDraft("start"),
    ]);
    if (first === undefined) throw invalid("the genesis was not written");
    this.#core.genesis = { ...genesis, at: first.at };
    this.#core.epoch = { number: 1, vkey: signer.vkey, protector: given.protector };
    this.#handedOver = true;
    // The file is there before a second checkpoint can be: its absence then means something.
    await this.#core.publisher?.filed();
    return new OpenAuditLog(this.#core);
  }

  /** Goes on with its keys. @throws {AuditError} AUDIT_WRONG_KEY unless the signer is that of {@link vkey}. */
  unseal(signer: Signer, sealer: Sealer, events: LogEvents = {}): AuditLog {
    const { genesis, epoch } = this.#core;
    if (genesis === null || epoch === null) throw invalid("a log begins with its genesis");
    if (this.#handedOver) throw invalid("this log has its keys already");
    if (signer.vkey !== epoch.vkey)
      throw new AuditError(
        "AUDIT_WRONG_KEY",
        `this log is signed with the key ${epoch.vkey}, and the vault holds another: one of them was restored or replaced`,
      );
    this.#core.unseal(genesis.origin, signer, sealer, events);
    this.#handedOver = true;
    return new OpenAuditLog(this.#core);
  }

  /** Closes a log that did not get its keys; afterwards that is {@link AuditLog.close}'s. */
  close(): void {
    if (!this.#handedOver) this.#core.close();
    this.#handedOver = true;
  }
}

/** The audit log: the only journal, with one writer. Every effect asks it for a {@link Recorded} first. */
class OpenAuditLog {
  readonly #core: LogCore;
  /** Intents without an outcome. */
  readonly #open: Map<number, IntentKind>;
  /** The first row of this process. */
  readonly #from: number;
  readonly #timer: NodeJS.Timeout;
  /** Takes content and old bodies out of the file again. */
  readonly removal: Removal;
  #closing: Promise<void> | null = null;
  #anchors: AnchorStore | null = null;
  #halted: AuditError | null = null;

  constructor(core: LogCore) {
    this.#core = core;
    this.#open = openIntents(core.database, core.head.size);
    this.#from = core.head.size;
    this.removal = new Removal(core);
    this.#timer = setInterval(() => this.#onTime(), CHECKPOINT_MS).unref();
  }

  /** `wirken.local/audit/<32 hex>`. */
  get origin(): string {
    return this.genesis.origin;
  }
  get genesis(): Genesis {
    if (this.#core.genesis === null) throw invalid("a log begins with its genesis");
    return this.#core.genesis;
  }
  /** Rows so far: the next one's number. */
  get size(): number {
    return this.#core.head.size;
  }
  get vkey(): string {
    return this.#core.epoch?.vkey ?? this.genesis.vkey;
  }
  get epoch(): number {
    return this.#core.epoch?.number ?? 1;
  }
  get protector(): Protector {
    return this.#core.epoch?.protector ?? this.genesis.protector;
  }
  get lastCheckpoint(): StoredCheckpoint | null {
    return this.#core.head.checkpoint;
  }
  /** Why intents are refused now (a full disk, a second writer, a finding), or null. */
  get stopped(): AuditError | null {
    return this.#core.stopped ?? this.#halted;
  }
  /** Why not even facts can be recorded now, or null. */
  get unwritable(): AuditError | null {
    return this.#core.stopped;
  }

  /** Refuses every intent from now on, so that nothing more takes effect. Facts go on. @param why one sentence. */
  halt(why: string): void {
    this.#halted = new AuditError("AUDIT_HALTED", why);
  }
  /** The owner has said how to go on. */
  resume(): void {
    this.#halted = null;
  }

  /** Looks for a foreign writer while nothing is recorded; every row that is recorded looks for itself. */
  look(): void {
    this.#core.look();
  }

  /** Puts an intent on the log. Resolves when it is on disk, and only then may anything happen.
   *  @throws {AuditError} AUDIT_INVALID, AUDIT_UNSEALED, AUDIT_UNWRITABLE, AUDIT_SECOND_WRITER, AUDIT_BROKEN, AUDIT_HALTED, AUDIT_CLOSED: nothing was recorded, so nothing may run. */
  async record<K extends IntentKind>(action: ActionOf<K>, given: Given<K>): Promise<Recorded<K>> {
    if (this.#halted !== null) throw this.#halted;
    const kind: K = action.kind;
    if (!isKind(kind) || !isIntent(kind)) throw invalid(`${String(kind)} is no intent`);
    const written = await this.#submit(action, given);
    const body = readBody(written.body);
    const parsed = Object.freeze({ ...body?.fields, kind: body?.kind ?? "" });
    if (!isActionOf<K>(kind, parsed))
      throw new AuditError("AUDIT_BROKEN", `row ${written.seq} is not what was recorded`);
    const content = new Map(written.parts.map((part) => [part.name, part.bytes]));
    return mint(rowOf(written), parsed, content, async (outcome, parts) => {
      if (!endsIn(kind, outcome.kind)) throw invalid(`${kind} does not end in ${outcome.kind}`);
      const seal = given.seal === undefined ? {} : { seal: given.seal };
      return rowOf(await this.#submit(outcome, { cause: written.seq, content: parts, ...seal }));
    });
  }

  /** Puts a fact on the log. An outcome needs its open intent as its cause. @throws {AuditError} as {@link record}. */
  async append<K extends Exclude<FactKind, OwnKind>>(action: ActionOf<K>, given: Given<K>): Promise<Row> {
    if (isKind(action.kind) && isIntent(action.kind)) throw invalid(`${String(action.kind)} is an intent: record it`);
    return rowOf(await this.#submit(action, given));
  }

  /** Puts facts on the log that belong together: all of them in one transaction with one sync, or none.
   *  @param first led to all the others. @throws {AuditError} as {@link record}. */
  async together<K extends SingleKind>(first: Fact<K>, others: readonly FactOf[]): Promise<Row[]> {
    const { cause } = first.given;
    const drafts = [
      draftOf(this.#core, single(first.action), first.given),
      ...others.map(({ action, given }) => ({
        ...draftOf(this.#core, single(action), { ...given, cause }),
        byFirst: true,
      })),
    ];
    return (await this.#core.submit(drafts)).map((row) => rowOf(row));
  }

  async #submit(action: { readonly kind: string }, given: AnyGiven): Promise<Written> {
    if (OWN.has(action.kind)) throw invalid(`${action.kind} is written by the log itself`);
    const draft = draftOf(this.#core, action, given);
    return await this.#ending(draft, () => submitOne(this.#core, draft));
  }

  /** Keeps the books of open intents: an intent ends once, and nothing ends that was not open. */
  async #ending(draft: Draft, write: () => Promise<Written>): Promise<Written> {
    const { cause, kind } = draft;
    const intent = isOutcome(kind) && cause !== null ? this.#open.get(cause) : undefined;
    if (isOutcome(kind) && (intent === undefined || !endsIn(intent, kind)))
      throw invalid(`${kind} ends an open action that it belongs to, and row ${String(cause)} is none`);
    if (cause !== null) this.#open.delete(isOutcome(kind) ? cause : -1);
    try {
      const written = await write();
      if (isIntent(kind)) this.#open.set(written.seq, kind);
      return written;
    } catch (error) {
      // After AUDIT_BEHIND the outcome is on the log all the same.
      const written = error instanceof AuditError && error.code === "AUDIT_BEHIND";
      if (intent !== undefined && cause !== null && !written) this.#open.set(cause, intent);
      throw error;
    }
  }

  /** Signs the head: a row `log.checkpointed`, its note in the same transaction, then the file beside the database and the pin.
   *  Resolves when the file is written. @throws {AuditError} AUDIT_UNSIGNED and as {@link record}. */
  async checkpoint(reason: CheckpointReason): Promise<StoredCheckpoint> {
    // The checkpoint of a start says that nothing of earlier processes is open any more.
    if (reason === "start") await this.interrupted();
    return await this.#checkpoint(reason);
  }

  async #checkpoint(reason: ActionOf<"log.checkpointed">["reason"]): Promise<StoredCheckpoint> {
    const { checkpoint } = await submitOne(this.#core, checkpointDraft(reason));
    if (checkpoint === null) throw new AuditError("AUDIT_UNSIGNED", "no checkpoint was made");
    await this.#core.publisher?.filed();
    return checkpoint;
  }

  #onTime(): void {
    if (this.size === (this.lastCheckpoint?.size ?? 0)) return;
    this.#checkpoint("time").catch((error: unknown) => this.#core.failed(unwritable(error)));
  }

  /** Hands the log to a new key: a row, and a checkpoint signed by the old and the new one, in one transaction; then the pin.
   *  @param next stored already, and read back. @returns `pinned: false` when the pin did not work: then keep the old key, and call {@link pin} later.
   *  @throws {AuditError} as {@link record}; the old key goes on then. */
  async rotate(
    next: Signer,
    given: { readonly protector: Protector; readonly cause: number | null },
  ): Promise<Row & StoredCheckpoint & { readonly pinned: boolean }> {
    if (parseVkey(next.vkey).name !== this.origin || next.vkey === this.vkey)
      throw invalid("the new key is not a new key of this log");
    const epoch = this.epoch + 1;
    const { protector, cause } = given;
    const action = { kind: "key.rotated", epoch, vkey: next.vkey, protector };
    const draft = { ...draftOf(this.#core, action, { cause }), signed: true, rotatesTo: next };
    const [rotated] = await this.#core.submit([draft, checkpointDraft("rotation")]);
    if (rotated === undefined || rotated.checkpoint === null) throw invalid("the rotation was not written");
    this.#core.epoch = { number: epoch, vkey: next.vkey, protector };
    await this.#core.publisher?.filed();
    return { ...rowOf(rotated), ...rotated.checkpoint, pinned: await this.pin() };
  }

  /** Pins the newest checkpoint now. @returns false when that did not work. */
  async pin(): Promise<boolean> {
    return (await this.#core.publisher?.pinned()) ?? true;
  }

  /** Intents of one kind that earlier processes left open: whoever can complete one does so before {@link interrupted} ends it. */
  left(kind: IntentKind): CommittedRow[] {
    const seqs = [...this.#open].flatMap(([seq, open]) => (open === kind && seq < this.#from ? [seq] : []));
    return seqs.toSorted((a, b) => a - b).flatMap((seq) => this.row(seq) ?? []);
  }

  /** Ends the intents that earlier processes left open, and says which: their effect is unknown, and none is repeated. */
  async interrupted(): Promise<Interrupted[]> {
    const open = [...this.#open.keys()].filter((seq) => seq < this.#from).toSorted((a, b) => a - b);
    const ended = open.map(async (seq): Promise<Interrupted> => {
      const intent = this.row(seq);
      if (intent === null) throw new AuditError("AUDIT_BROKEN", `row ${seq} is missing`);
      const draft = draftOf(this.#core, { kind: "action.interrupted" }, { cause: seq });
      return { intent, row: rowOf(await this.#ending(draft, () => submitOne(this.#core, draft))) };
    });
    return await Promise.all(ended);
  }

  /** Gives every row above `after` to `take`, in order, then each new one before whoever recorded it is told. What `take` throws, the recorder gets.
   *  @param before is given the rows that are there already instead, a page at a time: what a million of them change is written faster together. */
  follow(after: number, take: (row: CommittedRow) => void, before?: (page: readonly CommittedRow[]) => void): void {
    this.#core.follow(after, take, before);
  }
  /** Newest first, or with `after` oldest first. A filter by kind or session that matches few of many rows is for {@link search}. */
  rows(filter: RowFilter): CommittedRow[] {
    return this.#core.query.rows(filter);
  }
  /** As {@link rows} by more than kind and session, letting others run every few milliseconds. @param signal fired: nobody waits any more.
   *  @param unread told of rows that fit and cannot be read: they were changed, or a newer build wrote them. */
  async search(filter: SearchFilter, signal?: AbortSignal, unread?: (seq: number) => void): Promise<CommittedRow[]> {
    return await this.#core.query.search(filter, signal, unread);
  }
  /** Told after each commit that there are new rows. @returns what ends it. */
  watch(heard: () => void): () => void {
    return this.#core.watch(heard);
  }
  row(seq: number): CommittedRow | null {
    return this.#core.query.row(seq);
  }
  /** Why did this happen, by what right, and how did it end?
   *  @returns the rows that led to it, the first first and itself last; the grant or decision that it rests on; what it ended in.
   *  @throws {AuditError} AUDIT_INVALID if there is no such row. */
  explain(seq: number): {
    chain: CommittedRow[];
    rests: CommittedRow | null;
    outcome: CommittedRow | null;
  } {
    const chain = this.#core.query.chain(seq);
    const action = chain.at(-1)?.action;
    const rests = action?.kind === "tool.called" && action.rests !== null ? this.row(action.rests) : null;
    const ended = action !== undefined && isIntent(action.kind) && !this.#open.has(seq);
    return { chain, rests, outcome: ended ? this.#core.query.outcome(seq) : null };
  }
  /** The rows that led to one, the first first and itself last. @throws {AuditError} AUDIT_INVALID if there is no such row. */
  chain(seq: number): CommittedRow[] {
    return this.#core.query.chain(seq);
  }
  /** What followed from a row, within the next few thousand. @param wanted which kinds are returned. */
  effects(seq: number, wanted: (kind: string) => boolean, limit: number): CommittedRow[] {
    return this.#core.query.effects(seq, wanted, limit);
  }
  /** What a checkpoint that was kept elsewhere says against this log; null when they agree. */
  compare(note: string): Contradiction | null {
    return this.#core.compare(note);
  }

  /** What anchors answered, beside the checkpoints that they answered for. */
  get anchors(): AnchorStore {
    this.#anchors ??= new AnchorStore(this.#core.database);
    return this.#anchors;
  }
  /** Tells of every checkpoint that is committed from now on. `tell` throws nothing. @returns what ends it. */
  onCheckpoint(tell: (checkpoint: StoredCheckpoint) => void): () => void {
    return this.#core.onCheckpoint(tell);
  }

  /** Checkpoint, its copies, and the end: what is recorded after this call is refused. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    const last = this.#checkpoint("stop");
    this.#core.stopTaking();
    try {
      await last;
      await this.pin();
    } catch (error) {
      this.#core.failed(unwritable(error));
    } finally {
      this.#core.close();
    }
  }
}
/** Only a {@link BootLog} makes one. */
export type AuditLog = OpenAuditLog;

interface AnyGiven {
  readonly cause: number | null;
  readonly seal?: string;
  readonly content?: object;
  readonly certificates?: readonly Uint8Array[];
}

function draftOf(core: LogCore, action: { readonly kind: string }, given: AnyGiven): Draft {
  const fields = checkedFields(action);
  if (!isKind(action.kind)) throw invalid(`there is no kind of row ${action.kind}`);
  const { cause, seal = DAEMON, content = {}, certificates = [] } = given;
  if (cause !== null && (!Number.isSafeInteger(cause) || cause < 0 || cause >= core.head.size))
    throw invalid(`the cause of ${action.kind} is row ${cause}, which is not on the log`);
  return { kind: action.kind, fields, cause, seal, parts: commitParts(action.kind, content), certificates };
}

/** @throws {AuditError} AUDIT_INVALID for what stands in the books of intents, which this leaves alone. */
function single<A extends { readonly kind: string }>(action: A): A {
  const { kind } = action;
  if (OWN.has(kind) || isOutcome(kind) || (isKind(kind) && isIntent(kind)))
    throw invalid(`${kind} is not recorded together with others`);
  return action;
}

function checkpointDraft(reason: ActionOf<"log.checkpointed">["reason"]): Draft {
  return { kind: "log.checkpointed", fields: { reason }, cause: null, seal: DAEMON, parts: [], signed: true };
}

async function submitOne(core: LogCore, draft: Draft): Promise<Written> {
  const [written] = await core.submit([draft]);
  if (written === undefined) throw new AuditError("AUDIT_UNWRITABLE", "nothing was recorded");
  return written;
}

function rowOf({ seq, at, commitments }: Written): Row {
  return Object.freeze({ seq, at, commitments });
}

function invalid(why: string): AuditError {
  return new AuditError("AUDIT_INVALID", why.startsWith("nothing") ? why : `nothing was recorded: ${why}`);
}
