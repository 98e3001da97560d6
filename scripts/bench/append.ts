import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { anId, beginLog, type TestLog } from "../../test/support/audit-fixture.ts";
import { type Figure, median, ratio, timed } from "./figure.ts";

const APPENDS = 1_000;
const ROUNDS = 3;
const BATCH = 64;
const BATCHES = 60;

type Append = (log: TestLog["log"], session: string) => Promise<unknown>;

const withoutContent: Append = async (log) => await log.append({ kind: "web.login", web: anId("w") }, { cause: null });
const TEXT = "x".repeat(600);
const withContent: Append = async (log, session) =>
  await log.append(
    {
      kind: "message.received",
      message: anId("m"),
      session,
      conversation: anId("c"),
      channel: "slack",
      principal: anId("p"),
    },
    { cause: null, seal: session, content: { text: TEXT } },
  );

/** Rows a second, one after the other, and the bytes that the write-ahead log grew by for each. */
async function ours(append: Append): Promise<{ rate: number; bytes: number }> {
  const folder = mkdtempSync(join(tmpdir(), "wirken-bench-"));
  try {
    const test = await beginLog(folder);
    const session = anId("s");
    const before = statSync(`${test.path}-wal`).size;
    for (let row = 0; row < 100; row++) await append(test.log, session);
    const bytes = Math.round((statSync(`${test.path}-wal`).size - before) / 100);
    const took = await timed(async () => {
      for (let row = 0; row < APPENDS; row++) await append(test.log, session);
    });
    await test.log.close();
    return { rate: (APPENDS / took) * 1000, bytes };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The same number of bytes written and synced raw, on the same file system. */
async function raw(bytes: number): Promise<number> {
  const path = join(mkdtempSync(join(tmpdir(), "wirken-bench-")), "raw");
  const descriptor = openSync(path, "w");
  const piece = Buffer.alloc(bytes, 7);
  const took = await timed(() => {
    for (let write = 0; write < APPENDS; write++) {
      writeSync(descriptor, piece);
      fdatasyncSync(descriptor);
    }
  });
  closeSync(descriptor);
  rmSync(path);
  return (APPENDS / took) * 1000;
}

async function batched(folder: string): Promise<number> {
  const test = await beginLog(folder);
  const session = anId("s");
  const took = await timed(async () => {
    for (let batch = 0; batch < BATCHES; batch++) {
      await Promise.all(Array.from({ length: BATCH }, () => withoutContent(test.log, session)));
    }
  });
  await test.log.close();
  return ((BATCH * BATCHES) / took) * 1000;
}

/** Durable appends against raw writing and syncing, pair by pair; and batches against a file system in memory, where a sync costs nothing. */
export async function appendFigures(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [what, append, budget] of [
    ["one at a time, without content, against raw", withoutContent, 0.85],
    ["one at a time, with 600 bytes of content, against raw", withContent, 0.7],
  ] as const) {
    const pairs: { ours: number; raw: number; bytes: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const own = await ours(append);
      pairs.push({ ours: own.rate, raw: await raw(own.bytes), bytes: own.bytes });
    }
    const share = median(pairs.map((pair) => pair.ours / pair.raw));
    const rate = median(pairs.map((pair) => pair.ours));
    figures.push({
      what,
      measured: `${ratio(share)} (${Math.round(rate)} rows/s, ${pairs[0]?.bytes ?? 0} bytes)`,
      budget: `≥ ${budget} ×`,
      met: share >= budget,
    });
  }
  const shares: number[] = [];
  let rate = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const onDisk = mkdtempSync(join(tmpdir(), "wirken-bench-"));
    const inMemory = mkdtempSync("/dev/shm/wirken-bench-");
    rate = await batched(onDisk);
    shares.push(rate / (await batched(inMemory)));
    rmSync(onDisk, { recursive: true, force: true });
    rmSync(inMemory, { recursive: true, force: true });
  }
  const share = median(shares);
  figures.push({
    what: "64 at once, against a file system in memory",
    measured: `${ratio(share)} (${Math.round(rate)} rows/s)`,
    budget: "≥ 0.8 ×",
    met: share >= 0.8,
  });
  return figures;
}
