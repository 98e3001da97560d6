import type { AuditLog } from "../../audit/log.ts";
import { VaultError } from "../../vault/error.ts";
import { deleteOldMasters, fetchMaster, type Keepers, moveTo } from "../../vault/protector.ts";
import { copyOf, Secret } from "../../vault/secret.ts";
import type { RecordChange, Vault } from "../../vault/vault.ts";
import type { VaultStatus } from "../ipc/vault-calls.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";

export type KeychainState = VaultStatus["keychain"];

/** For a status, what the keychain said a minute ago is good enough. */
const STATUS_AGE_MS = 60_000;
/** A passphrase that guards keys has at least this many bytes. */
const MIN_PASSPHRASE_BYTES = 12;

/** The open vault, and what may be done to it as a whole. Every change is on the log before the vault commits it. */
export class VaultKeeper {
  readonly #vault: Vault;
  readonly #keepers: Keepers;
  readonly #log: AuditLog;
  readonly #probe: (maxAgeMs: number) => Promise<KeychainState>;
  readonly #locking: () => Promise<void>;
  readonly #unlocked: () => Promise<void>;
  readonly #making = new Map<string, Promise<void>>();

  constructor(parts: {
    vault: Vault;
    keepers: Keepers;
    log: AuditLog;
    probe: (maxAgeMs: number) => Promise<KeychainState>;
    /** Ends every child that holds a credential. */
    locking: () => Promise<void>;
    /** Starts what waited for its credential. */
    unlocked: () => Promise<void>;
  }) {
    this.#vault = parts.vault;
    this.#keepers = parts.keepers;
    this.#log = parts.log;
    this.#probe = parts.probe;
    this.#locking = parts.locking;
    this.#unlocked = parts.unlocked;
  }

  get vault(): Vault {
    return this.#vault;
  }

  /** Records a change of the vault under `cause`. */
  recorder(cause: number | null): RecordChange {
    return async (row) => await this.#log.record(row, { cause });
  }

