import type Database from "better-sqlite3";
import { readHead } from "./entry.ts";
import { atOf } from "./head-parser.ts";
import { AuditError } from "./error.ts";
import type { CommittedRow, SearchFilter } from "./row.ts";

/** Rows read at once, to begin with; adapted so that one reading takes about {@link STEP_MS}. */
const FIRST_WINDOW = 1_000;
const MOST_ROWS = 4_000;
const FEWEST_ROWS = 50;
/** Others run after so long, in milliseconds: the daemon answers its channels meanwhile. */
const STEP_MS = 4;
/** How far up its causes a row looks for what it does not say itself. */
const MAX_CAUSES = 64;
/** Causes that are remembered; they lie near the rows that they led to. */
const REMEMBERED = 4_000;
/** So many rows in a row may have been pruned where a time is looked for. */
const PRUNED = 64;

/** What a row is about. A row that does not say so itself is about what its cause is about. */
type Field = "session" | "agent" | "channel" | "principal" | "tool";
const FIELDS: readonly Field[] = ["session", "agent", "channel", "principal", "tool"];

/** A tool's outcome is about the tool; what the turn does next is not. */
const TOOL_CAUSES = 1;

interface Line {
  readonly seq: number;
  readonly body: string;
}

/** Looks for rows by what they are about, a few milliseconds at a time. There is no index on the evidence, so every row in the range is looked at. */
export class Search {
  readonly #database: Database.Database;
  readonly #filter: SearchFilter;
  readonly #view: (seq: number, body: string) => CommittedRow;
  readonly #unread: (seq: number) => void;
  readonly #kinds: readonly string[];
  readonly #wanted: readonly (readonly [Field, string])[];
  readonly #text: string | null;
  readonly #one: Database.Statement<[number]>;
  readonly #causes = new Map<number, string | null>();

