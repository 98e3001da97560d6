import { join } from "node:path";
import { expect, test } from "vitest";
import { verifySync } from "../../audit/verify.ts";

import { LogKeys } from "../../src/supervisor/log-keys.ts";
import { VaultKeeper } from "../../src/supervisor/vault-keeper.ts";
import { ownFolder } from "../support/folder.ts";
import { DataFolder, World } from "../vault/world.ts";
import { runsOn } from "./dying-world.ts";
import { historyOf } from "./anchor-world.ts";

const CHILD = join(import.meta.dirname, "rotate-child.ts");

function keeperOf({ vault, log }: World, folder: DataFolder): VaultKeeper {
  return new VaultKeeper({
    vault,
    keepers: folder.keepers,
    log,
    probe: () => Promise.resolve("absent"),
    locking: () => Promise.resolve(),
    unlocked: () => Promise.resolve(),
  });
}

/** A log with some rows, its vault, and its first key. */
async function aLog(): Promise<{ path: string; vkey: string }> {
  const path = ownFolder();
  const world = await World.open(new DataFolder(path));
  await world.log.append({ kind: "daemon.starting", version: "0.1.0", build: "test" }, { cause: null });
  const { vkey } = world.log;
  await world[Symbol.asyncDispose]();
  return { path, vkey };
}

test("a kill at any step of a change of the log's key leaves a log that verifies and goes on under one key", {
  timeout: 60_000,
}, async () => {
  const { path, vkey } = await aLog();
  const ends: string[] = [];
  for (let at = 1; ; at++) {
    const folder = new DataFolder(ownFolder());
    const ended = runsOn(folder, path, CHILD, [String(at)]);
    const world = await World.open(folder);
    const { log, vault } = world;
    const keyed = vault.logEpochs().length;
    await keeperOf(world, folder).finishStart(null);
    expect(vault.logEpochs(), `step ${at}`).toHaveLength(1);
    expect(vault.signer().vkey, `step ${at}`).toBe(log.vkey);
    ends.push(`${log.epoch}${keyed > 1 ? " finished" : ""}`);
    await log.checkpoint("demand");
    await world[Symbol.asyncDispose]();
    const verdict = verifySync(folder.log, { vkey });
    expect([verdict.findings, verdict.epochs], `step ${at}`).toEqual([[], log.epoch]);
    if (ended) break;
  }
  expect(new Set(ends), "killed before, in the middle, and after").toEqual(new Set(["1", "2 finished", "2"]));
});

test("the keys of a log are listed with the sizes they sign, and the private half of the one before is gone", async () => {
  const folder = new DataFolder(ownFolder());
  const world = await World.open(folder);
  const { log, vault } = world;
  const first = log.vkey;
  const keys = new LogKeys(log, keeperOf(world, folder), historyOf(log));
  expect(keys.show().epochs).toMatchObject([{ epoch: 1, vkey: first, from: 0, to: null }]);
  const rotated = await keys.rotate();
  expect(rotated).toMatchObject({ epoch: 2, pinned: true, witnesses: [] });
  const handed = keys.show().epochs[1]?.from;
  expect(keys.show().epochs).toMatchObject([
    { epoch: 1, vkey: first, from: 0, to: handed },
    { epoch: 2, vkey: rotated.vkey, from: handed, to: null },
  ]);
  const again = await keys.rotate();
  expect(again.epoch).toBe(3);
  expect(vault.logEpochs()).toEqual([3]);
  for (const epoch of [1, 2]) expect(() => vault.signer(epoch)).toThrow("no key of the log");
  await world[Symbol.asyncDispose]();
  for (const vkey of [first, rotated.vkey, again.vkey]) expect(verifySync(folder.log, { vkey }).state).toBe("good");
});
