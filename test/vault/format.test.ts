import { cpSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { LockedVault } from "../../vault/locked-vault.ts";
import { useSession } from "../keychain/session.ts";
import { DataFolder, textOf, World } from "./world.ts";

useSession(null);

/** A data directory whose vault was written by the last build that knew format 1. */
const FORMAT_1 = join(import.meta.dirname, "format-1");

function aFolder(): DataFolder {
  const folder = new DataFolder();
  cpSync(FORMAT_1, folder.path, { recursive: true });
  return folder;
}

function userVersion(path: string): unknown {
  const db = new Database(path, { readonly: true });
  try {
    return db.pragma("user_version", { simple: true });
  } finally {
    db.close();
  }
}

test("a vault of format 1 is brought to format 2, and everything in it opens under the log that it had", async () => {
  using folder = aFolder();
  expect(userVersion(folder.vault)).toBe(1);
  {
    await using world = await World.open(folder);
    expect(world.settled).toBe("to");
    expect(textOf(world.vault.take("channel/slack", "bot-token"))).toBe("xoxb-newer");
    expect(textOf(world.vault.take("channel/slack", "app-token", 1))).toBe("xapp-of-format-1");
    expect(world.vault.credentials()).toMatchObject([{ version: 2, fallback: 1 }]);
    expect(world.vault.hasContentKey("s_kept")).toBe(true);
    expect(world.vault.migratedFrom).toBe(1);
    await world.add("channel/telegram", { "bot-token": "new" });
  }
  expect(userVersion(folder.vault)).toBe(2);
  // Until the log knows, the file of before lies there; then it goes, for what is removed must not live on in it.
  expect(readFileSync(`${folder.vault}.format-1`).equals(readFileSync(join(FORMAT_1, "vault.db")))).toBe(true);
  await using world = await World.open(folder);
  expect([world.vault.migratedFrom, textOf(world.vault.take("channel/telegram", "bot-token"))]).toEqual([1, "new"]);
  world.vault.forgetFormer();
  expect([world.vault.migratedFrom, existsSync(`${folder.vault}.format-1`)]).toEqual([null, false]);
});

test("a crash before the end of the migration leaves the file as it was, and the next opening does it", async () => {
  using folder = aFolder();
  // Killed after the copy was put aside, and while it was written.
  cpSync(folder.vault, `${folder.vault}.format-1`);
  const locked = await LockedVault.open(folder.vault);
  locked.close();
  expect(userVersion(folder.vault)).toBe(2);
  expect(readdirSync(folder.path).filter((name) => name.includes("format-"))).toEqual(["vault.db.format-1"]);
});

test("a vault of format 1 in which something was moved is not given a tag", async () => {
  using folder = aFolder();
  const db = new Database(folder.vault);
  db.exec("UPDATE record SET version = 3 WHERE version = 1 AND name = 'bot-token'");
  db.close();
  await expect(World.open(folder)).rejects.toMatchObject({ code: "VAULT_EDITED" });
});