  /** @param unread told of rows that fit and cannot be read: they were changed, or a newer build wrote them. */
  constructor(
    database: Database.Database,
    filter: SearchFilter,
    view: (seq: number, body: string) => CommittedRow,
    unread: (seq: number) => void,
  ) {
    this.#database = database;
    this.#filter = filter;
    this.#view = view;
    this.#unread = unread;
    this.#kinds = [...(filter.kind === undefined ? [] : [filter.kind]), ...(filter.kinds ?? [])];
    this.#wanted = FIELDS.flatMap((field) => {
      const value = filter[field];
      return value === undefined ? [] : [[field, value] as const];
    });
    this.#text = filter.text === undefined ? null : filter.text.toLocaleLowerCase("en");
    this.#one = database.prepare<[number]>("SELECT body FROM entry WHERE seq = ?").pluck();
  }

  /** @param signal fired: nobody waits for the rest. @returns at most `limit` rows, in the filter's order. */
  async run(limit: number, signal?: AbortSignal): Promise<CommittedRow[]> {
    const found: CommittedRow[] = [];
    const forward = this.#filter.after !== undefined;
    let [low, high] = this.#range();
    let width = FIRST_WINDOW;
    let since = performance.now();
    while (low < high && found.length < limit) {
      if (signal?.aborted === true) break;
      const begun = performance.now();
      const [from, to] = forward ? [low, Math.min(high, low + width)] : [Math.max(low, high - width), high];
      for (const line of this.#lines(from, to, forward)) {
        const row = this.#fits(line.body) ? this.#read(line) : null;
        if (row !== null) found.push(row);
        if (found.length >= limit) break;
        if (performance.now() - since < STEP_MS) continue;
        await othersRun();
        since = performance.now();
      }
      if (forward) low = to;
      else high = from;
      const took = performance.now() - begun;
      if (took > STEP_MS) width = Math.max(FEWEST_ROWS, width >> 1);
      else if (took < STEP_MS / 3) width = Math.min(MOST_ROWS, width << 1);
      if (performance.now() - since < STEP_MS / 2) continue;
      await othersRun();
      since = performance.now();
    }
    return found;
  }

  /** Rows from, and up to without, as numbers. */
  #range(): [number, number] {
    const { after = -1, before = Number.MAX_SAFE_INTEGER, since, until } = this.#filter;
    const newest: unknown = this.#database.prepare("SELECT max(seq) FROM entry").pluck().get();
    const end = (typeof newest === "number" ? newest : -1) + 1;
    const low = Math.max(0, after + 1, since === undefined ? 0 : this.#firstAt(since, end));
    const high = Math.min(before, end, until === undefined ? end : this.#firstAt(until, end));
    return [low, high];
  }

  /** The first row that is not earlier: times never go back in a log. */
  #firstAt(time: string, end: number): number {
    const at = this.#database
      .prepare<[number, number]>(
        "SELECT substr(body, 1, 40) FROM entry WHERE seq >= ? AND seq < ? AND body <> '' ORDER BY seq LIMIT 1",
      )
      .pluck();
    let [low, high] = [0, end];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const head: unknown = at.get(middle, middle + PRUNED);
      // What was pruned is older than what was not.
      if (typeof head !== "string") low = Math.min(high, middle + PRUNED);
      else if (atOf(head) < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #lines(from: number, to: number, forward: boolean): Line[] {
    const conditions = ["seq >= ?", "seq < ?", "body <> ''"];
    const values: (string | number)[] = [from, to];
    if (this.#kinds.length > 0) {
      conditions.push(`(${this.#kinds.map(() => "instr(substr(body, 1, 160), ?) > 0").join(" OR ")})`);
      values.push(...this.#kinds.map((kind) => (kind.endsWith(".") ? `,"$kind":"${kind}` : `,"$kind":"${kind}"`)));
    }
    const rows: unknown[] = this.#database
      .prepare<(string | number)[]>(
        `SELECT seq, body FROM entry WHERE ${conditions.join(" AND ")} ORDER BY seq ${forward ? "ASC" : "DESC"}`,
      )
      .raw()
      .all(...values);
    return rows.flatMap((row) => {
      const [seq, body]: unknown[] = Array.isArray(row) ? row : [];
      return typeof seq === "number" && typeof body === "string" ? [{ seq, body }] : [];
    });
  }

  /** One damaged row does not hide the others: it is named instead. */
  #read({ seq, body }: Line): CommittedRow | null {
    try {
      const row = this.#view(seq, body);
      return this.#says(row) ? row : null;
    } catch (error) {
      if (!(error instanceof AuditError)) throw error;
      this.#unread(seq);
      return null;
    }
  }

  #fits(body: string): boolean {
    return this.#wanted.every(([field, value]) => this.#isAbout(body, field, value));
  }

  #isAbout(body: string, field: Field, value: string): boolean {
    let at: string | null = body;
    const far = field === "tool" ? TOOL_CAUSES : MAX_CAUSES;
    for (let up = 0; at !== null && up <= far; up++) {
      if (field === "principal" && fieldOf(at, "by") === value) return true;
      const own = fieldOf(at, field);
      if (own !== null) return own === value;
      at = this.#causeOf(at);
    }
    return false;
  }

  #causeOf(body: string): string | null {
    const cause = readHead(body)?.cause ?? null;
    if (cause === null) return null;
    const known = this.#causes.get(cause);
    if (known !== undefined) return known;
    const found: unknown = this.#one.get(cause);
    const read = typeof found === "string" && found !== "" ? found : null;
    if (this.#causes.size >= REMEMBERED) this.#causes.clear();
    this.#causes.set(cause, read);
    return read;
  }

  /** Does what the row committed to say this? What was erased, or is locked, says nothing. */
  #says(row: CommittedRow): boolean {
    const text = this.#text;
    if (text === null) return true;
    return Object.keys(row.commitments).some((part) => row.content(part)?.toLocaleLowerCase("en").includes(text));
  }
}

/** A field of a canonical body that holds an id or a word: quotes inside of strings are escaped, so this begins no other. */
function fieldOf(body: string, field: string): string | null {
  const key = `"${field}":"`;
  const at = body.indexOf(key);
  if (at === -1) return null;
  const from = at + key.length;
  return body.slice(from, body.indexOf('"', from));
}

async function othersRun(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}
