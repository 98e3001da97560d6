import type { Keychain } from "../../vault/protector.ts";
import { deleteOldMasters, moveTo } from "../../vault/protector.ts";
import { DataFolder, typed, World } from "./world.ts";

/** Moves a vault to a new master, with all that belongs to it, and dies by its own hand before or after the step it is told.
 *  argv: folder, protector, the step to die at. Ends with status 0 when there is no such step. */
const [path = "", protector = "", at = ""] = process.argv.slice(2);

let steps = 0;
function step(): void {
  if (++steps === Number(at)) process.kill(process.pid, "SIGKILL");
}

async function around<T>(run: () => Promise<T>): Promise<T> {
  step();
  const value = await run();
  step();
  return value;
}

const folder = new DataFolder(path);
const { keychain: real, provisional } = folder.keepers;
const keychain: Keychain = {
  read: (account) => around(() => real.read(account)),
  write: (account, value) => around(() => real.write(account, value)),
  delete: (account) => around(() => real.delete(account)),
};
const keepers = { keychain, provisional };

const world = await World.open(folder);
const { vault, log } = world;
const record: typeof world.record = (row) => around(() => world.record(row));

if (protector === "keychain") await around(() => moveTo(vault, { kind: "keychain" }, keepers, record));
else {
  using passphrase = typed("the next passphrase");
  await around(() => moveTo(vault, { kind: "passphrase", passphrase }, keepers, record));
}
await around(() => vault.change({ change: "log-key", step: "add" }, record));
await around(() => log.rotate(vault.signer(), { protector: vault.protector, cause: null }));
await around(() => vault.change({ change: "log-key", step: "forget" }, record));
await around(() => deleteOldMasters(vault, keepers));
await world[Symbol.asyncDispose]();
