import type Database from "better-sqlite3";
import type { ContentCheck } from "./content-check.ts";
import { BODY, HASH as HASH_COLUMN } from "./bounded.ts";
import { entryHash, entryHashOfBytes, NO_PREVIOUS } from "./entry.ts";
import { HeadReader } from "./head-reader.ts";
import type { Findings } from "./findings.ts";
import { Frontier } from "./merkle.ts";
import type { NoteCheck } from "./note-check.ts";
import { PageReader } from "./page-reader.ts";
import type { PrunedCheck } from "./pruned.ts";
import type { Role, RowHead, RowMeaning } from "./row-meaning.ts";
import type { FindingCode } from "./verdict.ts";

const HASH = /^[0-9a-f]{64}$/;
/** What a decoder puts where bytes are no UTF-8, and also a character of its own: two bodies may read the same. */
const REPLACEMENT = "\ufffd";

/** So many missing rows in a row are kept in mind one by one. */
const MANY = 10_000;

interface Stored {
  readonly note: unknown;
  readonly frontier: unknown;
}

/** The root of a tree, and the time of its last row. */
export interface Known {
  readonly root: string;
  readonly at: string | null;
}

/** A row whose hash does not follow from it and the row before, until the next checkpoint tells which of the two was changed. */
interface Suspect {
  readonly seq: number;
  /** Of the first since a checkpoint: the tree before it, and the hash that its bytes have. */
  readonly before: Frontier | null;
  readonly computed: string;
}

/** Told of each row about an anchor. */
interface RowReader {
  row(seq: number, body: string): void;
}

/** Recomputes the chain and the tree, row by row, and compares them with what was signed. */
export class RowScan {
  readonly #database: Database.Database;
  readonly #findings: Findings;
  readonly #notes: NoteCheck;
  readonly #meaning: RowMeaning;
  readonly #content: ContentCheck;
  readonly #anchors: RowReader;
  readonly #pruned: PrunedCheck;
  readonly #head = new HeadReader();
  readonly #pages = new PageReader();
  #size = 0;
  /** Null where the row before is missing or unreadable. */
  #previous: string | null = NO_PREVIOUS;
  #tree = new Frontier();
  /** False after rows went missing, until a signed tree takes over. */
  #whole = true;
  /** Rows below were signed for by a good checkpoint. */
  #signed = 0;
  #signedAt: string | null = null;
  #suspects: Suspect[] = [];
  /** Something that was found since the last checkpoint explains why the next one was signed for another tree. */
  #explained = false;
  /** Made once: every row of a hostile file may ask for them. */
  readonly #rowAt: Database.Statement<[number]>;
  readonly #bytesAt: Database.Statement<[number]>;
  readonly #wanted: number[];
  #nextWanted: number;
  readonly #roots = new Map<number, Known>();

  /** @param wanted sizes of checkpoints kept elsewhere, whose roots are to be remembered. */
  constructor(
    database: Database.Database,
    checks: {
      findings: Findings;
      notes: NoteCheck;
      meaning: RowMeaning;
      content: ContentCheck;
      anchors: RowReader;
      pruned: PrunedCheck;
    },
    wanted: readonly number[],
  ) {
    this.#database = database;
    this.#rowAt = database.prepare<[number]>(`SELECT ${BODY}, ${HASH_COLUMN} FROM entry WHERE seq = ?`).raw();
    this.#bytesAt = database.prepare<[number]>("SELECT CAST(body AS BLOB) FROM entry WHERE seq = ?").pluck();
    this.#findings = checks.findings;
    this.#notes = checks.notes;
    this.#meaning = checks.meaning;
    this.#content = checks.content;
    this.#anchors = checks.anchors;
    this.#wanted = [...new Set(wanted)].filter((size) => size > 0).toSorted((a, b) => b - a);
    this.#pruned = checks.pruned;
    this.#nextWanted = this.#wanted.pop() ?? -1;
  }

