import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { appendFigures } from "./bench/append.ts";
import { exportFigures } from "./bench/export.ts";
import type { Figure } from "./bench/figure.ts";
import { growthFigures } from "./bench/growth.ts";
import { memoryFigures } from "./bench/memory.ts";
import { peerFigures } from "./bench/peers.ts";
import { sandboxFigures } from "./bench/sandbox.ts";
import { startFigures } from "./bench/start.ts";
import { turnFigures } from "./bench/turn.ts";
import { verifyFigures } from "./bench/verify.ts";

/** Measures what architecture §9 budgets, each figure against its yardstick in the same run, and prints both. It judges nothing: the figures
 *  of a busy machine are worth what the machine is. */

const MEASUREMENTS: Readonly<Record<string, () => Promise<Figure[]>>> = {
  start: startFigures,
  memory: memoryFigures,
  append: appendFigures,
  verify: verifyFigures,
  export: exportFigures,
  growth: growthFigures,
  peers: peerFigures,
  turn: turnFigures,
  sandbox: sandboxFigures,
};

const { positionals } = parseArgs({ allowPositionals: true });
const unknown = positionals.filter((name) => !(name in MEASUREMENTS));
if (unknown.length > 0) {
  process.stderr.write(
    `bench: no such measurement: ${unknown.join(", ")}\nhint: there are ${Object.keys(MEASUREMENTS).join(", ")}\n`,
  );
  process.exit(2);
}
const say = (line: string): void => void process.stdout.write(`${line}\n`);
say(
  `${cpus().length} × ${cpus()[0]?.model ?? "an unknown processor"}, Node ${process.versions.node}, load ${loadavg()[0]?.toFixed(1) ?? "unknown"}`,
);
for (const [name, measure] of Object.entries(MEASUREMENTS)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  say(`\n${name}`);
  for (const { what, measured, budget, met } of await measure()) {
    const verdict = met === null ? "" : met ? "  met" : "  NOT MET";
    say(`  ${what.padEnd(52)} ${measured.padEnd(34)} ${budget === null ? "" : `budget ${budget}`}${verdict}`);
  }
}
