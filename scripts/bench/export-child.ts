import { readFileSync } from "node:fs";
import { exported } from "../../test/support/exported.ts";

/** Exports a log. Prints seconds, until all of it is on disk, and what this process held at the most, as JSON. */

const [path = "", out = ""] = process.argv.slice(2);
const begun = performance.now();
const { rows, bytes } = exported(path, out);
const seconds = (performance.now() - begun) / 1000;
const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
process.stdout.write(JSON.stringify({ seconds, megabytes: Number(peak) / 1024, rows, bytes }));
