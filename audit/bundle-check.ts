import { AnchorCheck } from "./anchor-check.ts";
import { BundleContent } from "./bundle-content.ts";
import { type BundleEpoch, readFacts, readKeys } from "./bundle-facts.ts";
import { BundleFiles } from "./bundle-files.ts";
import { BundleHistory } from "./bundle-history.ts";
import { checkManifest } from "./bundle-manifest.ts";
import { entryHash, MAX_BODY_BYTES, NO_PREVIOUS, readBody } from "./entry.ts";
import { HeadReader } from "./head-reader.ts";
import type { BundleFacts } from "./export.ts";
import { MANIFEST } from "./export-folder.ts";
import type { Findings } from "./findings.ts";
import { isActionOf } from "./kinds.ts";
import { EMPTY_ROOT, Frontier, includes } from "./merkle.ts";
import { NoteError } from "./note.ts";
import { MAX_PROOF, parseProof } from "./proof.ts";
import { RowMeaning } from "./row-meaning.ts";
import { SomeRows } from "./some-rows.ts";
import { entriesPath, hashesIn, TILE_WIDTH, tilePath, TileWriter } from "./tiles.ts";
import type { AnchorVerdict, BundleVerdict } from "./verdict.ts";
import type { Progress, VerifyOptions } from "./verify.ts";

const PREFIX = '{"#prev":"';
/** From the beginning of a line to its body, its brace aside. */
const BODY_AT = PREFIX.length + 64 + 2;
const MAX_ENTRY = MAX_BODY_BYTES + 75;

/** One verification of an export: the rows in it against its tree, the tree against its checkpoints, and those against its keys. */
export class BundleCheck {
  readonly #files: BundleFiles;
  readonly #findings: Findings;
  readonly #options: VerifyOptions;
  readonly #facts: BundleFacts | null;
  readonly #keys: readonly BundleEpoch[];
  readonly #whole: boolean;
  /** What all rows together say, and what some of them can. */
  readonly #meaning: RowMeaning;
  readonly #some: SomeRows;
  readonly #anchorCheck: AnchorCheck;
  readonly #content: BundleContent;
  readonly #head = new HeadReader();
  readonly #tree = new Frontier();
  readonly #tiles: TileWriter;
  readonly #entries: Generator<Buffer | null, void>;
  readonly #history: BundleHistory | null;
  #bundle: Buffer[] = [];
  #rows = 0;
  #proofs = 0;
  #promised = 0;

