import { Config } from "../../src/config/schema.ts";
import { DataFolder } from "../vault/world.ts";
import { KeepingWorld } from "./keeping-world.ts";

/** Prunes, or makes a night's retention, long after everything was said; killed by the test that started it. argv: folder, `prune` or `night`. */
const LATER_MS = 400 * 24 * 3_600_000;

const [path, what] = process.argv.slice(2);
const world = await KeepingWorld.open(new DataFolder(path));
const now = (): number => Date.now() + LATER_MS;
const retention = world.retention(() => Config.parse({ retention: { content: 90, rows: 365 } }).retention, now);
process.stdout.write("now\n");
await (what === "prune" ? retention.prune(new Date(now()).toISOString(), world.owner) : retention.apply());
process.stdout.write("done\n");
await world[Symbol.asyncDispose]();
