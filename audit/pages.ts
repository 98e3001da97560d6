import type Database from "better-sqlite3";
import type { ContentCheck } from "./content-check.ts";
import { PARTS_A_ROW } from "./content.ts";
import type { RowScan } from "./row-scan.ts";

/** Rows read at once. More are still in use when the garbage collector comes by, and it copies them; fewer are not worth the call. */
const PAGE = 250;
/** Others run after so many pages. */
const PAGES_A_STEP = 4;
/** The smallest number a row can have in SQLite: a row below 0 is to be seen too. */
export const LEAST = -9_223_372_036_854_775_808n;

/** Reads the rows from one up to, and with, the other, with what is stored of them, and lets each be looked at: a thousand a step. */
export function* readPages(
  database: Database.Database,
  { content, scan }: { readonly content: ContentCheck; readonly scan: RowScan },
  first: bigint | number,
  last: number,
): Generator<void, void> {
  const rows = database
    .prepare<[bigint | number, number]>(
      `SELECT seq, body, hash FROM entry NOT INDEXED WHERE seq >= ? AND seq <= ? ORDER BY seq LIMIT ${PAGE}`,
    )
    .raw();
  const checkpoints = database
    .prepare<[number, number]>(
      "SELECT size, note, frontier FROM checkpoint NOT INDEXED WHERE size > ? AND size <= ? ORDER BY size",
    )
    .raw();
  const parts = database
    .prepare<[number, number]>("SELECT id, typeof(sealed) FROM content NOT INDEXED WHERE id >= ? AND id < ?")
    .raw();
  let from = first;
  let pages = 0;
  for (let page: unknown[] = rows.all(from, last); page.length > 0; page = rows.all(from, last)) {
    const newest = firstOf(page.at(-1));
    const oldest = Math.max(0, firstOf(page[0]));
    content.page(parts.all(oldest * PARTS_A_ROW, (newest + 1) * PARTS_A_ROW));
    scan.page(page, bySize(checkpoints.all(oldest, newest + 1)));
    content.endPage();
    if (!Number.isSafeInteger(newest) && newest > 0) break;
    from = newest + 1;
    pages += 1;
    if (pages % PAGES_A_STEP === 0) yield;
  }
}

function firstOf(row: unknown): number {
  const [first]: unknown[] = Array.isArray(row) ? row : [];
  return typeof first === "number" ? first : Number(first);
}

function bySize(rows: readonly unknown[]): Map<number, { note: unknown; frontier: unknown }> {
  return new Map(
    rows.map((row) => {
      const [size, note, frontier]: unknown[] = Array.isArray(row) ? row : [];
      return [Number(size), { note, frontier }];
    }),
  );
}
