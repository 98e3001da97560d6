import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { consistencyProof, EMPTY_ROOT, grows, inclusionProof, includes, leafHash, rootOf } from "../../audit/merkle.ts";
import { entriesPath, hashesIn, type Tile, tilePath, tilesOf, TileTree, TileWriter } from "../../audit/tiles.ts";

const LARGEST = 70_000;
const leaves = Array.from({ length: LARGEST }, (_, at) => leafHash(Buffer.from(`leaf ${at}`)));

/** The tiles of the first `size` leaves, by path. */
function cut(size: number): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const writer = new TileWriter((tile, bytes) => void files.set(tilePath(tile), bytes));
  for (const leaf of leaves.slice(0, size)) writer.append(leaf);
  writer.end();
  return files;
}

function treeOf(size: number): TileTree {
  const files = cut(size);
  return new TileTree(size, (tile) => files.get(tilePath(tile)) ?? new Uint8Array());
}

test.for<[Tile, string]>([
  [{ level: 0, index: 0, width: 256 }, "tile/0/000"],
  [{ level: 1, index: 999, width: 256 }, "tile/1/999"],
  [{ level: 0, index: 1_000, width: 256 }, "tile/0/x001/000"],
  [{ level: 0, index: 1_234_067, width: 256 }, "tile/0/x001/x234/067"],
  [{ level: 2, index: 1_234_067, width: 5 }, "tile/2/x001/x234/067.p/5"],
])("%o lies where C2SP says", ([tile, path]) => {
  expect(tilePath(tile)).toBe(path);
  expect(entriesPath(tile.index, tile.width)).toBe(path.replace(/^tile\/\d/, "tile/entries"));
});

const AROUND = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 4_096, 65_536].flatMap((k) => [k - 1, k, k + 1]);
const SIZES = [...new Set(AROUND)].filter((size) => size > 0).toSorted((a, b) => a - b);
const ROOTS = new Map(SIZES.map((size) => [size, rootOf(leaves.slice(0, size))]));

describe.for(SIZES)("a tree of %i leaves in tiles", (size) => {
  test("has the tiles that the layout has, and the root of the leaves", () => {
    const files = cut(size);
    expect([...files.keys()].toSorted()).toEqual([...tilesOf(size)].map((tile) => tilePath(tile)).toSorted());
    const tree = new TileTree(size, (tile) => files.get(tilePath(tile)) ?? new Uint8Array());
    expect(tree.root()).toBe(ROOTS.get(size));
  });

  test("proves its leaves, and the trees that it grew from", () => {
    const tree = treeOf(size);
    const root = tree.root();
    const picks = SIZES.flatMap((near) => [near - 1, near, size - near]).filter((at) => at >= 0 && at < size);
    for (const index of new Set(picks)) {
      const proof = tree.inclusion(index);
      expect(includes({ size, root }, leaves[index] ?? "", index, proof)).toBe(true);
      expect(includes({ size, root }, leaves[index + 1] ?? "", index, proof)).toBe(false);
    }
    for (const older of SIZES.filter((near) => near <= size)) {
      const grown = tree.consistency(older);
      expect(grows({ size: older, root: ROOTS.get(older) ?? "" }, { size, root }, grown)).toBe(true);
      expect(grows({ size: older, root: EMPTY_ROOT }, { size, root }, grown)).toBe(false);
    }
  });
});

test("proofs from tiles are those that the RFC's own recursion makes from all leaves", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_200 }), fc.nat(), (size, pick) => {
      const tree = treeOf(size);
      const index = pick % size;
      expect(tree.inclusion(index)).toEqual(inclusionProof(leaves.slice(0, size), index));
      expect(tree.consistency(index + 1)).toEqual(consistencyProof(leaves.slice(0, size), index + 1));
    }),
    { seed: 6, numRuns: 60 },
  );
});

test("a leaf or a tree that there is not has no proof, and a tile of another length is none", () => {
  const tree = treeOf(300);
  expect(() => tree.inclusion(300)).toThrow("there is no leaf 300");
  expect(() => tree.consistency(301)).toThrow("there is no tree of 301");
  expect(() => tree.consistency(0)).toThrow("there is no tree of 0");
  expect(() => new TileTree(300, () => new Uint8Array(32)).root()).toThrow("has another length");
  expect(hashesIn(new Uint8Array(63), 2)).toBeNull();
});
