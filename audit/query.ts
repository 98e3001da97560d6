import type Database from "better-sqlite3";
import { readPart } from "./content.ts";
import { readBody, readHead } from "./entry.ts";
import { AuditError } from "./error.ts";
import { isAction, isOutcome } from "./kinds.ts";
import type { Sealer } from "./ports.ts";
import type { CommittedRow, RowFilter, SearchFilter } from "./row.ts";
import { Search } from "./search.ts";

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;
/** What follows from a row lies near it: so many rows behind it are looked at. */
const MAX_AFTER = 5_000;
/** A chain of causes longer than this is no chain of ours. */
const MAX_CHAIN = 10_000;
/** From here on a body holds its cause (counted from 1, as SQL does), its kind and its number. */
const CAUSE_AT = 44;
const HEAD_LENGTH = 130;

/** Reads rows. There is no index on the evidence: the newest rows are found from the end, and a filter that matches few rows reads many. */
export class Query {
  readonly #database: Database.Database;
  readonly #origin: () => string | null;
  readonly #sealer: () => Sealer | null;
  /** Asked several times in every turn: kept prepared. */
  #one: Database.Statement<[number]> | null = null;

  constructor(database: Database.Database, origin: () => string | null, sealer: () => Sealer | null) {
    this.#database = database;
    this.#origin = origin;
    this.#sealer = sealer;
  }

  /** @returns the newest matching rows first, or with `after` the oldest first. */
  rows(filter: RowFilter): CommittedRow[] {
    const { low, high } = range(filter);
    return this.#select(filter, low, high, limitOf(filter));
  }

  /** The same by more than kind and session, letting others run every few milliseconds. */
  async search(
    filter: SearchFilter,
    signal?: AbortSignal,
    unread: (seq: number) => void = () => undefined,
  ): Promise<CommittedRow[]> {
    const search = new Search(this.#database, filter, (seq, body) => this.view(seq, body), unread);
    return await search.run(limitOf(filter), signal);
  }

  row(seq: number): CommittedRow | null {
    if (!Number.isSafeInteger(seq) || seq < 0) return null;
    this.#one ??= this.#database.prepare<[number]>("SELECT seq, body FROM entry WHERE seq = ? AND body <> ''").raw();
    const found: unknown = this.#one.get(seq);
    return found === undefined ? null : this.#read(found);
  }

  /** Every row above `after` in order, a page at a time. */
  *pages(after: number): Generator<CommittedRow[]> {
    let last = after;
    for (
      let page = this.rows({ after: last, limit: MAX_LIMIT });
      page.length > 0;
      page = this.rows({ after: last, limit: MAX_LIMIT })
    ) {
      yield page;
      last = page.at(-1)?.seq ?? last;
    }
  }

  /** The rows that led to this one, the first of them first, itself last. @throws {AuditError} AUDIT_INVALID if there is no such row. */
  chain(seq: number): CommittedRow[] {
    const chain: CommittedRow[] = [];
    for (let at: number | null = seq; at !== null; ) {
      const row = this.row(at);
      // The bodies of old rows may have been pruned: then this is where the story begins.
      if (row === null && chain.length > 0 && this.#isThere(at)) return chain;
      if (row === null) throw new AuditError("AUDIT_INVALID", `there is no row ${at}`);
      chain.unshift(row);
      if (row.cause !== null && (row.cause >= at || chain.length > MAX_CHAIN))
        throw new AuditError("AUDIT_BROKEN", `the cause of row ${at} is not a row before it`);
      at = row.cause;
    }
    return chain;
  }

  #isThere(seq: number): boolean {
    return this.#database.prepare("SELECT 1 FROM entry WHERE seq = ?").get(seq) !== undefined;
  }

  /** What followed from a row, what followed from that, and so on, as far as it lies within the next rows.
   *  @param wanted which of them are returned; the others are only followed. @param limit of rows returned. */
  effects(seq: number, wanted: (kind: string) => boolean, limit: number): CommittedRow[] {
    const from = new Set([seq]);
    const found: CommittedRow[] = [];
    const heads: unknown[] = this.#database
      .prepare<[number, number]>(
        "SELECT substr(body, 1, 160) FROM entry WHERE seq > ? AND body <> '' ORDER BY seq LIMIT ?",
      )
      .pluck()
      .all(seq, MAX_AFTER);
    for (const text of heads) {
      const head = typeof text === "string" ? readHead(text) : null;
      if (head === null || head.cause === null || !from.has(head.cause)) continue;
      from.add(head.seq);
      const row = wanted(head.kind) ? this.row(head.seq) : null;
      if (row !== null) found.push(row);
      if (found.length >= limit) break;
    }
    return found;
  }

  /** The first row that an intent ended in. */
  outcome(seq: number): CommittedRow | null {
    const caused = this.#database
      .prepare<[number, number, string]>(
        `SELECT seq FROM entry WHERE seq > ? AND substr(body, ${CAUSE_AT}, ?) = ? ORDER BY seq`,
      )
      .pluck();
    const start = `${seq},"$kind":"`;
    for (const found of caused.iterate(seq, start.length, start)) {
      const row = typeof found === "number" ? this.row(found) : null;
      if (row !== null && isOutcome(row.action.kind)) return row;
    }
    return null;
  }

  #select({ kind, session, after }: RowFilter, low: number, high: number, limit: number): CommittedRow[] {
    // A row that was pruned holds nothing to show.
    const conditions = ["seq > ?", "seq < ?", "body <> ''"];
    const values: (string | number)[] = [low, high];
    if (kind !== undefined) {
      conditions.push(`instr(substr(body, ${CAUSE_AT}, ${HEAD_LENGTH}), ?) > 0`);
      values.push(kind.endsWith(".") ? `"$kind":"${kind}` : `"$kind":"${kind}"`);
    }
    if (session !== undefined) {
      // A row without a session of its own (an outcome) belongs to that of its cause.
      conditions.push(
        `(instr(body, ?) > 0 OR (instr(body, '"session":') = 0 AND instr((SELECT c.body FROM entry c WHERE c.seq = CAST(substr(e.body, ${CAUSE_AT}, 17) AS INTEGER)), ?) > 0))`,
      );
      values.push(`"session":"${session}"`, `"session":"${session}"`);
    }
    const rows: unknown[] = this.#database
      .prepare<(string | number)[]>(
        `SELECT seq, body FROM entry e WHERE ${conditions.join(" AND ")} ORDER BY seq ${after === undefined ? "DESC" : "ASC"} LIMIT ?`,
      )
      .raw()
      .all(...values, limit);
    return rows.map((row) => this.#read(row));
  }

  #read(row: unknown): CommittedRow {
    const [seq, body]: unknown[] = Array.isArray(row) ? row : [];
    if (typeof seq !== "number" || typeof body !== "string")
      throw new AuditError("AUDIT_BROKEN", `row ${String(seq)} holds another type than it may`);
    return this.view(seq, body);
  }

