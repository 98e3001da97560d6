import type Database from "better-sqlite3";
import type { Kind } from "./action.ts";
import { PARTS_A_ROW, renewPart, scopeOf } from "./content.ts";
import type { LogCore } from "./core.ts";
import { readHead } from "./entry.ts";
import { atOf } from "./head-parser.ts";
import { AuditError } from "./error.ts";
import { pruneRows, type Pruned, type PruneGiven } from "./prune.ts";
import { isKind, partsOf } from "./kinds.ts";
import type { Sealer } from "./ports.ts";

/** Content rows read at once, and deleted in one transaction: short enough that a turn does not notice. */
const PAGE = 500;
/** So much content is sealed anew in one transaction, in bytes, and one part at least. */
const RESEALED_BYTES = 4 * 1024 * 1024;
/** Between two transactions others have this long to themselves, in milliseconds. */
const PAUSE_MS = 5;
/** An open reader keeps the write-ahead log from being truncated: it is tried for so long, in milliseconds. */
const TRUNCATE_MS = 10_000;
const TRUNCATE_EVERY_MS = 50;

/** A sealed part as it lies in the file: whose key opens it, and which row it is of. */
export interface StoredPart {
  readonly id: number;
  readonly seq: number;
  /** Its name; null where the kind is not known. */
  readonly part: string | null;
  /** `daemon`, or an id of ours. */
  readonly scope: string;
  /** Null where the row's body was pruned, or is of a kind that this build does not know. */
  readonly kind: Kind | null;
  /** Of its row; the empty string where that was pruned. */
  readonly at: string;
  readonly body: string;
}

/** Takes content, and the bodies of old rows, out of the file again. No row is added but `log.pruned`, and no hash changes. */
export class Removal {
  readonly #core: LogCore;

  constructor(core: LogCore) {
    this.#core = core;
  }

  /** The first row that is not earlier than a time; the log's size if all are. @param at `2026-11-23T22:31:00.000Z`. */
  firstAt(at: string): number {
    const next = this.#core.database
      .prepare<[number]>(
        "SELECT seq, substr(body, 1, 160) FROM entry WHERE seq >= ? AND body <> '' ORDER BY seq LIMIT 1",
      )
      .raw();
    let [low, high] = [0, this.#core.head.size];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const row: unknown = next.get(middle);
      const [seq, beginning]: unknown[] = Array.isArray(row) ? row : [];
      if (typeof seq !== "number" || typeof beginning !== "string" || seq >= high) high = middle;
      else if (atOf(beginning) >= at) high = middle;
      else low = seq + 1;
    }
    return low;
  }

  /** Sealed parts of rows `from` up to, without, `to`, a page at a time; others run in between. Pages may be deleted while they are read. */
  async *parts(from: number, to: number): AsyncGenerator<StoredPart[]> {
    const page = this.#core.database
      .prepare<[number, number]>(
        `SELECT c.id, substr(c.sealed, 1, 65), coalesce(e.body, '') FROM content c LEFT JOIN entry e ON e.seq = c.id / ${PARTS_A_ROW}
         WHERE c.id >= ? AND c.id < ? ORDER BY c.id LIMIT ${PAGE}`,
      )
      .raw();
    for (let next = from * PARTS_A_ROW; ; ) {
      const rows: unknown[] = page.all(next, to * PARTS_A_ROW);
      const parts = rows.map((row) => partOf(row));
      if (parts.length > 0) yield parts;
      const last = parts.at(-1);
      if (last === undefined || parts.length < PAGE) return;
      next = last.id + 1;
      await pause();
    }
  }

  /** The bodies of rows from one on that have one, a page at a time. */
  async *bodies(from: number): AsyncGenerator<string[]> {
    const page = this.#core.database
      .prepare<[number]>(`SELECT seq, body FROM entry WHERE seq >= ? ORDER BY seq LIMIT ${PAGE}`)
      .raw();
    for (let next = from; ; ) {
      const rows: unknown[] = page.all(next);
      const bodies: string[] = [];
      let last = -1;
      for (const row of rows) {
        const [seq, body]: unknown[] = Array.isArray(row) ? row : [];
        if (typeof seq === "number") last = seq;
        if (typeof body === "string" && body !== "") bodies.push(body);
      }
      yield bodies;
      if (last < 0 || rows.length < PAGE) return;
      next = last + 1;
      await pause();
    }
  }

