import { setTimeout as sleep } from "node:timers/promises";
import { LIMITS } from "../../src/sandbox/limits.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";

/** Starts commands one after the other, so that they are at different instants of their start when the test kills this process. */
const [home = "", workspace = "", script = "", count = "1", apart = "0"] = process.argv.slice(2);
const sandbox = new Sandbox({ home, executable: process.execPath });
await sandbox.probe();
process.stdout.write("now\n");
const running: Promise<unknown>[] = [];
for (let started = 0; started < Number(count); started += 1) {
  const command = { workspace, argv: ["bash", "-c", script], write: false, stdin: null, limits: LIMITS };
  running.push(sandbox.run(command, new AbortController().signal));
  await sleep(Number(apart));
}
await Promise.all(running);
