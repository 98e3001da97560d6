import type Database from "better-sqlite3";
import type { ActionOf } from "./action.ts";
import { HASH } from "./bounded.ts";
import { readBody } from "./entry.ts";
import type { Findings } from "./findings.ts";
import { isActionOf } from "./kinds.ts";
import { subtreeRoots } from "./subtrees.ts";

/** Rows whose bodies were taken out by `audit prune`: their hashes stay, so the chain and the tree go on through them, and a row `log.pruned` names each
 *  range, how many of its bodies went, and the roots of its subtrees. An empty body that no such row accounts for was emptied by somebody else. */

interface Range {
  readonly from: number;
  readonly to: number;
  /** Bodies that went when this row was written; null where those that were read before are not among the empty ones. */
  readonly rows: number | null;
}

/** Each body goes once; what a hostile file says that it pruned a thousand times would take a day to compare. */
const MOST_COMPARED = 1_000_000_000;

/** What was taken out, so far as the rows that were read account for it. */
export interface PrunedRows {
  readonly rows: number;
  /** The first row from which on every body is there; 0 when nothing was taken out. */
  readonly before: number;
}

/** What some of a log's rows say. */
export interface PrunedPart {
  readonly empty: readonly number[];
  readonly ranges: readonly Range[];
}

/** Compares the empty bodies of a log with what its `log.pruned` rows say. */
export class PrunedCheck {
  readonly #findings: Findings;
  /** Of empty bodies: from, to, from, to, … ascending. A hostile file may have half a million of them. */
  readonly #empty: number[] = [];
  readonly #ranges: Range[] = [];
  #rows = 0;
  /** Hashes that were compared with what such rows say. */
  #compared = 0;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** A row without a body; called in order. */
  empty(seq: number): void {
    this.#rows += 1;
    if (this.#empty.at(-1) === seq) this.#empty[this.#empty.length - 1] = seq + 1;
    else this.#empty.push(seq, seq + 1);
  }

  get part(): PrunedPart {
    return { empty: this.#empty, ranges: this.#ranges };
  }

  /** Takes over what rows say that were looked at elsewhere; called in order. */
  take({ empty, ranges }: PrunedPart): void {
    for (let index = 0; index < empty.length; index += 2) {
      const [from = 0, to = 0] = empty.slice(index, index + 2);
      this.#rows += to - from;
      if (this.#empty.at(-1) === from) this.#empty[this.#empty.length - 1] = to;
      else this.#empty.push(from, to);
    }
    for (const range of ranges) this.#ranges.push(range);
  }

  isEmpty(seq: number): boolean {
    let [low, high] = [0, this.#empty.length / 2];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((this.#empty[2 * middle + 1] ?? 0) <= seq) low = middle + 1;
      else high = middle;
    }
    return (this.#empty[2 * low] ?? seq + 1) <= seq;
  }

  get taken(): PrunedRows {
    return { rows: this.#rows, before: this.#empty.at(-1) ?? 0 };
  }

  /** A row `log.pruned`: its range lies before it, and the hashes there are those that it names. */
  row(database: Database.Database, seq: number, line: string): void {
    const range = this.#rangeOf(seq, line);
    if (range === null) return;
    const { from, to, rows, roots } = range;
    this.#ranges.push({ from, to, rows });
    this.#compared += to - from;
    if (this.#compared > MOST_COMPARED)
      this.#findings.add(
        "pruned",
        seq,
        `row ${seq} says once more that rows were pruned, and more often than any log does`,
      );
    else if (subtreeRoots(from, hashes(database, from, to)).join("") !== roots)
      this.#findings.add(
        "pruned",
        seq,
        `the hashes of rows ${from} to ${to - 1} are not those that were there when they were pruned (row ${seq})`,
      );
  }

  /** The same for a row that was written while a log in use was verified: the next verification looks at it, and this one knows where bodies went. */
  later(seq: number, line: string): void {
    const range = this.#rangeOf(seq, line);
    if (range !== null) this.#ranges.push({ from: range.from, to: range.to, rows: null });
  }

  #rangeOf(seq: number, line: string): ActionOf<"log.pruned"> | null {
    const body = readBody(line);
    const action = body === null ? null : { ...body.fields, kind: body.kind };
    if (action === null || !isActionOf("log.pruned", action)) return null;
    const { from, to } = action;
    if (from < to && to <= seq) return action;
    this.#findings.add(
      "pruned",
      seq,
      `row ${seq} says that rows ${from} to ${to - 1} were pruned, which are none before it`,
    );
    return null;
  }

  /** Says what only the end of the log shows. */
  end(): void {
    const groups = grouped(this.#ranges);
    const left = groups.map((group) => group.rows ?? 0);
    let at = 0;
    for (let index = 0; index < this.#empty.length; index += 2) {
      const [from = 0, to = 0] = this.#empty.slice(index, index + 2);
      for (let seq = from; seq < to; ) {
        while (at < groups.length && (groups[at]?.to ?? 0) <= seq) at += 1;
        const group = groups[at];
        const end =
          group === undefined || group.from >= to ? to : group.from > seq ? group.from : Math.min(to, group.to);
        if (group === undefined || group.from > seq) this.#unaccounted(seq, end);
        else left[at] = (left[at] ?? 0) - (end - seq);
        seq = end;
      }
    }
    for (const [index, { from, to, rows }] of groups.entries()) {
      const rest = left[index] ?? 0;
      if (rows !== null && rest !== 0)
        this.#findings.add(
          "row-emptied",
          from,
          `${rows} rows from row ${from} up to row ${to - 1} were pruned, and ${rows - rest} of them are empty: ${rest < 0 ? "somebody else emptied the others" : "bodies were put back"}`,
        );
    }
  }

  #unaccounted(from: number, to: number): void {
    for (let seq = from; seq < to; seq++) this.#findings.add("row-emptied", seq, `row ${seq} was emptied`);
  }
}

function* hashes(database: Database.Database, from: number, to: number): Generator<string> {
  const page = database
    .prepare<[number, number]>(
      `SELECT seq, ${HASH} FROM entry NOT INDEXED WHERE seq >= ? AND seq < ? ORDER BY seq LIMIT 1000`,
    )
    .raw();
  // By the rows that there are: a hostile file may say that it pruned more than any has.
  for (let at = from; ; ) {
    const found: unknown[] = page.all(at, to);
    for (const row of found) {
      const [seq, hash]: unknown[] = Array.isArray(row) ? row : [];
      if (typeof seq === "number") at = seq + 1;
      yield typeof hash === "string" ? hash : "";
    }
    if (found.length === 0) return;
  }
}

/** Ranges that overlap or touch nothing else, ascending: what was held at one time may have been pruned at a later one. */
function grouped(ranges: readonly Range[]): Range[] {
  const groups: Range[] = [];
  for (const range of ranges.toSorted((a, b) => a.from - b.from)) {
    const last = groups.at(-1);
    if (last === undefined || range.from >= last.to) groups.push(range);
    else
      groups[groups.length - 1] = {
        from: last.from,
        to: Math.max(last.to, range.to),
        rows: last.rows === null || range.rows === null ? null : last.rows + range.rows,
      };
  }
  return groups;
}
