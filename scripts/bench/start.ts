import { spawnSync } from "node:child_process";
import { cleanEnvironment, newHome, TestDaemon, WIRKEN } from "../../test/support/daemon.ts";
import { type Figure, median, ms, ratio } from "./figure.ts";

const ROUNDS = 7;

function spawned(command: string, args: readonly string[], environment: Record<string, string>): number {
  const begun = performance.now();
  const { status } = spawnSync(command, [...args], { env: environment });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${String(status)}`);
  return performance.now() - begun;
}

/** The version against a bare Node, pair by pair; and the time until `wirken start` says that it is ready. */
export async function startFigures(): Promise<Figure[]> {
  const environment = cleanEnvironment(newHome());
  const pairs = Array.from({ length: ROUNDS + 1 }, () => ({
    ours: spawned(WIRKEN, ["--version"], environment),
    bare: spawned(process.execPath, ["-e", "0"], environment),
  })).slice(1);
  const version = median(pairs.map(({ ours, bare }) => ours / bare));
  const readies: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await using daemon = TestDaemon.spawn();
    const begun = performance.now();
    await daemon.until(() => daemon.stdout.includes("ready in "), 30_000, "ready");
    readies.push(performance.now() - begun);
  }
  const ready = median(readies);
  return [
    {
      what: "wirken --version against node -e 0",
      measured: `${ratio(version)} (${ms(median(pairs.map(({ ours }) => ours)))})`,
      budget: "≤ 1.5 ×",
      met: version <= 1.5,
    },
    {
      what: "first start to ready, no channels",
      measured: `${ms(ready)} (${ms(Math.min(...readies))} at best)`,
      budget: "≤ 500 ms",
      met: ready <= 500,
    },
  ];
}
