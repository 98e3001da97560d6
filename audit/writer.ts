import type Database from "better-sqlite3";
import type { Kind } from "./action.ts";
import { commitmentsOf, contentId, type Part, sealPart } from "./content.ts";
import { isSqlite, sentenceOf } from "./database.ts";
import { entryHash, MAX_BODY_BYTES, NONCE_BYTES, writeBody } from "./entry.ts";
import { AuditError } from "./error.ts";
import { fresh } from "./fresh.ts";
import type { LogHead, StoredCheckpoint } from "./head.ts";
import type { Frontier } from "./merkle.ts";
import { signCheckpoint } from "./note.ts";
import type { Clock, Sealer, Signer } from "./ports.ts";
import { Store } from "./store.ts";
import { stamp } from "./timeline.ts";

/** One transaction takes so many rows, and so many bytes of bodies and content unless a single row has more. */
export const BATCH_ROWS = 64;
export const BATCH_BYTES = 256 * 1024;
/** On a full disk larger parts are committed to and not kept: the reserve is for rows. */
const KEPT_WHEN_FULL = 64 * 1024;
/** What a row takes besides its content, roughly, in bytes. */
const ROW_BYTES = 512;

/** A row to be written. */
export interface Draft {
  readonly kind: Kind;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly cause: number | null;
  /** Its cause is the first row of its unit, whose number nobody knows before it is written. */
  readonly byFirst?: boolean;
  /** Whose key seals the parts. */
  readonly seal: string;
  readonly parts: readonly Part[];
  /** The row is the last one of a checkpoint, which is signed and written in the same transaction: neither is there without the other. */
  readonly signed?: boolean;
  /** The row hands the log to this key: its checkpoint is signed by both, and the next ones by this one. */
  readonly rotatesTo?: Signer;
  /** Rows whose bodies, and content, go in the same transaction. */
  readonly empties?: readonly number[];
  /** Certificates of the anchor that the row adds. */
  readonly certificates?: readonly Uint8Array[];
}

/** A row that is on disk. */
export interface Written {
  readonly seq: number;
  readonly at: string;
  readonly kind: Kind;
  readonly cause: number | null;
  /** As read back from the database. */
  readonly body: string;
  readonly parts: readonly Part[];
  readonly commitments: Readonly<Record<string, string>>;
  readonly checkpoint: StoredCheckpoint | null;
}

/** Rows that are written together or not at all. */
export interface Unit {
  readonly drafts: readonly Draft[];
  readonly resolve: (rows: readonly Written[]) => void;
  readonly reject: (error: unknown) => void;
}

export interface Prepared extends Omit<Written, "body"> {
  readonly body: string;
  readonly hash: string;
  readonly sealed: readonly { readonly id: number; readonly blob: Uint8Array }[];
  readonly frontier: string;
  readonly empties: readonly number[];
  readonly certificates: Draft["certificates"];
}

/** What the next row follows from. */
interface From {
  readonly head: LogHead;
  readonly signer: Signer | null;
}

export function bytesOf(unit: Unit): number {
  let bytes = 0;
  for (const draft of unit.drafts) {
    bytes += ROW_BYTES;
    for (const part of draft.parts) bytes += part.bytes.length;
  }
  return bytes;
}

/** Turns drafts into rows and writes them in one transaction: what follows the head it knows, or nothing. */
export class Writer {
  readonly #store: Store;
  readonly #clock: Clock;
  #head: LogHead;
  #sealer: Sealer | null = null;
  #signer: Signer | null = null;

  /** @param foreign see {@link Store}. */
  constructor(database: Database.Database, head: LogHead, clock: Clock, foreign: () => void) {
    this.#store = new Store(database, foreign);
    this.#head = head;
    this.#clock = clock;
  }

  get head(): LogHead {
    return this.#head;
  }

  /** The key that signs now; null while the log has none. */
  get signer(): Signer | null {
    return this.#signer;
  }

  /** Looks whether somebody else has written. @throws {AuditError} if what they wrote is where the log goes on. */
  look(): void {
    this.#store.look();
  }

  unseal(signer: Signer, sealer: Sealer): void {
    this.#signer = signer;
    this.#sealer = sealer;
  }

