import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod/mini";
import { writeBody } from "../../audit/entry.ts";
import { anId, bulkLog } from "../support/audit-fixture.ts";
import { ownFolder } from "../support/folder.ts";

/** A file that was made to wear its verifier out: the verdict comes in time, within the memory that a log of a million rows takes, and says what is wrong. */

const CHILD = join(import.meta.dirname, "hostile-file-child.ts");
/** The budget of a verification, in megabytes; the sources that a test compiles take some more than the executable does. */
const MEMORY = 160 + 40;
/** What takes a second or two here. */
const TIME = 50_000;
const ROWS = 3_000;

const folder = mkdtempSync(join(tmpdir(), "wirken-hostile-"));
let vkey = "";
beforeAll(() => {
  ({ vkey } = bulkLog(folder, ROWS));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const Answer = z.object({ state: z.string(), codes: z.array(z.string()), megabytes: z.number() });

function verified(path: string): z.infer<typeof Answer> {
  const run = spawnSync(process.execPath, ["--no-warnings", CHILD, path, vkey], { encoding: "utf8", timeout: TIME });
  if (run.status !== 0) throw new Error(`the verifier ended with ${run.status ?? run.signal}: ${run.stderr}`);
  return Answer.parse(JSON.parse(run.stdout));
}

const HASH = "0".repeat(64);
const pruned = writeBody({
  at: "2026-12-31T00:00:00.000Z",
  cause: null,
  kind: "log.pruned",
  seq: Number.MAX_SAFE_INTEGER - 1,
  fields: { from: 0, to: Number.MAX_SAFE_INTEGER - 2, rows: 1, roots: HASH, by: anId("p"), via: "terminal" },
  content: null,
  nonce: "0".repeat(32),
});
const SERIES = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i <";

test.for<[what: string, found: readonly string[], sql: string]>([
  ["nothing", [], "SELECT 1"],
  [
    "six hundred rows with the least numbers that SQLite has",
    ["row-stray"],
    `${SERIES} 600) INSERT INTO entry SELECT -9223372036854775808 + i, 'x', 'y' FROM n`,
  ],
  [
    "a body of two hundred megabytes",
    ["row-type"],
    "UPDATE entry SET body = CAST(zeroblob(200000000) AS TEXT) WHERE seq = 1500",
  ],
  [
    "a hash, a checkpoint and a proof of a hundred megabytes each",
    ["row-type", "checkpoint-missing", "anchor-foreign"],
    `UPDATE entry SET hash = CAST(zeroblob(100000000) AS TEXT) WHERE seq = 1500;
     UPDATE checkpoint SET note = CAST(zeroblob(100000000) AS TEXT) WHERE size = 2000;
     INSERT INTO anchor VALUES (1, 2000, 'w', zeroblob(100000000))`,
  ],
  [
    "a million parts of content between two rows, of which those in between are gone",
    ["content-stray"],
    `DELETE FROM entry WHERE seq > 1 AND seq <> 2000; INSERT INTO entry VALUES (900000000, '{', '${HASH}');
     ${SERIES} 1000000) INSERT INTO content SELECT 100 + i, x'00' FROM n`,
  ],
  [
    "a last row that says that it pruned more rows than there can be",
    ["row-missing", "pruned"],
    `INSERT INTO entry VALUES (${Number.MAX_SAFE_INTEGER - 1}, '${pruned}', '${HASH}')`,
  ],
])("%s: the verdict comes, and it is %j", { timeout: TIME + 10_000 }, ([, found, sql]) => {
  const path = join(ownFolder(), "audit.db");
  cpSync(folder, join(path, ".."), { recursive: true });
  const database = new Database(path);
  database.pragma("synchronous = OFF");
  database.exec(sql);
  database.close();
  const { state, codes, megabytes } = verified(path);
  expect(state).toBe(found.length === 0 ? "good" : "broken");
  expect(codes).toEqual(expect.arrayContaining([...found]));
  expect(megabytes).toBeLessThan(MEMORY);
});

test("every one of a hundred thousand rows that were changed, and no checkpoint among them: the verdict comes", {
  timeout: TIME + 10_000,
}, () => {
  const place = ownFolder();
  const { path } = bulkLog(place, 100_000);
  const database = new Database(path);
  database.pragma("synchronous = OFF");
  database.exec(
    `UPDATE entry SET body = replace(replace(body, 'log.checkpointed', 'log.something.else'), '"nonce":"', '"nonce":"x') WHERE seq > 1`,
  );
  database.close();
  const { state, codes, megabytes } = verified(path);
  expect(state).toBe("broken");
  expect(codes).toContain("row-changed");
  expect(megabytes).toBeLessThan(MEMORY);
});
