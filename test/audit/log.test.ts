import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { BootLog } from "../../audit/log.ts";
import { verifySync } from "../../audit/verify.ts";
import { anId, beginLog, healthyLog, recordTurn, reopen } from "../support/audit-fixture.ts";
import { ed25519Signer } from "../support/audit-ports.ts";
import { change, rowsOf } from "../support/claims-log.ts";
import { ownFolder } from "../support/folder.ts";

const STARTED = { kind: "process.started", process: anId("x"), role: "agent", subject: null } as const;

function newestCheckpoint(path: string): { size: number; note: string; frontier: string } {
  const database = new Database(path, { readonly: true });
  try {
    const found = database
      .prepare<[], { size: number; note: string; frontier: string }>("SELECT * FROM checkpoint ORDER BY size DESC")
      .get();
    if (found === undefined) throw new Error("there is no checkpoint");
    return found;
  } finally {
    database.close();
  }
}

test("a log that was closed goes on where it ended, and all of it verifies", async () => {
  const made = await healthyLog(ownFolder(), 4);
  const log = await reopen(made);
  await recordTurn(made);
  await log.close();
  expect(verifySync(made.path, { vkey: made.signer.vkey, scratch: ownFolder() })).toMatchObject({ state: "good" });
});

const NEWEST = "(SELECT max(size) FROM checkpoint)";
const BEFORE = `(SELECT max(size) FROM checkpoint WHERE size < ${NEWEST})`;

test.for<[string, string]>([
  ["the newest stored tree", `UPDATE checkpoint SET frontier = OTHER WHERE size = ${NEWEST}`],
  ["the stored tree before it", `UPDATE checkpoint SET frontier = OTHER WHERE size = ${BEFORE}`],
  ["a stored tree that is none", `UPDATE checkpoint SET frontier = 'x' WHERE size = ${BEFORE}`],
  ["the newest note", `UPDATE checkpoint SET note = NOTE WHERE size = ${NEWEST}`],
  ["a hash of its last rows", `UPDATE entry SET hash = '${"0".repeat(64)}' WHERE seq = ${NEWEST} - 2`],
  [
    "a body of its last rows",
    `UPDATE entry SET body = replace(body, '"nonce":"', '"nonce":"0') WHERE seq = ${NEWEST} - 2`,
  ],
  ["fewer rows", `DELETE FROM entry WHERE seq = ${NEWEST} - 1`],
  ["no checkpoint", "DELETE FROM checkpoint"],
  ["no first row", "DELETE FROM entry WHERE seq = 0"],
])("a log refuses to go on with a file that has another tree: %s", async ([, sql]) => {
  const made = await healthyLog(ownFolder(), 4);
  const other = newestCheckpoint((await healthyLog(ownFolder(), 4)).path);
  BootLog.open(made.path, made.clock).close();
  change(made.path, sql.replace("OTHER", `'${other.frontier}'`).replace("NOTE", `'${other.note}'`));
  expect(() => BootLog.open(made.path, made.clock)).toThrow(expect.objectContaining({ code: "AUDIT_BROKEN" }));
});

test("an intent is in the file when it is recorded, is acted upon once and ends once", async () => {
  const made = await beginLog(ownFolder());
  const recorded = await made.log.record(STARTED, { cause: null });
  expect(rowsOf(made.path)[recorded.seq]?.$kind).toBe("process.started");
  recorded.redeem();
  expect(() => recorded.redeem()).toThrow(expect.objectContaining({ code: "AUDIT_SPENT" }));
  await recorded.finish({ kind: "process.ready", build: "test" });
  await expect(recorded.finish({ kind: "process.ready", build: "test" })).rejects.toMatchObject({
    code: "AUDIT_SPENT",
  });
  await made.log.close();
  await expect(made.log.record(STARTED, { cause: null })).rejects.toMatchObject({ code: "AUDIT_CLOSED" });
});

test("rows that belong together are written in one transaction, and name the first of them as their cause", async () => {
  const made = await beginLog(ownFolder());
  const before = made.log.size;
  const opened = await made.log.append({ kind: "config.loaded" }, { cause: null });
  const who = { by: anId("p"), via: "terminal" } as const;
  const first = { kind: "person.revoked", principal: anId("p"), ...who } as const;
  const grants = Array.from({ length: 70 }, () => ({
    action: { kind: "grant.revoked", grant: anId("g"), ...who } as const,
    given: {},
  }));
  const rows = await made.log.together({ action: first, given: { cause: opened.seq } }, grants);
  expect(rows.map(({ seq }) => seq)).toEqual(Array.from({ length: 71 }, (_, nth) => before + 1 + nth));
  expect(made.log.row(rows[0]?.seq ?? 0)?.cause).toBe(opened.seq);
  expect(new Set(rows.slice(1).map(({ seq }) => made.log.row(seq)?.cause))).toEqual(new Set([rows[0]?.seq]));
  // One that cannot be written keeps all of them from being written.
  const bad = { action: { kind: "grant.revoked", grant: "no id", ...who } as const, given: {} };
  await expect(made.log.together({ action: first, given: { cause: null } }, [...grants, bad])).rejects.toMatchObject({
    code: "AUDIT_INVALID",
  });
  expect(made.log.size).toBe(before + 72);
  await made.log.close();
  expect(verifySync(made.path, { vkey: made.signer.vkey, scratch: ownFolder() })).toMatchObject({ state: "good" });
});

test("an intent that a process left open is ended as interrupted by the next start, once", async () => {
  const made = await beginLog(ownFolder());
  const { seq } = await made.log.record(STARTED, { cause: null });
  await made.log.close();
  const log = await reopen(made);
  const own = await log.record(STARTED, { cause: null });
  expect((await log.interrupted()).map(({ intent }) => intent.seq)).toEqual([seq]);
  expect(await log.interrupted()).toEqual([]);
  await own.finish({ kind: "process.ready", build: "test" });
  await log.close();
});

test("after a second writer nothing is recorded any more", async () => {
  const made = await beginLog(ownFolder());
  change(made.path, `INSERT INTO entry SELECT max(seq) + 1, body, hash FROM entry`);
  for (let times = 0; times < 2; times++)
    await expect(made.log.record(STARTED, { cause: null })).rejects.toMatchObject({ code: "AUDIT_SECOND_WRITER" });
  expect(made.log.stopped?.code).toBe("AUDIT_SECOND_WRITER");
  await made.log.close();
});

test("a log goes on only with its own key, and after a rotation only with the new one", async () => {
  const made = await beginLog(ownFolder());
  const next = ed25519Signer(made.origin);
  expect(await made.log.rotate(next, { protector: "keychain", cause: null })).toMatchObject({ pinned: true });
  await made.log.close();
  const boot = BootLog.open(made.path, made.clock);
  expect([boot.epoch, boot.vkey]).toEqual([2, next.vkey]);
  expect(() => boot.unseal(made.signer, made.sealer)).toThrow(expect.objectContaining({ code: "AUDIT_WRONG_KEY" }));
  await boot.unseal(next, made.sealer).close();
});