  /** Writes units in their order. One that cannot be made into rows (not sealed, not signed) is rejected alone.
   *  @param origin the log's name; null while there is no genesis.
   *  @param full keep only small content.
   *  @returns the units that are on disk, with their rows; the caller resolves them.
   *  @throws {AuditError} AUDIT_UNWRITABLE, AUDIT_SECOND_WRITER, AUDIT_BROKEN: then nothing was written. */
  write(units: readonly Unit[], origin: string | null, full: boolean): { unit: Unit; rows: readonly Written[] }[] {
    const time = stamp(this.#head.timeline, this.#clock);
    let from: From = { head: { ...this.#head, timeline: time.next }, signer: this.#signer };
    const prepared: { unit: Unit | null; rows: readonly Prepared[] }[] = [];
    const moved = this.#clockChanged(time.changed);
    for (const unit of moved === null ? units : [moved, ...units]) {
      try {
        const made = this.#prepare(unit, from, time.at, origin, full);
        from = made.from;
        prepared.push({ unit, rows: made.rows });
      } catch (error) {
        unit.reject(error);
      }
    }
    if (prepared.every(({ unit }) => unit === moved)) return [];
    this.#store.write(
      prepared.flatMap(({ rows }) => rows),
      this.#head,
    );
    this.#head = from.head;
    this.#signer = from.signer;
    return prepared.flatMap(({ unit, rows }) => (unit === null ? [] : [{ unit, rows }]));
  }

  #clockChanged(changed: { real: string; reason: string } | null): Unit | null {
    if (changed === null || this.#head.size === 0) return null;
    const draft: Draft = { kind: "clock.changed", fields: changed, cause: null, seal: "daemon", parts: [] };
    return { drafts: [draft], resolve: () => undefined, reject: () => undefined };
  }

  #prepare(
    unit: Unit,
    { head, signer }: From,
    at: string,
    origin: string | null,
    full: boolean,
  ): { from: From; rows: Prepared[] } {
    let { size: seq, previous, checkpoint } = head;
    let signs = signer;
    const frontier = head.frontier.clone();
    const rows: Prepared[] = [];
    for (const draft of unit.drafts) {
      const { kind, parts } = draft;
      const cause = draft.byFirst === true ? head.size : draft.cause;
      const commitments = commitmentsOf(parts);
      const body = writeBody({
        at,
        cause,
        kind,
        seq,
        fields: draft.fields,
        content: parts.length === 0 ? null : commitments,
        nonce: Buffer.from(fresh(NONCE_BYTES).buffer).toString("hex"),
      });
      if (Buffer.byteLength(body) > MAX_BODY_BYTES)
        throw new AuditError(
          "AUDIT_INVALID",
          `nothing was recorded: the row would have more than ${MAX_BODY_BYTES} bytes`,
        );
      const hash = entryHash(previous, body);
      frontier.append(hash);
      const signers = [...(signs === null ? [] : [signs]), ...(draft.rotatesTo === undefined ? [] : [draft.rotatesTo])];
      const signed = draft.signed === true ? sign(origin, frontier, signers) : null;
      rows.push({
        seq,
        at,
        kind,
        cause,
        body,
        hash,
        parts,
        commitments,
        sealed: this.#seal(draft, seq, origin, full),
        checkpoint: signed,
        frontier: signed === null ? "" : frontier.toString(),
        empties: draft.empties ?? [],
        certificates: draft.certificates,
      });
      signs = draft.rotatesTo ?? signs;
      checkpoint = signed ?? checkpoint;
      [seq, previous] = [seq + 1, hash];
    }
    return { from: { head: { ...head, size: seq, previous, frontier, checkpoint }, signer: signs }, rows };
  }

  #seal({ kind, parts, seal }: Draft, seq: number, origin: string | null, full: boolean): Prepared["sealed"] {
    const sealer = this.#sealer;
    if (parts.length === 0) return [];
    if (sealer === null || origin === null)
      throw new AuditError(
        "AUDIT_UNSEALED",
        "nothing was recorded: content cannot be sealed while the vault is locked",
      );
    return parts
      .filter((part) => !full || part.bytes.length <= KEPT_WHEN_FULL)
      .map((part) => ({ id: contentId(seq, kind, part.name), blob: sealPart(sealer, seal, { origin, seq }, part) }));
  }
}

function sign(origin: string | null, frontier: Frontier, signers: readonly Signer[]): StoredCheckpoint {
  if (origin === null || signers.length === 0)
    throw new AuditError(
      "AUDIT_UNSIGNED",
      "no checkpoint was made: the log key is not there while the vault is locked",
    );
  const size = frontier.size;
  try {
    return { size, note: signCheckpoint({ origin, size, root: frontier.root() }, signers) };
  } catch (cause) {
    throw new AuditError("AUDIT_UNSIGNED", "no checkpoint was made: the log key cannot sign now", { cause });
  }
}

/** Is this the error of a disk, quota or file-size limit that is used up? SQLite calls ENOSPC full, and every other failed write an I/O error. */
export function isFull(error: unknown): boolean {
  return isSqlite(error, "SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_TRUNCATE");
}

/** The log's words for what SQLite says. */
export function unwritable(error: unknown): AuditError {
  if (error instanceof AuditError) return error;
  const why = isSqlite(error, "SQLITE_FULL")
    ? "the disk is full"
    : isSqlite(error, "SQLITE_READONLY")
      ? "the file is read-only"
      : isSqlite(error, "SQLITE_BUSY", "SQLITE_LOCKED")
        ? "another process holds the file"
        : isSqlite(error, "SQLITE_IOERR")
          ? "the disk cannot be written"
          : sentenceOf(error);
  return new AuditError("AUDIT_UNWRITABLE", `nothing was recorded, so nothing runs: ${why}`, { cause: error });
}
