import { closeSync, fdatasyncSync, mkdirSync, openSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { anId } from "../../test/support/audit-fixture.ts";
import { DataFolder, World } from "../../test/vault/world.ts";
import { DiskFolder } from "./disk.ts";
import { type Figure, median, ratio, spread, timed } from "./figure.ts";

/** Appends of one round, and as many raw writes. */
const PIECE = 50;
/** So many that SQLite's write-ahead log is filled, copied into the database and begun anew several times over. */
const ROUNDS = 60;
/** Before anything is measured: the code is compiled by then. */
const WARM = 2_000;
/** Over so many rows the growth of the write-ahead log is measured. */
const GROWN = 200;

type Append = (world: World, session: string) => Promise<unknown>;

/** Made in advance: what an id costs is not what an append costs. */
const IDS = Array.from({ length: 64 }, () => ({ web: anId("w"), message: anId("m") }));
const [CONVERSATION, PRINCIPAL] = [anId("c"), anId("p")];
const TEXT = "x".repeat(600);
let next = 0;
function ids(): { web: string; message: string } {
  next = (next + 1) % IDS.length;
  return IDS[next] ?? { web: anId("w"), message: anId("m") };
}

const withoutContent: Append = async ({ log }) =>
  await log.append({ kind: "web.login", web: ids().web }, { cause: null });
const withContent: Append = async ({ log }, session) =>
  await log.append(
    {
      kind: "message.received",
      message: ids().message,
      session,
      conversation: CONVERSATION,
      channel: "slack",
      principal: PRINCIPAL,
    },
    { cause: null, seal: session, content: { text: TEXT } },
  );

/** A log with a vault of the product's own behind it, and a session in it. */
async function begun(folder: string): Promise<{ world: World; session: string }> {
  mkdirSync(folder);
  const world = await World.open(new DataFolder(folder));
  const session = anId("s");
  await world.vault.change({ change: "content-key", session }, world.record);
  return { world, session };
}

/** One row after another: milliseconds. */
async function appended(append: Append, world: World, session: string, rows: number): Promise<number> {
  return await timed(async () => {
    for (let row = 0; row < rows; row++) await append(world, session);
  });
}

/** A file that is written and synced with nothing around it: a row's bytes at a time. */
class Raw implements Disposable {
  readonly #descriptor: number;
  readonly #row: Uint8Array;

  constructor(path: string, bytes: number) {
    this.#descriptor = openSync(path, "w");
    this.#row = Buffer.alloc(bytes, 7);
  }

  /** The file grows. @returns milliseconds. */
  async written(rows: number): Promise<number> {
    return await timed(() => {
      for (let row = 0; row < rows; row++) {
        writeSync(this.#descriptor, this.#row);
        fdatasyncSync(this.#descriptor);
      }
    });
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }
}

async function against(what: string, append: Append, budget: number, folder: string): Promise<Figure> {
  const place = join(folder, what.replaceAll(/\W+/g, "-"));
  const { world, session } = await begun(place);
  try {
    const wal = join(place, "audit.db-wal");
    const before = statSync(wal).size;
    await appended(append, world, session, GROWN);
    const bytes = Math.round((statSync(wal).size - before) / GROWN);
    using raw = new Raw(`${wal}.raw`, bytes);
    const pairs: { ours: number; raw: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      // In turns: what the disk does for others falls on both.
      const first = round % 2 === 0 ? await appended(append, world, session, PIECE) : null;
      const theirs = await raw.written(PIECE);
      pairs.push({ ours: first ?? (await appended(append, world, session, PIECE)), raw: theirs });
    }
    const shares = pairs.map((pair) => pair.raw / pair.ours);
    const rate = (milliseconds: number[]): number => Math.round((PIECE / median(milliseconds)) * 1_000);
    const rates = `${rate(pairs.map((pair) => pair.ours))} against ${rate(pairs.map((pair) => pair.raw))} rows/s`;
    return {
      what: `${what}, against raw writes of ${bytes} bytes`,
      measured: `${spread(shares, ratio)}; ${rates}`,
      budget: `≥ ${budget} ×`,
      met: median(shares) >= budget,
    };
  } finally {
    await world[Symbol.asyncDispose]();
  }
}

/** Durable appends, one after the other, against raw writing and syncing of the bytes that the write-ahead log grows by, on the same file system. */
export async function appendFigures(): Promise<Figure[]> {
  using folder = new DiskFolder();
  const { world, session } = await begun(join(folder.path, "warm"));
  for (const append of [withoutContent, withContent]) await appended(append, world, session, WARM);
  await world[Symbol.asyncDispose]();
  return [
    await against("without content", withoutContent, 0.85, folder.path),
    await against("600 bytes of content", withContent, 0.7, folder.path),
  ];
}
