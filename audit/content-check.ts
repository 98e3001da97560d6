import type Database from "better-sqlite3";
import { BODY } from "./bounded.ts";
import { contentId, MAX_SEALED_BYTES, type Opened, openPart, PARTS_A_ROW, type Place } from "./content.ts";
import { readBody } from "./entry.ts";
import type { Findings } from "./findings.ts";
import { isDerived, isKind, partsOf } from "./kinds.ts";
import type { Sealer } from "./ports.ts";
import { RequestCheck } from "./request-check.ts";

/** Checks that every sealed part belongs to a row, and, where the vault is unlocked, that it is what the row committed to. */
export class ContentCheck {
  readonly #findings: Findings;
  readonly #database: Database.Database;
  readonly #sealer: Sealer | null;
  readonly #origin: () => string | null;
  /** The parts stored for the page at hand, until a row claims them. */
  readonly #stored = new Set<number>();
  readonly #requests: RequestCheck;
  #checked = 0;
  #missing = 0;
  #firstMissing: number | null = null;

  constructor(database: Database.Database, findings: Findings, sealer: Sealer | null, origin: () => string | null) {
    this.#database = database;
    this.#findings = findings;
    this.#sealer = sealer;
    this.#origin = origin;
    this.#requests = new RequestCheck(findings, (seq, part) => this.#part(seq, part));
  }

  get checked(): number {
    return this.#checked;
  }
  get missing(): number {
    return this.#missing;
  }

  get firstMissing(): number | null {
    return this.#firstMissing;
  }

  /** Takes over what was found of rows that were looked at elsewhere; called in order. */
  take({ missing, first }: { readonly missing: number; readonly first: number | null }): void {
    this.#missing += missing;
    this.#firstMissing ??= first;
  }

  /** @param ids `[id, type]` of the parts of rows that are looked at next. */
  page(ids: readonly unknown[]): void {
    for (const row of ids) {
      const [id, type]: unknown[] = Array.isArray(row) ? row : [];
      if (typeof id !== "number") continue;
      this.#stored.add(id);
      if (type !== "blob")
        this.#findings.add(
          "content-changed",
          seqOf(id),
          `the content of row ${seqOf(id)} is of another type, or longer, than it may be`,
        );
    }
  }

  row(seq: number, kind: string, line: string): void {
    // Most rows hold no object at all, and one character is looked for ten times as fast as eleven.
    if (line.indexOf("{", 1) < 0 || !line.includes('"content":{')) return;
    const commitments = Object.entries(readBody(line)?.content ?? {});
    for (const [part, commitment] of commitments) {
      const index = isKind(kind) ? partsOf(kind).indexOf(part) : -1;
      if (index < 0) continue;
      const id = seq * PARTS_A_ROW + index;
      if (this.#stored.delete(id))
        this.#check(id, kind, { seq, part, derived: isKind(kind) && isDerived(kind, part) }, commitment);
      else this.#lacks(seq);
    }
    // A kind that a newer build knows has parts whose numbers this one does not.
    if (!isKind(kind)) for (const id of this.#stored) if (seqOf(id) === seq) this.#stored.delete(id);
  }

  #lacks(seq: number): void {
    this.#missing += 1;
    this.#firstMissing ??= seq;
  }

  /** A row that cannot be read says nothing of what it has. */
  unread(seq: number): void {
    for (let part = 0; part < PARTS_A_ROW; part++) this.#stored.delete(seq * PARTS_A_ROW + part);
  }

  #check(id: number, kind: string, place: Omit<Place, "origin">, commitment: string): void {
    const { seq, part } = place;
    const opened = this.#open(id, place, commitment);
    if (opened === null) return;
    if (opened.state === "open") {
      this.#checked += 1;
      if (kind === "model.called" && part === "items") this.#requests.row(seq, opened.bytes);
    } else if (opened.state === "erased") this.#lacks(seq);
    else if (opened.state === "changed")
      this.#findings.add(
        "content-changed",
        seq,
        `the ${part} of row ${seq} was changed: it is not what the row committed to`,
      );
  }

  #open(id: number, place: Omit<Place, "origin">, commitment: string): Opened | null {
    const origin = this.#origin();
    if (this.#sealer === null || origin === null) return null;
    const sealed: unknown = this.#database
      .prepare(`SELECT sealed FROM content WHERE id = ? AND octet_length(sealed) <= ${MAX_SEALED_BYTES}`)
      .pluck()
      .get(id);
    return sealed instanceof Uint8Array ? openPart(this.#sealer, sealed, { origin, ...place }, commitment) : null;
  }

  /** A part of any row, if it is there and opens: what is wrong with it is found at its own row. */
  #part(seq: number, part: string): Uint8Array | null {
    const line: unknown = this.#database
      .prepare(`SELECT ${BODY} FROM entry NOT INDEXED WHERE seq = ?`)
      .pluck()
      .get(seq);
    const body = typeof line === "string" ? readBody(line) : null;
    const commitment = body?.content?.[part];
    if (body === null || commitment === undefined || !isKind(body.kind)) return null;
    const place = { seq, part, derived: isDerived(body.kind, part) };
    const opened = this.#open(contentId(seq, body.kind, part), place, commitment);
    return opened?.state === "open" ? opened.bytes : null;
  }

  /** After the rows of a page: what no row claimed. */
  endPage(): void {
    for (const id of this.#stored)
      this.#findings.add(
        "content-stray",
        seqOf(id),
        `there is content that claims to be of row ${seqOf(id)}, which has none such`,
      );
    this.#stored.clear();
  }

  /** Says what only the end of the log shows. */
  end(): void {
    if (this.#missing > 0)
      this.#findings.warn(
        "content-missing",
        this.#firstMissing,
        `${this.#missing} parts that rows committed to are not there, the first of row ${this.#firstMissing ?? 0}: they were erased, left out on a full disk, or deleted`,
      );
  }
}

function seqOf(id: number): number {
  return Math.floor(id / PARTS_A_ROW);
}
