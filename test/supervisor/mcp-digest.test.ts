import fc from "fast-check";
import { expect, test } from "vitest";
import { type TreeEntry, treeDigest } from "../../src/supervisor/mcp-digest.ts";

const Path = fc
  .array(fc.stringMatching(/^[a-z0-9 .\u00e9\n-]{1,8}$/), { minLength: 1, maxLength: 4 })
  .map((names) => names.join("/"));
const Mode = fc.integer({ min: 0, max: 0o7777 });
const Entry: fc.Arbitrary<TreeEntry> = fc.oneof(
  fc.record({
    kind: fc.constant("file" as const),
    path: Path,
    mode: Mode,
    sha256: fc.stringMatching(/^[0-9a-f]{64}$/),
  }),
  fc.record({ kind: fc.constant("directory" as const), path: Path, mode: Mode }),
  fc.record({ kind: fc.constant("link" as const), path: Path, target: Path }),
);
const Tree = fc.uniqueArray(Entry, { selector: ({ path }) => path, maxLength: 12 });

test("a tree has one digest, in whatever order it is read", () => {
  fc.assert(
    fc.property(
      Tree.chain((tree) => fc.tuple(fc.constant(tree), fc.shuffledSubarray(tree, { minLength: tree.length }))),
      ([tree, shuffled]) => {
        expect(treeDigest(shuffled)).toBe(treeDigest(tree));
      },
    ),
  );
});

test("two trees that differ in anything have two digests", () => {
  fc.assert(
    fc.property(Tree, Tree, (one, other) => {
      const same = sorted(one) === sorted(other);
      expect(treeDigest(one) === treeDigest(other)).toBe(same);
    }),
  );
});

test.for(["path", "mode", "bytes", "target", "kind", "gone", "more"] as const)(
  "a tree whose %s is another is another tree",
  (what) => {
    fc.assert(
      fc.property(Tree, fc.nat(), Entry, (tree, at, more) => {
        const entry = tree[at % Math.max(1, tree.length)];
        if (entry === undefined) return;
        const others = tree.filter((one) => one !== entry);
        if (what === "more") fc.pre(!tree.some(({ path }) => path === more.path));
        if (what === "gone") expect(treeDigest(others)).not.toBe(treeDigest(tree));
        if (what === "more") expect(treeDigest([...tree, more])).not.toBe(treeDigest(tree));
        if (what === "gone" || what === "more") return;
        const changed = changedIn(entry, what);
        if (changed === null) return;
        expect(treeDigest([...others, changed])).not.toBe(treeDigest(tree));
      }),
    );
  },
);

test("no part of an entry can be taken for another part", () => {
  const digest = treeDigest([{ kind: "link", path: "a", target: "bc" }]);
  expect(treeDigest([{ kind: "link", path: "ab", target: "c" }])).not.toBe(digest);
  expect(
    treeDigest([
      { kind: "link", path: "a", target: "b" },
      { kind: "link", path: "c", target: "" },
    ]),
  ).not.toBe(digest);
});

function changedIn(entry: TreeEntry, what: "path" | "mode" | "bytes" | "target" | "kind"): TreeEntry | null {
  switch (what) {
    case "path":
      return { ...entry, path: `${entry.path}/x` };
    case "mode":
      return entry.kind === "link" ? null : { ...entry, mode: entry.mode ^ 0o100 };
    case "bytes":
      return entry.kind === "file" ? { ...entry, sha256: flipped(entry.sha256) } : null;
    case "target":
      return entry.kind === "link" ? { ...entry, target: `${entry.target}x` } : null;
    case "kind":
      return entry.kind === "directory"
        ? { kind: "link", path: entry.path, target: "" }
        : { kind: "directory", path: entry.path, mode: 0o755 };
  }
}

function flipped(hex: string): string {
  return `${hex.startsWith("0") ? "1" : "0"}${hex.slice(1)}`;
}

function sorted(tree: readonly TreeEntry[]): string {
  return JSON.stringify(tree.map((entry) => JSON.stringify(entry, Object.keys(entry).toSorted())).toSorted());
}
