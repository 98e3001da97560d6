import type { AnchorCheck, ProofPlaces } from "./anchor-check.ts";
import { type BundleEpoch, readObject, readStored } from "./bundle-facts.ts";
import type { BundleFiles } from "./bundle-files.ts";
import type { BundleFacts } from "./export.ts";
import type { Findings } from "./findings.ts";
import type { Frontier } from "./merkle.ts";
import { isSignedBy, NoteError, parseCheckpoint, type SignedCheckpoint } from "./note.ts";
import type { AnchorVerdict } from "./verdict.ts";
import type { VerifyOptions } from "./verify.ts";

const MAX_NOTE_LINE = 40 * 1024;
const MAX_ANCHORS = 100_000;
const MAX_ANCHOR_LINE = 256 * 1024;

/** What was signed for the tree of an export: its checkpoints, what anchors answered, and what its reader kept. */
export class BundleHistory {
  readonly #files: BundleFiles;
  readonly #findings: Findings;
  readonly #facts: BundleFacts;
  readonly #keys: readonly BundleEpoch[];
  readonly #keptNotes: NonNullable<VerifyOptions["anchors"]>;
  readonly #stored: Generator<Buffer | null, void>;
  /** Roots and times at the sizes that somebody else holds. */
  readonly #wanted: ReadonlySet<number>;
  readonly #roots = new Map<number, { root: string; at: string | null }>();
  readonly #notes = new Map<number, string>();
  /** The newest, as it lies in a file of its own and in every proof. */
  readonly note: string;
  readonly newest: SignedCheckpoint | null;
  readonly anchors: AnchorVerdict[] = [];
  #nextStored: { size: number; note: string } | null = null;
  #checkpoints = 0;
  #signed = 0;
  #keptGood = false;

  constructor(
    {
      files,
      findings,
      facts,
      keys,
    }: { files: BundleFiles; findings: Findings; facts: BundleFacts; keys: readonly BundleEpoch[] },
    kept: NonNullable<VerifyOptions["anchors"]>,
  ) {
    this.#files = files;
    this.#findings = findings;
    this.#facts = facts;
    this.#keys = keys;
    this.#keptNotes = kept;
    this.#stored = files.lines("checkpoints.jsonl", MAX_NOTE_LINE);
    this.note = files.text("checkpoint", MAX_NOTE_LINE) ?? "";
    this.newest = this.#checkpointOf(facts.size, this.note);
    this.#wanted = new Set([...this.#sizesOfAnchors(), ...kept.flatMap(({ note }) => sizeOf(note) ?? [])]);
    this.#nextStored = this.#storedNext();
  }

  /** Checkpoints that are signed as they should be. */
  get checkpoints(): number {
    return this.#checkpoints;
  }
  /** Up to here the tree is the one that was signed. */
  get signed(): number {
    return this.#signed;
  }
  /** A checkpoint that the reader kept is good. */
  get kept(): boolean {
    return this.#keptGood;
  }
  /** The size of the next checkpoint. */
  get next(): number | null {
    return this.#nextStored?.size ?? null;
  }

