import type Database from "better-sqlite3";
import type { ActionOf } from "./action.ts";
import { readBody, readHead } from "./entry.ts";
import { AuditError } from "./error.ts";
import { ContentExport, type Disclosure } from "./export-content.ts";
import type { ExportFolder, Growing } from "./export-folder.ts";
import { writeHistory } from "./export-history.ts";
import { broken, type Page, pagesOf, type Passing } from "./export-lines.ts";
import { guide, PROGRAMS } from "./export-guide.ts";
import type { StoredCheckpoint } from "./head.ts";
import { isActionOf } from "./kinds.ts";
import { parseCheckpoint } from "./note.ts";
import type { Sealer } from "./ports.ts";
import { writeProof } from "./proof.ts";
import { entriesPath, TILE_WIDTH, TileTree, tilePath, TileWriter } from "./tiles.ts";

/** The form of the folder that this build writes and verifies. */
export const BUNDLE_FORMAT = 1;

const ROTATED = '"$kind":"key.rotated"';
/** No body has its kind before this. */
const KIND_FROM = 40;
/** Proofs written between two turns of the event loop. */
const PROOFS_A_STEP = 500;

export interface ExportRequest {
  /** Its id on the log. */
  readonly id: string;
  /** Rows `from` up to, without, `to` are disclosed; of a session only its own among them. */
  readonly from: number;
  readonly to: number;
  readonly session: string | null;
  readonly content: Disclosure;
}

export interface ExportSource {
  /** The log in use, read-only. */
  readonly database: Database.Database;
  /** Covers all that is exported. Rows above it are not looked at. */
  readonly checkpoint: StoredCheckpoint;
  /** Opens content for `full`. */
  readonly sealer: Sealer | null;
  readonly version: string;
  /** When the export was asked for. */
  readonly at: string;
}

export interface ExportProgress {
  readonly rows: number;
  readonly of: number;
}

export interface Exported {
  /** Disclosed. */
  readonly rows: number;
  readonly proofs: number;
  /** Rows of the tree that they are proved to be in. */
  readonly size: number;
  /** Content parts that were opened. */
  readonly parts: number;
  readonly files: number;
  readonly bytes: number;
  /** SHA-256 of the manifest, hex. */
  readonly digest: string;
}

/** What `bundle.json` holds. */
export interface BundleFacts {
  readonly format: typeof BUNDLE_FORMAT;
  readonly export: string;
  readonly at: string;
  readonly version: string;
  readonly origin: string;
  readonly size: number;
  readonly root: string;
  readonly from: number;
  readonly to: number;
  readonly session: string | null;
  readonly content: Disclosure;
  readonly rows: number;
  readonly proofs: number;
  readonly parts: number;
}

/** Writes an export, a page a step. Every row is checked as it passes: what does not verify is not handed over as if it did.
 *  Whoever stops early calls `return()`. @throws {AuditError} AUDIT_BROKEN, AUDIT_UNWRITABLE; then nothing of it is left. */
export function* exportSteps(
  source: ExportSource,
  request: ExportRequest,
  folder: ExportFolder,
): Generator<ExportProgress, Exported> {
  let finished = false;
  try {
    const writing = new Export(source, request, folder);
    yield* writing.entries();
    writing.history();
    yield* writing.proofs();
    const exported = writing.finish();
    finished = true;
    return exported;
  } finally {
    if (!finished) folder.discard();
  }
}

interface Epoch {
  readonly epoch: number;
  readonly vkey: string;
  readonly protector: string;
  /** Sizes of the checkpoints that it signs. */
  readonly first: number;
  last: number;
}

class Export {
  readonly #source: ExportSource;
  readonly #request: ExportRequest;
  readonly #folder: ExportFolder;
  readonly #size: number;
  readonly #root: string;
  readonly #origin: string;
  readonly #lines: Growing;
  readonly #content: ContentExport;
  readonly #tiles: TileWriter;
  readonly #body: Database.Statement;
  /** Whether entries go into tiles too: only where none of them is left out from the beginning. */
  readonly #bundles: boolean;
  /** The largest tile of entries there can be. */
  readonly #tile: Buffer;
  readonly #epochs: Epoch[] = [];
  /** Disclosed rows, as pairs of the first and the one after the last. */
  readonly #runs: number[] = [];
  #rows = 0;
  #proofs = 0;

