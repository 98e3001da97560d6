/** Starts itself again and ends; the second one waits until its parent is gone, then tries to confine itself. */
import { spawn } from "node:child_process";
import { writeSync } from "node:fs";
import { confine } from "../../../src/confine/confine.ts";
import { ConfineError } from "../../../src/confine/error.ts";
import { childImage } from "../confined.ts";

if (process.argv[2] === undefined) {
  const { command, args } = childImage("orphan");
  spawn(command, [...args, String(process.pid)], { stdio: ["ignore", "inherit", "inherit", "pipe"], env: {} }).unref();
  process.exit(0);
}
const parent = Number(process.argv[2]);
const clock = new Int32Array(new SharedArrayBuffer(4));
while (process.ppid === parent) Atomics.wait(clock, 0, 0, 10);
try {
  confine("agent");
  writeSync(1, "confined\n");
} catch (error) {
  writeSync(1, `${error instanceof ConfineError ? error.code : String(error)}\n`);
}
process.exit(0);
