import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { ActionOf } from "../../audit/action.ts";
import { commitParts, DAEMON } from "../../audit/content.ts";
import { LogCore } from "../../audit/core.ts";
import { checkedFields } from "../../audit/kinds.ts";
import { systemClock } from "../../audit/ports.ts";
import type { Draft } from "../../audit/writer.ts";
import { anId } from "../../test/support/audit-fixture.ts";
import { ed25519Signer, newOrigin, ScopedSealer } from "../../test/support/audit-ports.ts";
import { DiskFolder } from "./disk.ts";
import { type Figure, median, ratio, spread, timed } from "./figure.ts";
import { commitsIn } from "./wal.ts";

const AT_ONCE = 64;
/** Batches of one round. */
const PIECE = 10;
const ROUNDS = 40;
/** Batches before it counts: then the write-ahead log has been copied into the database once, and is written over from now on, as in a daemon that has run
 *  for a while. To lengthen a file takes a sync half as long again. */
const WARM = 200;
/** Few enough for the write-ahead log to hold them all. */
const COUNTED = 20;

const IDS = Array.from({ length: AT_ONCE }, () => anId("w"));

function draft(web: string): Draft {
  const action: ActionOf<"web.login"> = { kind: "web.login", web };
  return {
    kind: action.kind,
    fields: checkedFields(action),
    cause: null,
    seal: DAEMON,
    parts: commitParts("web.login", {}),
  };
}

/** The log's own core, on a connection that can be told not to sync. */
function opened(folder: string, synchronous: "FULL" | "OFF"): LogCore {
  mkdirSync(folder);
  const core = new LogCore(join(folder, "audit.db"), systemClock);
  core.database.pragma(`synchronous = ${synchronous}`);
  const origin = newOrigin();
  core.unseal(origin, ed25519Signer(origin), new ScopedSealer(), {});
  return core;
}

/** Batches of rows that are recorded in one turn of the event loop: milliseconds. */
async function batches(core: LogCore, count: number): Promise<number> {
  return await timed(async () => {
    for (let batch = 0; batch < count; batch++)
      await Promise.all(IDS.map(async (web) => await core.submit([draft(web)])));
  });
}

/** 64 rows at once: how many transactions they take, and their rate against the same code without syncing, on the same file system. */
export async function batchFigures(): Promise<Figure[]> {
  using folder = new DiskFolder();
  const counting = opened(join(folder.path, "counted"), "FULL");
  const before = commitsIn(`${counting.path}-wal`);
  await batches(counting, COUNTED);
  const commits = commitsIn(`${counting.path}-wal`) - before;
  counting.close();
  const [synced, loose] = [opened(join(folder.path, "synced"), "FULL"), opened(join(folder.path, "loose"), "OFF")];
  for (const core of [synced, loose]) await batches(core, WARM);
  const pairs: { synced: number; loose: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const first = round % 2 === 0 ? await batches(synced, PIECE) : null;
    const without = await batches(loose, PIECE);
    pairs.push({ synced: first ?? (await batches(synced, PIECE)), loose: without });
  }
  for (const core of [synced, loose]) core.close();
  const shares = pairs.map((pair) => pair.loose / pair.synced);
  const rate = (milliseconds: number[]): number => Math.round(((PIECE * AT_ONCE) / median(milliseconds)) * 1_000);
  const rates = `${rate(pairs.map((pair) => pair.synced))} against ${rate(pairs.map((pair) => pair.loose))} rows/s`;
  return [
    {
      what: `transactions, and so syncs, of ${COUNTED} batches of ${AT_ONCE} rows`,
      measured: String(commits),
      budget: `= ${COUNTED}`,
      met: commits === COUNTED,
    },
    {
      what: "64 at once, against the same with synchronous=OFF",
      measured: `${spread(shares, ratio)}; ${rates}`,
      budget: "≥ 0.8 ×",
      met: median(shares) >= 0.8,
    },
  ];
}
