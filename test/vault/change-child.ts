import { randomUUID } from "node:crypto";
import { DataFolder, World } from "./world.ts";

/** Makes content keys without end, until it is killed or cannot, and says each that was made. argv: folder. Status 3: it cannot. */
const world = await World.open(new DataFolder(process.argv[2]));
try {
  for (;;) {
    await world.vault.change({ change: "content-key", session: randomUUID() }, world.record);
    process.stdout.write("made\n");
  }
} catch (error) {
  process.stderr.write(String(error));
  process.exit(3);
}
