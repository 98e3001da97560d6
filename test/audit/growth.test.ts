import { expect, test } from "vitest";
import { growthProof, rootOfLeaves } from "../../audit/growth.ts";
import { consistencyProof, Frontier, grows, leafHash, rootOf } from "../../audit/merkle.ts";

const leaves = Array.from({ length: 66 }, (_, at) => leafHash(Buffer.from(`leaf ${at}`)));

function frontierOf(size: number): Frontier {
  const tree = new Frontier();
  for (const leaf of leaves.slice(0, size)) tree.append(leaf);
  return tree;
}

test("the proof made of the older tree and the leaves since is RFC 6962's, for all pairs of sizes up to 66", async () => {
  const asked: [number, number][] = [];
  const wrong: [number, number][] = [];
  for (let to = 1; to <= leaves.length; to++)
    for (let from = 1; from <= to; from++) {
      const proof = await growthProof(frontierOf(from), to, async (start, end) => {
        if (start < from) asked.push([from, start]);
        return await rootOfLeaves(leaves.slice(start, end));
      });
      const older = { size: from, root: rootOf(leaves.slice(0, from)) };
      const newer = { size: to, root: rootOf(leaves.slice(0, to)) };
      const expected = consistencyProof(leaves.slice(0, to), from);
      if (proof.join() !== expected.join() || !grows(older, newer, proof)) wrong.push([from, to]);
    }
  expect(wrong).toEqual([]);
  expect(asked, "only leaves that were added are read").toEqual([]);
});

test.for([
  [0, 5],
  [6, 5],
] as const)("there is no proof from %i to %i leaves", async ([from, to]) => {
  await expect(growthProof(frontierOf(from), to, () => Promise.resolve(""))).rejects.toThrow(RangeError);
});
