import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { NODE_FLAGS } from "../../src/confine/flags.ts";
import { type Figure, median, ms, spread, timed } from "./figure.ts";

const ROUNDS = 25;
const BUDGET_MS = 15;

/** Milliseconds until a child with all its walls says that it is up, over one that has none, pair by pair. */
export async function confineFigures(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "wirken-bench-"));
  const program = join(folder, "child.cjs");
  try {
    await build({
      entryPoints: [join(import.meta.dirname, "confine-child.ts")],
      bundle: true,
      platform: "node",
      format: "cjs",
      outfile: program,
    });
    const figures: Figure[] = [];
    for (const role of ["agent", "adapter"]) {
      await up(program, role, "walls");
      const over: number[] = [];
      const processor: number[] = [];
      const [walls, bare] = [{ cpu: 0 }, { cpu: 0 }];
      for (let round = 0; round < ROUNDS; round++) {
        const held = await timed(async () => (walls.cpu = await up(program, role, "walls")));
        const free = await timed(async () => (bare.cpu = await up(program, role, "bare")));
        over.push(held - free);
        processor.push(walls.cpu - bare.cpu);
      }
      figures.push({
        what: `a child with all walls over one with none (${role})`,
        measured: spread(over, ms),
        budget: `≤ ${BUDGET_MS} ms`,
        met: median(over) <= BUDGET_MS,
      });
      // What others do on the machine at the time is not in this one.
      figures.push({
        what: `the same in processor time (${role})`,
        measured: spread(processor, ms),
        budget: null,
        met: null,
      });
    }
    return figures;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns the milliseconds of processor that it took. */
async function up(program: string, role: string, how: string): Promise<number> {
  const child = spawn(process.execPath, [...NODE_FLAGS, program, role, how], {
    stdio: ["ignore", "pipe", "inherit", "pipe"],
    env: {},
  });
  if (child.stdout === null) throw new Error("the child has no output");
  const [said] = await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
  const microseconds = Number(String(said).trim() || Number.NaN);
  if (!(microseconds > 0)) throw new Error(`a child did not come up: ${String(said)}`);
  return microseconds / 1000;
}
