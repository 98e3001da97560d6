import { hash } from "node:crypto";

/** The Merkle tree of RFC 6962 §2.1. Hashes are 64 lower-case hex digits throughout: Buffers are three times slower to make.
 *  @see https://www.rfc-editor.org/rfc/rfc6962#section-2.1 */

/** The root of a tree without leaves: SHA-256 of nothing. */
export const EMPTY_ROOT = hash("sha256", "", "hex");
const HASH = /^[0-9a-f]{64}$/;
const BYTES = 32;

/** `SHA-256(0x00 ‖ d)`. */
export function leafHash(d: Uint8Array): string {
  const input = Buffer.alloc(1 + d.length);
  input.set(d, 1);
  return hash("sha256", input, "hex");
}

const WORD = 4;
/** The words of two hashes. */
const WORDS = (2 * BYTES) / WORD;
/** `0x01 ‖ left ‖ right`: the one input of every node, filled anew each time. It begins before a word, so that both hashes are copied in words. */
const node = Buffer.from(new ArrayBuffer(WORD + 2 * BYTES), WORD - 1);
node[0] = 1;
const children = new Uint32Array(node.buffer, WORD, WORDS);

/** `SHA-256(0x01 ‖ left ‖ right)`. */
export function nodeHash(left: string, right: string): string {
  node.write(left, 1, BYTES, "hex");
  node.write(right, 1 + BYTES, BYTES, "hex");
  return hash("sha256", node, "hex");
}

/** Leaves that wait to be hashed together. */
const BATCH = 1_024;
/** Where hashes lie as bytes while a tree grows, behind room for the subtree to their left. Used anew by every tree, and never over a call. */
const bytes = Buffer.from(new ArrayBuffer((1 + BATCH) * BYTES));
const words = new Uint32Array(bytes.buffer);

/** All that is kept of a tree to let it grow: the roots of its perfect subtrees, at most one of each height. */
export class Frontier {
  #size = 0;
  /** By height; null where the tree has no subtree of that height. */
  readonly #subtrees: (string | null)[] = [];
  /** Leaves that are in no subtree yet: one call for many of them costs a fifth of one for each. */
  #waiting: string[] = [];

  get size(): number {
    return this.#size;
  }

  /** @param leaf 64 hex digits. */
  append(leaf: string): void {
    this.#size += 1;
    this.#waiting.push(leaf.length === 2 * BYTES ? leaf : bytesOf(leaf).toString("hex"));
    if (this.#waiting.length === BATCH) this.#fold();
  }

  #fold(): void {
    let hashes = this.#waiting.length;
    writeHashes(this.#waiting, BYTES);
    this.#waiting = [];
    for (let height = 0; hashes > 0; height++) {
      const subtree = this.#subtrees[height] ?? null;
      if (subtree !== null) bytes.write(subtree, 0, BYTES, "hex");
      const from = subtree === null ? BYTES : 0;
      const pairs = Math.floor((hashes + (subtree === null ? 0 : 1)) / 2);
      const rest = from + 2 * pairs * BYTES;
      this.#subtrees[height] = rest === (1 + hashes) * BYTES ? null : bytes.toString("hex", rest, rest + BYTES);
      const parents: string[] = [];
      for (let left = from; left < rest; left += 2 * BYTES) {
        const first = left / WORD;
        for (let word = 0; word < WORDS; word++) children[word] = words[first + word] ?? 0;
        parents.push(hash("sha256", node, "latin1"));
      }
      bytes.write(parents.join(""), BYTES, "latin1");
      hashes = pairs;
    }
  }

  root(): string {
    this.#fold();
    let folded: string | null = null;
    for (const subtree of this.#subtrees) {
      if (subtree !== null) folded = folded === null ? subtree : nodeHash(subtree, folded);
    }
    return folded ?? EMPTY_ROOT;
  }

  /** The subtrees' roots, largest first, without a separator. */
  toString(): string {
    this.#fold();
    return this.#subtrees
      .filter((subtree) => subtree !== null)
      .toReversed()
      .join("");
  }

  /** @returns null unless `text` is what {@link toString} writes for a tree of that many leaves. */
  static parse(size: number, text: string): Frontier | null {
    if (!Number.isSafeInteger(size) || size < 0) return null;
    const frontier = new Frontier();
    frontier.#size = size;
    const hashes = text.match(/.{64}|.+/gs) ?? [];
    for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) {
      const subtree = rest % 2 === 1 ? hashes.pop() : null;
      if (subtree === undefined || (subtree !== null && !HASH.test(subtree))) return null;
      frontier.#subtrees.push(subtree);
    }
    return hashes.length === 0 ? frontier : null;
  }

