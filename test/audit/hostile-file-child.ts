import { readFileSync } from "node:fs";
import { verifySync } from "../../audit/verify.ts";

/** Verifies a file and prints what was found of it, and what this process held at the most. argv: path, vkey. */
const [path = "", vkey = ""] = process.argv.slice(2);
const { state, findings } = verifySync(path, { vkey });
const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
process.stdout.write(
  JSON.stringify({ state, codes: [...new Set(findings.map(({ code }) => code))], megabytes: Number(peak) / 1024 }),
);
