import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeEach, expect, test } from "vitest";
import { type Alarm, readAlarms, writeAlarms } from "../../audit/alarm.ts";
import { beside } from "../../audit/beside.ts";
import type { AuditError } from "../../audit/error.ts";
import { anId, beginLog, recordTurn, type TestLog } from "../support/audit-fixture.ts";

/** One process writes. Whoever else does is noticed before the next row, and every second where none is written. */

const folder = mkdtempSync(join(tmpdir(), "wirken-foreign-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let world: TestLog;
let failed: AuditError[];
let foreign: number;

beforeEach(async () => {
  [failed, foreign] = [[], 0];
  world = await beginLog(mkdtempSync(join(folder, "log-")), {
    events: {
      failed: (error) => failed.push(error),
      foreign: () => {
        foreign += 1;
      },
    },
  });
  for (let turn = 0; turn < 3; turn++) await recordTurn(world);
  // The end of a log, from the newest checkpoint but one, is looked at whenever it is opened.
  for (let times = 0; times < 2; times++) {
    await world.log.checkpoint("demand");
    await recordTurn(world);
  }
});

function elsewhere(sql: string): void {
  const database = new Database(world.path, { fileMustExist: true });
  try {
    database.exec(sql);
  } finally {
    database.close();
  }
}

test("a log that nobody else touches has nothing to say", async () => {
  world.log.look();
  await recordTurn(world);
  elsewhere("SELECT count(*) FROM entry");
  world.log.look();
  await recordTurn(world);
  expect([failed, foreign]).toEqual([[], 0]);
});

test("a row far back that is changed behind its writer: the writer is told at once, and rows go on", async () => {
  elsewhere("UPDATE entry SET body = replace(body, 'slack', 'slick') WHERE seq = 2");
  await recordTurn(world);
  expect([failed, foreign]).toEqual([[], 1]);
  world.log.look();
  expect(foreign).toBe(1);
});

test.for([
  [
    "the last row is changed",
    "UPDATE entry SET body = replace(body, 'done', 'dome') WHERE seq = (SELECT max(seq) FROM entry)",
    "AUDIT_BROKEN",
  ],
  ["the last row is deleted", "DELETE FROM entry WHERE seq = (SELECT max(seq) FROM entry)", "AUDIT_SECOND_WRITER"],
  [
    "a row is put behind the last",
    "INSERT INTO entry SELECT max(seq) + 1, body, hash FROM entry",
    "AUDIT_SECOND_WRITER",
  ],
  ["a trigger is planted", "CREATE TRIGGER t BEFORE INSERT ON entry BEGIN SELECT 1; END", "AUDIT_BROKEN"],
  ["the newest checkpoint is deleted", "DELETE FROM checkpoint", "AUDIT_BROKEN"],
] as const)("%s: the next row is refused, and every one after it", async ([, sql, code]) => {
  const { size } = world.log;
  elsewhere(sql);
  await expect(world.log.append({ kind: "config.loaded" }, { cause: null })).rejects.toMatchObject({ code });
  await expect(world.log.append({ kind: "config.loaded" }, { cause: null })).rejects.toMatchObject({ code });
  expect(world.log.unwritable).toMatchObject({ code });
  expect(world.log.size).toBe(size);
});

test.for([
  [
    "the last row is changed",
    "UPDATE entry SET body = replace(body, 'done', 'dome') WHERE seq = (SELECT max(seq) FROM entry)",
  ],
  ["a view is planted", "CREATE VIEW v AS SELECT 1"],
] as const)("%s while nothing is recorded: a look finds it", ([, sql]) => {
  elsewhere(sql);
  expect(failed).toEqual([]);
  world.log.look();
  expect(failed).toMatchObject([{ code: "AUDIT_BROKEN" }]);
  expect(world.log.unwritable).not.toBeNull();
});

test("a halted log refuses every intent, takes facts, and goes on when it is resumed", async () => {
  const sent = {
    kind: "message.sent",
    message: anId("m"),
    session: null,
    conversation: anId("c"),
    channel: "web",
    purpose: "notice",
  } as const;
  world.log.halt("nothing runs: row 7 was changed");
  await expect(world.log.record(sent, { cause: null })).rejects.toMatchObject({
    code: "AUDIT_HALTED",
    message: "nothing runs: row 7 was changed",
  });
  expect(world.log.stopped).toMatchObject({ code: "AUDIT_HALTED" });
  expect(world.log.unwritable).toBeNull();
  await world.log.append({ kind: "finding.raised", code: "row-changed", at: 7 }, { cause: null });
  world.log.resume();
  const recorded = await world.log.record(sent, { cause: null });
  await recorded.fail(new Error("not sent: a test"));
});

const alarm: Alarm = {
  code: "row-changed",
  seq: 7,
  sentence: "row 7 was changed",
  row: 12,
  at: "2026-11-28T14:03:00.000Z",
};

test("an alarm is a file of its own, which reads back as it was written and goes when there is none", () => {
  expect(readAlarms(world.path)).toEqual([]);
  writeAlarms(world.path, [alarm, { ...alarm, code: "PIN_BEHIND", seq: null, row: null }]);
  expect(readAlarms(world.path)).toEqual([alarm, { ...alarm, code: "PIN_BEHIND", seq: null, row: null }]);
  const file = beside(world.path).alarm;
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, "utf8")).toContain('{"code":"row-changed","seq":7,"sentence":"row 7 was changed"');
  writeAlarms(world.path, []);
  expect(readAlarms(world.path)).toEqual([]);
});

test.for(["", "{}", "not an alarm", '{"code":"a b","sentence":"","at":""}', `${JSON.stringify(alarm)}\n{`])(
  "an alarm file that holds %j is an alarm all the same",
  (text) => {
    writeFileSync(beside(world.path).alarm, text);
    expect(readAlarms(world.path).at(-1)?.code).toBe("ALARM_UNREADABLE");
  },
);
