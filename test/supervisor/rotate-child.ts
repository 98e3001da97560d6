import { VaultKeeper } from "../../src/supervisor/vault-keeper.ts";
import { Vault } from "../../vault/vault.ts";
import { DataFolder, World } from "../vault/world.ts";

/** Changes the log's key as `wirken audit key rotate` does, and dies by its own hand at the step it is told: when a row is on disk, and before and after
 *  each commit of the vault. argv: folder, the step to die at. Ends with status 0 when there is no such step. */
const [path = "", at = ""] = process.argv.slice(2);

let steps = 0;
function step(): void {
  if (++steps === Number(at)) process.kill(process.pid, "SIGKILL");
}

const folder = new DataFolder(path);
const world = await World.open(folder);
const { log, vault } = world;
const commit: Vault["commit"] = (plan, recorded) => Vault.prototype.commit.call(vault, plan, recorded);
Object.defineProperty(vault, "commit", {
  value: (...given: Parameters<Vault["commit"]>) => {
    step();
    commit(...given);
    step();
  },
});
const keeper = new VaultKeeper({
  vault,
  keepers: folder.keepers,
  log,
  probe: () => Promise.resolve("absent"),
  locking: () => Promise.resolve(),
  unlocked: () => Promise.resolve(),
});
log.follow(log.size - 1, () => step());
await keeper.rotateLogKey();
await world[Symbol.asyncDispose]();
