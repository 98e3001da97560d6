import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { FIRST_LANE, FromEgress, LANES, type LaneEntry, type ToEgress } from "../../src/ipc/egress-frames.ts";
import { type Child, spawnChild } from "../../src/supervisor/child.ts";
import { Tunnel } from "../../src/tunnel/tunnel.ts";
import { type Figure, median, ms, spread, timed } from "./figure.ts";

const ROUNDS = 9;
const GENERATIONS = 8;
const MEMORY_ROUNDS = 3;
/** After the last activity, so that what it leaves behind is collected. */
const SETTLE_MS = 2000;
const EXECUTABLE = join(import.meta.dirname, "../../dist/wirken");

interface Ports {
  readonly https: number;
  readonly plain: number;
  readonly echo: number;
  readonly cert: string;
}

/** What a way out costs: requests and bytes through a lane beside direct ones, pair by pair, and what a lane holds in memory. */
export async function egressFigures(): Promise<Figure[]> {
  const server = spawn(process.execPath, [join(import.meta.dirname, "egress-server.ts")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const [line] = await once(server.stdout, "data");
    const { ports, cert } = JSON.parse(String(line));
    const served: Ports = { https: ports[0], plain: ports[1], echo: ports[2], cert };
    return [...(await costs(served)), ...(await memory(served)), await atOnce(served)];
  } finally {
    server.kill();
  }
}

function rate(value: number): string {
  return `${value.toFixed(0)} MB/s`;
}

async function costs(served: Ports): Promise<Figure[]> {
  const first: number[] = [];
  const firstProcessor: number[] = [];
  const later: number[] = [];
  const rates: number[] = [];
  const direct: number[] = [];
  await using egress = await Egress.start();
  for (let round = 0; round < ROUNDS; round++) {
    await egress.bind(round, entriesFor(served));
    const through = await measured("lane", served, egress.lane(round));
    const without = await measured("direct", served, null);
    first.push(through.first - without.first);
    firstProcessor.push(through.firstProcessor - without.firstProcessor);
    later.push(through.later - without.later);
    rates.push(through.rate);
    direct.push(without.rate);
  }
  return [
    {
      what: "first HTTPS request of a process through its lane, over a direct one",
      measured: spread(first, ms),
      budget: "≤ 15 ms",
      met: median(first) <= 15,
    },
    {
      what: "the same in that process's processor time",
      measured: spread(firstProcessor, ms),
      budget: null,
      met: null,
    },
    {
      what: "later ones, each with a connection of its own, over direct ones",
      measured: spread(later, ms),
      budget: "≤ 2 ms",
      met: median(later) <= 2,
    },
    { what: "bytes through a lane", measured: spread(rates, rate), budget: "≥ 200 MB/s", met: median(rates) >= 200 },
    { what: "bytes directly", measured: spread(direct, rate), budget: null, met: null },
  ];
}

async function measured(
  way: "lane" | "direct",
  served: Ports,
  lane: Duplex | null,
): Promise<{ first: number; firstProcessor: number; later: number; rate: number }> {
  const program = join(import.meta.dirname, "egress-child.ts");
  const child: ChildProcess = spawn(
    process.execPath,
    [program, way, String(served.https), String(served.plain), served.cert],
    { stdio: ["ignore", "pipe", "inherit", "ignore", lane ?? "ignore"] },
  );
  // The child has it now: what comes on it is the child's to read.
  lane?.destroy();
  if (child.stdout === null) throw new Error("the child has no output");
  const said = await text(child.stdout);
  return JSON.parse(said);
}

async function memory(served: Ports): Promise<Figure[]> {
  const each: number[] = [];
  for (let round = 0; round < MEMORY_ROUNDS; round++) {
    await using egress = await Egress.start();
    await egress.bindAll(entriesFor(served));
    await sleep(SETTLE_MS);
    const before = egress.privateKilobytes();
    await Promise.all(egress.tunnels().map(async (tunnel) => await greet(tunnel, served.echo)));
    await sleep(SETTLE_MS);
    each.push((egress.privateKilobytes() - before) / LANES);
  }
  return [
    {
      what: "a lane with an open connection, in the egress process",
      measured: spread(each, (value) => `${value.toFixed(0)} KB`),
      budget: "≤ 100 KB",
      met: median(each) <= 100,
    },
  ];
}

async function atOnce(served: Ports): Promise<Figure> {
  await using stack = new AsyncDisposableStack();
  const generations: Egress[] = [];
  for (let count = 0; count < GENERATIONS; count++) generations.push(stack.use(await Egress.start()));
  await Promise.all(generations.map(async (egress) => await egress.bindAll(entriesFor(served))));
  const tunnels = generations.flatMap((egress) => egress.tunnels());
  const took = await timed(
    async () => await Promise.all(tunnels.map(async (tunnel) => await greet(tunnel, served.echo))),
  );
  return {
    what: `a connection on each of ${tunnels.length} lanes of ${GENERATIONS} processes, opened at once`,
    measured: `all answer, after ${ms(took)}`,
    budget: "500",
    met: tunnels.length >= 500,
  };
}

/** Opens a connection, sends a word, waits for its echo, and leaves it open. */
async function greet(tunnel: Tunnel, port: number): Promise<void> {
  const socket = tunnel.connect("localhost", port);
  socket.on("error", () => undefined); // the process ends before its connections
  socket.write("hello");
  await once(socket, "data");
}

function entriesFor(served: Ports): LaneEntry[] {
  return [entryFor(served.https, true), entryFor(served.plain, false), entryFor(served.echo, false)];
}

function entryFor(port: number, tls: boolean): LaneEntry {
  return { to: "host", host: "localhost", port, tls, private: true };
}

/** An egress process of the executable, with all its lanes. */
class Egress implements AsyncDisposable {
  readonly #child: Child<FromEgress, ToEgress>;
  readonly #bound = new Map<number, () => void>();
  readonly #gone: Promise<never>;

  private constructor() {
    this.#child = spawnChild<FromEgress, ToEgress>({
      role: "egress",
      accepts: FromEgress,
      image: { command: EXECUTABLE, args: [] },
      extraStdio: Array.from({ length: LANES }, () => "pipe" as const),
      log: (line) => void process.stderr.write(`${line}\n`),
      on: {
        frame: (frame) => {
          if (frame.type === "bound") this.#bound.get(frame.ref)?.();
        },
      },
    });
    this.#gone = this.#child.exited.then(() => {
      throw new Error("the egress process ended");
    });
    this.#gone.catch(() => undefined); // at the end it is meant to
  }

  static async start(): Promise<Egress> {
    const egress = new Egress();
    await egress.#child.send({ type: "start", proxy: null });
    return egress;
  }

  async bind(lane: number, entries: LaneEntry[]): Promise<void> {
    const bound = Promise.withResolvers<void>();
    this.#bound.set(lane + 1, () => bound.resolve());
    await this.#child.send({ type: "bind", lane, ref: lane + 1, entries });
    await Promise.race([bound.promise, this.#gone]);
  }

  async bindAll(entries: LaneEntry[]): Promise<void> {
    for (let lane = 0; lane < LANES; lane++) await this.bind(lane, entries);
  }

  lane(index: number): ReturnType<Child<FromEgress, ToEgress>["extra"]> {
    return this.#child.extra(FIRST_LANE + index);
  }

  tunnels(): Tunnel[] {
    return Array.from({ length: LANES }, (_, index) => new Tunnel(() => this.lane(index), "bench"));
  }

  privateKilobytes(): number {
    const rollup = readFileSync(`/proc/${this.#child.pid}/smaps_rollup`, "utf8");
    const of = (what: string): number => Number(new RegExp(`^${what}:\\s+(\\d+) kB$`, "m").exec(rollup)?.[1]);
    return of("Private_Dirty") + of("Private_Clean");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (let lane = 0; lane < LANES; lane++) this.lane(lane).destroy();
    await this.#child.kill();
  }
}