  /** Rows so far, missing ones included. */
  get size(): number {
    return this.#size;
  }
  get signed(): number {
    return this.#signed;
  }
  /** The time of the last row that a good checkpoint covers. */
  get signedAt(): string | null {
    return this.#signedAt;
  }
  get root(): string {
    return this.#tree.root();
  }
  rootAt(size: number): Known | null {
    return this.#roots.get(size) ?? null;
  }
  get roots(): readonly (readonly [size: number, root: Known])[] {
    return [...this.#roots];
  }
  /** The hash that the next row follows from; null where it is not known. */
  get previous(): string | null {
    return this.#previous;
  }
  get frontier(): string {
    return this.#tree.toString();
  }

  /** Goes on behind a good checkpoint: the rows before are looked at elsewhere. */
  resume(from: {
    readonly size: number;
    readonly previous: string;
    readonly tree: Frontier;
    readonly signedAt: string | null;
    readonly roots: readonly (readonly [size: number, root: Known])[];
  }): void {
    [this.#size, this.#previous, this.#tree] = [from.size, from.previous, from.tree];
    [this.#signed, this.#signedAt] = [from.size, from.signedAt];
    for (const [size, root] of from.roots) this.#roots.set(size, root);
    while (this.#nextWanted >= 0 && this.#nextWanted <= from.size) this.#nextWanted = this.#wanted.pop() ?? -1;
  }

  /** Looks at the rows of a page that was read as one text, as long as they are as usual. Those behind {@link size} are left to {@link page}.
   *  @param page as {@link PageReader} takes it. @param stored the checkpoints among them, by size. */
  together(page: unknown, stored: Map<number, Stored>): void {
    const pages = this.#pages;
    if (this.#previous === null || !pages.open(page, this.#previous)) return;
    for (let seq = this.#size; pages.next() && pages.seq === seq; seq++) {
      const { body, hash } = pages;
      const role = this.#meaning.roleOf(pages);
      this.#good(pages, role, body);
      this.#grow(seq, body, hash, role, stored);
      this.#passed(seq);
      // A checkpoint may put another tree in the place of this one.
      if (this.#previous !== hash) return;
    }
  }

  /** @param rows `[seq, body, hash]` as the database has them, in its order. @param stored the checkpoints among them, by size. */
  page(rows: readonly unknown[], stored: Map<number, Stored>): void {
    for (const row of rows) {
      if (!Array.isArray(row)) continue;
      // By index: destructuring asks the array for an iterator.
      const seq: unknown = row[0];
      const body: unknown = row[1];
      const hash: unknown = row[2];
      if (typeof seq !== "number" || (seq !== this.#size && !this.#jump(seq))) continue;
      if (typeof body !== "string" || typeof hash !== "string")
        this.#skip(
          seq,
          "row-type",
          body === null || hash === null
            ? `row ${seq} is longer than any row can be`
            : `row ${seq} holds bytes where every row holds text`,
        );
      else if (body === "") this.#empty(seq, hash);
      else this.#row(seq, body, hash, stored);
      this.#passed(seq);
    }
  }

  #passed(seq: number): void {
    this.#size = seq + 1;
    if (this.#size === this.#nextWanted) this.#remember();
  }

  /** @param stored checkpoints of rows that were looked at, and that none of them called for. */
  endPage(stored: Map<number, Stored>): void {
    for (const size of stored.keys())
      this.#findings.add(
        "checkpoint-stray",
        size - 1,
        `there is a checkpoint of ${size} rows, and row ${size - 1} calls for none`,
      );
  }

  #remember(): void {
    this.#roots.set(this.#size, { root: this.#tree.root(), at: this.#meaning.until });
    this.#nextWanted = this.#wanted.pop() ?? -1;
  }

  /** A row that is not the next one: says which are missing, or that this one is none. @returns whether to go on with it. */
  #jump(seq: number): boolean {
    if (seq < this.#size || !Number.isSafeInteger(seq)) {
      this.#findings.add("row-stray", null, `there is a row numbered ${seq}, which no log has`);
      return false;
    }
    const last = seq - 1;
    const sentence = last === this.#size ? `row ${last} is missing` : `rows ${this.#size} to ${last} are missing`;
    this.#findings.add("row-missing", this.#size, sentence);
    for (let at = this.#size; at < seq && at < this.#size + MANY; at++) this.#meaning.unread(at);
    this.#meaning.unread(last);
    [this.#size, this.#previous, this.#whole] = [seq, null, false];
    return true;
  }

  /** A body that is not there: its hash stands for it, until the end shows whether a row accounts for that. */
  #empty(seq: number, hash: string): void {
    if (seq === 0 || !HASH.test(hash)) {
      this.#skip(seq, "row-emptied", `row ${seq} was emptied`);
      return;
    }
    this.#pruned.empty(seq);
    this.#tree.append(hash);
    this.#previous = hash;
  }

  #skip(seq: number, code: "row-type" | "row-emptied", sentence: string): void {
    this.#unread(code, seq, sentence);
    [this.#previous, this.#whole] = [null, false];
  }

  #row(seq: number, body: string, hash: string, stored: Map<number, Stored>): void {
    const head = this.#head;
    const readable = head.read(body);
    const role = readable ? this.#meaning.roleOf(head) : null;
    const previous = this.#previous;
    const computed =
      previous === null ? hash : ((readable ? head.hash(previous) : null) ?? this.#hashOf(previous, body, seq));
    let leaf = hash;
    if (computed !== hash || (previous === null && !HASH.test(hash)))
      leaf = this.#mismatch(seq, hash, computed, readable ? head.seq : seq);
    else if (role === null) this.#unread("row-changed", seq, `row ${seq} does not begin as a row does`);
    else if (head.seq !== seq)
      this.#unread("row-moved", seq, `row ${seq} says that it is row ${head.seq}: rows were moved`);
    else this.#good(head, role, body);
    this.#grow(seq, body, leaf, role, stored);
  }

  /** A row that is the one that was written: what it says. */
  #good(head: RowHead, role: Role, body: string): void {
    const { seq } = head;
    this.#meaning.row(head, role, body);
    if (role.content) this.#content.row(seq, role.kind, body);
    if (role.anchor) this.#anchors.row(seq, body);
    if (role.prunes) this.#pruned.row(this.#database, seq, body);
  }

  #grow(seq: number, body: string, leaf: string, role: Role | null, stored: Map<number, Stored>): void {
    if (seq === 0) this.#notes.open(body);
    this.#tree.append(leaf);
    this.#previous = leaf;
    if (role?.signed !== true) {
      if (seq === 1)
        this.#findings.add("checkpoint-missing", 1, "the log does not begin with a checkpoint, as every log does");
      return;
    }
    this.#checkpoint(seq, role.kind, body, stored.get(seq + 1) ?? null);
    // What is left at the end of the page belongs to no row.
    stored.delete(seq + 1);
  }

  #hashOf(previous: string, body: string, seq: number): string {
    if (!body.includes(REPLACEMENT)) return entryHash(previous, body);
    const bytes: unknown = this.#bytesAt.get(seq);
    return bytes instanceof Uint8Array ? entryHashOfBytes(previous, bytes) : NO_PREVIOUS;
  }

  /** A row that says nothing any more, so that what others say of it cannot be checked. */
  #unread(code: FindingCode, seq: number, sentence: string): void {
    this.#findings.add(code, seq, sentence);
    this.#meaning.unread(seq);
    this.#content.unread(seq);
    this.#explained = true;
  }

  /** Which is wrong, the row or its hash? If the next row follows from what this one's bytes hash to, then the stored hash is.
   *  @param says the number that the row has for itself. @returns the leaf to go on with. */
  #mismatch(seq: number, hash: string, computed: string, says: number): string {
    const stored = HASH.test(hash);
    if (!stored || this.#follows(seq + 1, computed)) {
      this.#findings.add("row-changed", seq, `row ${seq} was changed: its hash is not that of its bytes`);
      this.#meaning.unread(seq);
      this.#content.unread(seq);
      return computed;
    }
    if (says !== seq) {
      this.#unread("row-changed", seq, `row ${seq} was changed: it says that it is row ${says}`);
      return hash;
    }
    this.#meaning.unread(seq);
    this.#content.unread(seq);
    const first = this.#suspects.length === 0;
    // Every row of a hostile file may be one, and none a checkpoint's.
    if (this.#suspects.length === MANY) this.#findings.add("row-changed", seq, `row ${seq} was changed`);
    else this.#suspects.push({ seq, before: first ? this.#tree.clone() : null, computed });
    return hash;
  }

  #follows(seq: number, previous: string): boolean {
    const next: unknown = this.#rowAt.get(seq);
    const [body, hash]: unknown[] = Array.isArray(next) ? next : [];
    return typeof body === "string" && body !== "" && this.#hashOf(previous, body, seq) === hash;
  }

