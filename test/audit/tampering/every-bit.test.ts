import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod/mini";
import { verifySync } from "../../../audit/verify.ts";
import { rounds } from "../../support/claims-random.ts";
import { options } from "./examine.ts";
import { closingLog, copyLog } from "./original.ts";
import { Known } from "./tampering.ts";

/** Every bit of every column, in a log of few rows with one of everything. With each change one bit of each byte, before a release all eight. */

const folder = mkdtempSync(join(tmpdir(), "wirken-bits-"));
let log: Known;
let path: string;

beforeAll(async () => {
  log = new Known(await closingLog(mkdtempSync(join(folder, "log-"))));
  path = join(copyLog(log.original.folder, mkdtempSync(join(folder, "copy-"))), "audit.db");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const COLUMNS = [
  ["entry", "seq", "body", "TEXT"],
  ["entry", "seq", "hash", "TEXT"],
  ["content", "id", "sealed", "BLOB"],
  ["checkpoint", "size", "note", "TEXT"],
  ["checkpoint", "size", "frontier", "TEXT"],
] as const;

const Cell = z.array(z.tuple([z.number(), z.instanceof(Uint8Array)]));
const EACH = rounds(1, 8);

function verdict(): string[] {
  const { findings } = verifySync(path, { ...options(log), live: true });
  return findings.map(({ code, seq }) => `${code} ${String(seq)}`);
}

/** Runs with the database open for changes that no other reader sees synced: it is a copy for this test. */
function changing<T>(run: (database: Database.Database) => T): T {
  const database = new Database(path);
  database.pragma("journal_mode = MEMORY");
  database.pragma("synchronous = OFF");
  try {
    return run(database);
  } finally {
    database.close();
  }
}

test.for(COLUMNS)("every bit of %s.%s's %s is found", { timeout: 300_000 }, ([table, key, column, type]) => {
  expect(verdict()).toEqual([]);
  changing((database) => {
    const cells = Cell.parse(database.prepare(`SELECT ${key}, CAST(${column} AS BLOB) FROM ${table}`).raw().all());
    const put = database.prepare(`UPDATE ${table} SET ${column} = CAST(? AS ${type}) WHERE ${key} = ?`);
    let flips = 0;
    for (const [id, bytes] of cells) {
      for (let place = 0; place < bytes.length; place++) {
        for (let turn = 0; turn < EACH; turn++) {
          const changed = Uint8Array.from(bytes);
          changed[place] = (changed[place] ?? 0) ^ (1 << ((place + turn) % 8));
          put.run(changed, id);
          flips += 1;
          if (verdict().length === 0)
            expect.fail(`${table} ${id}: byte ${place} of ${column}, bit ${(place + turn) % 8}, is not found`);
        }
      }
      put.run(bytes, id);
    }
    expect(flips).toBeGreaterThan(100);
  });
  expect(verdict()).toEqual([]);
});

test.for([
  ["entry", "seq"],
  ["content", "id"],
  ["checkpoint", "size"],
] as const)("every bit of every %s.%s is found", ([table, key]) => {
  changing((database) => {
    const ids = z.array(z.number()).parse(database.prepare(`SELECT ${key} FROM ${table}`).pluck().all());
    const put = database.prepare(`UPDATE OR REPLACE ${table} SET ${key} = ? WHERE ${key} = ?`);
    const unfound: string[] = [];
    for (const id of ids) {
      for (let bit = 0; bit < 64; bit++) {
        put.run(BigInt.asIntN(64, BigInt(id) ^ (1n << BigInt(bit))), id);
        if (verdict().length === 0) unfound.push(`${id}, bit ${bit}`);
        restore(database);
      }
    }
    expect(ids.length).toBeGreaterThan(1);
    expect(unfound).toEqual([]);
  });
});

/** Puts the tables back as they were. */
function restore(database: Database.Database): void {
  database.prepare("ATTACH ? AS original").run(join(log.original.folder, "audit.db"));
  for (const table of ["entry", "content", "checkpoint"])
    database.exec(`DELETE FROM main.${table}; INSERT INTO main.${table} SELECT * FROM original.${table}`);
  database.exec("DETACH original");
}
