import { randomBytes } from "node:crypto";
import type { ProtectorKind } from "./contents.ts";
import { hex } from "./encoding.ts";
import { VAULT_ID_BYTES } from "./envelope.ts";
import { VaultError } from "./error.ts";
import { type MasterPlace, unwrapMaster, wrapMaster } from "./passphrase.ts";
import { deleteProvisional, readProvisional, writeProvisional } from "./provisional.ts";
import { Secret } from "./secret.ts";
import type { RecordChange, Vault } from "./vault.ts";

/** Who keeps a master: the operating system's keychain, a passphrase in somebody's head, or nobody (a file). A closed choice: one that is locked never becomes another. */
export type NewProtector =
  | { readonly kind: "keychain" }
  | { readonly kind: "passphrase"; readonly passphrase: Secret }
  | { readonly kind: "none" };

/** The operating system's keychain, which is asked in a helper process. Each throws a {@link VaultError} VAULT_KEYCHAIN_LOCKED, VAULT_KEYCHAIN_ABSENT or VAULT_KEYCHAIN_UNREACHABLE. */
export interface Keychain {
  /** @returns null if it is not there and the keychain is known to be open. */
  read(account: string): Promise<Secret | null>;
  /** Resolves when the value was read back. */
  write(account: string, value: Secret): Promise<void>;
  /** Deletes it; done already is done. */
  delete(account: string): Promise<void>;
}

/** Where masters may be kept. */
export interface Keepers {
  readonly keychain: Keychain;
  /** The path of `provisional.key`. */
  readonly provisional: string;
}

const MASTER_BYTES = 32;

export function newVaultId(): Uint8Array {
  return new Uint8Array(randomBytes(VAULT_ID_BYTES));
}

/** The keychain's account of a master: `vault/<32 hex of the vault's id>/<master id>`. */
export function accountOf({ vault, masterId }: MasterPlace): string {
  return `vault/${hex(vault)}/${masterId}`;
}

/** Makes a master and gives it to its protector, where it is when this resolves.
 *  @returns the master, the caller's to dispose of, and what the vault's file holds of it.
 *  @throws {VaultError} what the keychain throws, VAULT_WEAK_PASSPHRASE, VAULT_UNWRITABLE. */
export async function keepNewMaster(
  protector: NewProtector,
  place: MasterPlace,
  keepers: Keepers,
): Promise<{ master: Secret; wrapping: Uint8Array }> {
  // A crash between this file and the vault's first byte leaves the file; nothing is sealed under it yet, so it serves.
  const left = protector.kind === "none" ? readProvisional(keepers.provisional) : null;
  const master = left ?? Secret.random(MASTER_BYTES);
  try {
    let wrapping: Uint8Array = new Uint8Array(0);
    switch (protector.kind) {
      case "none":
        if (left === null) {
          deleteProvisional(keepers.provisional);
          writeProvisional(keepers.provisional, master);
        }
        break;
      case "keychain":
        await keepInKeychain(keepers.keychain, accountOf(place), master);
        break;
      case "passphrase":
        wrapping = await wrapMaster(protector.passphrase, place, master);
        break;
    }
    return { master, wrapping };
  } catch (error) {
    master[Symbol.dispose]();
    throw error;
  }
}

/** Reads it back by another question: a keychain that forgets at once would cost everything. */
async function keepInKeychain(keychain: Keychain, account: string, master: Secret): Promise<void> {
  await keychain.write(account, master);
  using kept = await keychain.read(account);
  const good = kept?.use((back) => master.use((written) => Buffer.compare(back, written) === 0)) ?? false;
  if (!good)
    throw new VaultError("VAULT_KEYCHAIN_UNREACHABLE", "The keychain took the master key and does not give it back");
}

/** What {@link fetchMaster} needs to know of a vault. */
export interface LockedMaster {
  readonly id: Uint8Array;
  readonly masterId: number;
  readonly protector: ProtectorKind;
  readonly wrapping: Uint8Array;
}

/** Asks the vault's own protector for the master, and no other.
 *  @param askPassphrase null where nobody can be asked. @returns 32 bytes, the caller's to dispose of.
 *  @throws {VaultError} VAULT_KEY_MISSING, VAULT_UNSAFE_FILE, VAULT_PASSPHRASE_NEEDED, VAULT_WRONG_PASSPHRASE, VAULT_WEAKENED, or what the keychain throws. */
export async function fetchMaster(
  vault: LockedMaster,
  keepers: Keepers,
  askPassphrase: (() => Promise<Secret>) | null,
): Promise<Secret> {
  const place = { vault: vault.id, masterId: vault.masterId };
  switch (vault.protector) {
    case "none":
      return found(readProvisional(keepers.provisional), `the provisional key at ${keepers.provisional}`);
    case "keychain":
      return found(await keepers.keychain.read(accountOf(place)), `the keychain's entry wirken ${accountOf(place)}`);
    case "passphrase":
      break;
  }
  if (askPassphrase === null)
    throw new VaultError("VAULT_PASSPHRASE_NEEDED", "The vault opens with a passphrase: run `wirken vault unlock`");
  using passphrase = await askPassphrase();
  return await unwrapMaster(passphrase, place, vault.wrapping);
}

function found(master: Secret | null, where: string): Secret {
  if (master === null)
    throw new VaultError(
      "VAULT_KEY_MISSING",
      `The vault's master key is gone: ${where} does not exist. Restore it from a backup; without it nothing in the vault opens`,
    );
  if (master.use((bytes) => bytes.length) === MASTER_BYTES) return master;
  master[Symbol.dispose]();
  throw new VaultError("VAULT_DAMAGED", `The vault's master key is not ${MASTER_BYTES} bytes: ${where} was changed`);
}

/** Gives the vault a new master under `protector` and wraps everything anew. After a crash anywhere in it, either the old master opens the vault or the new one does.
 *
 *  The caller then opens a new epoch of the log's key (the old one may have been read), and calls {@link deleteOldMasters}: at once when it
 *  moves away from the provisional file, else at the next clean start.
 *  @throws {VaultError} what keeping the master and the change may throw; the vault is then as it was. */
export async function moveTo(
  vault: Vault,
  protector: Exclude<NewProtector, { kind: "none" }>,
  keepers: Keepers,
  record: RecordChange,
): Promise<void> {
  await vault.protect(protector.kind, (place) => keepNewMaster(protector, place, keepers), record);
}

/** Deletes the masters that this vault no longer uses: former ones and those of moves that a crash cut short. Call it where the vault has just been opened with the one in use.
 *  @throws {VaultError} what the keychain throws, VAULT_UNWRITABLE; what is not deleted yet is so the next time. */
export async function deleteOldMasters(vault: Vault, keepers: Keepers): Promise<void> {
  if (vault.protector !== "none") deleteProvisional(keepers.provisional);
  for (const masterId of vault.retiredMasters()) {
    await keepers.keychain.delete(accountOf({ vault: vault.id, masterId }));
    vault.forgetRetired(masterId);
  }
}
