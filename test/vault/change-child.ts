import { randomUUID } from "node:crypto";
import { DataFolder, World } from "./world.ts";

/** Makes content keys without end, until it is killed. argv: folder. Says that it has begun. */
const world = await World.open(new DataFolder(process.argv[2]));
process.stdout.write("begun\n");
for (;;) await world.vault.change({ change: "content-key", session: randomUUID() }, world.record);
