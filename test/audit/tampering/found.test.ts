import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as verifier from "../../../audit/verify.ts";
import { examine, type Logs, makeLogs, options } from "./examine.ts";
import { copyLog } from "./original.ts";
import { TABLE } from "./table.ts";

/** Each tampering is done to a copy of a log that a real run left, and the verifier names it: its code, and the first bad row. */

const folder = mkdtempSync(join(tmpdir(), "wirken-tampering-"));
let logs: Logs;

beforeAll(async () => {
  logs = await makeLogs(folder);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.for(["whole", "killed", "closing"] as const)("the detector detects: the %s log, left alone, is good", (which) => {
  const log = logs[which];
  const copy = join(copyLog(log.original.folder), "audit.db");
  for (const deep of [false, true]) {
    const anchors = [{ name: "elsewhere", note: log.original.outside }];
    const verdict = verifier.verifySync(copy, { ...options(log), deep, anchors });
    expect(verdict).toMatchObject({ state: "good", findings: [], size: log.size, selfAttested: false });
  }
});

for (const [about, tamperings] of Object.entries(TABLE)) {
  describe(`of ${about}`, () => {
    test.for(tamperings.map((one) => [one.name, one] as const))("%s: found", ([, tampering]) => {
      expect(examine(verifier, tampering, logs)).toBeNull();
    });
  });
}