  /** The tree has grown to this size. @param until the time of the newest row that is here. */
  at(size: number, tree: Frontier, until: string | null): void {
    if (this.#wanted.has(size)) this.#roots.set(size, { root: tree.root(), at: until });
    if (this.#nextStored?.size !== size) return;
    const { note } = this.#nextStored;
    const checkpoint = this.#checkpointOf(size, note);
    if (this.#wanted.has(size)) this.#notes.set(size, note);
    if (checkpoint !== null) {
      this.#checkpoints += 1;
      if (checkpoint.root === tree.root()) this.#signed = size;
      else if (!this.#findings.hasWithin(this.#signed, size))
        this.#findings.add(
          "rows-unsigned",
          this.#signed,
          `rows ${this.#signed} to ${size - 1} are not those that the checkpoint of ${size} rows was signed for: at least one of them was changed, and its hash with it`,
        );
    }
    this.#nextStored = this.#storedNext();
  }

  #storedNext(): { size: number; note: string } | null {
    const next = this.#stored.next();
    if (next.done === true) return null;
    const stored = readStored(next.value);
    if (stored !== null && stored.size > (this.#nextStored?.size ?? 0) && stored.size <= this.#facts.size)
      return stored;
    this.#findings.add("checkpoint-changed", null, "a line of checkpoints.jsonl is none, or not in its place");
    this.#stored.return();
    return null;
  }

  /** @returns null, with a finding, unless it is signed with the key, or keys, of its size. */
  #checkpointOf(size: number, note: string): SignedCheckpoint | null {
    const keys = this.#keys.filter(({ first, last }) => first <= size && size <= last);
    let why = "is not signed with the log's key of that time";
    try {
      const checkpoint = parseCheckpoint(note);
      if (checkpoint.origin !== this.#facts.origin || checkpoint.size !== size) {
        this.#findings.add(
          "checkpoint-changed",
          size - 1,
          `the checkpoint of ${size} rows is one of other rows, or of another log`,
        );
        return null;
      }
      if (
        keys.length > 0 &&
        checkpoint.signatures.length === keys.length &&
        keys.every(({ key }) => isSignedBy(checkpoint, key))
      )
        return checkpoint;
    } catch (error) {
      if (!(error instanceof NoteError)) throw error;
      why = `is damaged: ${error.message}`;
    }
    this.#findings.add("checkpoint-forged", size - 1, `the checkpoint of ${size} rows ${why}`);
    return null;
  }

  #sizesOfAnchors(): number[] {
    const sizes: number[] = [];
    for (const line of this.#files.lines("anchors.jsonl", MAX_ANCHOR_LINE)) {
      const { size } = readObject(line) ?? {};
      if (typeof size === "number" && sizes.length < MAX_ANCHORS) sizes.push(size);
    }
    return sizes;
  }

  /** With what others hold: stored answers of anchors, and checkpoints that the reader kept. */
  compare(checked: {
    readonly whole: boolean;
    readonly size: number;
    readonly promised: number;
    readonly anchors: AnchorCheck;
  }): void {
    const { whole, size: treeSize, promised, anchors } = checked;
    const places: ProofPlaces = {
      size: treeSize,
      rootAt: (size) => this.#roots.get(size) ?? null,
      noteAt: (size) => this.#notes.get(size) ?? null,
      timeAt: (size) => this.#roots.get(size)?.at ?? null,
    };
    if (whole) for (const { name, size, proof } of this.#answers()) if (size === 0) anchors.certificate(name, proof);
    let [answers, unchecked] = [0, 0];
    for (const { name, size, proof } of this.#answers()) {
      if (size === 0) continue;
      answers += 1;
      if (whole) anchors.stored(name, size, proof, places);
      else if (!anchors.unintroduced(name, size, proof, places)) unchecked += 1;
    }
    this.anchors.push(...anchors.end(places, whole));
    if (unchecked > 0)
      this.#findings.warn(
        "anchor-file",
        null,
        `${unchecked} answers of anchors are here; the rows that introduce their keys are not, so they were not checked: VERIFY.md says how to`,
      );
    if (promised > answers)
      this.#findings.add(
        "anchor-missing",
        0,
        `the log promises ${promised} anchors, and has ${answers === 0 ? "none" : answers}`,
      );
    for (const { name, note } of this.#keptNotes) {
      const kept = this.#kept(name, note, treeSize);
      this.anchors.push(kept);
      this.#keptGood ||= kept.good;
    }
  }

  *#answers(): Generator<{ name: unknown; size: unknown; proof: Uint8Array | null }, void> {
    for (const line of this.#files.lines("anchors.jsonl", MAX_ANCHOR_LINE)) {
      const { name, size, proof } = readObject(line) ?? {};
      yield { name, size, proof: typeof proof === "string" ? Buffer.from(proof, "base64") : null };
    }
  }

  #kept(name: string, note: string, treeSize: number): AnchorVerdict {
    const size = sizeOf(note) ?? 0;
    const known = this.#roots.get(size);
    const verdict = { by: "outside", name, size, time: known?.at ?? null } as const;
    const add = (
      code: "anchor-foreign" | "rolled-back" | "forked",
      seq: number | null,
      sentence: string,
    ): AnchorVerdict => {
      this.#findings.add(code, seq, sentence);
      return { ...verdict, good: false };
    };
    const signed = this.#keys.some(
      ({ key, first, last }) => first <= size && (size <= last || last === this.#facts.size) && isGood(note, key),
    );
    if (!signed) return add("anchor-foreign", null, `${name} is not a checkpoint that this log signed`);
    if (known === undefined)
      return add(
        "rolled-back",
        treeSize,
        `the export has ${treeSize} rows, and ${name} covers ${size}: it was made earlier, rows were cut off, or an older copy was put back`,
      );
    return known.root === parseCheckpoint(note).root
      ? { ...verdict, good: true }
      : add(
          "forked",
          null,
          `the first ${size} rows are not those that ${name} was signed for: this is another history`,
        );
  }
}

function isGood(note: string, key: BundleEpoch["key"]): boolean {
  try {
    const checkpoint = parseCheckpoint(note);
    return checkpoint.origin === key.name && isSignedBy(checkpoint, key);
  } catch (error) {
    if (error instanceof NoteError) return false;
    throw error;
  }
}

function sizeOf(note: string): number | null {
  try {
    return parseCheckpoint(note).size;
  } catch {
    return null;
  }
}
