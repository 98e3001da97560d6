import { nodeHash } from "./merkle.ts";

/** The roots of the complete subtrees that make up a range of leaves, left to right: each is a node of every tree that holds the range, so whoever has
 *  them can still prove the rows beside it.
 *  @param from the index of the first leaf. @param leaves their hashes, in order. */
export function subtreeRoots(from: number, leaves: Iterable<string>): string[] {
  /** Complete subtrees so far: where each begins, how many leaves it has, its root. */
  const roots: { at: number; leaves: number; root: string }[] = [];
  let seq = from;
  for (const leaf of leaves) {
    let made = { at: seq, leaves: 1, root: leaf };
    for (let left = roots.at(-1); left !== undefined; left = roots.at(-1)) {
      // Two subtrees of one size are one if the left of them stands where a tree of twice the size does.
      if (left.leaves !== made.leaves || left.at % (2 * left.leaves) !== 0) break;
      roots.pop();
      made = { at: left.at, leaves: 2 * left.leaves, root: nodeHash(left.root, made.root) };
    }
    roots.push(made);
    seq += 1;
  }
  return roots.map(({ root }) => root);
}
