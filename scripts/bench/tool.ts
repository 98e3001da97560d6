import { writeFileSync } from "node:fs";
import { createServer, request } from "node:https";
import { join } from "node:path";
import { World } from "../../test/broker/world.ts";
import { EgressWorld } from "../../test/egress/egress-world.ts";
import { certificateFor } from "../../test/support/certificate.ts";
import { serving } from "../../test/support/serving.ts";
import { FromFetch, type HttpOrder, type ToFetch } from "../../src/ipc/fetch-frames.ts";
import { LIMITS } from "../../src/sandbox/limits.ts";
import { spawnWithLane } from "../../src/supervisor/child.ts";
import { DiskFolder } from "./disk.ts";
import { Sync } from "./turn.ts";
import { type Figure, median, ms, spread, timed } from "./figure.ts";

const WARM = 20;
const CALLS = 200;
const COMMANDS = 30;
const REQUESTS = 15;
const EXECUTABLE = join(import.meta.dirname, "../../dist/wirken");

/** What a tool call costs besides what it does, and what a request costs that is made in a process of its own. */
export async function toolFigures(): Promise<Figure[]> {
  using folder = new DiskFolder();
  const before = process.env["TMPDIR"];
  // The log lies where a log lies, on a disk.
  process.env["TMPDIR"] = folder.path;
  await using world = await World.make();
  if (before === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = before;
  return [...(await listing(world)), await command(world), await requests(folder.path)];
}

/** Decided, recorded, run, recorded: the run is the reading of an empty folder, some microseconds. */
async function listing(world: World): Promise<Figure[]> {
  const turn = world.turn();
  const once = async (): Promise<number> => await timed(async () => await done(world, turn, "list_files", {}));
  for (let warm = 0; warm < WARM; warm++) await once();
  using sync = new Sync();
  const [times, syncs]: [number[], number[]] = [[], []];
  const before = process.cpuUsage();
  for (let call = 0; call < CALLS; call++) times.push(await once());
  const { user, system } = process.cpuUsage(before);
  for (let one = 0; one < CALLS; one++) syncs.push(await sync.once());
  return [
    {
      what: "our overhead per tool call (decide, record, run, record), p50",
      measured: `${spread(times, ms)}; processor ${ms((user + system) / 1000 / CALLS)}`,
      budget: "≤ 5 ms",
      met: median(times) <= 5,
    },
    { what: "one sync of two pages, right after", measured: spread(syncs, ms), budget: null, met: null },
  ];
}

async function done(world: World, turn: ReturnType<World["turn"]>, tool: string, given: object): Promise<void> {
  const { outcome, text } = await world.call(turn, tool, given);
  if (outcome !== "done") throw new Error(`${tool} was ${outcome}: ${text}`);
}

/** The same around a command, pair by pair with the command in its sandbox alone. */
async function command(world: World): Promise<Figure> {
  const turn = world.turn();
  await world.sandbox.probe();
  const signal = new AbortController().signal;
  const { workspace } = world;
  const alone = async (): Promise<void> => {
    await world.sandbox.run({ workspace, argv: ["true"], write: false, stdin: null, limits: LIMITS }, signal);
  };
  const called = async (): Promise<void> => await done(world, turn, "exec", { argv: ["true"] });
  for (let warm = 0; warm < 3; warm++) await called();
  const over: number[] = [];
  for (let round = 0; round < COMMANDS; round++) over.push((await timed(called)) - (await timed(alone)));
  return {
    what: "the same around a command, over the command in its sandbox",
    measured: spread(over, ms),
    budget: "≤ 5 ms",
    met: median(over) <= 5,
  };
}

/** One request in a process of its own, over its lane, over the same request made here. */
async function requests(folder: string): Promise<Figure> {
  const certificate = certificateFor("localhost");
  const certificates = join(folder, "ca.pem");
  writeFileSync(certificates, certificate.cert);
  await using site = await serving(createServer(certificate, (_, response) => response.end("ok")));
  await using egress = await new EgressWorld().start();
  const order: HttpOrder = { method: "GET", url: `https://localhost:${site.port}/`, headers: [], body: null };
  const fetched = async (lane: number): Promise<void> => {
    const { host, port } = { host: "localhost", port: site.port };
    await egress.bind(lane, [{ to: "host", host, port, tls: true, private: true }]);
    let answered = false;
    const child = spawnWithLane<FromFetch, ToFetch>(
      {
        role: "fetch",
        args: [],
        accepts: FromFetch,
        image: { command: EXECUTABLE, args: [] },
        stop: { type: "stop" },
        log: () => undefined,
        certificates,
        on: {
          frame: ({ type }) => {
            answered ||= type === "answered";
          },
        },
      },
      egress.end(lane),
    );
    await child.send({ type: "request", credential: null }, Buffer.from(JSON.stringify(order)));
    await child.exited;
    if (!answered) throw new Error("the fetch process gave no answer");
  };
  const bare = async (): Promise<void> =>
    await new Promise<void>((resolve, reject) => {
      const asked = request(order.url, { ca: certificate.cert, agent: false }, (response) => {
        response.resume().once("end", resolve);
      });
      asked.once("error", reject);
      asked.end();
    });
  await fetched(0);
  await bare();
  const over: number[] = [];
  for (let round = 1; round <= REQUESTS; round++)
    over.push((await timed(async () => await fetched(round))) - (await timed(bare)));
  const what = "http_request: a process of its own and its lane, over the bare request";
  return { what, measured: spread(over, ms), budget: null, met: null };
}
