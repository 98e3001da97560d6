import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { accountOf, deleteOldMasters, moveTo } from "../../vault/protector.ts";
import { Secret } from "../../vault/secret.ts";
import { DataFolder, textOf, World } from "../vault/world.ts";
import { KeyringHome, KeyringSession, useSession } from "./session.ts";

afterEach(() => useSession(null));

const code = (name: string, words = "") =>
  expect.objectContaining({ name: "VaultError", code: name, message: expect.stringContaining(words) });

/** A vault behind an open keychain, closed; and where its master lies there. */
async function behindKeychain(folder: DataFolder): Promise<string> {
  await using world = await World.open(folder);
  await moveTo(world.vault, { kind: "keychain" }, folder.keepers, world.record);
  await deleteOldMasters(world.vault, folder.keepers);
  await world.add("channel/slack", { "bot-token": "xoxb-kept" });
  return accountOf({ vault: world.vault.id, masterId: world.vault.masterId });
}

function keytar(script: string): string {
  return execFileSync(process.execPath, ["-e", `const k = require("keytar"); (async () => { ${script} })()`], {
    encoding: "utf8",
    cwd: import.meta.dirname,
  }).trim();
}

function entries(): string[] {
  const listed: unknown = JSON.parse(
    keytar(`console.log(JSON.stringify((await k.findCredentials("wirken")).map((one) => one.account)))`),
  );
  return Array.isArray(listed) ? listed.map(String).filter((account) => account.startsWith("vault/")) : [];
}

test.for([
  ["deleted", `await k.deletePassword("wirken", ACCOUNT)`, "VAULT_KEY_MISSING", "is gone"],
  [
    "replaced by another key",
    `await k.setPassword("wirken", ACCOUNT, Buffer.alloc(32, 7).toString("base64"))`,
    "VAULT_WRONG_KEY",
    "not the one this vault was sealed under",
  ],
  [
    "replaced by something shorter",
    `await k.setPassword("wirken", ACCOUNT, Buffer.alloc(16, 7).toString("base64"))`,
    "VAULT_DAMAGED",
    "was changed",
  ],
  [
    "replaced by text",
    `await k.setPassword("wirken", ACCOUNT, "no base64 at all!")`,
    "VAULT_KEYCHAIN_UNREACHABLE",
    "was not written by this program",
  ],
] as const)("an entry that was %s is told, and no new key is made", async ([, script, why, words]) => {
  using home = new KeyringHome();
  await using session = await KeyringSession.start(home.path, "open");
  useSession(session.address);
  using folder = new DataFolder();
  const account = await behindKeychain(folder);
  expect(entries()).toEqual([account]);
  keytar(script.replaceAll("ACCOUNT", JSON.stringify(account)));
  const left = entries();
  await expect(World.open(folder)).rejects.toThrow(code(why, words));
  expect(entries()).toEqual(left);
  expect(existsSync(folder.keepers.provisional)).toBe(false);
});

test("a keychain that is locked while the vault is open takes nothing from it, and a new master is refused until it opens", async () => {
  using home = new KeyringHome();
  using folder = new DataFolder();
  let world: World;
  {
    await using session = await KeyringSession.start(home.path, "open");
    useSession(session.address);
    await behindKeychain(folder);
    world = await World.open(folder);
  }
  await using open = world;
  await using locked = await KeyringSession.start(home.path, "closed");
  useSession(locked.address);
  expect(textOf(open.vault.take("channel/slack", "bot-token"))).toBe("xoxb-kept");
  await open.add("channel/telegram", { "bot-token": "added meanwhile" });
  const { masterId, generation } = open.vault;
  const moved = moveTo(open.vault, { kind: "keychain" }, folder.keepers, open.record);
  await expect(moved).rejects.toThrow(code("VAULT_KEYCHAIN_LOCKED", "unlock it"));
  expect([open.vault.masterId, open.vault.generation]).toEqual([masterId, generation]);
  expect(textOf(open.vault.take("channel/telegram", "bot-token"))).toBe("added meanwhile");
  using another = Secret.random(32);
  await expect(folder.keepers.keychain.write("vault/x/1", another)).rejects.toThrow(code("VAULT_KEYCHAIN_LOCKED"));
});
