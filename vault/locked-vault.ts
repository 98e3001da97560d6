import type { ActionOf } from "../audit/action.ts";
import { type Contents, type ProtectorKind, rootOf } from "./contents.ts";
import { loadAead } from "./crypto.ts";
import { diagnose } from "./diagnosis.ts";
import { VaultError } from "./error.ts";
import { committed, kekOf, recordsOf } from "./keyring.ts";
import { decodeOrigin, LOG_SCOPE } from "./log-key.ts";
import { openWithRecovery } from "./recovery.ts";
import type { Secret } from "./secret.ts";
import { Store } from "./store.ts";
import { tagOf } from "./tag.ts";
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
  readonly #now: () => number;

  private constructor(store: Store, contents: Contents, now: () => number) {
    this.#store = store;
    this.#contents = contents;
    this.#now = now;
  }

  /** The caller holds the lock of the data directory. A file of a former format is brought to this one.
   *  @param now milliseconds since 1970, by which credentials expire. @throws {VaultError} VAULT_ABSENT, VAULT_NEWER, VAULT_DAMAGED, VAULT_UNWRITABLE. */
  static async open(path: string, now: () => number = Date.now): Promise<LockedVault> {
    await loadAead();
    const store = Store.open(path);
    try {
      return new LockedVault(store, store.read(), now);
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
  /** Whether a recovery phrase opens it. */
  get recoverable(): boolean {
    return this.#contents.recovery !== null;
  }
  /** The name of the log whose keys it holds, as the file says. */
  get origin(): string | null {
    const row = recordsOf(this.#contents, LOG_SCOPE).at(-1);
    return row === undefined ? null : decodeOrigin(row.metadata);
  }
  /** The scopes that it holds credentials for, as the file says: nothing is authenticated before it is open. */
  get scopes(): string[] {
    const scopes = [...this.#contents.records.values()].map((row) => row.scope);
    return [...new Set(scopes)].filter((scope) => !scope.startsWith("audit/")).toSorted();
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
   *  `vault.changed`, unless it is recorded already. @throws {VaultError} VAULT_ROLLED_BACK, VAULT_EDITED. */
  settle(newest: NewestChange | null): Settled {
    const { generation, root } = this;
    if (newest === null && generation === 0) return "first";
    if (newest !== null) {
      const { action, outcome } = newest;
      if (outcome !== "vault.change.abandoned" && generation === action.to && root === action.toRoot) return "to";
      if (outcome !== "vault.changed" && generation === action.from && root === action.fromRoot) return "from";
    }
    // Before a change that is known to be made, the older state is an older copy, whatever is in it.
    const older = newest?.outcome === "vault.changed" && generation === newest.action.from;
    if (!older && (generation === newest?.action.to || generation === newest?.action.from))
      throw new VaultError(
        "VAULT_EDITED",
        `The vault is at generation ${generation}, as the log says, and its content is another: the file was changed by something else`,
      );
    const expected = newest === null ? "none" : `${newest.action.from} or ${newest.action.to}`;
    throw new VaultError(
      "VAULT_ROLLED_BACK",
      `The vault is at generation ${generation} and the log's newest change knows ${expected}: ` +
        "it was restored from an older copy, or belongs to another log",
    );
  }

  /** Opens the vault, which takes this one's file over.
   *  @param master 32 bytes; only what it derives is kept, so the caller disposes of it at once.
   *  @throws {VaultError} VAULT_ROLLED_BACK, VAULT_EDITED, VAULT_WRONG_KEY, VAULT_DAMAGED. */
  unlock(master: Secret, newest: NewestChange | null): { vault: Vault; settled: Settled } {
    const settled = this.settle(newest);
    return { vault: this.unlockAsItIs(master), settled };
  }

  /** The same where the log cannot say any more which generation is the newest: only for a log that takes its place, whose first rows then say it.
   *  @throws {VaultError} VAULT_WRONG_KEY, VAULT_DAMAGED. */
  unlockAsItIs(master: Secret): Vault {
    return this.#unlockWith(kekOf(master, this.#contents.head));
  }

  /** Opens the vault where its master is lost. The caller gives it a new one at once. @param entropy what the owner's recovery phrase says.
   *  @throws {VaultError} VAULT_NO_RECOVERY, VAULT_WRONG_PHRASE, VAULT_ROLLED_BACK, VAULT_EDITED, VAULT_WRONG_KEY, VAULT_DAMAGED. */
  recover(entropy: Secret, newest: NewestChange | null): { vault: Vault; settled: Settled } {
    const settled = this.settle(newest);
    const { head, recovery } = this.#contents;
    if (recovery === null)
      throw new VaultError(
        "VAULT_NO_RECOVERY",
        "No recovery phrase was made for this vault: nothing but its master opens it",
      );
    const kek = openWithRecovery(entropy, { vault: head.id, masterId: head.masterId }, recovery);
    return { vault: this.#unlockWith(committed(kek, head)), settled };
  }

  #unlockWith(kek: Secret): Vault {
    try {
      const tag = this.#store.tag();
      if (tag === null) this.#authenticateAll(kek);
      else if (Buffer.compare(tag, tagOf(kek, this.#contents)) !== 0)
        throw (
          diagnose(this.#contents, kek) ??
          new VaultError("VAULT_ROWS_CHANGED", "The vault is not as its own key left it: a row is gone, or was added")
        );
      return new Vault(this.#store, this.#contents, kek, this.#now);
    } catch (error) {
      kek[Symbol.dispose]();
      throw error;
    }
  }

  /** A file of format 1 has no tag: every record of it is opened once, which shows the same, and then it has one. */
  #authenticateAll(kek: Secret): void {
    if (this.#contents.recovery !== null)
      throw new VaultError("VAULT_TAG_GONE", "The tag over the vault is gone: something else removed it");
    const found = diagnose(this.#contents, kek);
    if (found !== null) throw found;
    this.#store.writeTag(tagOf(kek, this.#contents));
  }

  close(): void {
    this.#store.close();
  }
}
