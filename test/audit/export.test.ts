import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exportSteps } from "../../audit/export.ts";
import { ExportFolder, MANIFEST } from "../../audit/export-folder.ts";
import { anId, healthyLog, type TestLog } from "../support/audit-fixture.ts";
import { exported, filesIn } from "../support/exported.ts";

const folder = mkdtempSync(join(tmpdir(), "wirken-export-"));
let log: TestLog;
beforeAll(async () => {
  log = await healthyLog(folder, 10);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const fresh = (): string => mkdtempSync(join(folder, "at-"));

function begin(out: string, notInside: readonly string[] = []): void {
  ExportFolder.begin(out, anId("e"), notInside);
}

describe("an export is refused", () => {
  test("into a folder that holds something", () => {
    const at = fresh();
    writeFileSync(join(at, "letter"), "");
    expect(() => begin(at)).toThrow("is not empty");
    expect(readdirSync(at)).toEqual(["letter"]);
  });
  test("over a file, and through a symbolic link, also one that leads nowhere", () => {
    const at = fresh();
    writeFileSync(join(at, "file"), "");
    symlinkSync(fresh(), join(at, "link"));
    symlinkSync("/nowhere", join(at, "dangling"));
    expect(() => begin(join(at, "file"))).toThrow("is a file");
    expect(() => begin(join(at, "link"))).toThrow("is a symbolic link");
    expect(() => begin(join(at, "dangling"))).toThrow("is a symbolic link");
  });
  test("inside the data directory, whichever way it is named", () => {
    const data = fresh();
    mkdirSync(join(data, "sub"));
    const link = join(fresh(), "link");
    symlinkSync(data, link);
    for (const out of [join(data, "out"), join(data, "sub/out"), join(data, "sub"), join(link, "sub/out"), data])
      expect(() => begin(out, [data]), out).toThrow("lies inside");
    expect(readdirSync(data)).toEqual(["sub"]);
  });
  test("below a folder that there is not, and at the root of a file system", () => {
    expect(() => begin(join(folder, "not/there"))).toThrow("make it first");
    expect(() => begin("/")).toThrow("is the root of a file system");
    expect(() => begin("/proc")).toThrow(/is not empty|is the root/);
  });
});

test("an empty folder that is there already is used, and nothing but the export is left beside it", () => {
  const at = fresh();
  mkdirSync(join(at, "out"));
  const { digest, files } = exported(log.path, join(at, "out"));
  expect(readdirSync(at)).toEqual(["out"]);
  expect(filesIn(join(at, "out"))).toHaveLength(files);
  expect(digest).toMatch(/^[0-9a-f]{64}$/);
});

test("the manifest lists every other file once", () => {
  const at = join(fresh(), "out");
  exported(log.path, at, { from: 10, to: 20 });
  const listed = readFileSync(join(at, MANIFEST), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => line.slice(66));
  expect(listed.toSorted()).toEqual(filesIn(at).filter((name) => name !== MANIFEST));
});

test("one that is stopped in between leaves nothing", () => {
  const at = fresh();
  const database = new Database(log.path, { readonly: true });
  const row: unknown = database.prepare("SELECT size, note FROM checkpoint ORDER BY size DESC").raw().get();
  const [size, note]: unknown[] = Array.isArray(row) ? row : [];
  const checkpoint = { size: Number(size), note: String(note) };
  const id = anId("e");
  const steps = exportSteps(
    { database, checkpoint, sealer: null, version: "0.1.0", at: "2026-11-24T00:00:00.000Z" },
    { id, from: 0, to: checkpoint.size, session: null, content: "none" },
    ExportFolder.begin(join(at, "out"), id, []),
  );
  steps.next();
  expect(readdirSync(at)).toEqual([`.out.${id}.unfinished`]);
  expect(() => steps.throw(new Error("stopped"))).toThrow("stopped");
  database.close();
  expect(readdirSync(at)).toEqual([]);
});

describe("a log that does not verify is not handed over as if it did", () => {
  test.for<[string, string, string]>([
    [
      "a row was changed",
      `UPDATE entry SET body = replace(body, '"bytes":15', '"bytes":16') WHERE seq = 7`,
      "row 7 was changed",
    ],
    ["a row is missing", "DELETE FROM entry WHERE seq = 9", "row 9 is missing"],
    ["a hash is none", "UPDATE entry SET hash = upper(hash) WHERE seq = 3", "row 3 was changed"],
    ["the last rows are missing", "DELETE FROM entry WHERE seq > 60", "row 61 is missing"],
    ["content was changed", "UPDATE content SET sealed = zeroblob(90) WHERE id = 32", "the text of row 2 was changed"],
  ])("%s", ([, sql, says]) => {
    const at = fresh();
    writeFileSync(join(at, "audit.db"), readFileSync(log.path));
    const database = new Database(join(at, "audit.db"));
    expect(database.prepare(sql).run().changes).toBeGreaterThan(0);
    database.close();
    expect(() => exported(join(at, "audit.db"), join(at, "out"), { content: "full" }, log.sealer)).toThrow(says);
    expect(readdirSync(at).filter((name) => name.includes("out"))).toEqual([]);
  });
});

test("content whose key is gone is told to be erased, and the rest is opened", async () => {
  const at = fresh();
  const own = await healthyLog(at, 4);
  const session = /"session":"(s_[^"]+)"/.exec(readFileSync(own.path, "utf8"))?.[1] ?? "";
  own.sealer.erase(session);
  exported(own.path, join(at, "out"), { content: "full" }, own.sealer);
  const lines = readFileSync(join(at, "out/content.jsonl"), "utf8");
  expect(lines).toContain('"state":"erased"');
  expect(lines).toContain('"state":"open"');
  expect(existsSync(join(at, "out/content"))).toBe(false);
});
