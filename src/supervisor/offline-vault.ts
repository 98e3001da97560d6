import { openBackup } from "../../vault/backup.ts";
import { loadAead } from "../../vault/crypto.ts";
import type { NewProtector } from "../../vault/protector.ts";
import { entropyOf } from "../../vault/phrase.ts";
import { Secret } from "../../vault/secret.ts";
import { ensureHome, type Home } from "../config/home.ts";
import type { VaultStatus } from "../ipc/vault-calls.ts";
import { Daemon } from "./daemon.ts";
import { WriterLock } from "./lock.ts";
import { OperatorError } from "./operator-error.ts";
import { hideMemory } from "./own-walls.ts";
import { passphraseFrom } from "./passphrase-source.ts";
import { HelperKeychain, KEYCHAIN_MS } from "./protector.ts";
import { told, type KeychainState } from "./vault-keeper.ts";
import { replaceVault, type Replaced } from "./vault-replace.ts";

/** What is done to a vault that does not open, by a command while no daemon runs: each takes the writer's lock, and throws a `LockedError` while another process has it. */

export { passphraseFrom };

/** A new passphrase, or the keychain. */
export type ChosenProtector =
  | { readonly kind: "keychain" }
  | { readonly kind: "passphrase"; readonly bytes: Uint8Array };

function keychainOf(): HelperKeychain {
  return new HelperKeychain({ timeout: KEYCHAIN_MS.terminal, log: () => undefined });
}

/** Can the keychain be used here and now? */
export async function probeKeychain(): Promise<KeychainState> {
  return await keychainOf().probe();
}

/** Opens the vault with its recovery phrase and gives it a new master at once, behind the protector that is chosen. @param phrase wiped. @throws {OperatorError}. */
export async function recoverOffline(home: Home, phrase: Uint8Array, protector: ChosenProtector): Promise<VaultStatus> {
  using words = Secret.take(phrase);
  const entropy = understood(words);
  const daemon = await Daemon.open({
    home,
    environment: process.env,
    serve: false,
    port: null,
    line: () => undefined,
    recovery: entropy,
  });
  try {
    await daemon.run();
    const bytes = protector.kind === "passphrase" ? protector.bytes : new Uint8Array(0);
    const call = { call: "vault.protect", protector: protector.kind } as const;
    const caller = { via: "terminal", browser: null } as const;
    await daemon.answer(call, bytes, caller, () => undefined, new AbortController().signal);
    return await daemon.vaultStatus();
  } catch (error) {
    throw told(error);
  } finally {
    entropy[Symbol.dispose]();
    await daemon.close("command");
  }
}

function understood(words: Secret): Secret {
  try {
    return entropyOf(words);
  } catch (error) {
    throw new OperatorError(
      "usage",
      error instanceof Error ? error.message : "this is no recovery phrase",
      "the words are on the paper that you wrote when you made it",
    );
  }
}

/** Puts an empty vault in the place of one that is lost. @throws {OperatorError}. */
export async function resetOffline(home: Home, protector: ChosenProtector | null): Promise<Replaced> {
  hideMemory();
  ensureHome(home);
  using _ = WriterLock.take(home);
  return await withProtector(protector, async (chosen) =>
    replaceVault({
      home,
      keychain: keychainOf(),
      protector: chosen,
      from: null,
      reason: "the vault was reset",
      via: "terminal",
    }),
  );
}

/** Makes a vault from a backup, in the place of whatever is there. @param opener its bytes are wiped. @throws {OperatorError}. */
export async function restoreVaultOffline(
  home: Home,
  file: Uint8Array,
  opener: { readonly by: "phrase" | "passphrase"; readonly bytes: Uint8Array },
  protector: ChosenProtector,
): Promise<Replaced> {
  hideMemory();
  ensureHome(home);
  using _ = WriterLock.take(home);
  await loadAead();
  using typed = Secret.take(opener.bytes);
  try {
    using entropy = opener.by === "phrase" ? understood(typed) : null;
    const from = await openBackup(
      file,
      entropy === null ? { by: "passphrase", passphrase: typed } : { by: "phrase", entropy },
    );
    using _kek = from.unlocked.kek;
    return await withProtector(protector, async (chosen) =>
      replaceVault({
        home,
        keychain: keychainOf(),
        protector: chosen,
        from,
        reason: "the vault was restored from a backup",
        via: "terminal",
      }),
    );
  } catch (error) {
    throw told(error);
  }
}

async function withProtector<T>(
  chosen: ChosenProtector | null,
  work: (protector: NewProtector) => Promise<T>,
): Promise<T> {
  try {
    if (chosen === null) return await work({ kind: "none" });
    if (chosen.kind === "keychain") return await work(chosen);
    using passphrase = Secret.take(chosen.bytes);
    return await work({ kind: "passphrase", passphrase });
  } catch (error) {
    throw told(error);
  }
}