  #checkpoint(seq: number, kind: string, body: string, stored: Stored | null): void {
    const size = seq + 1;
    if (typeof stored?.note !== "string" || typeof stored.frontier !== "string") {
      this.#findings.add("checkpoint-missing", seq, `the checkpoint of ${size} rows is missing`);
      return;
    }
    const signed = this.#notes.stored(size, kind, body, stored.note, stored.frontier);
    if (signed === null) return;
    const first = this.#suspects[0];
    if (this.#whole && first !== undefined && this.#tree.root() !== signed.root) this.#rehash(first, size, signed.root);
    const good = this.#tree.root() === signed.root;
    if (this.#whole) this.#judge(good, size, signed.frontier);
    else this.#settleSuspects();
    this.#explained = false;
    if (!good && signed.frontier !== null) [this.#tree, this.#whole] = [signed.frontier, true];
    [this.#signed, this.#signedAt] = [size, this.#meaning.until];
  }

  /** Are it only hashes that were changed? Then the tree of what the bodies hash to, from the first that does not fit on, is the one that was signed,
   *  and goes on in the place of the stored one. */
  #rehash({ seq: first, before, computed }: Suspect, size: number, root: string): void {
    if (before === null) return;
    const tree = before.clone();
    tree.append(computed);
    let previous = computed;
    const wrong = [first];
    const rows = this.#database
      .prepare<[number, number]>(
        `SELECT seq, ${BODY}, ${HASH_COLUMN} FROM entry NOT INDEXED WHERE seq > ? AND seq < ? ORDER BY seq`,
      )
      .raw();
    for (const row of rows.iterate(first, size)) {
      const [seq, body, hash]: unknown[] = Array.isArray(row) ? row : [];
      if (typeof seq !== "number" || typeof body !== "string" || typeof hash !== "string") return;
      const hashed = body === "" ? hash : this.#hashOf(previous, body, seq);
      if (hashed !== hash && wrong.length < MANY) wrong.push(seq);
      tree.append(hashed);
      previous = hashed;
    }
    if (tree.root() !== root) return;
    for (const seq of wrong)
      this.#findings.add("row-changed", seq, `row ${seq} was changed: its hash is not that of its bytes`);
    [this.#tree, this.#previous, this.#suspects] = [tree, previous, []];
  }

  /** @param good whether the tree of the stored hashes is the one that was signed. @param signed that one, where it is stored. */
  #judge(good: boolean, size: number, signed: Frontier | null): void {
    const [first, another] = this.#suspects;
    // Rows before are in subtrees that are as they were signed.
    const from = good ? size : Math.max(this.#signed, signed?.firstDifference(this.#tree) ?? 0);
    if (!good && first !== undefined && first.seq > from) {
      // A row that does not follow, and hashes that were not signed: the row before it was replaced together with its hash.
      const before = first.seq - 1;
      const or = another === undefined ? "" : `, or row ${first.seq} was`;
      this.#findings.add("row-changed", before, `row ${before} was changed, and its hash with it${or}`);
      this.#suspects.shift();
    } else if (!good && first === undefined && !this.#explained) {
      const rows = from === size - 1 ? `row ${from} is not the one` : `rows ${from} to ${size - 1} are not those`;
      const which =
        from === size - 1
          ? "it was changed, and its hash with it"
          : "at least one of them was changed, and all hashes after it";
      this.#findings.add("rows-unsigned", from, `${rows} that the checkpoint of ${size} rows was signed for: ${which}`);
    }
    this.#settleSuspects();
  }

  /** @param or what else it may be, where no checkpoint tells. */
  #settleSuspects(or: (seq: number) => string = () => ""): void {
    for (const { seq } of this.#suspects) this.#findings.add("row-changed", seq, `row ${seq} was changed${or(seq)}`);
    this.#suspects = [];
  }

  /** Says what only the end of the log shows. */
  end(): void {
    this.#settleSuspects((seq) => (seq === 0 ? "" : `, or row ${seq - 1} together with its hash`));
    this.#pruned.end();
    const rows = this.#size - this.#signed;
    if (rows > 0)
      this.#findings.warn(
        "unsigned-rows",
        this.#signed,
        `${rows === 1 ? "the last row is" : `the last ${rows} rows are`} covered by no checkpoint yet: whoever can write the file could have added, changed or cut rows there`,
      );
  }
}