  constructor(path: string, findings: Findings, options: VerifyOptions) {
    const files = BundleFiles.list(path, findings);
    this.#files = files;
    this.#findings = findings;
    this.#options = options;
    const facts = readFacts(files, findings);
    this.#facts = facts;
    this.#keys = facts === null ? [] : readKeys(files, facts, findings);
    this.#whole = facts !== null && facts.rows === facts.size;
    const meant = { deep: options.deep === true, now: options.now ?? Date.now() };
    this.#meaning = new RowMeaning(findings, { isEmpty: () => false }, meant);
    this.#some = new SomeRows(findings, meant.deep);
    this.#anchorCheck = new AnchorCheck(findings, options.authorities);
    this.#content = new BundleContent(files, findings, facts?.content ?? "none");
    this.#tiles = new TileWriter((tile, bytes) => {
      if (tile.level > 0 && files.read(tilePath(tile), bytes.length)?.equals(bytes) !== true)
        findings.add(
          "tile",
          tile.index * TILE_WIDTH ** (tile.level + 1),
          `${tilePath(tile)} is not the one over the tiles below it`,
        );
    });
    this.#entries = files.lines("entries.jsonl", MAX_ENTRY);
    this.#history =
      facts === null ? null : new BundleHistory({ files, findings, facts, keys: this.#keys }, options.anchors ?? []);
  }

  get #until(): string | null {
    return this.#whole ? this.#meaning.until : this.#some.until;
  }

  *run(): Generator<Progress, void> {
    yield* checkManifest(this.#files, this.#findings);
    const facts = this.#facts;
    if (facts === null) return;
    let entry = this.#entryNext();
    let previous = NO_PREVIOUS;
    for (let first = 0; first < facts.size; first += TILE_WIDTH) {
      const tile = { level: 0, index: first / TILE_WIDTH, width: Math.min(TILE_WIDTH, facts.size - first) };
      const hashes = hashesIn(this.#files.read(tilePath(tile), tile.width * 32) ?? new Uint8Array(), tile.width);
      if (hashes === null) {
        this.#findings.add(
          "tile",
          first,
          `${tilePath(tile)} is missing or has another length: nothing from row ${first} on can be checked`,
        );
        break;
      }
      for (const [at, leaf] of hashes.entries()) {
        const seq = first + at;
        this.#tree.append(leaf);
        this.#tiles.append(leaf);
        if (entry?.seq === seq) {
          this.#row(seq, entry.line, previous, leaf);
          entry = this.#entryNext(seq);
        } else if (this.#whole) {
          this.#findings.add("row-missing", seq, `row ${seq} is missing`);
          this.#bundle = [];
        }
        previous = leaf;
        this.#history?.at(seq + 1, this.#tree, this.#until);
      }
      if (this.#whole) this.#bundleAt(tile);
      yield { rows: first + tile.width, of: facts.size };
    }
    this.#tiles.end();
    this.#end(facts, entry);
  }

  #entryNext(before = -1): { seq: number; line: Buffer } | null {
    const next = this.#entries.next();
    if (next.done === true) return null;
    const text = next.value?.subarray(BODY_AT - 1).toString("utf8") ?? "";
    const seq = this.#head.read(`{${text.slice(1)}`) ? this.#head.seq : -1;
    if (next.value === null || seq <= before || seq >= (this.#facts?.size ?? 0)) {
      this.#findings.add(
        "row-moved",
        before + 1,
        `what stands behind ${before < 0 ? "the beginning" : `row ${before}`} in entries.jsonl is no row that may follow it`,
      );
      this.#entries.return();
      return null;
    }
    return { seq, line: Buffer.from(next.value) };
  }

  #row(seq: number, line: Buffer, previous: string, leaf: string): void {
    this.#rows += 1;
    const text = line.toString("utf8");
    const body = `{${text.slice(BODY_AT)}`;
    const named = text.slice(PREFIX.length, PREFIX.length + 64);
    const whole = Buffer.from(text, "utf8").equals(line) && text === `${PREFIX}${named}",${body.slice(1)}`;
    if (!whole || entryHash(named, body) !== leaf) {
      this.#findings.add("row-changed", seq, `row ${seq} was changed: its hash is not that of its bytes`);
      return;
    }
    if (named !== previous) {
      this.#findings.add(
        "row-changed",
        Math.max(0, seq - 1),
        `row ${Math.max(0, seq - 1)} was changed, and its hash with it: row ${seq} names another`,
      );
      return;
    }
    this.#head.read(body);
    const role = this.#meaning.roleOf(this.#head);
    if (this.#whole) this.#meaning.row(this.#head, role, body);
    else this.#some.row(this.#head, body);
    if (role.anchor) this.#anchorCheck.row(seq, body);
    this.#content.row(seq, body);
    if (seq === 0 || role.kind === "key.rotated") this.#keyRow(seq, body);
    if (this.#whole && role.signed && this.#history?.next !== seq + 1)
      this.#findings.add("checkpoint-missing", seq, `the checkpoint of ${seq + 1} rows is missing`);
    if (this.#whole) this.#bundle.push(lengthOf(line), line);
    if (!this.#whole || seq === 0 || seq === (this.#facts?.size ?? 0) - 1) this.#proof(seq, leaf);
  }

  /** The keys that rows introduce are those that are listed. */
  #keyRow(seq: number, line: string): void {
    const body = readBody(line);
    const action = body === null ? null : { ...body.fields, kind: body.kind };
    const listed = this.#keys.some(
      ({ key, first }) =>
        first === seq + 1 &&
        action !== null &&
        (isActionOf("log.opened", action) || isActionOf("key.rotated", action)) &&
        action.vkey === key.vkey,
    );
    if (!listed)
      this.#findings.add(
        seq === 0 ? "genesis" : "rotation",
        seq,
        `row ${seq} introduces another key than keys.jsonl lists`,
      );
    if (action !== null && isActionOf("log.opened", action)) this.#promised = action.anchors;
  }

  #proof(seq: number, leaf: string): void {
    const name = `proof/${seq}.tlog-proof`;
    const text = this.#files.text(name, MAX_PROOF);
    const { newest = null, note = null } = this.#history ?? {};
    try {
      const proof = text === null ? null : parseProof(text);
      const good =
        proof !== null &&
        newest !== null &&
        proof.index === seq &&
        proof.checkpoint === note &&
        includes(newest, leaf, seq, proof.hashes);
      if (good) this.#proofs += 1;
      else
        this.#findings.add(
          "proof",
          seq,
          text === null
            ? `the proof of row ${seq} is missing`
            : `the proof of row ${seq} does not lead to the newest checkpoint`,
        );
    } catch (error) {
      if (!(error instanceof NoteError)) throw error;
      this.#findings.add("proof", seq, `the proof of row ${seq} is damaged: ${error.message}`);
    }
  }

  #bundleAt({ index, width }: { index: number; width: number }): void {
    const entries = Buffer.concat(this.#bundle);
    this.#bundle = [];
    const name = entriesPath(index, width);
    if (this.#files.read(name, entries.length)?.equals(entries) !== true)
      this.#findings.add("tile", index * TILE_WIDTH, `${name} does not hold the rows that entries.jsonl has`);
  }

  #end(facts: BundleFacts, entry: { seq: number } | null): void {
    if (entry !== null && !this.#findings.any)
      this.#findings.add("row-stray", entry.seq, `row ${entry.seq} stands where no row may`);
    this.#content.end();
    const newest = this.#history?.newest ?? null;
    if (this.#rows !== facts.rows)
      this.#findings.add("row-missing", null, `there are ${this.#rows} rows, and the export says ${facts.rows}`);
    if (this.#history?.signed !== facts.size && !this.#findings.any)
      this.#findings.add(
        "checkpoint-missing",
        facts.size - 1,
        `the checkpoint of ${facts.size} rows is missing from checkpoints.jsonl`,
      );
    if (newest !== null && (newest.root !== this.#tree.root() || newest.root !== facts.root) && !this.#findings.any)
      this.#findings.add("forked", null, "the newest checkpoint is of another tree than the export holds");
    if (this.#whole) this.#meaning.end(() => null);
    const { size } = this.#tree;
    this.#history?.compare({ whole: this.#whole, size, promised: this.#promised, anchors: this.#anchorCheck });
    const { vkey } = this.#options;
    if (vkey !== undefined && !this.#keys.some(({ key }) => key.vkey === vkey))
      this.#findings.add(
        "wrong-key",
        null,
        "this log is not signed with the key that was given: it is another log, or everything was signed anew",
      );
  }

  /** What the verdict is made of. */
  get result(): {
    readonly facts: BundleFacts | null;
    readonly keys: readonly BundleEpoch[];
    readonly tree: { readonly size: number; readonly root: string };
    readonly signed: number;
    readonly checkpoints: number;
    readonly anchors: readonly AnchorVerdict[];
    readonly span: { readonly from: string | null; readonly until: string | null };
    readonly meaning: RowMeaning;
    /** A checkpoint that the reader kept was good. */
    readonly kept: boolean;
    readonly content: { readonly checked: number; readonly missing: number };
    readonly bundle: BundleVerdict | null;
  } {
    const facts = this.#facts;
    const { checked, missing } = this.#content;
    return {
      facts,
      keys: this.#keys,
      tree: { size: this.#tree.size, root: this.#tree.size === 0 ? EMPTY_ROOT : this.#tree.root() },
      signed: this.#history?.signed ?? 0,
      checkpoints: this.#history?.checkpoints ?? 0,
      anchors: this.#history?.anchors ?? [],
      span: this.#whole ? this.#meaning : this.#some,
      meaning: this.#meaning,
      kept: this.#history?.kept === true,
      content: { checked, missing },
      bundle:
        facts === null
          ? null
          : {
              export: facts.export,
              at: facts.at,
              rows: this.#rows,
              from: facts.from,
              to: facts.to,
              session: facts.session,
              content: facts.content,
              proofs: this.#proofs,
              files: this.#files.names.size,
              manifest: this.#files.digest(MANIFEST) ?? "",
            },
    };
  }
}

function lengthOf(line: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(line.length);
  return length;
}
