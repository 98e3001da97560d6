import { parseArgs } from "node:util";
import { appendFigures } from "./bench/append.ts";
import { channelFigures } from "./bench/channels.ts";
import { batchFigures } from "./bench/batch.ts";
import { confineFigures } from "./bench/confine.ts";
import { egressFigures } from "./bench/egress.ts";
import { exportFigures } from "./bench/export.ts";
import type { Figure } from "./bench/figure.ts";
import { growthFigures } from "./bench/growth.ts";
import { busy, machine } from "./bench/machine.ts";
import { lengthFigures } from "./bench/length.ts";
import { manyFigures } from "./bench/many.ts";
import { manyTurnsFigures } from "./bench/many-turns.ts";
import { memoryFigures } from "./bench/memory.ts";
import { peerFigures } from "./bench/peers.ts";
import { decideFigures } from "./bench/decide.ts";
import { sandboxFigures } from "./bench/sandbox.ts";
import { mcpFigures } from "./bench/mcp.ts";
import { skillFigures } from "./bench/skills.ts";
import { startFigures } from "./bench/start.ts";
import { stopFigures } from "./bench/stop.ts";
import { streamFigures } from "./bench/stream.ts";
import { toolFigures } from "./bench/tool.ts";
import { turnFigures } from "./bench/turn.ts";
import { vaultFigures } from "./bench/vault.ts";
import { verifyFigures } from "./bench/verify.ts";

/** Measures what architecture §9 budgets, each figure against its yardstick in the same run, and prints both. It judges nothing: the figures
 *  of a busy machine are worth what the machine is, so that is printed beside them. A figure is a median; in brackets, between which values
 *  half of the runs lie. Status 1: something could not be measured; a budget that is not met is no failure. */

const MEASUREMENTS: Readonly<Record<string, () => Promise<Figure[]>>> = {
  start: startFigures,
  memory: memoryFigures,
  append: appendFigures,
  batch: batchFigures,
  verify: verifyFigures,
  export: exportFigures,
  growth: growthFigures,
  peers: peerFigures,
  turn: turnFigures,
  stream: streamFigures,
  many: manyFigures,
  length: lengthFigures,
  "many-turns": manyTurnsFigures,
  stop: stopFigures,
  decide: decideFigures,
  mcp: mcpFigures,
  skills: skillFigures,
  tool: toolFigures,
  sandbox: sandboxFigures,
  confine: confineFigures,
  vault: vaultFigures,
  egress: egressFigures,
  channels: channelFigures,
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
const verdicts: (boolean | null)[] = [];
const failed: string[] = [];
say(machine());
for (const [name, measure] of Object.entries(MEASUREMENTS)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  say(`\n${name}`);
  try {
    for (const { what, measured, budget, met } of await measure()) {
      verdicts.push(met);
      const verdict = met === null ? "" : met ? "  met" : "  NOT MET";
      say(`  ${what.padEnd(64)} ${measured.padEnd(44)} ${budget === null ? "" : `budget ${budget}`}${verdict}`);
    }
  } catch (error) {
    failed.push(name);
    say(`  could not be measured: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
  say(`  (${busy()})`);
}
const judged = verdicts.filter((met) => met !== null);
say(`\n${judged.filter(Boolean).length} of ${judged.length} budgets met`);
if (failed.length > 0) {
  say(`could not be measured: ${failed.join(", ")}`);
  process.exitCode = 1;
}