  /** Two trees of one size: @returns the first leaf of the first perfect subtree in which they differ, or null. */
  firstDifference(other: Frontier): number | null {
    this.#fold();
    other.#fold();
    let start = 0;
    for (let height = this.#subtrees.length - 1; height >= 0; height--) {
      const subtree = this.#subtrees[height] ?? null;
      if (subtree === null) continue;
      if (subtree !== other.#subtrees[height]) return start;
      start += 2 ** height;
    }
    return null;
  }

  clone(): Frontier {
    this.#fold();
    const copy = new Frontier();
    copy.#size = this.#size;
    copy.#subtrees.push(...this.#subtrees);
    return copy;
  }
}

/** Writes hashes of 64 hex digits as bytes, one behind the other.  */
function writeHashes(texts: readonly string[], at: number): void {
  const joined = texts.join("");
  if (bytes.write(joined, at, "hex") === joined.length / 2) return;
  // What is no hash has zeros from where it is none.
  for (let digit = 0; digit < joined.length; digit += 2 * BYTES)
    bytes.set(bytesOf(joined.slice(digit, digit + 2 * BYTES)), at + digit / 2);
}

function bytesOf(hex: string): Buffer {
  const written = Buffer.alloc(BYTES);
  written.write(hex, "hex");
  return written;
}

export function rootOf(leaves: Iterable<string>): string {
  const frontier = new Frontier();
  for (const leaf of leaves) frontier.append(leaf);
  return frontier.root();
}

/** The largest power of two below `n`, for n > 1. */
function split(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

/** The audit path of one leaf, from its sibling upwards: RFC 6962 §2.1.1.
 *  @throws {RangeError} if there is no such leaf. */
export function inclusionProof(leaves: readonly string[], index: number): string[] {
  if (!Number.isInteger(index) || index < 0 || index >= leaves.length)
    throw new RangeError(`there is no leaf ${index} in a tree of ${leaves.length}`);
  if (leaves.length === 1) return [];
  const k = split(leaves.length);
  const [left, right] = [leaves.slice(0, k), leaves.slice(k)];
  return index < k
    ? [...inclusionProof(left, index), rootOf(right)]
    : [...inclusionProof(right, index - k), rootOf(left)];
}

/** That the tree of the first `from` leaves is the beginning of this one: RFC 6962 §2.1.2.
 *  @throws {RangeError} unless 0 < from ≤ the number of leaves. */
export function consistencyProof(leaves: readonly string[], from: number): string[] {
  if (!Number.isInteger(from) || from < 1 || from > leaves.length)
    throw new RangeError(`there is no tree of ${from} in a tree of ${leaves.length}`);
  return subproof(leaves, from, true);
}

function subproof(leaves: readonly string[], from: number, whole: boolean): string[] {
  if (from === leaves.length) return whole ? [] : [rootOf(leaves)];
  const k = split(leaves.length);
  const [left, right] = [leaves.slice(0, k), leaves.slice(k)];
  return from <= k
    ? [...subproof(left, from, whole), rootOf(right)]
    : [...subproof(right, from - k, false), rootOf(left)];
}

/** RFC 9162 §2.1.3.2. */
export function includes(
  tree: { size: number; root: string },
  leaf: string,
  index: number,
  proof: readonly string[],
): boolean {
  if (!Number.isSafeInteger(index) || index < 0 || index >= tree.size) return false;
  let [at, last, folded] = [index, tree.size - 1, leaf];
  for (const sibling of proof) {
    if (last === 0 || !HASH.test(sibling)) return false;
    if (at % 2 === 1 || at === last) {
      folded = nodeHash(sibling, folded);
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)];
    } else folded = nodeHash(folded, sibling);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && folded === tree.root;
}

/** RFC 9162 §2.1.4.2. */
export function grows(
  older: { size: number; root: string },
  newer: { size: number; root: string },
  proof: readonly string[],
): boolean {
  if (!Number.isSafeInteger(older.size) || older.size < 1 || older.size > newer.size) return false;
  if (older.size === newer.size) return proof.length === 0 && older.root === newer.root;
  if (!proof.every((sibling) => HASH.test(sibling))) return false;
  const path = Number.isInteger(Math.log2(older.size)) ? [older.root, ...proof] : [...proof];
  const [first, ...rest] = path;
  if (first === undefined) return false;
  let [at, last] = [older.size - 1, newer.size - 1];
  while (at % 2 === 1) [at, last] = [half(at), half(last)];
  let [old, now] = [first, first];
  for (const sibling of rest) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      [old, now] = [nodeHash(sibling, old), nodeHash(sibling, now)];
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)];
    } else now = nodeHash(now, sibling);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && old === older.root && now === newer.root;
}

function half(n: number): number {
  return Math.floor(n / 2);
}
