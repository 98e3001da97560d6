import type Database from "better-sqlite3";
import type { ContentCheck } from "./content-check.ts";
import { BODY, FRONTIER, HASH, NOTE } from "./bounded.ts";
import { MAX_SEALED_BYTES, PARTS_A_ROW } from "./content.ts";
import { PAGE_OF_ROWS } from "./page-reader.ts";
import type { RowScan } from "./row-scan.ts";

/** Rows read at once. More are still in use when the garbage collector comes by, and it copies them; fewer are not worth the call. */
const PAGE = 250;
/** Others run after so many pages. */
const PAGES_A_STEP = 4;
/** The smallest number a row can have in SQLite: a row below 0 is to be seen too. */
export const LEAST = -9_223_372_036_854_775_808n;

type Stored = Map<number, { note: unknown; frontier: unknown }>;

/** Reads the rows from one up to, and with, the other, with what is stored of them, and lets each be looked at: a thousand a step.
 *
 *  A page is read as one text where the row before it was as usual, and else row by row, as is what that text has left over. */
export function* readPages(
  database: Database.Database,
  checks: { readonly content: ContentCheck; readonly scan: RowScan },
  first: bigint | number,
  last: number,
): Generator<void, void> {
  const pages = new Pages(database, checks);
  let from: bigint | number | null = first === LEAST && !pages.below ? 0 : first;
  for (let read = 1; from !== null && from <= last; read++) {
    // What comes before the first row, and where rows are missing, is seen only by who asks for those that there are.
    const next: number | null = from === checks.scan.size ? pages.usual(from, last) : pages.any(from, last);
    from = next;
    if (read % PAGES_A_STEP === 0) yield;
  }
}

class Pages {
  readonly #content: ContentCheck;
  readonly #scan: RowScan;
  readonly #together: Database.Statement<[number, number]>;
  readonly #rows: Database.Statement<[bigint | number, number]>;
  readonly #next: Database.Statement<[bigint | number, number]>;
  readonly #checkpoints: Database.Statement<[number, number]>;
  readonly #parts: Database.Statement<[number, number]>;

  constructor(
    database: Database.Database,
    { content, scan }: { readonly content: ContentCheck; readonly scan: RowScan },
  ) {
    [this.#content, this.#scan] = [content, scan];
    this.#together = database.prepare<[number, number]>(PAGE_OF_ROWS).raw();
    this.#rows = database
      .prepare<[bigint | number, number]>(
        `SELECT seq, ${BODY}, ${HASH} FROM entry NOT INDEXED WHERE seq >= ? AND seq <= ? ORDER BY seq LIMIT ${PAGE}`,
      )
      .raw();
    this.#next = database
      .prepare<[bigint | number, number]>("SELECT min(seq) FROM entry NOT INDEXED WHERE seq >= ? AND seq <= ?")
      .pluck();
    this.#checkpoints = database
      .prepare<[number, number]>(
        `SELECT size, ${NOTE}, ${FRONTIER} FROM checkpoint NOT INDEXED WHERE size > ? AND size <= ? ORDER BY size`,
      )
      .raw();
    this.#parts = database
      .prepare<[number, number]>(
        `SELECT id, CASE WHEN octet_length(sealed) <= ${MAX_SEALED_BYTES} THEN typeof(sealed) END FROM content NOT INDEXED WHERE id >= ? AND id < ?`,
      )
      .raw();
  }

  /** Are there rows with a number below 0? */
  get below(): boolean {
    return this.#rows.get(LEAST, -1) !== undefined;
  }

  /** Reads the next rows of a log that was good so far. @returns from where on to read. */
  usual(from: number, last: number): number {
    const to = Math.min(from + PAGE - 1, last);
    const stored = this.#begin(from, to);
    this.#scan.together(this.#together.get(from, to), stored);
    if (this.#scan.size <= to) this.#scan.page(this.#rows.all(this.#scan.size, to), stored);
    this.#end(stored);
    return to + 1;
  }

  /** Reads the next rows that there are. @returns from where on to read; null if there are no more. */
  any(from: bigint | number, last: number): number | null {
    const next: unknown = this.#next.get(from, last);
    if (typeof next !== "number") return null;
    // What is stored between two rows that are far from each other is of none, and may be millions.
    const newest = next + PAGE - 1;
    const stored = this.#begin(Math.max(0, next), newest);
    this.#scan.page(this.#rows.all(next, Math.min(newest, last)), stored);
    this.#end(stored);
    // Numbers that a double does not tell apart: rows there are none of a log, and one of them was found.
    return newest < Number.MIN_SAFE_INTEGER ? Number.MIN_SAFE_INTEGER : newest + 1;
  }

  #begin(oldest: number, newest: number): Stored {
    this.#content.page(this.#parts.all(oldest * PARTS_A_ROW, (newest + 1) * PARTS_A_ROW));
    return bySize(this.#checkpoints.all(oldest, newest + 1));
  }

  #end(stored: Stored): void {
    this.#scan.endPage(stored);
    this.#content.endPage();
  }
}

function bySize(rows: readonly unknown[]): Stored {
  return new Map(
    rows.map((row) => {
      const [size, note, frontier]: unknown[] = Array.isArray(row) ? row : [];
      return [Number(size), { note, frontier }];
    }),
  );
}
