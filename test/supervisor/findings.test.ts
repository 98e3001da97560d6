import { rmSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { readAlarms } from "../../audit/alarm.ts";
import { beside } from "../../audit/beside.ts";
import { mint } from "../../src/ipc/ids.ts";
import { ContinuousVerification } from "../../src/supervisor/continuous.ts";
import { Findings } from "../../src/supervisor/findings.ts";
import { newWorld, type World } from "./world.ts";

const OWNER = { by: mint("principal"), via: "terminal" };
const changed = { code: "row-changed", seq: 3, sentence: "row 3 was changed" };

interface Watched {
  readonly findings: Findings;
  readonly lines: string[];
  stops: number;
  lifts: number;
}

const pathOf = (world: World): string => join(world.folder, "audit.db");

function watch(world: World): Watched {
  const lines: string[] = [];
  const watched: Watched = {
    lines,
    stops: 0,
    lifts: 0,
    findings: new Findings({
      log: world.log,
      path: pathOf(world),
      line: (line) => lines.push(line),
      stop: () => {
        watched.stops += 1;
      },
      lifted: () => {
        watched.lifts += 1;
      },
      now: () => world.clock.now(),
    }),
  };
  return watched;
}

function verification(world: World, { findings, lines }: Watched): ContinuousVerification {
  const made = new ContinuousVerification({
    log: world.log,
    path: pathOf(world),
    findings,
    line: (line) => lines.push(line),
    waits: () => false,
    now: () => world.clock.now(),
    firstMs: 0,
  });
  onTestFinished(async () => await made.close());
  return made;
}

const kinds = (world: World): string[] => world.log.rows({ after: -1, limit: 1000 }).map(({ action }) => action.kind);

/** As somebody does it who has the file. */
function edit(world: World, sql: string): void {
  const database = new Database(pathOf(world));
  database.exec(sql);
  database.close();
}

async function filled(): Promise<World> {
  const world = await newWorld();
  await world.people.ensureOwner("ada");
  for (let row = 0; row < 20; row++) await world.log.append({ kind: "config.loaded" }, { cause: null });
  // What lies before the newest checkpoint but one is no part of the log's end.
  await world.log.checkpoint("demand");
  await world.log.checkpoint("demand");
  return world;
}

test("a finding stops everything, raises an alarm, and is on the log once", async () => {
  const world = await newWorld();
  const watched = watch(world);
  await watched.findings.raise([changed]);
  await watched.findings.raise([changed]);
  expect(watched).toMatchObject({ stops: 1, lifts: 0, lines: ["ALARM row-changed at row 3: row 3 was changed"] });
  expect(watched.findings.stopped).toMatch(/^nothing runs: row 3 was changed\. .*audit acknowledge/);
  expect(world.log.stopped).toMatchObject({ code: "AUDIT_HALTED" });
  expect(readAlarms(pathOf(world))).toMatchObject([{ ...changed, row: world.log.size - 1 }]);
  expect(kinds(world).filter((kind) => kind === "finding.raised")).toHaveLength(1);
});

test("a restart does not make it go away, and raises it only once", async () => {
  const world = await newWorld();
  await watch(world).findings.raise([changed]);
  await world.close();
  await world.open();
  const { findings } = watch(world);
  await findings.begin([], 0);
  expect(findings.open).toMatchObject([changed]);
  expect(world.log.stopped).toMatchObject({ code: "AUDIT_HALTED" });
  expect(kinds(world).filter((kind) => kind === "finding.raised")).toHaveLength(1);
});

test("acknowledged with a reason, it is over: the alarm is gone, and the rows say who and which", async () => {
  const world = await newWorld();
  const watched = watch(world);
  await expect(watched.findings.acknowledge("why not", OWNER)).rejects.toThrow("no finding to acknowledge");
  await watched.findings.raise([changed]);
  const raised = world.log.size - 1;
  expect(await watched.findings.acknowledge("I edited it with a tool", OWNER)).toEqual(["row-changed"]);
  const [row] = world.log.rows({ kind: "finding.acknowledged" });
  expect(row).toMatchObject({ cause: raised, action: { code: "row-changed", ...OWNER } });
  expect(row?.content("reason")).toBe("I edited it with a tool");
  expect(watched).toMatchObject({ lifts: 1, findings: { stopped: null } });
  expect(world.log.stopped).toBeNull();
  expect(readAlarms(pathOf(world))).toEqual([]);
});

test("a log behind its pin is never acknowledged: that would be a second history", async () => {
  const world = await newWorld();
  const { findings } = watch(world);
  await findings.raise([{ code: "PIN_BEHIND", seq: null, sentence: "the log has 3 rows, and the pin covers 9" }]);
  expect(findings.stopped).toContain("wirken audit restore");
  await expect(findings.acknowledge("never mind", OWNER)).rejects.toMatchObject({
    code: "refused",
    hint: expect.stringContaining("wirken audit restore"),
  });
  expect(readAlarms(pathOf(world))).toHaveLength(1);
});

test("a pass over a good log finds nothing, and is recorded at most once a day", async () => {
  const world = await filled();
  const watched = watch(world);
  const continuous = verification(world, watched);
  const { size } = world.log;
  await continuous.pass();
  await continuous.pass();
  expect(world.log.rows({ kind: "log.verified" }).map(({ action }) => action)).toEqual([
    { kind: "log.verified", size, findings: 0 },
  ]);
  world.clock.advance(25 * 3_600_000);
  await continuous.pass();
  expect(world.log.rows({ kind: "log.verified" })).toHaveLength(2);
  expect(watched.findings.open).toEqual([]);
});

test("a changed row is found by the next pass, and what was acknowledged is not found again", async () => {
  const world = await filled();
  const watched = watch(world);
  const continuous = verification(world, watched);
  edit(world, "UPDATE entry SET body = replace(body, 'config.loaded', 'config.leaded') WHERE seq = 9");
  await continuous.pass();
  expect(watched.findings.open).toMatchObject([{ code: "row-changed", seq: 9 }]);
  await watched.findings.acknowledge("a test", OWNER);
  await continuous.pass();
  expect(watched.findings.open).toEqual([]);
  edit(world, "UPDATE entry SET body = replace(body, 'config.loaded', 'config.leaded') WHERE seq = 11");
  await continuous.pass();
  expect(watched.findings.open).toMatchObject([{ code: "row-changed", seq: 11 }]);
});

test("an alarm that somebody took away is raised again by the log itself", async () => {
  const world = await filled();
  await watch(world).findings.raise([changed]);
  rmSync(beside(pathOf(world)).alarm);
  await world.close();
  await world.open();
  const watched = watch(world);
  await watched.findings.begin([], 0);
  expect(watched.findings.open).toEqual([]);
  verification(world, watched).start();
  await expect.poll(() => watched.findings.open).toMatchObject([{ code: "row-changed", seq: 3 }]);
  expect(readAlarms(pathOf(world))).toHaveLength(1);
});

test("what was acknowledged before a restart stays so", async () => {
  const world = await filled();
  edit(world, "UPDATE entry SET body = replace(body, 'config.loaded', 'config.leaded') WHERE seq = 9");
  const before = watch(world);
  const first = verification(world, before);
  await first.pass();
  await before.findings.acknowledge("a test", OWNER);
  await first.close();
  await world.close();
  await world.open();
  const after = watch(world);
  await after.findings.begin([], 0);
  verification(world, after).start();
  await expect.poll(() => world.log.rows({ kind: "log.verified" })).toMatchObject([{ action: { findings: 1 } }]);
  expect(after.findings.open).toEqual([]);
});

test("rows that are written during a pass are no finding, and a pass ends when it is closed", async () => {
  const world = await filled();
  const watched = watch(world);
  const continuous = verification(world, watched);
  continuous.start();
  for (let batch = 0; batch < 60; batch++)
    await Promise.all(Array.from({ length: 50 }, () => world.log.append({ kind: "config.loaded" }, { cause: null })));
  await continuous.close();
  expect(watched.findings.open).toEqual([]);
  expect(watched.lines).toEqual([]);
});
