/** Runs the attempts where nothing holds them. argv: the targets as JSON; each process of theirs becomes one of its own making. */
import { spawn } from "node:child_process";
import { writeSync } from "node:fs";
import { attack, Targets } from "./attempts.ts";

const targets = Targets.parse(JSON.parse(process.argv[2] ?? "{}"));
const victims = targets.processes.map(() => spawn(process.execPath, ["-e", "setInterval(() => 0, 1e6)"]));
const report = await attack({ ...targets, processes: victims.map(({ pid }) => pid ?? 0) }, true);
for (const victim of victims) victim.kill("SIGKILL");
writeSync(1, `${JSON.stringify(report)}\n`);
process.exit(0);
