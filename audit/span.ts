import type Database from "better-sqlite3";
import { BODY, FRONTIER, HASH } from "./bounded.ts";
import { ContentCheck } from "./content-check.ts";
import { Findings } from "./findings.ts";
import { Frontier } from "./merkle.ts";
import { type EpochNamed, NoteCheck } from "./note-check.ts";
import { LEAST, readPages } from "./pages.ts";
import { PrunedCheck, type PrunedPart } from "./pruned.ts";
import { type MeaningPart, RowMeaning } from "./row-meaning.ts";
import { type Known, RowScan } from "./row-scan.ts";

/** A large log is verified in spans, by more than one thread. A span lies between two checkpoints and is looked at by the same checks
 *  as a whole log. What came before it is *assumed* to be as the checkpoint at its beginning says; who joins the spans compares that with where the span
 *  before ended. A span in which anything is wrong says nothing: one thread then reads the whole log and finds what it is. */
export interface Span {
  /** Sizes of checkpoints; 0 for the beginning. Rows `from` up to, without, `to`. */
  readonly from: number;
  readonly to: number;
  /** The keys that rows before it introduce. */
  readonly epochs: readonly EpochNamed[];
  /** Sizes whose roots are to be remembered. */
  readonly wanted: readonly number[];
  readonly deep: boolean;
  readonly now: number;
}

/** A place between two rows: all that the checks of the rows behind it take over from those before. */
export interface Border {
  readonly size: number;
  /** Hash and body of the row before. */
  readonly previous: string;
  readonly newest: string;
  readonly frontier: string;
  readonly epochs: readonly EpochNamed[];
}

/** What a good span adds to the verification of the whole. */
export interface SpanFound {
  readonly begin: Border | null;
  readonly end: Border;
  readonly signedAt: string | null;
  readonly checkpoints: number;
  readonly roots: readonly (readonly [size: number, root: Known])[];
  readonly meaning: MeaningPart;
  readonly pruned: PrunedPart;
  readonly content: { readonly missing: number; readonly first: number | null };
  /** Rows about anchors: they are few, and each says something of those before it. */
  readonly anchors: readonly (readonly [seq: number, body: string])[];
}

/** More rows about anchors than this are not usual. */
const MAX_ANCHOR_ROWS = 10_000;

/** @returns null unless every row and checkpoint in it is good. */
export function checkSpan(database: Database.Database, span: Span): SpanFound | null {
  const { from, to, wanted, deep, now } = span;
  const findings = new Findings();
  const begin = from === 0 ? null : borderAt(database, span);
  if (from !== 0 && begin === null) return null;
  const pruned = new PrunedCheck(findings);
  const notes = new NoteCheck(findings);
  notes.resume(span.epochs, 0);
  const meaning = new RowMeaning(findings, pruned, { deep, now, since: { seq: from, body: begin?.newest ?? null } });
  const content = new ContentCheck(database, findings, null, () => null);
  const anchors: [number, string][] = [];
  const scan = new RowScan(
    database,
    { findings, notes, meaning, content, pruned, anchors: { row: (seq, body) => void anchors.push([seq, body]) } },
    wanted,
  );
  if (begin !== null) {
    const tree = Frontier.parse(begin.size, begin.frontier);
    if (tree === null) return null;
    scan.resume({ size: begin.size, previous: begin.previous, tree, signedAt: null, roots: [] });
  }
  for (const _ of readPages(database, { content, scan }, from === 0 ? LEAST : from, to - 1))
    if (findings.any || anchors.length > MAX_ANCHOR_ROWS) return null;
  const { previous } = scan;
  const part = meaning.part;
  // At its end all is signed: else a suspect, or a tree that another one took the place of, would not be seen.
  if (findings.any || scan.size !== to || scan.signed !== to || previous === null || part === null) return null;
  return {
    begin,
    end: { size: to, previous, newest: part.newest, frontier: scan.frontier, epochs: notes.named },
    signedAt: scan.signedAt,
    checkpoints: notes.checked,
    roots: scan.roots,
    meaning: part,
    pruned: pruned.part,
    content: { missing: content.missing, first: content.firstMissing },
    anchors,
  };
}

/** What the checkpoint at the beginning of a span says; null if there is none that could be good. */
function borderAt(database: Database.Database, { from: size, epochs }: Span): Border | null {
  const row: unknown = database
    .prepare(`SELECT ${BODY}, ${HASH} FROM entry NOT INDEXED WHERE seq = ?`)
    .raw()
    .get(size - 1);
  const stored: unknown = database
    .prepare(`SELECT ${FRONTIER} FROM checkpoint NOT INDEXED WHERE size = ?`)
    .pluck()
    .get(size);
  const [newest, previous]: unknown[] = Array.isArray(row) ? row : [];
  if (typeof newest !== "string" || typeof previous !== "string" || typeof stored !== "string") return null;
  return { size, previous, newest, frontier: stored, epochs };
}
