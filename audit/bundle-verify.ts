import { BundleCheck } from "./bundle-check.ts";
import type { Findings } from "./findings.ts";
import { isOutside, OF_AUTHENTICITY, OF_ANCHORS, type Verdict } from "./verdict.ts";
import type { Progress, VerifyOptions } from "./verify.ts";

/** Verifies an exported folder, a tile a step. Nothing in it is trusted, and nothing is written beside it.
 *  @throws {AuditError} AUDIT_UNREADABLE if the folder cannot be read. */
export function* verifyBundle(path: string, findings: Findings, options: VerifyOptions): Generator<Progress, Verdict> {
  const check = new BundleCheck(path, findings, options);
  yield* check.run();
  const { facts, keys, tree, signed, checkpoints, anchors, span, meaning, kept, content, bundle } = check.result;
  const found = findings.findings;
  const outside = anchors.filter((one) => one.good && isOutside(one)).toSorted((a, b) => b.size - a.size);
  const [best] = outside;
  // A checkpoint that the reader kept could not have been signed with another key.
  const given = options.vkey !== undefined || kept;
  const completeness =
    best === undefined
      ? { size: signed, time: bundle?.rows === tree.size ? span.until : null, by: "checkpoint" as const }
      : { size: best.size, time: best.time, by: best.by };
  const current = keys.at(-1);
  return {
    state: found.length > 0 ? "broken" : given ? "good" : "unchecked",
    origin: facts?.origin ?? null,
    size: tree.size,
    root: tree.root,
    from: span.from,
    until: span.until,
    integrity: found.every(({ code }) => OF_ANCHORS.has(code)) ? "good" : "broken",
    authenticity: !given ? "not-checked" : found.some(({ code }) => OF_AUTHENTICITY.has(code)) ? "broken" : "good",
    vkey: current?.key.vkey ?? null,
    epochs: keys.length,
    protector:
      current?.protector === "none" || current?.protector === "keychain" || current?.protector === "passphrase"
        ? current.protector
        : null,
    provisional: current?.protector === "none",
    selfAttested: best === undefined,
    completeness,
    newer: tree.size - completeness.size,
    checkpoints,
    anchors,
    pauses: meaning.pauses,
    starts: meaning.starts,
    open: meaning.open,
    content: { ...content, opened: facts?.content === "full" },
    pruned: { rows: 0, before: 0 },
    deep: options.deep === true,
    pages: "checked",
    files: [],
    findings: found,
    warnings: findings.warnings,
    ...(bundle === null ? {} : { bundle }),
  };
}
