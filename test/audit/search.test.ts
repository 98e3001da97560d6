import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BootLog, type AuditLog, type CommittedRow, type SearchFilter } from "../../audit/log.ts";
import { systemClock } from "../../audit/ports.ts";
import { anId, beginLog, bulkLog, recordTurn, type TestLog } from "../support/audit-fixture.ts";
import { ScopedSealer } from "../support/audit-ports.ts";

/** A log in use with three turns of two sessions an hour apart, and rows of nobody between them. */

const folder = mkdtempSync(join(tmpdir(), "wirken-search-"));
const [ann, ben] = [anId("s"), anId("s")];
let world: TestLog;
let log: AuditLog;
/** The rows of each turn, by their numbers. */
const turns: { readonly from: number; readonly to: number }[] = [];

beforeAll(async () => {
  world = await beginLog(folder);
  log = world.log;
  for (const session of [ann, ben, ann]) {
    const from = log.size;
    await recordTurn(world, session);
    turns.push({ from, to: log.size });
    world.clock.pass(3_600_000);
    await log.checkpoint("demand");
  }
});

afterAll(async () => {
  await log.close();
  rmSync(folder, { recursive: true, force: true });
});

const find = async (filter: SearchFilter): Promise<CommittedRow[]> => await log.search({ limit: 1000, ...filter });
const seqs = (rows: readonly CommittedRow[]): number[] => rows.map(({ seq }) => seq);
const span = (...which: readonly number[]): number[] =>
  which.flatMap((turn) => {
    const { from, to } = turns[turn] ?? { from: 0, to: 0 };
    return Array.from({ length: to - from }, (_, index) => from + index);
  });

test("without a filter every row is found, newest first, and with a place to begin oldest first", async () => {
  const all = Array.from({ length: log.size }, (_, seq) => seq);
  expect(seqs(await find({}))).toEqual(all.toReversed());
  expect(seqs(await find({ after: -1 }))).toEqual(all);
  expect(seqs(await find({ after: 3, before: 6 }))).toEqual([4, 5]);
  expect(seqs(await find({ limit: 2 }))).toEqual(all.toReversed().slice(0, 2));
});

test("a session has all its rows, the outcomes of its intents included, and none of another", async () => {
  expect(seqs(await find({ session: ann, after: -1 }))).toEqual(span(0, 2));
  expect(seqs(await find({ session: ben, after: -1 }))).toEqual(span(1));
  expect(await find({ session: anId("s") })).toEqual([]);
});

test("an outcome is of the agent, the channel and the person that its causes say", async () => {
  const ended = (await find({ kind: "tool.finished" }))[0]?.seq ?? -1;
  const person = log.row(turns[2]?.from ?? 0)?.action;
  const principal = person?.kind === "message.received" ? person.principal : "";
  for (const filter of [{ agent: "default" }, { channel: "slack" }, { principal }])
    expect(seqs(await find(filter)), JSON.stringify(filter)).toContain(ended);
  expect(seqs(await find({ principal, after: -1 }))).toEqual(span(2));
  expect(await find({ channel: "telegram" })).toEqual([]);
  expect(await find({ agent: "other" })).toEqual([]);
});

test("a tool has its calls and their ends, and not what the turn did next", async () => {
  expect((await find({ tool: "exec" })).map(({ action }) => action.kind)).toEqual(
    turns.flatMap(() => ["tool.finished", "tool.called"]),
  );
  expect(await find({ tool: "exe" })).toEqual([]);
});

test("kinds are found by name, by family, and several at once", async () => {
  expect(await find({ kind: "tool.called" })).toHaveLength(3);
  expect(await find({ kind: "tool." })).toHaveLength(6);
  expect(await find({ kind: "tool" })).toHaveLength(0);
  expect(await find({ kinds: ["turn.started", "log."] })).toHaveLength(3 + 5);
});

