import type Database from "better-sqlite3";
import { AnchorCheck } from "./anchor-check.ts";
import { beside } from "./beside.ts";
import { NAME, NOTE, PROOF, USUAL_BODY } from "./bounded.ts";
import { ContentCheck } from "./content-check.ts";
import { PARTS_A_ROW } from "./content.ts";
import { type Evidence, leadsTo, readNote } from "./evidence.ts";
import type { Findings } from "./findings.ts";
import { EMPTY_ROOT, Frontier } from "./merkle.ts";
import { NoteCheck } from "./note-check.ts";
import { parseCheckpoint } from "./note.ts";
import { LEAST, readPages } from "./pages.ts";
import { RowMeaning } from "./row-meaning.ts";
import { RowScan } from "./row-scan.ts";
import { PrunedCheck } from "./pruned.ts";
import type { SpanFound } from "./span.ts";
import { join, planSpans } from "./threads.ts";
import { type AnchorVerdict, isOutside, type Verdict, OF_ANCHORS, OF_AUTHENTICITY } from "./verdict.ts";
import type { Step, VerifyOptions } from "./verify.ts";

/** A log in use is not checked page by page beyond this size, in bytes: that cannot be done in pieces. */
const LARGE = 64 * 1024 * 1024;
/** Sizes, newest first, whose trees are compared with what anchors say: each costs memory. */
const MAX_PROOFS = 20_000;

interface Kept {
  readonly by: AnchorVerdict["by"];
  readonly name: string;
  readonly note: string;
}

/** One verification, from the opened evidence to the verdict. */
export class Verification {
  readonly #evidence: Evidence | null;
  readonly #findings: Findings;
  readonly #options: VerifyOptions;
  readonly #deep: boolean;
  readonly #now: number;
  readonly #notes: NoteCheck;
  readonly #meaning: RowMeaning;
  readonly #anchorCheck: AnchorCheck;
  readonly #kept: readonly Kept[];
  #content: ContentCheck | null = null;
  readonly #pruned: PrunedCheck;
  #scan: RowScan | null = null;
  #pages: Verdict["pages"] = "not-checked";
  #anchors: AnchorVerdict[] = [];
  #fileMissing = false;
  /** The newest stored proof: those that come while a log in use is read are for the next time. */
  #lastProof = -1;