  /** Makes the key under which content of this scope (a session, a person, a pairing) is sealed, unless it has one. */
  async contentKey(scope: string): Promise<void> {
    const making = this.#making.get(scope);
    if (making !== undefined) {
      await making;
      return;
    }
    if (this.#vault.hasContentKey(scope)) return;
    if (this.#vault.locked) throw lockedError();
    const made = this.#vault
      .change({ change: "content-key", session: scope }, this.recorder(null))
      .finally(() => this.#making.delete(scope));
    this.#making.set(scope, made);
    await made;
  }

  async status(): Promise<VaultStatus> {
    const keychain = await this.#probe(STATUS_AGE_MS);
    const { locked, protector, recoverable } = this.#vault;
    return { state: locked ? "locked" : "open", protector, keychain, recovery: recoverable, sentence: this.sentence };
  }

  get sentence(): string {
    return this.#vault.locked ? LOCKED_SENTENCE : SENTENCES[this.#vault.protector];
  }

  /** @throws {OperatorError} while the vault is locked. */
  refuseLocked(): void {
    if (this.#vault.locked) throw lockedError();
  }

  /** Ends what holds a credential, and wipes what opens one. The log, the page and a local model go on. @throws {OperatorError} for a vault that nothing protects. */
  async lock(who: By): Promise<VaultStatus> {
    if (this.#vault.protector === "none")
      throw new OperatorError(
        "not-ready",
        "nothing protects this vault, so nothing would be locked",
        "protect it first: wirken vault protect passphrase",
      );
    if (this.#vault.locked) return await this.status();
    await this.#locking();
    this.#vault.lock();
    // What was started between the two.
    await this.#locking();
    await this.#log.append({ kind: "vault.locked", ...who }, { cause: null });
    return await this.status();
  }

  /** A new master under the protector that there is. @param passphrase its bytes where the protector is one; wiped. @throws {OperatorError}. */
  async rekey(passphrase: Uint8Array, who: By): Promise<VaultStatus> {
    this.refuseLocked();
    const { protector } = this.#vault;
    if (protector === "none")
      throw new OperatorError(
        "not-ready",
        "nothing protects this vault, so a new key would lie as open as this one",
        "protect it, which makes a new key: wirken vault protect keychain",
      );
    if (protector === "keychain") return await this.protect("keychain", passphrase, who);
    // It must be the one in use: a mistyped one would lock its owner out.
    using typed = Secret.take(copyOf(passphrase));
    try {
      (await fetchMaster(this.#vault, this.#keepers, () => Promise.resolve(typed.copy())))[Symbol.dispose]();
    } catch (error) {
      passphrase.fill(0);
      throw told(error);
    }
    return await this.protect("passphrase", passphrase, who);
  }

  /** A new key for one scope, whose credentials are sealed anew under it. @throws {OperatorError}. */
  async rekeyScope(scope: string, who: By): Promise<VaultStatus> {
    this.refuseLocked();
    try {
      await this.#vault.change({ change: "rekey", scope }, this.recorder(null));
    } catch (error) {
      throw told(error);
    }
    await this.#log.append({ kind: "credential.rekeyed", scope, ...who }, { cause: null });
    return await this.status();
  }

  /** Makes sure that credentials may be kept: a provisional vault moves behind the keychain, where there is one that works.
   *  @returns what was done, in words, or null. @throws {OperatorError} when a protector has to be chosen first. */
  async ensureProtected(who: By): Promise<string | null> {
    this.refuseLocked();
    if (this.#vault.protector !== "none") return null;
    const keychain = await this.#probe(0);
    if (keychain === "works") {
      await this.#move({ kind: "keychain" }, who);
      return "the vault is now protected by the keychain of the operating system";
    }
    const why = {
      locked: "the keychain is locked",
      absent: "there is no keychain here",
      unreachable: "the keychain does not answer",
    }[keychain];
    throw new OperatorError(
      "not-ready",
      `a credential needs a vault that is protected, and ${why}`,
      "choose a passphrase: wirken vault protect passphrase",
    );
  }

  /** @param passphrase its bytes where the protector is one; wiped. */
  async protect(protector: "keychain" | "passphrase", passphrase: Uint8Array, who: By): Promise<VaultStatus> {
    if (protector === "keychain") {
      const keychain = await this.#probe(0);
      if (keychain !== "works") {
        throw new OperatorError(
          "not-ready",
          `the keychain cannot be used: it is ${keychain}`,
          "unlock or install it, or choose a passphrase: wirken vault protect passphrase",
        );
      }
      await this.#move({ kind: "keychain" }, who);
      return await this.status();
    }
    if (passphrase.length < MIN_PASSPHRASE_BYTES) {
      throw new OperatorError(
        "usage",
        `a passphrase has at least ${MIN_PASSPHRASE_BYTES} characters`,
        "a few unrelated words are good",
      );
    }
    using secret = Secret.take(passphrase);
    await this.#move({ kind: "passphrase", passphrase: secret }, who);
    return await this.status();
  }

  /** Everything is wrapped under a new master, and a new log key begins: what was readable before signs nothing more. */
  async #move(protector: { kind: "keychain" } | { kind: "passphrase"; passphrase: Secret }, who: By): Promise<void> {
    this.refuseLocked();
    const before = this.#vault.protector;
    try {
      await moveTo(this.#vault, protector, this.#keepers, this.recorder(null));
      await this.#vault.change({ change: "log-key", step: "add" }, this.recorder(null));
    } catch (error) {
      throw told(error);
    }
    await this.finish(null);
    // Whoever read the provisional key must not open what comes now; a former keychain entry goes at the next clean start.
    if (before === "none") await deleteOldMasters(this.#vault, this.#keepers);
    await this.#log.append({ kind: "vault.protected", protector: protector.kind, ...who }, { cause: null });
  }

  /** Ends what a move to another master began, here or before a crash: the log goes on under the newest key, and what is no longer used is destroyed. */
  async finish(cause: number | null): Promise<void> {
    // A crash fell between the new master and the new log key: the old one may have been read.
    if (this.#vault.logEpochs().length === 1 && this.#vault.protector !== this.#log.protector)
      await this.#vault.change({ change: "log-key", step: "add" }, this.recorder(cause));
    if (this.#vault.logEpochs().length > 1) {
      const newest = this.#vault.signer();
      if (newest.vkey !== this.#log.vkey) {
        const rotated = await this.#log.rotate(newest, { protector: this.#vault.protector, cause });
        if (!rotated.pinned) return;
      } else {
        // A crash fell between the rotation and its pin, or the pin did not work then.
        await this.#log.checkpoint("demand");
        if (!(await this.#log.pin())) return;
      }
      await this.#vault.change({ change: "log-key", step: "forget" }, this.recorder(cause));
    }
  }

  /** Hands the log to a new key (evidence.md §2): stored and read back; one transaction with its row and the checkpoint that both keys sign; the
   *  pin; then the key before is destroyed. A crash in between is finished by the next start. @throws {VaultError}, {OperatorError}. */
  async rotateLogKey(): Promise<{ size: number; pinned: boolean }> {
    await this.finish(null);
    if (this.#vault.logEpochs().length > 1)
      throw new OperatorError(
        "not-ready",
        "the key before the last is still there: the change of keys could not be pinned in the keychain",
        "unlock the keychain and try again",
      );
    await this.#vault.change({ change: "log-key", step: "add" }, this.recorder(null));
    await this.finish(null);
    return { size: this.#log.lastCheckpoint?.size ?? 0, pinned: this.#vault.logEpochs().length === 1 };
  }

  /** At a start, when the new master has been seen to open the vault: the former ones go. */
  async finishStart(cause: number | null): Promise<void> {
    const from = this.#vault.migratedFrom;
    if (from !== null) {
      const to = this.#vault.format;
      await this.#log.append({ kind: "database.migrated", database: "vault", from, to }, { cause });
      this.#vault.forgetFormer();
    }
    await this.finish(cause);
    await this.#deleteOldMasters();
  }

  /** A keychain that is locked or gone keeps its entry until a later start: the vault has long ceased to open with it. */
  async #deleteOldMasters(): Promise<void> {
    try {
      await deleteOldMasters(this.#vault, this.#keepers);
    } catch (error) {
      if (!(error instanceof VaultError) || !error.code.startsWith("VAULT_KEYCHAIN_")) throw error;
    }
  }

  /** Opens a vault that {@link lock} closed, with its own protector; while a start waits for its passphrase, `Boot` answers this.
   *  @param passphrase wiped. @throws {OperatorError}. */
  async unlock(passphrase: Uint8Array): Promise<VaultStatus> {
    using typed = Secret.take(passphrase);
    if (!this.#vault.locked) return await this.status();
    try {
      const ask = typed.use((bytes) => bytes.length) === 0 ? null : () => Promise.resolve(typed.copy());
      using master = await fetchMaster(this.#vault, this.#keepers, ask);
      this.#vault.unlock(master);
    } catch (error) {
      throw told(error);
    }
    const { protector, generation } = this.#vault;
    await this.#log.append({ kind: "vault.opened", protector, generation }, { cause: null });
    await this.#unlocked();
    return await this.status();
  }
}

const LOCKED_SENTENCE =
  "locked by its owner: what needs a credential waits for wirken vault unlock, and the rest goes on";

function lockedError(): OperatorError {
  return new OperatorError("locked", "the vault is locked", "run wirken vault unlock");
}

/** What the vault says, to its owner. */
export function told(error: unknown): unknown {
  if (!(error instanceof VaultError)) return error;
  if (error.code === "VAULT_LOCKED") return lockedError();
  const code = error.code === "VAULT_NOT_FOUND" ? "not-found" : "not-ready";
  return new OperatorError(code, error.message, null, { cause: error });
}

const SENTENCES: Readonly<Record<"none" | "keychain" | "passphrase", string>> = {
  none: "provisional: whoever reads this user's files can forge this log, and no credential can be enrolled",
  keychain: "open, protected by the keychain of the operating system",
  passphrase: "open, protected by a passphrase",
};
