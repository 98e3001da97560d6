import { createHash } from "node:crypto";
import { closeSync, fdatasyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { TestDaemon } from "../../test/support/daemon.ts";
import { DiskFolder } from "./disk.ts";
import { type Figure, median, ms, ratio, spread, timed } from "./figure.ts";
import { InstantModel } from "./instant-model.ts";
import { Speaker } from "./speaker.ts";
import { commitsIn } from "./wal.ts";

const WARM = 20;
const TURNS = 60;
/** Few enough for the write-ahead log to hold all their rows. */
const COUNTED = 10;
/** Bytes that were said before, in the conversations whose turns are compared. */
const SAID = 1_000_000;
/** One message has at most so many. */
const MESSAGE = 100_000;
const COMPARED = 25;

/** Text as people and files have it. */
const PROSE = readFileSync(join(import.meta.dirname, "../../README.md"), "utf8");
function prose(bytes: number): string {
  return PROSE.repeat(Math.ceil(bytes / PROSE.length)).slice(0, bytes);
}

/** A write and a sync of two pages, as an append takes: the one thing that a turn cannot do without. */
export class Sync implements Disposable {
  readonly #folder = new DiskFolder();
  readonly #descriptor = openSync(join(this.#folder.path, "raw"), "w");
  readonly #pages = Buffer.alloc(8_192, 7);

  async once(): Promise<number> {
    return await timed(() => {
      writeSync(this.#descriptor, this.#pages);
      fdatasyncSync(this.#descriptor);
    });
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
    this.#folder[Symbol.dispose]();
  }
}

interface Turn {
  /** Milliseconds, but for what the model held the request. */
  readonly ours: number;
  /** Of the request to the model. */
  readonly bytes: number;
}

/** One message to one agent, until its turn has ended. */
async function turn(speaker: Speaker, model: InstantModel, agent: string, text: string): Promise<Turn> {
  model.held.length = 0;
  const took = await timed(async () => await speaker.say(agent, text));
  const held = model.held.reduce((sum, one) => sum + one.ms, 0);
  return { ours: took - held, bytes: model.held.reduce((sum, one) => sum + one.bytes, 0) };
}

/** What a turn costs besides the model: a small one, and by its size. */
export async function turnFigures(): Promise<Figure[]> {
  await using model = await InstantModel.start();
  const agent = { model: "instant/instant" };
  const config = {
    providers: { instant: { baseUrl: model.baseUrl } },
    // Nothing is left out of a request for its length.
    models: { "instant/instant": { window: 10_000_000 } },
    agents: { default: agent, short: agent, long: agent },
  };
  await using daemon = await TestDaemon.start({ config });
  using speaker = new Speaker(join(daemon.data, "control.sock"), readFileSync(join(daemon.data, "control.token")));
  return [
    ...(await small(speaker, model, join(daemon.data, "audit.db-wal"))),
    ...(await bySize(speaker, model)),
    await newMessage(speaker, model),
  ];
}

async function small(speaker: Speaker, model: InstantModel, wal: string): Promise<Figure[]> {
  for (let warm = 0; warm < WARM; warm++) await turn(speaker, model, "default", "hello");
  using sync = new Sync();
  const [times, syncs]: [number[], number[]] = [[], []];
  for (let one = 0; one < TURNS; one++) {
    times.push((await turn(speaker, model, "default", "hello")).ours);
    for (let write = 0; write < 5; write++) syncs.push(await sync.once());
  }
  const commits = await commitsOf(wal, async () => {
    for (let one = 0; one < COUNTED; one++) await turn(speaker, model, "default", "hello");
  });
  const p95 = times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.95)] ?? Number.NaN;
  return [
    {
      what: "our overhead per turn, p50",
      measured: `${spread(times, ms)}; p95 ${ms(p95)}`,
      budget: "≤ 10 ms",
      met: median(times) <= 10,
    },
    { what: "one sync of two pages, in between", measured: spread(syncs, ms), budget: null, met: null },
    {
      what: "syncs of the audit log per turn",
      measured: commits === null ? "not counted: the write-ahead log began anew" : (commits / COUNTED).toFixed(1),
      budget: null,
      met: null,
    },
  ];
}

/** @returns null if the write-ahead log was copied into the database meanwhile and begun anew, as it is every thousand pages. */
async function commitsOf(wal: string, work: () => Promise<void>): Promise<number | null> {
  for (let again = 0; again < 3; again++) {
    const before = commitsIn(wal);
    await work();
    const commits = commitsIn(wal) - before;
    if (commits > 0) return commits;
  }
  return null;
}

/** The same small message at the end of a short conversation and of a long one, in turns: the request has all that was said before. */
async function bySize(speaker: Speaker, model: InstantModel): Promise<Figure[]> {
  for (let said = 0; said < SAID; said += MESSAGE) await turn(speaker, model, "long", prose(MESSAGE));
  const [short, long, yardstick]: [Turn[], Turn[], number[]] = [[], [], []];
  const request = { messages: Array.from({ length: SAID / MESSAGE }, () => ({ role: "user", text: prose(MESSAGE) })) };
  for (let one = 0; one < COMPARED; one++) {
    short.push(await turn(speaker, model, "short", "hello"));
    long.push(await turn(speaker, model, "long", "hello"));
    yardstick.push(await timed(() => createHash("sha256").update(JSON.stringify(request)).digest("hex")));
  }
  const [few, many] = [median(short.map(({ bytes }) => bytes)), median(long.map(({ bytes }) => bytes))];
  const more = long.map(({ ours }, at) => ours - (short[at]?.ours ?? Number.NaN));
  const perMegabyte = (median(more) / (many - few)) * 1e6;
  const yard = (median(yardstick) / Buffer.byteLength(JSON.stringify(request))) * 1e6;
  return [
    {
      what: "cost by the size of the request, against JSON.stringify + SHA-256",
      measured: `${ratio(perMegabyte / yard)}; ${ms(perMegabyte)} against ${ms(yard)} a megabyte`,
      budget: "≤ 2 ×",
      met: perMegabyte <= 2 * yard,
    },
    {
      what: "a turn at the end of a long conversation",
      measured: spread(
        long.map(({ ours }) => ours),
        ms,
      ),
      budget: null,
      met: null,
    },
  ];
}

/** A large message is also received, sealed and made durable: that cost comes once, when it is new. */
async function newMessage(speaker: Speaker, model: InstantModel): Promise<Figure> {
  const more: number[] = [];
  for (let one = 0; one < 9; one++) {
    const { ours } = await turn(speaker, model, "long", "hello");
    more.push((await turn(speaker, model, "long", prose(MESSAGE))).ours - ours);
  }
  const what = `a new message of ${MESSAGE / 1_000} KB, over a small one`;
  return { what, measured: spread(more, ms), budget: null, met: null };
}
