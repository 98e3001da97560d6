import type { SecondLine } from "./checks.ts";
import { conditionsOf as of, type Condition } from "./verifier-without.ts";

/** Sources of the verifier that are about what stands beside the rows: anchors, what was pruned, exports. */
export const BESIDE_FILES = [
  "anchor-check.ts",
  "pruned.ts",
  "bundle-check.ts",
  "bundle-content.ts",
  "bundle-facts.ts",
  "bundle-files.ts",
  "bundle-history.ts",
  "bundle-manifest.ts",
  "some-rows.ts",
] as const;

/** Checks that are part of a condition. */
export const BESIDE_CONDITIONS: readonly Condition[] = [
  ...of("anchor-check.ts", [
    ["if (⟦known === undefined⟧) return wrong", "false"],
    ["if (⟦at === null⟧) return wrong", "false"],
    ['read === null || read.type === "certificate" || read.type !== known.type', "false"],
    ["if (⟦note === null⟧) return wrong", "false"],
    ['if (⟦typeof time === "string"⟧) return wrong', "false"],
    ['ms === null || !stamps(response, digest.toString("hex"), time)', "false"],
    ["checked.ms === ms", "true"],
    ["certificate !== null && known.pins.has(pin)", "certificate !== null"],
    ["holds < reached", "false"],
    ["rootOf(note) === found.root", "true"],
    ["if (⟦this.#given !== null⟧) return this.#given", "false"],
  ]),
  ...of("pruned.ts", [
    ["from < to && to <= seq", "true"],
    ['subtreeRoots(from, hashes(database, from, to)).join("") !== roots', "false"],
    ["rows !== null && rest !== 0", "false"],
  ]),
  ...of("bundle-check.ts", [
    ["entryHash(named, body) !== leaf", "false"],
    ["if (⟦!whole⟧ ||", "false"],
    ["named !== previous", "false"],
    ["proof.index === seq", "true"],
    ["proof.checkpoint === note", "true"],
    ["includes(newest, leaf, seq, proof.hashes)", "true"],
    ["seq >= (this.#facts?.size ?? 0)", "false"],
    ["seq <= before", "false"],
  ]),
  ...of("bundle-content.ts", [
    ["line?.seq === seq && line.part === part && line.commitment === commitment", "true"],
    ["this.#commitmentOf(line) === commitment", "true"],
  ]),
  ...of("bundle-facts.ts", [["first === (before?.last ?? 1) && ⟦epoch === epochs.length + 1⟧", "true"]]),
  ...of("bundle-history.ts", [
    ["checkpoint.origin !== this.#facts.origin || ⟦checkpoint.size !== size⟧", "false"],
    ["checkpoint.signatures.length === keys.length", "true"],
    ["keys.every(({ key }) => isSignedBy(checkpoint, key))", "true"],
    ["checkpoint.root === tree.root()", "true"],
    ["known.root === parseCheckpoint(note).root", "true"],
    ["if (⟦!signed⟧) return add", "false"],
    ["if (⟦known === undefined⟧)\n      return add", "false"],
  ]),
  ...of("bundle-manifest.ts", [["files.digest(name) !== digest", "false"]]),
];

/** Checks without which every case is still answered, and what stands before them. */
export const BESIDE_SECOND_LINES: Readonly<Record<string, SecondLine>> = {
  'bundle-check.ts: the finding "row-stray"': {
    before: 'bundle-check.ts: the finding "tile"',
    why: "a row of a number below the size is left over only where the tree could not be read to its end",
  },
  'pruned.ts: the finding "pruned"': {
    before: 'pruned.ts: the finding "pruned" (2)',
    why: "a limit on time: hashes are compared with what a row says of them only so often",
  },
  "anchor-check.ts: at === null": {
    before: "anchor-check.ts: note === null",
    why: "no checkpoint is of such a size; this says better what is wrong",
  },
};

/** Which case a condition is there for: only to try that one first. */
export const BESIDE_LIKELY: ReadonlyMap<string, string> = new Map([
  ["checkpoint.root === tree.root()", "export: a checkpoint is of another tree, which the log's key signed"],
  ["checkpoint.size !== size", "export: a checkpoint is of other rows"],
  ["this.#commitmentOf(line) === commitment", "export: content is changed"],
  ["proof.checkpoint === note", "export: a proof ends in another checkpoint"],
  ["proof.index === seq", "export: a proof says that it is of another row"],
  ["includes(newest, leaf, seq, proof.hashes)", "export: a proof has another hash"],
  ["named !== previous", "export: a row does not follow from the one before it"],
  ["rootOf(note) === found.root", "anchors: an answer is about another tree, which the log's key signed"],
  ["seq >= (this.#facts?.size ?? 0)", "export: a row behind the end that says so"],
  ["holds < reached", "anchors: one is said to have reached further than any answer"],
  ["seq <= before", "export: a row is there twice"],
  ["line?.seq === seq && line.part === part && line.commitment === commitment", "export: a row of a part is missing"],
  ["!whole", "export: a row is written otherwise"],
  ["entryHash(named, body) !== leaf", "export: a row is changed"],
  ["keys.every(({ key }) => isSignedBy(checkpoint, key))", "export: it lists another key than the rows have"],
  ["checkpoint.signatures.length === keys.length", "export: a key does not follow"],
  ["epoch === epochs.length + 1", "export: a key does not follow"],
  ["certificate !== null && known.pins.has(pin)", "anchors: another certificate is stored besides"],
  ["this.#given !== null", "anchors: a timestamp is of an authority that its reader does not trust"],
  ["files.digest(name) !== digest", "export: a file is not the one of the manifest"],
  [
    'ms === null || !stamps(response, digest.toString("hex"), time)',
    "anchors: a timestamp that nobody vouches for is of another note",
  ],
  ["checked.ms === ms", "anchors: a timestamp says another time than was signed"],
  ['read === null || read.type === "certificate" || read.type !== known.type', "anchors: an answer is nothing"],
  ["note === null", "anchors: a cosignature is about rows that no checkpoint covers"],
  ["from < to && to <= seq", "pruned: the row says that others went, and its log's key signs that"],
  ["known === undefined", "anchors: a cosignature is of an anchor that no row introduces"],
]);
