import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openLive } from "../../../audit/evidence.ts";
import { checkSpan, type SpanFound } from "../../../audit/span.ts";
import { startThread } from "../../../audit/start-thread.ts";
import { join as joined, planSpans, type Work } from "../../../audit/threads.ts";
import { type Verdict, type VerifyOptions, verify, verifySteps, verifySync } from "../../../audit/verify.ts";
import { bulkLog, healthyLog } from "../../support/audit-fixture.ts";
import { rounds, seeded } from "../../support/claims-random.ts";
import { type Logs, makeLogs, options } from "./examine.ts";
import { Copy } from "./hand.ts";
import { copyLog } from "./original.ts";
import { TABLE } from "./table.ts";

/** A large log is verified in spans by several threads. Wherever it is divided, and whatever was done to it, the verdict is that of one thread. */

const folder = mkdtempSync(join(tmpdir(), "wirken-spans-"));
let logs: Logs;

beforeAll(async () => {
  logs = await makeLogs(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function answers({ path, spans }: Work): (SpanFound | null)[] {
  const evidence = openLive(path);
  if ("code" in evidence) throw new Error(evidence.sentence);
  try {
    return spans.map((span) => {
      try {
        return checkSpan(evidence.database, span);
      } catch {
        return null;
      }
    });
  } finally {
    evidence.close();
  }
}

function start(): never {
  throw new Error("no thread can be started");
}

/** Verifies in spans of at least so many rows, in this thread.
 *  @returns also how many rows were not read again after that; null if the log was not divided. */
function inSpans(path: string, how: VerifyOptions, rows: number): { verdict: Verdict; taken: number | null } {
  const steps = verifySteps(path, { ...how, threads: { count: 1, rows, start } });
  let taken: number | null = null;
  for (let step = steps.next(); ; ) {
    if (step.done === true) return { verdict: step.value, taken };
    const { work } = step.value;
    if (work === undefined) step = steps.next();
    else {
      const found = answers(work);
      const all = found.filter((span) => span !== null);
      const good = all.length === found.length && joined(all);
      taken = good ? (all.at(-1)?.end.size ?? 0) : 0;
      step = steps.next(good ? all : null);
    }
  }
}

const without = (how: VerifyOptions): VerifyOptions => {
  const { sealer: _, ...rest } = how;
  return rest;
};

test.for(["whole", "killed", "closing"] as const)(
  "the %s log is good in spans, and its rows are read once",
  (which) => {
    const log = logs[which];
    const path = join(copyLog(log.original.folder), "audit.db");
    for (const deep of [false, true]) {
      const how = { ...without(options(log)), deep, anchors: [{ name: "elsewhere", note: log.original.outside }] };
      for (const rows of [1, 2, 10, 30]) {
        const { verdict, taken } = inSpans(path, how, rows);
        expect(verdict, `${rows}`).toEqual(verifySync(path, how));
        expect(verdict.state).toBe("good");
        if (which === "whole") expect(taken).toBeGreaterThan(20);
      }
    }
  },
);

/** As if the file had changed between two readings: in each row of it by itself nothing is wrong. */
const BORDERS: readonly [string, (found: SpanFound[]) => SpanFound[]][] = [
  ...(["previous", "newest", "frontier"] as const).map((what): (typeof BORDERS)[number] => [
    `another ${what}`,
    (found) => found.map((span) => ({ ...span, end: { ...span.end, [what]: "0".repeat(64) } })),
  ]),
  ["other keys", (found) => found.map((span) => ({ ...span, end: { ...span.end, epochs: [] } }))],
  ["one is left out", ([first, , ...rest]) => (first === undefined ? [] : [first, ...rest])],
  ["the first is left out", (found) => found.slice(1)],
];

test("spans are joined only where each begins as the one before ended", () => {
  const path = join(copyLog(logs.whole.original.folder), "audit.db");
  const evidence = openLive(path);
  if ("code" in evidence) throw new Error(evidence.sentence);
  const last = logs.whole.size - 1;
  const spans = planSpans(evidence.database, last, { wanted: [], deep: false, now: Date.now() }, 10) ?? [];
  evidence.close();
  const found = answers({ path, spans }).filter((span) => span !== null);
  expect(found.length).toBeGreaterThan(2);
  expect(joined(found)).toBe(true);
  for (const [how, twist] of BORDERS) expect(joined(twist(found)), how).toBe(false);
});

test("actions that begin in one span and end in another, and starts between them, are told as by one thread", async () => {
  const at = mkdtempSync(join(folder, "long-"));
  const { path, signer } = await healthyLog(at, 60);
  const how = { vkey: signer.vkey, now: Date.now() };
  for (const rows of [1, 7, 40, 150]) expect(inSpans(path, how, rows).verdict).toEqual(verifySync(path, how));
});

const tamperings = Object.values(TABLE).flat();
const EACH = rounds(1, 4);

test.for(tamperings.map((one, at) => [one.name, one, at] as const))("%s: the same verdict", ([, tampering, at]) => {
  const log = logs[tampering.of ?? "whole"];
  const copy = new Copy(copyLog(log.original.folder));
  tampering.does(copy, log);
  const how = without({ ...options(log), ...tampering.given?.(log), live: true });
  const alone = verifySync(copy.path, how);
  const random = seeded(at);
  for (let round = 0; round < EACH; round++) {
    const rows = 1 + Math.floor(random() * 40);
    expect(inSpans(copy.path, how, rows).verdict, `spans of ${rows} rows`).toEqual(alone);
  }
});

test("any byte of any row, changed at random, gives the same verdict", () => {
  const log = logs.whole;
  const random = seeded(7);
  for (let round = 0; round < rounds(40, 600); round++) {
    const copy = new Copy(copyLog(log.original.folder));
    const seq = Math.floor(random() * log.size);
    const column = random() < 0.7 ? "body" : "hash";
    const text = (column === "body" ? log.bodies[seq] : log.rows[seq]?.hash) ?? "";
    const place = Math.floor(random() * text.length);
    const changed = `${text.slice(0, place)}${String.fromCharCode(33 + Math.floor(random() * 90))}${text.slice(place + 1)}`;
    copy.run(`UPDATE entry SET ${column} = ? WHERE seq = ?`, changed, seq);
    const how = { ...without(options(log)), live: true };
    const rows = 1 + Math.floor(random() * 40);
    expect(inSpans(copy.path, how, rows).verdict, `row ${seq}, ${column}, byte ${place}`).toEqual(
      verifySync(copy.path, how),
    );
  }
});

test("threads of their own say the same, of a good log and of one that was changed", async () => {
  const at = mkdtempSync(join(folder, "threads-"));
  const { path, vkey } = bulkLog(at, 9_500);
  const how = { live: true, vkey } as const;
  const threads = { count: 2, rows: 2_000, start: startThread };
  const progress: number[] = [];
  const good = await verify(path, { ...how, threads }, ({ rows }) => progress.push(rows));
  expect(good).toEqual(verifySync(path, how));
  expect(good).toMatchObject({ state: "good", size: 9_500 });
  expect(
    progress.toSorted((a, b) => a - b),
    "no row is read twice",
  ).toEqual(progress);
  const changed = mkdtempSync(join(folder, "changed-"));
  cpSync(at, changed, { recursive: true });
  new Copy(changed).run("UPDATE entry SET hash = replace(hash, '0', '1') WHERE seq = 7777");
  const bad = join(changed, "audit.db");
  expect(await verify(bad, { ...how, threads })).toEqual(verifySync(bad, how));
  expect(verifySync(bad, how).findings[0]).toMatchObject({ code: "row-changed", seq: 7777 });
});

test("a thread that ends without an answer, or cannot start, leaves the log to one thread", async () => {
  const { path, vkey } = bulkLog(mkdtempSync(join(folder, "ended-")), 5_500);
  const how = { live: true, vkey } as const;
  const nowhere = { count: 2, rows: 2_000, start: () => startThread(join(folder, "nowhere.db")) };
  const never = { count: 2, rows: 2_000, start };
  for (const threads of [nowhere, never])
    expect(await verify(path, { ...how, threads })).toEqual(verifySync(path, how));
});
