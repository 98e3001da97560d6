/** Runs the attempts where nothing holds them. argv: the targets as JSON; each process of theirs becomes one of its own making. With a port
 *  instead: the attempts to reach a network, those of native code among them. */
import { spawn } from "node:child_process";
import { writeSync } from "node:fs";
import { attack, attackNetwork, Targets } from "./attempts.ts";

const [, , given = "{}"] = process.argv;
if (/^\d+$/.test(given)) {
  writeSync(1, `${JSON.stringify(await attackNetwork(Number(given)))}\n`);
  process.exit(0);
}
const targets = Targets.parse(JSON.parse(given));
// What is read from this process ends with it, however it ends.
const WAITS = 'process.stdin.resume().on("close", () => process.exit())';
const victims = targets.processes.map(() =>
  spawn(process.execPath, ["-e", WAITS], { stdio: ["pipe", "ignore", "ignore"] }),
);
const report = await attack({ ...targets, processes: victims.map(({ pid }) => pid ?? 0) }, true);
for (const victim of victims) victim.kill("SIGKILL");
writeSync(1, `${JSON.stringify(report)}\n`);
process.exit(0);
