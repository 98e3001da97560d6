import { VaultKeeper } from "../../src/supervisor/vault-keeper.ts";
import { dyingWorld } from "./dying-world.ts";

/** Changes the log's key as `wirken audit key rotate` does, and dies by its own hand at the step it is told: when a row is on disk, and before and after
 *  each commit of the vault. argv: folder, the step to die at. Ends with status 0 when there is no such step. */
const [path = "", at = ""] = process.argv.slice(2);

const { folder, world } = await dyingWorld(path, Number(at));
const { log, vault } = world;
const keeper = new VaultKeeper({
  vault,
  keepers: folder.keepers,
  log,
  probe: () => Promise.resolve("absent"),
  locking: () => Promise.resolve(),
  unlocked: () => Promise.resolve(),
});
await keeper.rotateLogKey();
await world[Symbol.asyncDispose]();
