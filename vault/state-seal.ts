import { createHmac } from "node:crypto";
import { hkdf, KEY_BYTES, open, seal } from "./crypto.ts";
import { join, lp } from "./encoding.ts";
import { VaultError } from "./error.ts";
import type { Secret } from "./secret.ts";

/** What seals the personal columns of the projection of the log (`state.db`), and finds a row by them. */
export interface StateSealer {
  /** @param place where it belongs (table and row); it opens nowhere else. @throws {VaultError} VAULT_CLOSED. */
  seal(place: string, text: string): Uint8Array;
  /** @throws {VaultError} VAULT_DAMAGED unless it was sealed here for this place, VAULT_CLOSED. */
  open(place: string, sealed: Uint8Array): string;
  /** What a row is found by instead of the values themselves: the same for the same values, and of no use without the key.
   *  @returns 64 hexadecimal digits. @throws {VaultError} VAULT_CLOSED. */
  index(table: string, ...values: readonly string[]): string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Two keys, for sealing and for finding, which the key of the daemon's content derives:
 *
 *  ```
 *  sealing, finding = HKDF-SHA-256(content key of "daemon", salt = vault id, info = "wirken/vault/v1/state/" ‖ "sealing" or "finding")
 *  column = nonce24 ‖ XChaCha20-Poly1305(sealing, text, "WKS1" ‖ lp(place))
 *  index  = HMAC-SHA-256(finding, lp(table) ‖ lp(value) ‖ …)
 *  ```
 *
 *  That key outlives a new master and goes with the vault. They are held until the vault is closed, as the content keys of the sessions that run:
 *  a vault that was locked withholds credentials, and the daemon goes on knowing whom it talks to. */
export class StateSeal implements StateSealer, Disposable {
  readonly #sealing: Secret;
  readonly #finding: Secret;
  #closed = false;

  /** @param key the daemon's content key, 32 bytes; it stays the caller's. */
  constructor(key: Secret, vault: Uint8Array) {
    this.#sealing = hkdf(key, vault, join("wirken/vault/v1/state/sealing"), KEY_BYTES);
    this.#finding = hkdf(key, vault, join("wirken/vault/v1/state/finding"), KEY_BYTES);
  }

  seal(place: string, text: string): Uint8Array {
    return seal(this.#open(this.#sealing), ad(place), encoder.encode(text));
  }

  open(place: string, sealed: Uint8Array): string {
    const plain = open(this.#open(this.#sealing), ad(place), sealed);
    if (plain === null)
      throw new VaultError("VAULT_DAMAGED", `What is kept of ${place} does not open: it was changed, or moved`);
    return decoder.decode(plain);
  }

  index(table: string, ...values: readonly string[]): string {
    return this.#open(this.#finding).use((key) =>
      createHmac("sha256", key)
        .update(join(lp(table), ...values.map((value) => lp(value))))
        .digest("hex"),
    );
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#sealing[Symbol.dispose]();
    this.#finding[Symbol.dispose]();
  }

  #open(key: Secret): Secret {
    if (this.#closed) throw new VaultError("VAULT_CLOSED", "The vault is closed");
    return key;
  }
}

function ad(place: string): Uint8Array {
  return join("WKS1", lp(place));
}