  constructor(evidence: Evidence | null, findings: Findings, path: string, options: VerifyOptions) {
    this.#evidence = evidence;
    this.#findings = findings;
    this.#options = options;
    this.#deep = options.deep === true;
    this.#now = options.now ?? Date.now();
    this.#notes = new NoteCheck(findings);
    this.#anchorCheck = new AnchorCheck(findings, options.authorities);
    this.#pruned = new PrunedCheck(findings);
    this.#meaning = new RowMeaning(findings, this.#pruned, {
      deep: this.#deep,
      now: this.#now,
    });
    this.#kept = evidence === null ? [] : this.#keptElsewhere(path);
    const real = evidence === null ? null : leadsTo(path);
    if (real !== null) findings.warn("path", null, `the path leads through a symbolic link: what was read is ${real}`);
  }

  #keptElsewhere(path: string): Kept[] {
    const { pin, anchors = [], disks = [] } = this.#options;
    const file = readNote(beside(path).checkpoint);
    this.#fileMissing = file === null;
    if (file !== null && typeof file !== "string") this.#findings.add(file.code, file.seq, file.sentence);
    if (pin?.state === "unreachable")
      this.#findings.warn("pin", null, "the keychain could not be reached, so the pin was not compared");
    return [
      ...(typeof file === "string" ? [{ by: "file" as const, name: "audit.checkpoint", note: file }] : []),
      ...(pin?.state === "found" ? [{ by: "pin" as const, name: "keychain", note: pin.note }] : []),
      ...disks.flatMap((disk) =>
        disk.state === "found" ? [{ by: "disk" as const, name: disk.name, note: disk.note }] : [],
      ),
      ...anchors.map(({ name, note }) => ({ by: "outside" as const, name, note })),
    ];
  }

  /** @param threaded whether spans may be checked elsewhere. @returns false if they were, and one of them is not good: nothing that was found so far counts. */
  *run(threaded: boolean): Generator<Step, boolean, readonly SpanFound[] | null | undefined> {
    if (this.#evidence === null) return true;
    const { database } = this.#evidence;
    this.#checkPages(database);
    const content = new ContentCheck(
      database,
      this.#findings,
      this.#options.sealer ?? null,
      () => this.#notes.genesis?.origin ?? null,
    );
    this.#content = content;
    const last = this.#bounds(database);
    const wanted = [...this.#kept.flatMap(({ note }) => sizeOf(note) ?? []), ...this.#provenSizes(database)];
    const scan = new RowScan(
      database,
      {
        findings: this.#findings,
        notes: this.#notes,
        meaning: this.#meaning,
        content,
        anchors: this.#anchorCheck,
        pruned: this.#pruned,
      },
      wanted,
    );
    this.#scan = scan;
    const spans = threaded
      ? planSpans(database, last, { wanted, deep: this.#deep, now: this.#now }, this.#options.threads?.rows)
      : null;
    if (spans !== null) {
      const found = yield { rows: 0, of: last + 1, work: { path: database.name, spans } };
      if (found === null || found === undefined || !this.#takeSpans(found, scan, content)) return false;
    }
    for (const _ of readPages(database, { content, scan }, scan.size === 0 ? LEAST : scan.size, last))
      yield { rows: scan.size, of: last + 1 };
    this.#prunedMeanwhile(database, last);
    scan.end();
    content.end();
    this.#meaning.end((at) => {
      const found: unknown = database
        .prepare(
          `SELECT seq FROM entry NOT INDEXED WHERE seq >= 0 AND ${USUAL_BODY} AND substr(body, 9, 24) > ? ORDER BY seq LIMIT 1`,
        )
        .pluck()
        .get(at);
      return typeof found === "number" ? found : null;
    });
    this.#compareKept(scan);
    this.#checkProofs(database, scan);
    this.#promises();
    return true;
  }

  /** Goes on where the last span ended, as if this thread had come by there. @returns false where it has to. */
  #takeSpans(spans: readonly SpanFound[], scan: RowScan, content: ContentCheck): boolean {
    const [first, last] = [spans[0], spans.at(-1)];
    if (first === undefined || last === undefined || !join(spans)) return false;
    const before = this.#findings.count;
    this.#notes.open(first.meaning.oldest);
    for (const span of spans) {
      if (!this.#meaning.take(span.meaning)) return false;
      this.#pruned.take(span.pruned);
      content.take(span.content);
      for (const [seq, body] of span.anchors) this.#anchorCheck.row(seq, body);
    }
    const { size, previous, frontier, epochs } = last.end;
    this.#notes.resume(
      epochs,
      spans.reduce((sum, { checkpoints }) => sum + checkpoints, 0),
    );
    const tree = Frontier.parse(size, frontier);
    if (tree === null) return false;
    scan.resume({ size, previous, tree, signedAt: last.signedAt, roots: spans.flatMap(({ roots }) => roots) });
    return this.#findings.count === before;
  }

  #checkPages(database: Database.Database): void {
    if (this.#options.gentle === true) return;
    const bytes =
      Number(database.pragma("page_count", { simple: true })) * Number(database.pragma("page_size", { simple: true }));
    if (this.#options.live === true && bytes > LARGE && this.#options.deep !== true) return;
    const said: unknown = database.pragma("integrity_check(1)", { simple: true });
    this.#pages = "checked";
    if (said !== "ok")
      this.#findings.add("pages", null, `the file is not as SQLite would have written it (it says: ${String(said)})`);
  }

  /** Fixes how far is read, and finds what lies outside of it. @returns the last row. */
  #bounds(database: Database.Database): number {
    const one = (sql: string, ...values: number[]): number => {
      const found: unknown = database
        .prepare<number[]>(sql)
        .pluck()
        .get(...values);
      return typeof found === "number" ? found : -1;
    };
    return database.transaction(() => {
      this.#lastProof = one("SELECT max(id) FROM anchor NOT INDEXED");
      const last = one("SELECT max(seq) FROM entry NOT INDEXED WHERE seq <= ?", Number.MAX_SAFE_INTEGER);
      // Beyond it a number is read as another, so that such a row is not looked for by its number.
      const beyond = one("SELECT count(*) FROM entry NOT INDEXED WHERE seq > ?", Number.MAX_SAFE_INTEGER);
      if (beyond > 0) this.#findings.add("row-stray", null, "there is a row with a number that no log reaches");
      const ahead = one("SELECT max(size) FROM checkpoint NOT INDEXED WHERE size > ?", last + 1);
      if (ahead >= 0)
        this.#findings.add(
          "log-cut",
          last + 1,
          `a checkpoint covers ${ahead} rows, and the log has ${last + 1}: rows were cut off`,
        );
      const stray = one("SELECT count(*) FROM checkpoint NOT INDEXED WHERE size < 1");
      if (stray > 0) this.#findings.add("checkpoint-stray", null, "there is a checkpoint of no rows, which no log has");
      const lost = one("SELECT id FROM content NOT INDEXED WHERE id < 0 OR id >= ? LIMIT 1", (last + 1) * PARTS_A_ROW);
      const negative = one("SELECT count(*) FROM content NOT INDEXED WHERE id < 0");
      if (lost >= 0 || negative > 0)
        this.#findings.add("content-stray", null, "there is content that belongs to no row");
      if (last < 0)
        this.#findings.add("genesis", null, "the log has no row: every log has one from its first moment on");
      return last;
    })();
  }

  /** Bodies that went while a log in use was read are accounted for by rows behind the last one that is. */
  #prunedMeanwhile(database: Database.Database, last: number): void {
    if (this.#options.live !== true || this.#pruned.taken.rows === 0) return;
    const rows: unknown[] = database
      .prepare<[number]>(
        `SELECT seq, body FROM entry NOT INDEXED WHERE seq > ? AND ${USUAL_BODY} AND instr(substr(body, 1, 130), '"$kind":"log.pruned"') > 0`,
      )
      .raw()
      .all(last);
    for (const row of rows) {
      const [seq, body]: unknown[] = Array.isArray(row) ? row : [];
      if (typeof seq === "number" && typeof body === "string") this.#pruned.later(seq, body);
    }
  }

  #compareKept(scan: RowScan): void {
    this.#anchors = this.#kept.map(({ by, name, note }): AnchorVerdict => {
      const where =
        by === "file"
          ? "the checkpoint file beside it"
          : by === "pin"
            ? "the pin in the keychain"
            : by === "disk"
              ? `the file of the anchor ${name}`
              : `the anchor ${name}`;
      const checkpoint = this.#notes.elsewhere(note);
      if (typeof checkpoint === "string") {
        const why =
          checkpoint === "malformed"
            ? "is no checkpoint: it was damaged or overwritten"
            : checkpoint === "foreign"
              ? "is a checkpoint of another log"
              : "is not signed by a key of this log: one of them was replaced, or the log was put back to before its key was changed";
        this.#findings.add("anchor-foreign", null, `${where} ${why}`);
        return { by, name, size: 0, time: null, good: false };
      }
      const { size } = checkpoint;
      const known = scan.rootAt(size);
      const verdict = { by, name, size, time: known?.at ?? null };
      if (size > scan.size) {
        this.#findings.add(
          "rolled-back",
          scan.size,
          `the log has ${scan.size} rows, and ${where} covers ${size}: rows were cut off, or an older copy was put back`,
        );
        return { ...verdict, good: false };
      }
      if (known?.root === checkpoint.root) return { ...verdict, good: true };
      this.#findings.add(
        "forked",
        null,
        `the first ${size} rows are not those that ${where} was signed for: this is another history`,
      );
      return { ...verdict, good: false };
    });
  }

  /** The newest sizes that anchors have a proof of: the roots of these trees are remembered. */
  #provenSizes(database: Database.Database): number[] {
    const sizes: unknown[] = database
      .prepare<[number, number]>(
        "SELECT DISTINCT size FROM anchor NOT INDEXED WHERE id <= ? ORDER BY size DESC LIMIT ?",
      )
      .pluck()
      .all(this.#lastProof, MAX_PROOFS);
    return sizes.filter((size) => typeof size === "number" && Number.isSafeInteger(size)).map(Number);
  }

  #checkProofs(database: Database.Database, scan: RowScan): void {
    const note = database.prepare<[number]>(`SELECT ${NOTE} FROM checkpoint NOT INDEXED WHERE size = ?`).pluck();
    const time = database
      .prepare<[number]>(`SELECT substr(body, 9, 24) FROM entry NOT INDEXED WHERE seq = ? AND ${USUAL_BODY}`)
      .pluck();
    const noteAt = (size: number): string | null => textOf(note.get(size));
    const timeAt = (size: number): string | null => {
      const at = textOf(time.get(size - 1));
      return at === null || Number.isNaN(Date.parse(at)) ? null : at;
    };
    const places = { size: scan.size, rootAt: (size: number) => scan.rootAt(size), noteAt, timeAt };
    const certificates = database
      .prepare<[number]>(`SELECT ${NAME}, ${PROOF} FROM anchor NOT INDEXED WHERE id <= ? AND size = 0`)
      .raw();
    for (const row of certificates.iterate(this.#lastProof)) {
      const [name, proof]: unknown[] = Array.isArray(row) ? row : [];
      this.#anchorCheck.certificate(name, proof);
    }
    const proofs = database
      .prepare<[number]>(`SELECT ${NAME}, size, ${PROOF} FROM anchor NOT INDEXED WHERE id <= ? AND size <> 0`)
      .raw();
    for (const row of proofs.iterate(this.#lastProof)) {
      const [name, size, proof]: unknown[] = Array.isArray(row) ? row : [];
      this.#anchorCheck.stored(name, size, proof, places);
    }
    this.#anchors.push(...this.#anchorCheck.end(places));
    this.#checkDisks();
  }

  #checkDisks(): void {
    for (const { name, seq } of this.#anchorCheck.promised("file")) {
      const disk = this.#options.disks?.find((one) => one.name === name);
      if (disk?.state === "found") continue;
      if (disk?.state === "absent")
        this.#findings.add("anchor-missing", seq, `the file of the anchor ${name} is gone from its disk`);
      else
        this.#findings.warn(
          "anchor-file",
          seq,
          disk === undefined
            ? `the file of the anchor ${name} was not compared: where it lies is known only to the daemon with its vault open`
            : `the file of the anchor ${name} could not be reached, so it was not compared`,
        );
    }
  }

  /** Absence fails: what the log's own policy promises is looked for. */
  #promises(): void {
    const { genesis } = this.#notes;
    const protector = this.#notes.epochs.at(-1)?.protector;
    const [pinned] = this.#anchorCheck.promised("keychain");
    if (this.#options.pin?.state === "absent") {
      const sentence = "the keychain holds no pin of this log";
      if (protector === "keychain" || pinned !== undefined)
        this.#findings.add(
          "anchor-missing",
          pinned?.seq ?? null,
          pinned === undefined
            ? `${sentence}, and its key is kept there: the pin was deleted, or this is another keychain`
            : `${sentence}, and row ${pinned.seq} promises one: the pin was deleted, or this is another keychain`,
        );
      else this.#findings.warn("pin", null, sentence);
    }
    if (this.#fileMissing) {
      const sentence =
        "there is no checkpoint file beside the database, so nothing beside it says how long the log was";
      // It is there before a second checkpoint is made; a copy may have been made without it.
      if (this.#options.live === true && this.#notes.checked > 1) this.#findings.add("anchor-missing", null, sentence);
      else this.#findings.warn("checkpoint-file", null, sentence);
    }
    const promised = genesis?.anchors ?? 0;
    const kept = this.#anchors.filter(({ by }) => by === "outside" || by === "timestamp").length;
    if (promised > kept)
      this.#findings.add(
        "anchor-missing",
        null,
        `the log promises ${promised} anchors, and has ${kept === 0 ? "none" : kept}`,
      );
    if (this.#options.vkey !== undefined && !this.#knows(this.#options.vkey))
      this.#findings.add(
        "wrong-key",
        null,
        "this log is not signed with the key that was given: it is another log, or everything was signed anew",
      );
  }

  #knows(vkey: string): boolean {
    return this.#notes.epochs.some(({ key }) => key.vkey === vkey);
  }

  verdict(): Verdict {
    const { vkey, deep } = this.#options;
    const { findings } = this.#findings;
    const scan = this.#scan;
    const broken = findings.length > 0;
    const current = this.#notes.epochs.at(-1);
    const outside = this.#anchors.filter((anchor) => anchor.good && isOutside(anchor));
    // A checkpoint that the reader kept covers row 0, which names the key.
    const kept = new Set((this.#options.anchors ?? []).map(({ name }) => name));
    const given = vkey !== undefined || outside.some(({ by, name }) => by === "outside" && kept.has(name));
    const completeness = this.#completeness();
    return {
      state: broken ? "broken" : given ? "good" : "unchecked",
      origin: this.#notes.genesis?.origin ?? null,
      size: scan?.size ?? 0,
      root: scan?.root ?? EMPTY_ROOT,
      from: this.#meaning.from,
      until: this.#meaning.until,
      integrity: findings.every(({ code }) => OF_ANCHORS.has(code)) ? "good" : "broken",
      authenticity: !given ? "not-checked" : findings.some(({ code }) => OF_AUTHENTICITY.has(code)) ? "broken" : "good",
      vkey: current?.key.vkey ?? null,
      epochs: this.#notes.epochs.length,
      protector: current?.protector ?? null,
      provisional: current?.protector === "none",
      selfAttested: outside.length === 0,
      completeness,
      newer: (scan?.size ?? 0) - completeness.size,
      checkpoints: this.#notes.checked,
      anchors: this.#anchors,
      pauses: this.#meaning.pauses,
      starts: this.#meaning.starts,
      open: this.#meaning.open,
      content: {
        checked: this.#content?.checked ?? 0,
        missing: this.#content?.missing ?? 0,
        opened: this.#options.sealer !== undefined,
      },
      pruned: this.#pruned.taken,
      deep: deep === true,
      pages: this.#pages,
      files: this.#evidence?.files ?? [],
      findings,
      warnings: this.#findings.warnings,
    };
  }

  /** Up to where something that is signed says that nothing is missing: an outside anchor first, then the pin, then what lies with the log itself. */
  #completeness(): Verdict["completeness"] {
    for (const by of ["outside", "pin", "disk", "file"] as const) {
      const good = this.#anchors.filter(
        (anchor) => (anchor.by === by || (by === "outside" && isOutside(anchor))) && anchor.good && anchor.size > 0,
      );
      const best = good.toSorted((a, b) => b.size - a.size)[0];
      if (best !== undefined) return { size: best.size, time: best.time, by: best.by };
    }
    const signed = this.#scan?.signed ?? 0;
    return signed > 0
      ? { size: signed, time: this.#scan?.signedAt ?? null, by: "checkpoint" }
      : { size: 0, time: null, by: null };
  }
}

function sizeOf(note: string): number | null {
  try {
    return parseCheckpoint(note).size;
  } catch {
    return null;
  }
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
