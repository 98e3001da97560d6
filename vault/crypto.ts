import { argon2, hkdfSync } from "node:crypto";
import { join } from "./encoding.ts";
import { Secret } from "./secret.ts";

export { KEY_BYTES, loadAead, open, SEAL_BYTES, seal } from "./aead.ts";

/** HKDF-SHA-256 (RFC 5869), extract and expand. @param length in bytes, at most 8,160. */
export function hkdf(key: Secret, salt: Uint8Array, info: Uint8Array, length: number): Secret {
  return Secret.take(new Uint8Array(key.use((bytes) => hkdfSync("sha256", bytes, salt, info, length))));
}

/** 32 bytes that name one key and give nothing of it away. XChaCha20-Poly1305 is not committing: a ciphertext can be made that opens under
 *  two keys. So a key is accepted only with its own commitment. @see https://www.rfc-editor.org/rfc/rfc9771#section-4.3.3 */
export function commitment(key: Secret): Uint8Array {
  using derived = hkdf(key, new Uint8Array(0), join("wirken/vault/v1/commit"), 32);
  return derived.use((bytes) => Uint8Array.from(bytes));
}

/** How much work one guess at a passphrase is. */
export interface Argon2Cost {
  readonly memory: number;
  readonly passes: number;
  readonly lanes: number;
}

/** Argon2id (RFC 9106), off the main thread. @param cost memory in KiB. @param ad authenticated with the result. @returns 32 bytes. */
export function argon2id(passphrase: Secret, salt: Uint8Array, cost: Argon2Cost, ad: Uint8Array): Promise<Secret> {
  return new Promise((resolve, reject) => {
    passphrase.use((message) => {
      argon2(
        "argon2id",
        {
          message,
          nonce: salt,
          associatedData: ad,
          parallelism: cost.lanes,
          tagLength: 32,
          memory: cost.memory,
          passes: cost.passes,
        },
        (error, derived) => {
          if (error === null) resolve(Secret.take(derived));
          else reject(error);
        },
      );
    });
  });
}