  /** Seals what is stored for some scopes anew, each under its newest key; a part that nothing opens stays as it is. It can be done again.
   *  @returns how many were sealed anew. @throws {AuditError} AUDIT_NEWER if a row is of a kind that this build does not know, AUDIT_UNSEALED,
   *  AUDIT_UNWRITABLE. */
  async reseal(scopes: ReadonlySet<string>): Promise<number> {
    const { sealer, genesis } = this.#core;
    if (sealer === null || genesis === null)
      throw new AuditError("AUDIT_UNSEALED", "nothing can be sealed anew while the vault is locked");
    let resealed = 0;
    for await (const page of this.parts(0, this.#core.head.size)) {
      const theirs = page.filter(({ scope, body }) => scopes.has(scope) && body !== "");
      for (let at = 0; at < theirs.length; ) {
        const done = this.#core.attempt(() => this.#resealSome(theirs.slice(at), sealer, genesis.origin));
        at += done.looked;
        resealed += done.resealed;
        await pause();
      }
    }
    return resealed;
  }

  /** As many of these parts as one transaction takes. */
  #resealSome(parts: readonly StoredPart[], sealer: Sealer, origin: string): { looked: number; resealed: number } {
    const { database } = this.#core;
    const read = database.prepare<[number]>("SELECT sealed FROM content WHERE id = ?").pluck();
    const write = database.prepare<[Uint8Array, number]>("UPDATE content SET sealed = ? WHERE id = ?");
    return database
      .transaction(() => {
        let [looked, resealed, bytes] = [0, 0, 0];
        for (const { id, seq, kind } of parts) {
          if (bytes >= RESEALED_BYTES) break;
          looked += 1;
          const part = kind === null ? undefined : partsOf(kind)[id % PARTS_A_ROW];
          if (part === undefined) throw unknownKind(seq);
          const stored: unknown = read.get(id);
          if (!(stored instanceof Uint8Array)) continue;
          bytes += stored.length;
          const renewed = renewPart(sealer, stored, { origin, seq, part });
          if (renewed !== null) resealed += write.run(renewed, id).changes;
        }
        return { looked, resealed };
      })
      .immediate();
  }

  /** Deletes sealed parts, and first overwrites each where it lies: SQLite overwrites what it frees, but not what it leaves behind when it moves the rows of
   *  a page that has room to another one. @returns how many there were. @throws {AuditError} AUDIT_UNWRITABLE. */
  async delete(ids: readonly number[]): Promise<number> {
    const { database } = this.#core;
    const blank = database.prepare<[number]>("UPDATE content SET sealed = zeroblob(octet_length(sealed)) WHERE id = ?");
    const one = database.prepare<[number]>("DELETE FROM content WHERE id = ?");
    let deleted = 0;
    for (let at = 0; at < ids.length; at += PAGE) {
      const some = ids.slice(at, at + PAGE);
      deleted += this.#core.attempt(() =>
        database
          .transaction(() => {
            for (const id of some) blank.run(id);
            return some.reduce((sum, id) => sum + one.run(id).changes, 0);
          })
          .immediate(),
      );
      await pause();
    }
    return deleted;
  }

  /** Empties the write-ahead log: what was overwritten in the file is not to be found there either.
   *  @throws {AuditError} AUDIT_UNWRITABLE if somebody reads the log all the while. */
  async truncate(): Promise<void> {
    const until = performance.now() + TRUNCATE_MS;
    while (!truncated(this.#core.database)) {
      if (performance.now() > until)
        throw new AuditError(
          "AUDIT_UNWRITABLE",
          "another program reads the audit log and keeps what was erased in its write-ahead log: end it, then erase again",
        );
      await new Promise((resolve) => {
        setTimeout(resolve, TRUNCATE_EVERY_MS);
      });
    }
  }

  /** Gives the room of what was taken out back to the file system: the file is written anew, whole.
   *  @param atMost bytes in use: a larger file keeps its size, and its free room is used again. @returns whether it was done. */
  compact(atMost: number): boolean {
    const { database } = this.#core;
    const [pages, free, size] = ["page_count", "freelist_count", "page_size"].map((name) =>
      Number(database.pragma(name, { simple: true })),
    );
    if (free === undefined || pages === undefined || size === undefined) return false;
    if ((pages - free) * size > atMost) return false;
    try {
      // In memory: a copy in the system's folder for temporary files would outlive what is taken out here.
      database.pragma("temp_store = MEMORY");
      database.exec("VACUUM");
    } catch {
      // Too little room for a second copy: the file stays as it is, whole.
      return false;
    }
    return truncated(database);
  }

  /** Empties the bodies of old rows and deletes their content. @throws {AuditError} as `append`: what was done until then stays done, and is on the log. */
  async prune(given: PruneGiven): Promise<Pruned> {
    return await pruneRows(this.#core, given, pause);
  }
}

function unknownKind(seq: number): AuditError {
  return new AuditError(
    "AUDIT_NEWER",
    `row ${seq} is of a kind that this version does not know, and its content cannot be sealed anew: use the version that wrote it, or a later one`,
  );
}

function truncated(database: Database.Database): boolean {
  const [answer]: unknown[] = asArray(database.pragma("wal_checkpoint(TRUNCATE)"));
  return typeof answer === "object" && answer !== null && "busy" in answer && answer.busy === 0;
}

function asArray(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function partOf(row: unknown): StoredPart {
  const [id, beginning, body]: unknown[] = Array.isArray(row) ? row : [];
  if (typeof id !== "number" || !(beginning instanceof Uint8Array) || typeof body !== "string")
    throw new AuditError("AUDIT_BROKEN", "the content table holds what it may not");
  const head = readHead(body);
  const kind = head !== null && isKind(head.kind) ? head.kind : null;
  const part = kind === null ? null : (partsOf(kind)[id % PARTS_A_ROW] ?? null);
  const seq = Math.floor(id / PARTS_A_ROW);
  return { id, seq, part, scope: scopeOf(beginning) ?? "", kind, at: head?.at ?? "", body };
}

async function pause(): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, PAUSE_MS);
  });
}
