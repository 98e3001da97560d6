import { beforeAll, expect, test } from "vitest";
import { openBackup } from "../../vault/backup.ts";
import { loadAead } from "../../vault/crypto.ts";
import { LockedVault } from "../../vault/locked-vault.ts";
import { recoveryPublic } from "../../vault/recovery.ts";
import { Secret } from "../../vault/secret.ts";
import { Vault } from "../../vault/vault.ts";
import { useSession } from "../keychain/session.ts";
import { DataFolder, openVault, textOf, typed, World } from "./world.ts";

useSession(null);
beforeAll(loadAead);

const code = (name: string) => expect.objectContaining({ name: "VaultError", code: name });
const MADE = "2026-11-28T12:00:00.000Z";
const WORDS = "orchard violin pebble thursday";

/** A vault with a credential and some content, its recovery phrase, and both kinds of backup. */
async function made(folder: DataFolder, entropy: Secret) {
  await using world = await World.guarded(folder);
  await world.add("channel/slack", { "bot-token": "xoxb-kept", "app-token": "xapp-kept" }, { account: "Acme" });
  await world.add("secret/big", { value: "x".repeat(65_536) });
  const content = world.vault.sealer().seal("daemon", "p", new TextEncoder().encode("kept"));
  await expect(world.vault.backup(MADE, { passphrase: null })).rejects.toThrow(code("VAULT_NO_RECOVERY"));
  using passphrase = typed(WORDS);
  const byPassphrase = await world.vault.backup(MADE, { passphrase });
  await world.vault.change({ change: "recovery", publicKey: recoveryPublic(entropy) }, world.record);
  const byPhrase = await world.vault.backup(MADE, { passphrase: null });
  return { byPassphrase, byPhrase, content, id: world.vault.id };
}

test("a backup opens with the recovery phrase or its passphrase, and makes a vault of its own with everything but the log's key", async () => {
  using folder = new DataFolder();
  using entropy = Secret.random(32);
  const { byPassphrase, byPhrase, content, id } = await made(folder, entropy);
  for (const [file, opener] of [
    [byPhrase, { by: "phrase", entropy }],
    [byPassphrase, { by: "passphrase", passphrase: typed(WORDS) }],
  ] as const) {
    const backup = await openBackup(file, opener);
    expect(backup.made).toBe(MADE);
    using place = new DataFolder();
    using passphrase = typed();
    await Vault.create(place.vault, { kind: "passphrase", passphrase }, place.keepers, backup);
    backup.unlocked.kek[Symbol.dispose]();
    const { vault } = await openVault(place, null);
    expect(textOf(vault.take("channel/slack", "app-token"))).toBe("xapp-kept");
    expect(vault.credentials()).toMatchObject([{ scope: "channel/slack", account: "Acme" }, { scope: "secret/big" }]);
    expect(vault.sealer().open("daemon", "p", content)).toEqual(new TextEncoder().encode("kept"));
    expect([vault.generation, vault.logEpochs(), vault.recoverable]).toEqual([0, [1], file === byPhrase]);
    expect(vault.id).not.toEqual(id);
    vault.close();
    if (file !== byPhrase) continue;
    // The phrase goes on: the new vault is sealed to it too.
    const locked = await LockedVault.open(place.vault);
    locked.recover(entropy, null).vault.close();
  }
});

test("nothing of the vault is to be read in its backup", async () => {
  using folder = new DataFolder();
  using entropy = Secret.random(32);
  const { byPhrase } = await made(folder, entropy);
  for (const text of ["xoxb-kept", "channel/slack", "Acme", "slack", MADE])
    expect(Buffer.from(byPhrase).includes(text)).toBe(false);
});

test("another phrase, another passphrase, and the way in that was not made are told apart", async () => {
  using folder = new DataFolder();
  using entropy = Secret.random(32);
  const { byPassphrase, byPhrase } = await made(folder, entropy);
  using other = Secret.random(32);
  using wrong = typed("another passphrase");
  await expect(openBackup(byPhrase, { by: "phrase", entropy: other })).rejects.toThrow(code("VAULT_WRONG_PHRASE"));
  await expect(openBackup(byPassphrase, { by: "passphrase", passphrase: wrong })).rejects.toThrow(
    code("VAULT_WRONG_PASSPHRASE"),
  );
  await expect(openBackup(byPassphrase, { by: "phrase", entropy })).rejects.toThrow(code("VAULT_NO_RECOVERY"));
  await expect(openBackup(byPhrase, { by: "passphrase", passphrase: wrong })).rejects.toThrow(
    code("VAULT_NO_RECOVERY"),
  );
});

test("a changed byte and a cut anywhere in a backup are refused", async () => {
  using folder = new DataFolder();
  using entropy = Secret.random(32);
  const { byPhrase } = await made(folder, entropy);
  const refused = async (file: Uint8Array, what: string): Promise<void> => {
    const opened = openBackup(file, { by: "phrase", entropy });
    await expect(opened, what).rejects.toMatchObject({
      code: expect.stringMatching(/^VAULT_(DAMAGED|WRONG_PHRASE|NO_RECOVERY)$/),
    });
  };
  for (let at = 0; at < byPhrase.length; at += at < 300 ? 1 : 997) {
    await refused(byPhrase.with(at, (byPhrase[at] ?? 0) ^ 1), `byte ${at}`);
    await refused(byPhrase.slice(0, at), `cut at ${at}`);
  }
  await refused(Buffer.concat([byPhrase, new Uint8Array(41)]), "longer");
});

test("a backup of more than one chunk opens, and its chunks do not change places", async () => {
  using folder = new DataFolder();
  using entropy = Secret.random(32);
  await using world = await World.guarded(folder);
  await world.vault.change({ change: "recovery", publicKey: recoveryPublic(entropy) }, world.record);
  for (let at = 0; at < 40; at++) await world.add(`secret/s${at}`, { value: String(at % 10).repeat(65_536) });
  const file = await world.vault.backup(MADE, { passphrase: null });
  const backup = await openBackup(file, { by: "phrase", entropy });
  expect(backup.unlocked.contents.records.size).toBe(41);
  backup.unlocked.kek[Symbol.dispose]();
  const step = 1_048_576 + 40;
  const tail = file.length - 2 * step - (file.length % step < 1000 ? 0 : 0);
  const swapped = Uint8Array.from(file);
  const start = tail % step;
  swapped.set(file.subarray(start + step, start + 2 * step), start);
  await expect(openBackup(swapped, { by: "phrase", entropy })).rejects.toThrow(code("VAULT_DAMAGED"));
});
