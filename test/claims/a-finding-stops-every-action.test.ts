import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod/mini";
import { rowsOf } from "../support/claims-log.ts";
import { ask, auditOf, until, verifies } from "../support/claims-world.ts";
import { cleanEnvironment, newHome, type Ran, run, TestDaemon } from "../support/daemon.ts";

/** Somebody who can write the database changes it behind a daemon that runs. Nothing is done from then on, whoever asks, until the owner has said how to go on. */

const home = newHome();
const data = join(home, "data");
const audit = join(data, "audit.db");
const alarm = join(data, "audit.alarm");
let daemon: TestDaemon;

beforeAll(async () => {
  const first = await TestDaemon.start({ home });
  await ask(first, "list my files");
  await first.end();
  daemon = await TestDaemon.start({ home });
});

afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

const command = async (...args: readonly string[]): Promise<Ran> =>
  await run(args, { environment: cleanEnvironment(home) });
const raisedNow = (): number => kinds().filter((kind) => kind === "finding.raised").length;
const kinds = (): string[] => rowsOf(audit).map(({ $kind }) => $kind);

function edit(sql: string): void {
  const database = new Database(audit, { fileMustExist: true });
  try {
    database.exec(sql);
  } finally {
    database.close();
  }
}

/** A row of the first run, before every checkpoint that the end of the log rests on. */
function changeAnOldRow(): number {
  const seq = rowsOf(audit).find(({ $kind }) => $kind === "message.received")?.$seq ?? -1;
  edit(`UPDATE entry SET body = replace(body, '"channel":"terminal"', '"channel":"telegram"') WHERE seq = ${seq}`);
  return seq;
}

test("the detector detects: before anything is changed the daemon works, and there is no alarm", async () => {
  expect((await ask(daemon, "list my files")).end).toBe("done");
  expect(existsSync(alarm)).toBe(false);
  expect(kinds()).not.toContain("finding.raised");
});

let changed: number;
let raisedAtFirst: number;

test("a row is changed behind the running daemon: within seconds an alarm lies outside of the database", async () => {
  changed = changeAnOldRow();
  await until(
    () => existsSync(alarm),
    () => `an alarm; the daemon says ${daemon.stderr}`,
  );
  const raised: unknown = JSON.parse(readFileSync(alarm, "utf8").split("\n")[0] ?? "");
  expect(raised).toMatchObject({ code: "row-changed", seq: changed, sentence: expect.stringContaining("was changed") });
  await until(() => daemon.stderr.includes(`ALARM row-changed at row ${changed}`), "an operational line");
  const alarms = readFileSync(alarm, "utf8").trim().split("\n").length;
  await until(() => raisedNow() === alarms, "a row for each finding");
  raisedAtFirst = alarms;
});

test("no action is done any more; looking still works, and says why", async () => {
  const called = kinds().filter((kind) => kind === "tool.called" || kind === "model.called").length;
  const asked = await daemon.wirken(["ask", "list my files"]);
  expect(asked.status).toBe(3);
  expect(asked.stderr).toContain("nothing runs: ");
  expect(asked.stderr).toContain("A restored backup or a new keychain can be the honest cause");
  expect(asked.stderr).toContain('wirken audit acknowledge --reason "…"');
  expect((await daemon.wirken(["audit", "checkpoint"])).status).toBe(3);
  expect((await daemon.wirken(["status"])).stdout).toContain("nothing runs: ");
  const log = await daemon.wirken(["audit", "log", "--kind", "finding."]);
  expect(log.status).toBe(0);
  expect(log.stdout).toContain("finding.raised");
  expect((await daemon.wirken(["audit", "verify"])).status).toBe(1);
  expect(kinds().filter((kind) => kind === "tool.called" || kind === "model.called")).toHaveLength(called);
});

test("it still stops, and the next start refuses, as often as it is tried", async () => {
  expect((await daemon.wirken(["stop"])).status).toBe(0);
  for (let times = 0; times < 2; times++) {
    const refused = await command("start");
    expect(refused.status, refused.stderr).toBe(3);
    expect(refused.stderr).toContain("nothing runs: ");
    expect(refused.stderr).toContain("hint: wirken audit verify says more");
  }
  const status = await command("status");
  expect(status.status).toBe(3);
  expect(status.stdout).toMatch(new RegExp(`^ALARM .* row-changed at row ${changed}: `, "m"));
  expect(kinds().filter((kind) => kind === "finding.raised")).toHaveLength(raisedAtFirst);
});

test("acknowledged with a reason it goes on, the reason is on the log, and the same row is no finding again", async () => {
  expect((await command("audit", "acknowledge")).status).toBe(2);
  const lifted = await command("audit", "acknowledge", "--reason", "I tried out a tool");
  expect(lifted.stdout).toContain("acknowledged row-changed");
  expect(lifted.status, lifted.stderr).toBe(0);
  expect(existsSync(alarm)).toBe(false);
  daemon = await TestDaemon.start({ home });
  expect((await ask(daemon, "list my files")).end).toBe("done");
  const row = rowsOf(auditOf(daemon)).find(({ $kind }) => $kind === "finding.acknowledged");
  const shown = z
    .object({ content: z.object({ reason: z.string() }) })
    .parse(await daemon.json("audit", "show", String(row?.$seq)));
  expect(shown.content.reason).toBe("I tried out a tool");
  // What the record lost does not come back: the verdict says so for ever.
  expect((await daemon.wirken(["audit", "verify"])).status).toBe(1);
});

test("a log whose end was changed cannot be continued: it is kept as it is, and a new one names it", async () => {
  expect((await daemon.wirken(["stop"])).status).toBe(0);
  edit("UPDATE entry SET body = replace(body, 'daemon.stopped', 'daemon.stepped') WHERE seq > 50");
  const refused = await command("start");
  expect(refused.status).toBe(3);
  expect(refused.stderr).toContain("the audit log cannot be continued");
  expect(refused.stderr).toContain('wirken audit restore --reason "…"');
  expect(existsSync(alarm)).toBe(true);
  expect((await command("audit", "acknowledge", "--reason", "no")).status).toBe(3);

  const before = z.object({ origin: z.string() }).parse(rowsOf(audit)[0]).origin;
  const rows = rowsOf(audit).length;
  expect((await command("audit", "restore")).status).toBe(2);
  const restored = await command("audit", "restore", "--reason", "a disk error");
  expect(restored.status, restored.stderr).toBe(0);
  expect(restored.stdout).toContain("nobody but you was let in");
  const kept = /wirken audit verify (\S+\.db)/.exec(restored.stdout)?.[1] ?? "";
  expect(statSync(kept).mode & 0o777).toBe(0o400);
  expect(existsSync(alarm)).toBe(false);
  const old = await command("audit", "verify", kept);
  expect(old.stdout).toMatch(/^audit: row \d+ was changed/m);
  expect(old.status).toBe(1);

  daemon = await TestDaemon.start({ home });
  expect(rowsOf(auditOf(daemon))[0]).toMatchObject({ $kind: "log.opened", predecessor: before, kept: rows });
  expect((await ask(daemon, "list my files")).end).toBe("done");
  await verifies(daemon);
  const first = z.object({ content: z.object({ reason: z.string() }) }).parse(await daemon.json("audit", "show", "0"));
  expect(first.content.reason).toBe("a disk error");
  expect((await command("audit", "restore", "--reason", "again")).status, "while it runs").toBe(3);
});
