import type { AuditLog } from "../../audit/log.ts";
import type { VerifyOptions } from "../../audit/verify.ts";
import { readCopy } from "./anchor-file.ts";
import type { AnchorHistory } from "./anchor-history.ts";
import type { OpenFinding } from "./findings.ts";

/** What the file anchors hold, for the verifier. */
export async function disksOf(history: AnchorHistory): Promise<NonNullable<VerifyOptions["disks"]>> {
  const files = history.promised.filter(({ type }) => type === "file");
  return await Promise.all(
    files.map(async ({ name, place }) => {
      const copy = place === null ? null : await readCopy(place);
      if (copy?.state === "found") return { name, state: copy.state, note: copy.note };
      return { name, state: copy?.state ?? ("unreachable" as const) };
    }),
  );
}

/** What the files on other disks say against this log at a start: they are signed with its own key. */
export async function findingsOnDisks(history: AnchorHistory, log: AuditLog): Promise<OpenFinding[]> {
  const found: OpenFinding[] = [];
  for (const disk of await disksOf(history)) {
    const wrong = disk.state === "found" ? log.compare(disk.note) : null;
    if (wrong !== null && wrong.code !== "foreign")
      found.push({
        code: `ANCHOR_${wrong.code.toUpperCase()}`,
        seq: null,
        sentence: `${wrong.sentence} (anchor ${disk.name})`,
      });
  }
  return found;
}
