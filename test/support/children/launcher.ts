/** Stands for the supervisor: starts a hostile child (hostile.ts) with one file left open, as descriptor 5, and ends with its status. argv: the
 *  child's program, whether processes of it may have a ring (`rings` or `no-rings`), the file, and what the child is to be told. */
import { spawn } from "node:child_process";
import { openSync } from "node:fs";
import { NODE_FLAGS } from "../../../src/confine/flags.ts";
import { forbidRings } from "../../../src/confine/walls.ts";

const [program = "", rings = "", file = "", told = ""] = process.argv.slice(2);
if (rings === "no-rings") forbidRings();
const left = openSync(file, "r+");
const child = spawn(process.execPath, [...NODE_FLAGS, program, told], {
  stdio: ["ignore", "inherit", "inherit", "pipe", "ignore", left],
  env: {},
});
child.on("exit", (status) => process.exit(status ?? 1));
