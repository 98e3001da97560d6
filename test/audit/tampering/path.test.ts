import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sentences, verifySync } from "../../../audit/verify.ts";
import { beginLog, recordTurn, reopen } from "../../support/audit-fixture.ts";
import { change } from "../../support/claims-log.ts";
import { Copy } from "./hand.ts";
import { copyLog, closingLog, type Original } from "./original.ts";

/** What is neither in the rows nor in the file: the way to it, and who else writes it. */

const folder = mkdtempSync(join(tmpdir(), "wirken-path-"));
let original: Original;

beforeAll(async () => {
  original = await closingLog(mkdtempSync(join(folder, "log-")));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a symbolic link in the path is said, with where it leads, and without what a terminal would act on", () => {
  const real = mkdtempSync(join(folder, "real\u202e-"));
  copyLog(original.folder, real);
  symlinkSync(real, join(folder, "link"));
  const verdict = verifySync(join(folder, "link", "audit.db"), { vkey: original.signers[0]?.vkey ?? "" });
  expect(verdict.warnings.map(({ code }) => code)).toContain("path");
  const said = sentences(verdict).find((line) => line.includes("symbolic link")) ?? "";
  expect(said).toContain(String.raw`real\u{202e}-`);
  expect(said).not.toContain("\u202e");
});

test("a name that was planted in the file is shown escaped", () => {
  const copy = new Copy(copyLog(original.folder));
  copy.edit((database) => database.exec('CREATE TABLE "\u009b2J\u202e" (a)'));
  const words = sentences(verifySync(copy.path)).join("\n");
  expect(words).toContain(String.raw`\u{9b}2J\u{202e}`);
  expect(words).not.toMatch(/[\u009b\u202e]/);
});

test("a second writer is found by the first one's next row, and by whoever verifies", async () => {
  const run = mkdtempSync(join(folder, "two-"));
  const log = await beginLog(run);
  await recordTurn(log);
  const size = log.log.size;
  change(
    log.path,
    `INSERT INTO entry SELECT ${size}, replace(body, '"$seq":1,', '"$seq":${size},'), hash FROM entry WHERE seq = 1`,
  );
  await expect(recordTurn(log)).rejects.toThrow(expect.objectContaining({ code: "AUDIT_SECOND_WRITER" }));
  await expect(log.log.checkpoint("demand")).rejects.toThrow(expect.objectContaining({ code: "AUDIT_SECOND_WRITER" }));
  await log.log.close();
  const verdict = verifySync(log.path, { vkey: log.signer.vkey, now: log.clock.now() });
  expect(verdict.findings).toContainEqual(expect.objectContaining({ code: "row-changed", seq: size }));
  await expect(reopen(log)).rejects.toThrow(expect.objectContaining({ code: "AUDIT_BROKEN" }));
});

test.for([
  ["ignores a row", "BEFORE INSERT ON entry BEGIN SELECT RAISE(IGNORE); END"],
  ["rewrites a row", "AFTER INSERT ON entry BEGIN UPDATE entry SET body = body || ' ' WHERE seq = NEW.seq; END"],
  ["ignores content", "BEFORE INSERT ON content BEGIN SELECT RAISE(IGNORE); END"],
  ["rewrites content", "AFTER INSERT ON content BEGIN UPDATE content SET sealed = x'00' WHERE id = NEW.id; END"],
  ["ignores a checkpoint", "BEFORE INSERT ON checkpoint BEGIN SELECT RAISE(IGNORE); END"],
  [
    "rewrites a checkpoint",
    "AFTER INSERT ON checkpoint BEGIN UPDATE checkpoint SET note = '' WHERE size = NEW.size; END",
  ],
])("a trigger that %s stops the writer at once: nothing is recorded, and so nothing runs", async ([, trigger]) => {
  const log = await beginLog(mkdtempSync(join(folder, "trigger-")));
  await recordTurn(log);
  change(log.path, `CREATE TRIGGER planted ${trigger}`);
  const size = log.log.size;
  const act = trigger?.includes("ON checkpoint") === true ? () => log.log.checkpoint("demand") : () => recordTurn(log);
  await expect(act()).rejects.toThrow(expect.objectContaining({ code: "AUDIT_BROKEN" }));
  expect(log.log.size).toBe(size);
  change(log.path, "DROP TRIGGER planted");
  await log.log.close();
  expect(verifySync(log.path, { vkey: log.signer.vkey, now: log.clock.now() })).toMatchObject({ state: "good" });
});
