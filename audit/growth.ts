import { Frontier } from "./merkle.ts";

/** That a tree of `from.size` leaves is the beginning of one of `to`: RFC 6962 §2.1.2, made of what is kept of the older tree and the leaves since,
 *  so that the cost follows what was added and not the whole log.
 *  @param from the older tree. @param to leaves of the newer one, at least `from.size`.
 *  @param rootOf the root of leaves `[start, end)`; asked only for ranges that begin at or behind `from.size`.
 *  @returns what `consistencyProof` returns: hashes in 64 hex digits. @throws {RangeError} unless 0 < from.size ≤ to. */
export async function growthProof(
  from: Frontier,
  to: number,
  rootOf: (start: number, end: number) => Promise<string>,
): Promise<string[]> {
  const { size } = from;
  if (size < 1 || size > to) throw new RangeError(`there is no tree of ${size} in a tree of ${to}`);
  const older = subtreesOf(from);
  /** Every node that the proof takes from the older tree is one of its perfect subtrees. */
  const nodeAt = (start: number): string => {
    const node = older.get(start);
    if (node === undefined) throw new RangeError(`the older tree has no subtree that begins at ${start}`);
    return node;
  };
  const proof = async (m: number, start: number, end: number, whole: boolean): Promise<string[]> => {
    const length = end - start;
    if (m === length) return whole ? [] : [nodeAt(start)];
    const k = largestBelow(length);
    return m <= k
      ? [...(await proof(m, start, start + k, whole)), await rootOf(start + k, end)]
      : [...(await proof(m - k, start + k, end, false)), nodeAt(start)];
  };
  return await proof(size, 0, to, true);
}

/** The root of a range of leaves, read piece by piece. */
export async function rootOfLeaves(leaves: AsyncIterable<string> | Iterable<string>): Promise<string> {
  const tree = new Frontier();
  for await (const leaf of leaves) tree.append(leaf);
  return tree.root();
}

/** The perfect subtrees of a tree by the leaf they begin with. */
function subtreesOf(tree: Frontier): Map<number, string> {
  const text = tree.toString();
  const found = new Map<number, string>();
  let start = 0;
  for (let at = 0; at < text.length; at += 64) {
    found.set(start, text.slice(at, at + 64));
    start += largestUpTo(tree.size - start);
  }
  return found;
}

/** The largest power of two that is not above `n`. */
function largestUpTo(n: number): number {
  return 2 ** Math.floor(Math.log2(n));
}

/** The largest power of two below `n`. */
function largestBelow(n: number): number {
  const k = largestUpTo(n);
  return k === n ? k / 2 : k;
}
