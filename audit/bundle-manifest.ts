import type { BundleFiles } from "./bundle-files.ts";
import { MANIFEST } from "./export-folder.ts";
import type { Findings } from "./findings.ts";
import type { Progress } from "./verify.ts";

const MAX_MANIFEST_LINE = 512;

/** Every file is the one that the manifest lists, and none is beside them. */
export function* checkManifest(files: BundleFiles, findings: Findings): Generator<Progress, void> {
  const unlisted = new Set(files.names);
  unlisted.delete(MANIFEST);
  let count = 0;
  for (const line of files.lines(MANIFEST, MAX_MANIFEST_LINE)) {
    const [, digest, name = ""] = /^([0-9a-f]{64}) {2}([^\n]+)$/.exec(line?.toString("utf8") ?? "") ?? [];
    if (digest === undefined) {
      findings.add("bundle-file", null, `${MANIFEST} is damaged`);
      return;
    }
    if (!unlisted.delete(name)) findings.add("bundle-file", null, `${name} is in ${MANIFEST}, and not here`);
    else if (files.digest(name) !== digest)
      findings.add("bundle-file", null, `${name} is not the file that ${MANIFEST} lists: it was changed`);
    count += 1;
    if (count % 100 === 0) yield { rows: 0, of: null };
  }
  const [stray] = unlisted;
  if (!files.names.has(MANIFEST)) findings.add("bundle-file", null, `${MANIFEST} is missing`);
  else if (stray !== undefined)
    findings.add(
      "bundle-file",
      null,
      `${unlisted.size} files are not in ${MANIFEST}, such as ${stray}: they were added`,
    );
}