test("times bound a search: from a moment on, and up to one without it", async () => {
  const [, second] = turns;
  const at = log.row(second?.from ?? 0)?.at ?? "";
  const next = log.row(turns[2]?.from ?? 0)?.at ?? "";
  expect(seqs(await find({ since: at, until: next, session: ben, after: -1 }))).toEqual(span(1));
  expect((await find({ since: at })).at(-1)?.seq).toBeLessThanOrEqual(second?.from ?? 0);
  expect((await find({ until: at }))[0]?.seq).toBeLessThan(second?.from ?? 0);
  expect(await find({ since: "2030-01-01T00:00:00.000Z" })).toEqual([]);
  expect(await find({ until: "2020-01-01T00:00:00.000Z" })).toEqual([]);
  expect(await find({ since: "2020-01-01T00:00:00.000Z", until: "2030-01-01T00:00:00.000Z" })).toHaveLength(log.size);
});

test("words are found in what a row committed to, in any case, and not once it is erased", async () => {
  expect((await find({ text: "HOW MUCH disk" })).map(({ action }) => action.kind)).toEqual([
    "message.received",
    "message.received",
    "message.received",
  ]);
  expect(await find({ text: "12 gb", kind: "tool.finished" })).toHaveLength(3);
  expect(await find({ text: "message.received" })).toEqual([]);
  world.sealer.erase(ben);
  expect(seqs(await find({ text: "how much", after: -1 }))).toEqual([turns[0]?.from, turns[2]?.from]);
});

/** Milliseconds of the processor's time that this thread took: what other programs take meanwhile is not the search's doing. */
function spent(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

test("a hundred thousand rows are searched without holding anybody up for more than 20 ms", async () => {
  const { path, vkey } = bulkLog(mkdtempSync(join(folder, "large-")), 100_000);
  const boot = BootLog.open(path, systemClock);
  const large = boot.unseal({ vkey, sign: () => new Uint8Array(64) }, new ScopedSealer());
  try {
    for (const filter of [{ kind: "nothing.such" }, { principal: anId("p") }, { tool: "exec" }, { text: "nowhere" }]) {
      const steps: number[] = [];
      const search = { over: false };
      const watch = async (): Promise<void> => {
        for (let last = spent(); !search.over; last = spent()) {
          await new Promise((resolve) => {
            setImmediate(resolve);
          });
          steps.push(spent() - last);
        }
      };
      const watching = watch();
      expect(await large.search({ limit: 1000, ...filter })).toEqual([]);
      search.over = true;
      await watching;
      expect(steps.length, JSON.stringify(filter)).toBeGreaterThan(10);
      // A few may have had the garbage of all the others to collect, or a processor that others heat.
      const most = steps.toSorted((a, b) => b - a)[Math.ceil(steps.length / 20)];
      expect(most, JSON.stringify(filter)).toBeLessThan(20);
    }
  } finally {
    boot.close();
  }
});

test("a row that cannot be read hides no other, and is named", async () => {
  const other = await beginLog(mkdtempSync(join(folder, "damaged-")));
  await recordTurn(other);
  const database = new Database(other.path);
  database.exec("UPDATE entry SET body = replace(body, 'tool.called', 'tool.colled') WHERE seq = 4");
  database.close();
  const unread: number[] = [];
  const rows = await other.log.search({ after: -1, limit: 1000 }, undefined, (seq) => unread.push(seq));
  expect(unread).toEqual([4]);
  expect(seqs(rows)).toEqual(Array.from({ length: other.log.size }, (_, seq) => seq).filter((seq) => seq !== 4));
  await other.log.close();
});

test("a search that nobody waits for any more ends", async () => {
  const gone = new AbortController();
  gone.abort();
  expect(await log.search({ limit: 10 }, gone.signal)).toEqual([]);
});

test("whoever watches is told of new rows until they say that they are done", async () => {
  let heard = 0;
  const done = log.watch(() => {
    heard += 1;
  });
  await log.checkpoint("demand");
  expect(heard).toBe(1);
  done();
  await log.checkpoint("demand");
  expect(heard).toBe(1);
});
