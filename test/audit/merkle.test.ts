import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod/mini";
import {
  consistencyProof,
  EMPTY_ROOT,
  Frontier,
  grows,
  inclusionProof,
  includes,
  leafHash,
  rootOf,
} from "../../audit/merkle.ts";

const Proof = z.array(z.string());
const vectors = z
  .object({
    leaves: z.array(z.string()),
    roots: z.array(z.string()),
    inclusion: z.array(z.object({ index: z.int(), size: z.int(), proof: Proof })).check(z.minLength(1)),
    consistency: z.array(z.object({ from: z.int(), size: z.int(), proof: Proof })).check(z.minLength(1)),
  })
  .parse(JSON.parse(readFileSync(new URL("../vectors/rfc6962.json", import.meta.url), "utf8")));

/** RFC 6962 §2.1 as it is written there, on bytes. */
function naiveRoot(leaves: readonly Buffer[]): Buffer {
  const [only, another] = leaves;
  if (only === undefined) return sha();
  if (another === undefined) return sha(Buffer.of(0), only);
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return sha(Buffer.of(1), naiveRoot(leaves.slice(0, k)), naiveRoot(leaves.slice(k)));
}

const data = (n: number): Buffer[] => Array.from({ length: n }, (_, i) => Buffer.from(`leaf ${i}`));
const hashes = (leaves: readonly Buffer[]): string[] => leaves.map((leaf) => leafHash(leaf));

describe("the reference tree of RFC 6962", () => {
  test.for(vectors.roots.map((root, at) => ({ size: at + 1, root })))(
    "has the root $root with $size leaves",
    ({ size, root }) => {
      expect(rootOf(hashes(vectors.leaves.slice(0, size).map((hex) => Buffer.from(hex, "hex"))))).toBe(root);
    },
  );
  const referenceLeaves = hashes(vectors.leaves.map((hex) => Buffer.from(hex, "hex")));
  const treeOf = (size: number): { size: number; root: string } => ({ size, root: vectors.roots[size - 1] ?? "" });
  test.for(vectors.inclusion)("proves leaf $index of $size as the reference does", ({ index, size, proof }) => {
    expect(inclusionProof(referenceLeaves.slice(0, size), index)).toEqual(proof);
    const leaf = referenceLeaves[index] ?? "";
    expect(includes(treeOf(size), leaf, index, proof)).toBe(true);
    expect(includes(treeOf(size), leaf, index, [...proof, leaf]), "a hash more").toBe(false);
    expect(includes(treeOf(size), leaf, size - 1 - index, proof), "another place").toBe(size - 1 === 2 * index);
    expect(proof.length > 0 && includes(treeOf(size), leaf, index, proof.slice(0, -1)), "cut").toBe(false);
  });
  test.for(vectors.consistency)("grows from $from to $size as the reference does", ({ from, size, proof }) => {
    expect(consistencyProof(referenceLeaves.slice(0, size), from)).toEqual(proof);
    expect(grows(treeOf(from), treeOf(size), proof)).toBe(true);
    expect(grows(treeOf(from), treeOf(size), [...proof, EMPTY_ROOT]), "a hash more").toBe(false);
    expect(proof.length > 0 && grows(treeOf(from), treeOf(size), proof.slice(1)), "cut").toBe(false);
    expect(grows({ size: from, root: EMPTY_ROOT }, treeOf(size), proof), "another tree").toBe(false);
  });
  test("has the hash of nothing without leaves", () => {
    expect(rootOf([])).toBe(createHash("sha256").digest("hex"));
    expect(EMPTY_ROOT).toBe(rootOf([]));
  });
});

const SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257];

test.for(SIZES)("a tree of %i grown leaf by leaf has the root of the naive one", (size) => {
  expect(rootOf(hashes(data(size)))).toBe(naiveRoot(data(size)).toString("hex"));
});

test("a frontier that was stored goes on as if it had not been", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 60 }), (size, more) => {
      const all = hashes(data(size + more));
      const first = new Frontier();
      for (const leaf of all.slice(0, size)) first.append(leaf);
      const stored = Frontier.parse(size, first.toString());
      expect(stored?.root()).toBe(rootOf(all.slice(0, size)));
      for (const leaf of all.slice(size)) stored?.append(leaf);
      expect(stored?.root()).toBe(rootOf(all));
      expect(first.size).toBe(size);
    }),
    { seed: 3, numRuns: 100 },
  );
});

test.for([
  ["another size", 6],
  ["one leaf more", 8],
  ["a size of half a leaf", 6.5],
  ["a negative size", -1],
])("a stored frontier is refused for %s", ([, size]) => {
  const frontier = new Frontier();
  for (const leaf of hashes(data(7))) frontier.append(leaf);
  expect(Frontier.parse(7, frontier.toString())).not.toBeNull();
  expect(Frontier.parse(Number(size), frontier.toString())).toBeNull();
  expect(Frontier.parse(7, frontier.toString().toUpperCase())).toBeNull();
  expect(Frontier.parse(7, `${frontier.toString()} `)).toBeNull();
});

test("every leaf is proved to be in its tree, and in no other place, tree or form", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 130 }), fc.nat(), (size, pick) => {
      const leaves = hashes(data(size));
      const index = pick % size;
      const tree = { size, root: rootOf(leaves) };
      const proof = inclusionProof(leaves, index);
      const leaf = leaves[index] ?? "";
      expect(includes(tree, leaf, index, proof)).toBe(true);
      expect(includes(tree, leafHash(Buffer.from("other")), index, proof)).toBe(false);
      if (size > 1) {
        expect(includes(tree, leaf, (index + 1) % size, proof)).toBe(false);
        expect(includes(tree, leaf, index, proof.slice(1))).toBe(false);
      }
      expect(includes(tree, leaf, index, [...proof, tree.root])).toBe(false);
      expect(includes({ ...tree, root: leaf === tree.root ? EMPTY_ROOT : leaf }, leaf, index, proof)).toBe(false);
      expect(includes(tree, leaf, size, proof)).toBe(false);
    }),
    { seed: 4, numRuns: 200 },
  );
});

test("every earlier tree is proved to be the beginning of a later one, and no other is", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 130 }), fc.nat(), (size, pick) => {
      const leaves = hashes(data(size));
      const from = 1 + (pick % size);
      const older = { size: from, root: rootOf(leaves.slice(0, from)) };
      const newer = { size, root: rootOf(leaves) };
      const proof = consistencyProof(leaves, from);
      expect(grows(older, newer, proof)).toBe(true);
      const forked = [...leaves.slice(0, from - 1), leafHash(Buffer.from("fork"))];
      expect(grows({ size: from, root: rootOf(forked) }, newer, proof)).toBe(false);
      expect(grows(older, newer, [...proof, newer.root])).toBe(false);
      if (proof.length > 0) expect(grows(older, newer, proof.slice(1))).toBe(false);
      if (from < size) expect(grows(newer, older, proof)).toBe(false);
    }),
    { seed: 5, numRuns: 200 },
  );
});

test("a proof of a leaf or tree that there is not is a mistake of the caller", () => {
  expect(() => inclusionProof(hashes(data(3)), 3)).toThrow("there is no leaf 3");
  expect(() => consistencyProof(hashes(data(3)), 4)).toThrow("there is no tree of 4");
});

function sha(...parts: Buffer[]): Buffer {
  return createHash("sha256").update(Buffer.concat(parts)).digest();
}
