import type { Contents, Step } from "./contents.ts";
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
}

/** Keys in memory at one time: a turn seals a dozen pieces of content under one key, and unwrapping costs as much as sealing. */
const MAX_CACHED = 256;

export class ContentSeal implements ContentSealer {
  readonly #contents: () => Contents;
  readonly #unlocked: () => Unlocked;
  /** By vault scope; the least recently used first. */
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
      if (row.scope.startsWith(prefix)) this.#key(row.scope.slice(prefix.length));
    }
  }

  seal(scope: string, place: string, plain: Uint8Array): Uint8Array {
    const key = this.#key(scope);
    if (key === null)
      throw new VaultError("VAULT_NOT_FOUND", `There is no content key of ${scope}: it was not made, or was destroyed`);
    return sealContent(key, contentScope(scope), place, plain);
  }

  open(scope: string, place: string, sealed: Uint8Array): Uint8Array | null {
    const key = this.#key(scope);
    return key === null ? null : openContent(key, contentScope(scope), place, sealed);
  }

  #key(session: string): Secret | null {
    const contents = this.#contents();
    const scope = contentScope(session);
    const cached = this.#keys.get(scope);
    if (cached !== undefined) {
      this.#keys.delete(scope);
      this.#keys.set(scope, cached);
      return cached;
    }
    const row = keysOf(contents, scope).at(-1);
    if (row === undefined) return null;
    const key = keyOf(this.#unlocked(), scope, row.epoch);
    this.#keys.set(scope, key);
    if (this.#keys.size > MAX_CACHED) this.#wipe(this.#keys.keys().next().value);
    return key;
  }

  /** Wipes the keys that a change destroyed. */
  forgetDropped(steps: readonly Step[]): void {
    for (const step of steps) if ("gone" in step) this.#wipe(step.row.scope);
  }

  #wipe(scope: string | undefined): void {
    if (scope === undefined) return;
    this.#keys.get(scope)?.[Symbol.dispose]();
    this.#keys.delete(scope);
  }

  close(): void {
    for (const key of this.#keys.values()) key[Symbol.dispose]();
    this.#keys.clear();
  }
}