  constructor(source: ExportSource, request: ExportRequest, folder: ExportFolder) {
    const { size, root, origin } = parseCheckpoint(source.checkpoint.note);
    this.#source = source;
    this.#request = request;
    this.#folder = folder;
    [this.#size, this.#root, this.#origin] = [size, root, origin];
    this.#bundles = request.session === null && request.from === 0 && request.to >= size;
    this.#tile = Buffer.allocUnsafe(this.#bundles ? TILE_WIDTH * (2 + 0xffff) : 0);
    this.#tiles = new TileWriter((tile, bytes) => folder.file(tilePath(tile), bytes));
    this.#lines = folder.growing("entries.jsonl");
    this.#content = new ContentExport(source.database, folder, {
      disclosure: request.content,
      sealer: source.sealer,
      origin,
    });
    this.#body = source.database.prepare("SELECT body FROM entry NOT INDEXED WHERE seq = ?").pluck();
  }

  *entries(): Generator<ExportProgress, void> {
    for (const page of pagesOf(this.#source.database, this.#size)) {
      this.#page(page);
      yield { rows: (page.rows.at(-1)?.seq ?? 0) + 1, of: this.#size };
    }
    this.#tiles.end();
    this.#lines.end();
    this.#content.end();
    if (this.#tree().root() !== this.#root)
      throw broken(`its ${this.#size} rows are not those that its newest checkpoint was signed for`);
  }

  #page({ rows, bytes }: Page): void {
    // Lines that stand side by side go out in one piece.
    let [start, end] = [-1, -1];
    for (const row of rows) {
      this.#tiles.append(row.hash);
      if (isKeyRow(row)) this.#key(row.seq, row.body);
      if (row.body === "" || !this.#isDisclosed(row.seq, row.body)) {
        if (start >= 0) this.#lines.write(bytes.subarray(start, end));
        start = -1;
        continue;
      }
      if (start < 0) start = row.start;
      end = row.end + 1;
      this.#shown(row);
    }
    if (start >= 0) this.#lines.write(bytes.subarray(start, end));
    if (this.#bundles) this.#bundlesOf(rows, bytes);
  }

  #shown({ seq, body }: Passing): void {
    if (this.#runs.at(-1) === seq) this.#runs[this.#runs.length - 1] = seq + 1;
    else this.#runs.push(seq, seq + 1);
    this.#rows += 1;
    this.#content.row(seq, body);
  }

  /** The same lines as tiles of entries: each behind its length. One from which a row was pruned is left out. */
  #bundlesOf(rows: readonly Passing[], bytes: Buffer): void {
    for (let at = 0; at < rows.length; at += TILE_WIDTH) {
      const some = rows.slice(at, at + TILE_WIDTH);
      if (some.some(({ body }) => body === "")) continue;
      let to = 0;
      for (const { start, end } of some) {
        to = this.#tile.writeUInt16BE(end - start, to);
        to += bytes.copy(this.#tile, to, start, end);
      }
      const index = Math.floor((some[0]?.seq ?? 0) / TILE_WIDTH);
      this.#folder.file(entriesPath(index, some.length), this.#tile.subarray(0, to));
    }
  }

  #isDisclosed(seq: number, body: string): boolean {
    const { from, to, session } = this.#request;
    if (seq < from || seq >= to) return false;
    if (session === null) return true;
    if (body.includes('"session":')) return body.includes(`"session":"${session}"`);
    // A row without a session of its own (an outcome) belongs to that of its cause.
    const cause = readHead(body)?.cause ?? null;
    const led: unknown = cause === null ? null : this.#body.get(cause);
    return typeof led === "string" && led.includes(`"session":"${session}"`);
  }

  #key(seq: number, line: string): void {
    const body = readBody(line);
    const action = body === null ? null : { ...body.fields, kind: body.kind };
    if (action === null) return;
    const key: Pick<ActionOf<"key.rotated">, "epoch" | "vkey" | "protector"> | null = isActionOf("log.opened", action)
      ? { epoch: 1, vkey: action.vkey, protector: action.protector }
      : isActionOf("key.rotated", action)
        ? action
        : null;
    if (key === null) return;
    const last = this.#epochs.at(-1);
    // The checkpoint of a rotation is signed by both.
    if (last !== undefined) last.last = seq + 1;
    const { epoch, vkey, protector } = key;
    this.#epochs.push({ epoch, vkey, protector, first: seq + 1, last: this.#size });
  }

  #tree(): TileTree {
    return new TileTree(this.#size, (tile) => this.#folder.read(tilePath(tile)));
  }

  /** Checkpoints, keys, and what others signed or hold. */
  history(): void {
    writeHistory(this.#source, this.#folder, this.#size);
    this.#folder.file("keys.jsonl", this.#epochs.map((epoch) => `${JSON.stringify(epoch)}\n`).join(""));
  }

  /** One for each row where not all are disclosed; else of the first and the last, which the chain joins. */
  *proofs(): Generator<ExportProgress, void> {
    const tree = this.#tree();
    const whole = this.#rows === this.#size;
    const runs = whole ? [0, 1, Math.max(1, this.#size - 1), this.#size] : this.#runs;
    for (let at = 0; at < runs.length; at += 2) {
      for (let index = runs[at] ?? 0; index < (runs[at + 1] ?? 0); index++) {
        const hashes = tree.inclusion(index);
        const proof = writeProof({ index, hashes, checkpoint: this.#source.checkpoint.note });
        this.#folder.file(`proof/${index}.tlog-proof`, proof);
        this.#proofs += 1;
        if (this.#proofs % PROOFS_A_STEP === 0) yield { rows: this.#proofs, of: this.#rows };
      }
    }
  }

  finish(): Exported {
    const { id, from, to, session, content } = this.#request;
    const { at, version } = this.#source;
    if (this.#rows === 0)
      throw new AuditError("AUDIT_INVALID", "nothing was exported: there are no such rows up to the newest checkpoint");
    const [size, rows, proofs, parts] = [this.#size, this.#rows, this.#proofs, this.#content.opened];
    const facts: BundleFacts = {
      format: BUNDLE_FORMAT,
      export: id,
      at,
      version,
      origin: this.#origin,
      size,
      root: this.#root,
      from,
      to,
      session,
      content,
      rows,
      proofs,
      parts,
    };
    this.#folder.file("bundle.json", `${JSON.stringify(facts, null, 2)}\n`);
    for (const [name, text] of Object.entries(PROGRAMS)) this.#folder.file(name, text);
    this.#folder.file(
      "VERIFY.md",
      guide(facts, this.#epochs.at(-1)?.vkey ?? "", rows === size ? size - 1 : (this.#runs[0] ?? 0)),
    );
    const digest = this.#folder.finish();
    return { rows, proofs, size, parts, files: this.#folder.files, bytes: this.#folder.bytes, digest };
  }
}

/** Does this row introduce a key? Its kind stands near the beginning of its body. */
function isKeyRow({ seq, body }: Passing): boolean {
  return seq === 0 || (body !== "" && body.startsWith(ROTATED, body.indexOf('"$kind":', KIND_FROM)));
}
