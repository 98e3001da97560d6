import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, expect, test } from "vitest";
import { verifySync } from "../../audit/verify.ts";
import { healthyLog } from "../support/audit-fixture.ts";
import { exported, filesIn } from "../support/exported.ts";
import { verifiersOf } from "../support/verifiers.ts";

const folder = mkdtempSync(join(tmpdir(), "wirken-export-pruned-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("of a log from which bodies were taken out, every row that is left is exported with a proof of its own", async () => {
  const log = await healthyLog(folder, 45);
  const database = new Database(log.path);
  const { changes } = database.prepare("UPDATE entry SET body = '' WHERE seq BETWEEN 20 AND 259").run();
  database.close();
  const out = join(folder, "out");
  const { rows, proofs, size } = exported(log.path, out);
  expect([rows, proofs]).toEqual([size - changes, size - changes]);
  // A tile of rows is there where all of them are.
  expect(filesIn(out).filter((name) => name.startsWith("tile/entries/"))).toHaveLength(Math.ceil(size / 256) - 2);
  expect(verifySync(out, { vkey: log.signer.vkey })).toMatchObject({ state: "good", size, bundle: { rows } });
  using verifiers = verifiersOf(out);
  expect(verifiers.go(out, log.signer.vkey).text).toContain(`GOOD: ${rows} of ${size} rows`);
});
