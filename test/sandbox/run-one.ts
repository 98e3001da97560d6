import { LIMITS } from "../../src/sandbox/limits.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";

/** Runs one command and says when it begins to; killed by the test that started it. */
const [home = "", workspace = "", script = ""] = process.argv.slice(2);
const sandbox = new Sandbox({ home, executable: process.execPath });
await sandbox.probe();
process.stdout.write("now\n");
await sandbox.run(
  { workspace, argv: ["bash", "-c", script], write: false, stdin: null, limits: LIMITS },
  new AbortController().signal,
);
