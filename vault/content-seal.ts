import { type Contents, type KeyRow, keyName, type Step } from "./contents.ts";
import { contentScope } from "./credential-change.ts";
import { openContent, sealContent } from "./envelope.ts";
import { VaultError } from "./error.ts";
import { keyOf, keysOf, type Unlocked } from "./keyring.ts";
import type { Secret } from "./secret.ts";

/** What seals the log's content. It fits the audit room's port `Sealer`. */
export interface ContentSealer {
  /** @param scope `"daemon"` or a session's id. @param place where the content belongs; it opens nowhere else.
   *  @throws {VaultError} VAULT_NOT_FOUND if the session has no content key (yet, or any more), VAULT_CLOSED. */
  seal(scope: string, place: string, plain: Uint8Array): Uint8Array;
  /** @returns null if the content key was destroyed: the content is erased. @throws {VaultError} VAULT_DAMAGED, VAULT_CLOSED. */
  open(scope: string, place: string, sealed: Uint8Array): Uint8Array | null;
  /** Seals anew under the newest key of the scope, if it has a former one that opens this. @returns null if nothing opens it.
   *  @throws {VaultError} VAULT_CLOSED, VAULT_LOCKED: nothing is known then. */
  renew(scope: string, place: string, sealed: Uint8Array): Uint8Array | null;
}

/** Keys in memory at one time: a turn seals a dozen pieces of content under one key, and unwrapping costs as much as sealing. */
const MAX_CACHED = 256;

export class ContentSeal implements ContentSealer {
  readonly #contents: () => Contents;
  readonly #unlocked: () => Unlocked;
  /** By vault scope and epoch; the least recently used first. */
  readonly #keys = new Map<string, Secret>();

  /** @param contents throws once the vault is closed. @param unlocked throws while it is locked, too. */
  constructor(contents: () => Contents, unlocked: () => Unlocked) {
    this.#contents = contents;
    this.#unlocked = unlocked;
  }

  /** Takes as many keys into memory as there is room for, the newest first: they go on serving when the vault is locked. */
  hold(): void {
    const prefix = contentScope("");
    for (const row of [...this.#contents().keys.values()].toReversed()) {
      if (this.#keys.size >= MAX_CACHED) return;
      if (row.scope.startsWith(prefix)) this.#key(row);
    }
  }

  seal(scope: string, place: string, plain: Uint8Array): Uint8Array {
    const newest = this.#rows(scope).at(-1);
    if (newest === undefined)
      throw new VaultError("VAULT_NOT_FOUND", `There is no content key of ${scope}: it was not made, or was destroyed`);
    return sealContent(this.#key(newest), contentScope(scope), place, plain);
  }

  open(scope: string, place: string, sealed: Uint8Array): Uint8Array | null {
    // Two keys only while what stays of a session is sealed anew; a stored part does not say which of them is its own.
    const rows = this.#rows(scope).toReversed();
    for (const row of rows.slice(0, -1)) {
      const plain = this.#opened(row, place, sealed);
      if (plain !== null) return plain;
    }
    const oldest = rows.at(-1);
    return oldest === undefined ? null : openContent(this.#key(oldest), oldest.scope, place, sealed);
  }

  renew(scope: string, place: string, sealed: Uint8Array): Uint8Array | null {
    for (const row of this.#rows(scope)) {
      const plain = this.#opened(row, place, sealed);
      if (plain === null) continue;
      try {
        return this.seal(scope, place, plain);
      } finally {
        plain.fill(0);
      }
    }
    return null;
  }

  /** @returns null if this key does not open it. */
  #opened(row: KeyRow, place: string, sealed: Uint8Array): Uint8Array | null {
    const key = this.#key(row);
    try {
      return openContent(key, row.scope, place, sealed);
    } catch (error) {
      if (error instanceof VaultError && error.code === "VAULT_DAMAGED") return null;
      throw error;
    }
  }

  /** The keys of a scope, the newest last. */
  #rows(scope: string): readonly KeyRow[] {
    return keysOf(this.#contents(), contentScope(scope));
  }

  #key(row: KeyRow): Secret {
    const name = keyName(row);
    const cached = this.#keys.get(name);
    if (cached !== undefined) {
      this.#keys.delete(name);
      this.#keys.set(name, cached);
      return cached;
    }
    const key = keyOf(this.#unlocked(), row.scope, row.epoch);
    this.#keys.set(name, key);
    if (this.#keys.size > MAX_CACHED) this.#wipe(this.#keys.keys().next().value);
    return key;
  }

  /** Wipes the keys that a change destroyed. */
  forgetDropped(steps: readonly Step[]): void {
    for (const step of steps) if (step.table === "key" && step.gone) this.#wipe(keyName(step.row));
  }

  #wipe(name: string | undefined): void {
    if (name === undefined) return;
    this.#keys.get(name)?.[Symbol.dispose]();
    this.#keys.delete(name);
  }

  close(): void {
    for (const key of this.#keys.values()) key[Symbol.dispose]();
    this.#keys.clear();
  }
}
