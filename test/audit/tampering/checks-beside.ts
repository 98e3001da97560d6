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
    ["parseCheckpoint(note).root === found.root", "true"],
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
  "anchor-check.ts: at === null": {
    before: "anchor-check.ts: note === null",
    why: "no checkpoint is of such a size; this says better what is wrong",
  },
};