  /** A row as it is read by others. @throws {AuditError} AUDIT_BROKEN, AUDIT_NEWER for a kind that this build does not know. */
  view(seq: number, line: string): CommittedRow {
    const body = readBody(line);
    if (body === null || body.seq !== seq) throw new AuditError("AUDIT_BROKEN", `row ${seq} was changed`);
    const action = Object.freeze({ kind: body.kind, ...body.fields });
    if (!isAction(action))
      throw new AuditError(
        "AUDIT_NEWER",
        `row ${seq} is ${body.kind} in a form that this build does not know: a newer one wrote it`,
      );
    const commitments = Object.freeze({ ...body.content });
    const bytes = (part: string): Uint8Array | null => {
      const origin = this.#origin();
      const commitment = Object.hasOwn(commitments, part) ? commitments[part] : undefined;
      if (commitment === undefined || origin === null) return null;
      return readPart(this.#database, this.#sealer(), { origin, seq, part, kind: action.kind }, commitment);
    };
    return {
      seq,
      at: body.at,
      cause: body.cause,
      action,
      commitments,
      bytes,
      content: (part) => {
        const found = bytes(part);
        return found === null ? null : Buffer.from(found.buffer, found.byteOffset, found.length).toString("utf8");
      },
    };
  }
}

function range({ after, before }: RowFilter): { low: number; high: number } {
  return { low: after ?? -1, high: before ?? Number.MAX_SAFE_INTEGER };
}

function limitOf({ limit = DEFAULT_LIMIT }: RowFilter): number {
  return Math.min(MAX_LIMIT, Math.max(1, Math.floor(limit)));
}
