import type { VerifyOptions } from "../../../audit/verify.ts";
import { type Copy, isOf, isSigned, type Keys, keysOf, type Row } from "./hand.ts";
import type { Original } from "./original.ts";

/** One thing that somebody may do to a log, and what the verifier answers. */
export interface Tampering {
  readonly name: string;
  /** Which log it is done to; `whole` when left out. */
  readonly of?: "whole" | "killed" | "closing";
  readonly does: (copy: Copy, log: Known) => void;
  /** What the verifier is given besides the key, the vault and the clock. */
  readonly given?: (log: Known) => VerifyOptions;
  readonly found: Found;
}

export type Found =
  /** The finding, and the first bad row: no other finding names an earlier one. */
  | { readonly code: string; readonly seq: (log: Known) => number | null }
  /** Not a finding, but said. */
  | { readonly warning: string; readonly seq: (log: Known) => number | null }
  /** Good without an anchor out of the writer's reach, and named so in these words; with one it is found. */
  | { readonly named: RegExp; readonly outside: string; readonly seq: (log: Known) => number | null }
  /** Newer than everything that is signed, so that not even an anchor covers it: named so. */
  | { readonly never: RegExp };

/** An original, with its places by name. */
export class Known {
  readonly original: Original;
  readonly rows: readonly Row[];
  readonly size: number;
  /** Rows that a checkpoint ends with. */
  readonly signed: readonly number[];
  /** Sizes of the checkpoints that two keys signed. */
  readonly rotations: readonly number[];

  constructor(original: Original) {
    this.original = original;
    this.rows = original.rows;
    this.size = original.rows.length;
    this.signed = this.rows.filter(({ body }) => isSigned(body)).map(({ seq }) => seq);
    this.rotations = this.rows.filter(({ body }) => isOf(body, "key.rotated")).map(({ seq }) => seq + 1);
  }

  /** The log's own keys, for whoever got hold of them. */
  get keys(): Keys {
    return keysOf(this.original.signers, this.rotations);
  }

  get bodies(): string[] {
    return this.rows.map(({ body }) => body);
  }

  /** The `nth` row of a kind, from 0. */
  row(kind: string, nth = 0): number {
    const found = this.rows.filter(({ body }) => isOf(body, kind))[nth];
    if (found === undefined) throw new Error(`this log has no row ${kind}`);
    return found.seq;
  }

  /** A row in the middle, between two checkpoints and next to neither. */
  get middle(): number {
    return this.row("turn.started", 1);
  }

  /** The first row after `seq` that a checkpoint ends with. */
  signedAfter(seq: number): number {
    const found = this.signed.find((at) => at > seq);
    if (found === undefined) throw new Error(`no checkpoint covers row ${seq}`);
    return found;
  }

  /** How many rows the last checkpoint before row `seq` covers. */
  coveredBefore(seq: number): number {
    return (this.signed.findLast((at) => at < seq) ?? -1) + 1;
  }

  /** Where row `seq` is looked for when the tree of `size` rows is another one: the first row of the perfect subtree that it lies in, and that no earlier
   *  checkpoint covers. */
  lookedForFrom(seq: number, size: number): number {
    let start = 0;
    for (let height = 2 ** 40; height >= 1; height /= 2) {
      if (size - start < height) continue;
      if (seq < start + height) return Math.max(start, this.coveredBefore(seq));
      start += height;
    }
    throw new RangeError(`row ${seq} is not in a tree of ${size}`);
  }
}
