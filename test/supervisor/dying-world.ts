import { spawnSync } from "node:child_process";
import { cpSync } from "node:fs";
import { Vault } from "../../vault/vault.ts";
import { DataFolder, World } from "../vault/world.ts";

/** A log and a vault in a process that dies by its own hand at a step: when a row is on disk, and before and after each
 *  commit of the vault. Whatever else is a step calls `step` itself. */
export async function dyingWorld(
  path: string,
  at: number,
): Promise<{ readonly folder: DataFolder; readonly world: World; readonly step: () => void }> {
  let steps = 0;
  const step = (): void => {
    if (++steps === at) process.kill(process.pid, "SIGKILL");
  };
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
  log.follow(log.size - 1, step);
  return { folder, world, step };
}

/** Runs such a process on a copy of a data directory. @param of its path. @returns whether it came to its end. @throws {Error} if it failed. */
export function runsOn(copy: DataFolder, of: string, child: string, words: readonly string[]): boolean {
  cpSync(of, copy.path, { recursive: true });
  const run = spawnSync(process.execPath, [child, copy.path, ...words], { encoding: "utf8" });
  if (run.signal !== "SIGKILL" && run.status !== 0) throw new Error(`${words.join(" ")}: ${run.stderr}`);
  return run.signal === null;
}
