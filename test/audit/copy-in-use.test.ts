import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";
import * as z from "zod/mini";
import type { Verdict } from "../../audit/verdict.ts";
import { type VerifyOptions, verifySteps } from "../../audit/verify.ts";
import { beginLog, recordTurn, type TestLog } from "../support/audit-fixture.ts";

let folder: string;
let fixture: TestLog;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "wirken-copy-"));
  fixture = await beginLog(folder);
  for (let turn = 0; turn < 5; turn++) await recordTurn(fixture);
});
afterEach(async () => {
  await fixture.log.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Verifies the log that is open in this process as a file from elsewhere, and does something after each piece that was copied. */
async function verifiedWhile(work: (piece: number) => Promise<void>, options: VerifyOptions = {}): Promise<Verdict> {
  const steps = verifySteps(fixture.path, { vkey: fixture.signer.vkey, ...options });
  let piece = 0;
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) return step.value;
    if (step.value.of === null) await work((piece += 1));
  }
}

test("a log that is written to while it is copied is copied anew, and is whole", async () => {
  const before = fixture.log.size;
  const verdict = await verifiedWhile(async (piece) => {
    if (piece === 2) await recordTurn(fixture);
  });
  expect(verdict).toMatchObject({ state: "good", findings: [], size: fixture.log.size });
  expect(verdict.size).toBeGreaterThan(before);
});

test("a log whose write-ahead log was copied into it between the two copies is not taken for one that was tampered with", async () => {
  const verdict = await verifiedWhile(async (piece) => {
    // The database is copied, its write-ahead log is not: the rows go from one to the other.
    if (piece === 1) expect(movedIntoTheDatabase()).toBeGreaterThan(0);
    await Promise.resolve();
  });
  expect(verdict).toMatchObject({ state: "good", findings: [], size: fixture.log.size });
});

/** As SQLite does by itself once the write-ahead log is large. @returns pages that were moved. */
function movedIntoTheDatabase(): number {
  const other = new Database(fixture.path);
  try {
    const [moved] = z
      .tuple([z.object({ busy: z.literal(0), checkpointed: z.number(), log: z.number() })])
      .parse(other.pragma("wal_checkpoint(RESTART)"));
    return moved.checkpointed;
  } finally {
    other.close();
  }
}

test("a log that is written to all the time is not judged, and no copy of it stays", async () => {
  const scratch = mkdtempSync(join(tmpdir(), "wirken-scratch-"));
  await expect(verifiedWhile(async () => void (await recordTurn(fixture)), { scratch })).rejects.toMatchObject({
    code: "AUDIT_UNREADABLE",
    message: expect.stringContaining("written to each time it was copied"),
  });
  expect(readdirSync(scratch)).toEqual([]);
  rmSync(scratch, { recursive: true });
});
