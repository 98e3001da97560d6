import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cleanEnvironment, newHome, type StartOptions, TestDaemon, WIRKEN } from "../../test/support/daemon.ts";
import { Desktop } from "../../test/support/keyring.ts";
import { growLog } from "../../test/support/long-log.ts";
import { type Figure, median, ms, ratio, spread } from "./figure.ts";
import { Speaker } from "./speaker.ts";

const VERSIONS = 15;
const STARTS = 9;
const READY_MS = 500;
/** Of a log that is long. */
const ROWS = 1_000_000;

function spawned(command: string, args: readonly string[], environment: Record<string, string>): number {
  const begun = performance.now();
  const { status } = spawnSync(command, [...args], { env: environment });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${String(status)}`);
  return performance.now() - begun;
}

/** The version against a bare Node, pair by pair; and the time until `wirken start` says that it is ready. */
export async function startFigures(): Promise<Figure[]> {
  const home = newHome();
  const environment = cleanEnvironment(home);
  const pairs = Array.from({ length: VERSIONS + 1 }, () => ({
    ours: spawned(WIRKEN, ["--version"], environment),
    bare: spawned(process.execPath, ["-e", "0"], environment),
  })).slice(1);
  rmSync(home, { recursive: true, force: true });
  const shares = pairs.map(({ ours, bare }) => ours / bare);
  const firsts: number[] = [];
  for (let start = 0; start < STARTS; start++) firsts.push(await ready({}));
  const bare = median(pairs.map((pair) => pair.bare));
  return [
    {
      what: "wirken --version against node -e 0",
      measured: `${spread(shares, ratio)}; ${ms(median(pairs.map(({ ours }) => ours)))} against ${ms(bare)}`,
      budget: "≤ 1.5 ×",
      met: median(shares) <= 1.5,
    },
    timedStart("to ready, first start, no keychain to be found", firsts),
    ...(await behindManyRows()),
    await behindKeychain(),
  ];
}

/** A later start where the log is long: it does not grow with it. */
async function behindManyRows(): Promise<Figure[]> {
  const home = newHome();
  try {
    const few: number[] = [];
    for (let start = 0; start <= STARTS; start++) few.push(await ready({ home }));
    await growLog(join(home, "data"), ROWS);
    // What stands in the projection is read from the rows once.
    const projected = await ready({ home });
    const many: number[] = [];
    for (let start = 0; start < STARTS; start++) many.push(await ready({ home }));
    return [
      timedStart("to ready, later start, a short log", few.slice(1)),
      timedStart(`to ready, later start, a log of ${ROWS.toLocaleString("en")} rows`, many),
      { what: "the first start that sees those rows", measured: ms(projected), budget: null, met: null },
    ];
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** A later start, as on a desktop: the master key comes out of a real keychain, and so does the pin. */
async function behindKeychain(): Promise<Figure> {
  const what = "to ready, later start, master key and pin in the keychain";
  let desktop: Desktop;
  try {
    desktop = await Desktop.start();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { what, measured: `not measured: ${why}`, budget: `≤ ${READY_MS} ms`, met: null };
  }
  const home = newHome();
  try {
    await desktop.unlocked();
    const { environment } = desktop;
    const starts: number[] = [];
    for (let start = 0; start <= STARTS; start++) starts.push(await ready({ home, environment }));
    return timedStart(what, starts.slice(1));
  } finally {
    await desktop[Symbol.asyncDispose]();
    rmSync(home, { recursive: true, force: true });
  }
}

function timedStart(what: string, starts: readonly number[]): Figure {
  return { what, measured: spread(starts, ms), budget: `≤ ${READY_MS} ms`, met: median(starts) <= READY_MS };
}

/** Milliseconds until it says that it is ready; then it has to be. */
async function ready(options: StartOptions): Promise<number> {
  const begun = performance.now();
  await using daemon = TestDaemon.spawn(options);
  const at = await new Promise<number>((resolve, reject) => {
    daemon.child.stdout?.on("data", () => {
      if (daemon.stdout.includes("ready in ")) resolve(performance.now());
    });
    daemon.child.once("exit", () => reject(new Error(`the daemon ended: ${daemon.stderr}`)));
  });
  const page = /http:\/\/127\.0\.0\.1:\d+\//.exec(daemon.stdout)?.[0];
  const served = page === undefined ? null : await fetch(page);
  if (served?.status !== 200) throw new Error("it said that it was ready, and the page was not served");
  using speaker = new Speaker(join(daemon.data, "control.sock"), readFileSync(join(daemon.data, "control.token")));
  await speaker.call({ call: "status" });
  return at - begun;
}
