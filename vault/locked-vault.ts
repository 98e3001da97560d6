import type { ActionOf } from "../audit/action.ts";
import { type Contents, type ProtectorKind, rootOf } from "./contents.ts";
import { commitment, loadAead } from "./crypto.ts";
import { deriveKek } from "./envelope.ts";
import { VaultError } from "./error.ts";
import type { Secret } from "./secret.ts";
import { Store } from "./store.ts";
import { Vault } from "./vault.ts";

/** The newest `vault.changing` row of the log, and how it ended; null: not known (there is none yet, or `action.failed`, `action.interrupted`). */
export interface NewestChange {
  readonly action: ActionOf<"vault.changing">;
  readonly outcome: "vault.changed" | "vault.change.abandoned" | null;
}

/** On which side of the log's newest change a vault is. */
export type Settled = "first" | "from" | "to";

/** A vault whose master is not known yet. */
export class LockedVault {
  readonly #store: Store;
  readonly #contents: Contents;

  private constructor(store: Store, contents: Contents) {
    this.#store = store;
    this.#contents = contents;
  }

  /** The caller holds the lock of the data directory. @throws {VaultError} VAULT_ABSENT, VAULT_NEWER, VAULT_DAMAGED. */
  static async open(path: string): Promise<LockedVault> {
    await loadAead();
    const store = Store.open(path);
    try {
      return new LockedVault(store, store.read());
    } catch (error) {
      store.close();
      throw error;
    }
  }

  /** 16 bytes, which every derivation and seal includes. */
  get id(): Uint8Array {
    return Uint8Array.from(this.#contents.head.id);
  }
  get masterId(): number {
    return this.#contents.head.masterId;
  }
  get protector(): ProtectorKind {
    return this.#contents.head.protector;
  }
  /** With a passphrase: the wrapped master; else empty. */
  get wrapping(): Uint8Array {
    return Uint8Array.from(this.#contents.head.wrapping);
  }
  get generation(): number {
    return this.#contents.head.generation;
  }
  get root(): string {
    return rootOf(this.#contents);
  }

  /** Compares the vault with the log, which needs no key.
   *  @param newest null if the log has no such row: then only a vault of generation 0 is accepted.
   *  @returns on which side of the newest change the vault is: after `"from"` the caller records `vault.change.abandoned`, after `"to"`
   *  `vault.changed`, unless it is recorded already. @throws {VaultError} VAULT_ROLLED_BACK. */
  settle(newest: NewestChange | null): Settled {
    const { generation, root } = this;
    if (newest === null && generation === 0) return "first";
    if (newest !== null) {
      const { action, outcome } = newest;
      if (outcome !== "vault.change.abandoned" && generation === action.to && root === action.toRoot) return "to";
      if (outcome !== "vault.changed" && generation === action.from && root === action.fromRoot) return "from";
    }
    const expected = newest === null ? "none" : `${newest.action.from} or ${newest.action.to}`;
    throw new VaultError(
      "VAULT_ROLLED_BACK",
      `The vault is at generation ${generation} and the log's newest change knows ${expected}, or its content is another: ` +
        "it was restored from an older copy, or changed by something else",
    );
  }

  /** Opens the vault, which takes this one's file over.
   *  @param master 32 bytes; only what it derives is kept, so the caller disposes of it at once.
   *  @throws {VaultError} VAULT_ROLLED_BACK, VAULT_WRONG_KEY. */
  unlock(master: Secret, newest: NewestChange | null): { vault: Vault; settled: Settled } {
    const settled = this.settle(newest);
    return { vault: this.unlockAsItIs(master), settled };
  }

  /** The same where the log cannot say any more which generation is the newest: only for a log that takes its place, whose first rows then say it.
   *  @throws {VaultError} VAULT_WRONG_KEY. */
  unlockAsItIs(master: Secret): Vault {
    const { id, masterId, commitment: expected } = this.#contents.head;
    const kek = deriveKek(master, id, masterId);
    if (Buffer.compare(commitment(kek), expected) !== 0) {
      kek[Symbol.dispose]();
      throw new VaultError("VAULT_WRONG_KEY", "The master key is not the one this vault was sealed under");
    }
    return new Vault(this.#store, this.#contents, kek);
  }

  close(): void {
    this.#store.close();
  }
}
