import { beforeAll, expect, test } from "vitest";
import { loadAead } from "../../vault/crypto.ts";
import { LockedVault } from "../../vault/locked-vault.ts";
import { moveTo } from "../../vault/protector.ts";
import { openWithRecovery, recoveryPublic, sealForRecovery } from "../../vault/recovery.ts";
import { Secret } from "../../vault/secret.ts";
import { useSession } from "../keychain/session.ts";
import { DataFolder, newestChange, textOf, typed, World } from "./world.ts";

useSession(null);
beforeAll(loadAead);

const code = (name: string) => expect.objectContaining({ name: "VaultError", code: name });
const PLACE = { vault: new Uint8Array(16).fill(1), masterId: 2 };

function same(a: Secret, b: Secret): boolean {
  return a.use((one) => b.use((other) => Buffer.compare(one, other) === 0));
}

test("what is sealed to a phrase's public half opens with the phrase, at its place and for its purpose alone", () => {
  using entropy = Secret.random(32);
  using kek = Secret.random(32);
  const row = sealForRecovery(recoveryPublic(entropy), PLACE, kek);
  using opened = openWithRecovery(entropy, PLACE, row);
  expect(same(opened, kek)).toBe(true);
  const damaged = code("VAULT_DAMAGED");
  expect(() => openWithRecovery(entropy, { ...PLACE, masterId: 3 }, row)).toThrow(damaged);
  expect(() => openWithRecovery(entropy, { ...PLACE, vault: new Uint8Array(16) }, row)).toThrow(damaged);
  expect(() => openWithRecovery(entropy, PLACE, row, "WKB1")).toThrow(damaged);
  using other = Secret.random(32);
  expect(() => openWithRecovery(other, PLACE, row)).toThrow(code("VAULT_WRONG_PHRASE"));
  expect(sealForRecovery(row.publicKey, PLACE, kek).sealed).not.toEqual(row.sealed);
});

test("every flipped byte and every cut of what was sealed is found", () => {
  using entropy = Secret.random(32);
  using kek = Secret.random(32);
  const row = sealForRecovery(recoveryPublic(entropy), PLACE, kek);
  for (let at = 0; at < row.sealed.length; at++) {
    const sealed = row.sealed.with(at, (row.sealed[at] ?? 0) ^ 0x40);
    expect(() => openWithRecovery(entropy, PLACE, { ...row, sealed }), `byte ${at}`).toThrow(code("VAULT_DAMAGED"));
    const cut = { ...row, sealed: row.sealed.slice(0, at) };
    expect(() => openWithRecovery(entropy, PLACE, cut), `cut at ${at}`).toThrow(code("VAULT_DAMAGED"));
  }
});

test.for([
  ["too short", new Uint8Array(31)],
  ["of small order", new Uint8Array(32)],
] as const)("a public half that is %s is refused", ([, publicKey]) => {
  using kek = Secret.random(32);
  expect(() => sealForRecovery(publicKey, PLACE, kek)).toThrow(code("VAULT_REFUSED"));
});

test("a vault without a protector takes no recovery phrase, and one without a phrase is not recovered", async () => {
  using folder = new DataFolder();
  using entropy = Secret.random(32);
  {
    await using world = await World.open(folder);
    const change = { change: "recovery", publicKey: recoveryPublic(entropy) } as const;
    await expect(world.vault.change(change, world.record)).rejects.toThrow(code("VAULT_UNPROTECTED"));
    expect(world.vault.recoverable).toBe(false);
  }
  const locked = await LockedVault.open(folder.vault);
  expect(() => locked.recover(entropy, null)).toThrow(code("VAULT_NO_RECOVERY"));
  locked.close();
});

test("the phrase opens the vault it was made for, and every state after, without being asked for again", async () => {
  using folder = new DataFolder();
  using entropy = Secret.random(32);
  {
    await using world = await World.guarded(folder);
    await world.add("channel/slack", { "bot-token": "xoxb-kept" });
    await world.vault.change({ change: "recovery", publicKey: recoveryPublic(entropy) }, world.record);
    expect(world.vault.recoverable).toBe(true);
    using next = typed("a passphrase that nobody remembers");
    await moveTo(world.vault, { kind: "passphrase", passphrase: next }, folder.keepers, world.record);
  }
  const newest = await newestOf(folder);
  const locked = await LockedVault.open(folder.vault);
  using other = Secret.random(32);
  expect(() => locked.recover(other, newest)).toThrow(code("VAULT_WRONG_PHRASE"));
  const { vault } = locked.recover(entropy, newest);
  expect(textOf(vault.take("channel/slack", "bot-token"))).toBe("xoxb-kept");
  vault.close();
});

test("a second phrase takes the place of the first, which opens nothing any more", async () => {
  using folder = new DataFolder();
  using first = Secret.random(32);
  using second = Secret.random(32);
  {
    await using world = await World.guarded(folder);
    for (const entropy of [first, second])
      await world.vault.change({ change: "recovery", publicKey: recoveryPublic(entropy) }, world.record);
  }
  const newest = await newestOf(folder);
  const locked = await LockedVault.open(folder.vault);
  expect(() => locked.recover(first, newest)).toThrow(code("VAULT_WRONG_PHRASE"));
  locked.recover(second, newest).vault.close();
});

async function newestOf(folder: DataFolder) {
  const { BootLog } = await import("../../audit/log.ts");
  const { systemClock } = await import("../../audit/ports.ts");
  const log = BootLog.open(folder.log, systemClock);
  try {
    return newestChange(log);
  } finally {
    log.close();
  }
}
