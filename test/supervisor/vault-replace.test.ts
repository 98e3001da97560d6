import { spawnSync } from "node:child_process";
import { cpSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { homeFrom } from "../../src/config/home.ts";
import { finishReplace } from "../../src/supervisor/vault-replace.ts";
import { ownFolder } from "../support/folder.ts";
import { useSession } from "../keychain/session.ts";
import { DataFolder, textOf, World } from "../vault/world.ts";

const CHILD = join(import.meta.dirname, "replace-child.ts");
/** `npm run test:long` takes every step. */
const EVERY = process.env["WIRKEN_TEST_ROUNDS"] === "long" ? 1 : 6;

useSession(null);

test("killed at any step of a reset, there is the old vault with its log or the new one with its own, and it opens", {
  timeout: 10 * 60_000,
}, async () => {
  const base = new DataFolder(ownFolder());
  {
    await using world = await World.guarded(base);
    await world.add("channel/slack", { "bot-token": "xoxb-kept" });
  }
  const ends: string[] = [];
  for (let step = 1; ; step += EVERY) {
    const folder = new DataFolder(ownFolder());
    cpSync(base.path, folder.path, { recursive: true });
    const run = spawnSync(process.execPath, [CHILD, folder.path, String(step)], { encoding: "utf8" });
    if (run.signal !== "SIGKILL" && run.status !== 0) throw new Error(`step ${step}: ${run.stderr}`);
    finishReplace(homeFrom({ WIRKEN_HOME: folder.path }));
    expect(existsSync(join(folder.path, "replacing")), `step ${step}`).toBe(false);
    await using world = await World.open(folder);
    const old = world.vault.protector === "passphrase";
    ends.push(old ? "old" : "new");
    if (old) expect(textOf(world.vault.take("channel/slack", "bot-token")), `step ${step}`).toBe("xoxb-kept");
    else {
      expect(world.vault.credentials(), `step ${step}`).toEqual([]);
      const kept = readdirSync(folder.path).filter((name) => /^(audit|vault)-.*\.db$/.test(name));
      expect(kept, `step ${step}`).toHaveLength(2);
      expect(world.log.rows({ kind: "vault.reset" }), `step ${step}`).toHaveLength(1);
    }
    await world.log.checkpoint("demand");
    if (run.status === 0) break;
  }
  // One switch, and none back.
  expect(ends).toEqual(ends.toSorted().toReversed());
  expect(new Set(ends)).toEqual(new Set(["old", "new"]));
});
