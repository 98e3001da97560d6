import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { verifySync } from "../../../audit/verify.ts";
import { rounds, seeded } from "../../support/claims-random.ts";
import { options } from "./examine.ts";
import { closingLog, copyLog } from "./original.ts";
import { Known } from "./tampering.ts";

/** Every byte of the file: what is changed there is found, or it is no part of the log (unused space, counters of SQLite): then every row, note and
 *  definition reads as before. With each change some of the bytes, before a release all. */

const folder = mkdtempSync(join(tmpdir(), "wirken-bytes-"));
let log: Known;
let path: string;
let bytes: Buffer;
let whole: string;

beforeAll(async () => {
  log = new Known(await closingLog(mkdtempSync(join(folder, "log-"))));
  path = join(copyLog(log.original.folder, mkdtempSync(join(folder, "copy-"))), "audit.db");
  bytes = readFileSync(path);
  whole = everything(path);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** All that a log says: rows, notes, content, proofs, and how its tables are made. */
function everything(file: string): string {
  const database = new Database(file, { readonly: true, fileMustExist: true });
  try {
    const tables = ["entry", "content", "checkpoint", "anchor", "sqlite_schema"];
    const read = tables.map((table): unknown[] =>
      database
        .prepare(`SELECT * FROM ${table === "sqlite_schema" ? "sqlite_schema" : `${table} NOT INDEXED`}`)
        .raw()
        .safeIntegers()
        .all(),
    );
    // A part is bytes, and a number may be larger than JSON's.
    return JSON.stringify([read, database.pragma("user_version", { simple: true })], (key, value: unknown) =>
      key === "rootpage" || typeof value === "bigint" ? String(value) : value,
    );
  } finally {
    database.close();
  }
}

/** @returns whether it is found; throws unless it is, or nothing that the log says was changed. */
function flipped(place: number, mask: number): boolean {
  const changed = Buffer.from(bytes);
  changed[place] = (changed[place] ?? 0) ^ mask;
  writeFileSync(path, changed);
  // In place: nobody else writes to it, and a copy for each change takes as long as what is looked for.
  const { findings } = verifySync(path, { ...options(log), live: true });
  if (findings.length > 0) return true;
  const now = everything(path);
  if (now !== whole) expect.fail(`byte ${place}, mask ${mask}: not found, and the log reads otherwise`);
  return false;
}

/** Each is a test of its own: together they take minutes where every byte is changed. */
const PARTS = 5;

/** The header of the file and of each page are short, and everything hangs on them. */
function isHeader(place: number): boolean {
  return place < 100 || place % 4096 < 12;
}

test("the detector detects: the file, left alone, reads the same and has no finding", () => {
  expect(flipped(0, 0)).toBe(false);
  expect(bytes.length % 4096).toBe(0);
});

test.for(Array.from({ length: PARTS }, (_, part) => part))(
  "every byte of the file is found, or leaves every row, note and definition as it was: part %i",
  { timeout: 600_000 },
  (part) => {
    const random = seeded(20_261_123 + part);
    const share = rounds(0.01, 1);
    let [tried, found] = [0, 0];
    for (let place = part; place < bytes.length; place += PARTS) {
      if (!isHeader(place) && random() >= share) continue;
      const masks = place < 100 ? [1, 16, 128, 255] : [1 << Math.floor(random() * 8), 255];
      for (const mask of masks) {
        tried += 1;
        if (flipped(place, mask)) found += 1;
      }
    }
    expect(tried).toBeGreaterThan(100);
    // A good part of a small file is text of rows: were nothing found, the verifier would not be looking.
    expect(found).toBeGreaterThan(tried / 10);
  },
);
