import { createHash } from "node:crypto";

/** One thing in a folder, by its path from there, with `/` between names. */
export type TreeEntry =
  | { readonly kind: "file"; readonly path: string; readonly mode: number; readonly sha256: string }
  | { readonly kind: "directory"; readonly path: string; readonly mode: number }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

/** What a tree is, in one word: two trees have the same digest only where every path, mode, byte and link is the same, in whatever order they are named.
 *  Every text is preceded by its length, so that none can be taken for a part of another.
 *  @returns SHA-256, hex. */
export function treeDigest(entries: readonly TreeEntry[]): string {
  const hash = createHash("sha256").update("wirken/tree/v1\n");
  const keyed = entries.map((entry) => ({ entry, path: Buffer.from(entry.path) }));
  for (const { entry, path } of keyed.toSorted((a, b) => Buffer.compare(a.path, b.path))) {
    const rest =
      entry.kind === "link"
        ? Buffer.from(entry.target)
        : Buffer.from(`${(entry.mode & 0o7777).toString(8)} ${entry.kind === "file" ? entry.sha256 : ""}`);
    hash.update(`${entry.kind} ${path.length} ${rest.length}\n`).update(path).update(rest);
  }
  return hash.digest("hex");
}
