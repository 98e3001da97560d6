import { LIMITS } from "../../src/sandbox/limits.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";
import { LAUNCHER } from "../support/launcher.ts";

/** Starts one command where there is no bubblewrap, and waits for it: the test kills this process meanwhile. */
const [home = "", workspace = "", script = ""] = process.argv.slice(2);
const sandbox = new Sandbox({ home, executable: process.execPath, bubblewrap: null, launcher: LAUNCHER });
await sandbox.probe();
const command = { workspace, argv: ["bash", "-c", script], write: false, stdin: null, limits: LIMITS };
await sandbox.run(command, new AbortController().signal);
