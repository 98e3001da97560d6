import { createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject } from "node:crypto";
import type { RecoveryRow } from "./contents.ts";
import { hkdf, KEY_BYTES, open, seal, SEAL_BYTES } from "./crypto.ts";
import { join, u32 } from "./encoding.ts";
import { VaultError } from "./error.ts";
import type { MasterPlace } from "./passphrase.ts";
import { Secret } from "./secret.ts";

/** What a recovery phrase opens. The phrase's 32 bytes derive an X25519 key pair, whose public half lies in the vault; every key-encryption key is sealed to it, so
 *  that a new master needs no phrase and the phrase opens every later state.
 *
 *  ```
 *  private = HKDF-SHA-256(phrase's 32 bytes, salt = "", info = "wirken/vault/v1/recovery")
 *  place   = "WKR1" ‖ vault id ‖ u32 master id ‖ public32
 *  key     = HKDF-SHA-256(X25519(ephemeral, public), salt = ephemeral public32 ‖ public32, info = "wirken/vault/v1/recovery/seal")
 *  sealed  = 0x01 ‖ ephemeral public32 ‖ nonce24 ‖ XChaCha20-Poly1305(key, KEK, place)
 *  ```
 *
 *  The public half is part of the vault's root, which the vault's tag authenticates under the KEK. */

/** What is sealed: a key-encryption key, or the key of a backup. Neither opens as the other. */
export type RecoveryPurpose = "WKR1" | "WKB1";

const FORMAT = 0x01;
export const PUBLIC_BYTES = 32;
const EPHEMERAL_AT = 1;
const SEALED_AT = EPHEMERAL_AT + PUBLIC_BYTES;
export const RECOVERY_SEALED_BYTES = SEALED_AT + SEAL_BYTES + KEY_BYTES;
/** The bytes before the key in an X25519 private key's PKCS #8 and a public key's SPKI form (RFC 8410). */
const PKCS8 = Buffer.from("302e020100300506032b656e04220420", "hex");
const SPKI = Buffer.from("302a300506032b656e032100", "hex");

/** @param entropy the phrase's 32 bytes. @returns the public half, which is no secret. */
export function recoveryPublic(entropy: Secret): Uint8Array {
  return publicOf(privateOf(entropy));
}

/** Seals a key-encryption key to a recovery phrase's public half. @throws {VaultError} VAULT_REFUSED for bytes that are no public key. */
export function sealForRecovery(
  publicKey: Uint8Array,
  place: MasterPlace,
  kek: Secret,
  purpose: RecoveryPurpose = "WKR1",
): RecoveryRow {
  const theirs = publicKeyOf(publicKey);
  const ephemeral = generateKeyPairSync("x25519");
  const own = publicOf(ephemeral.privateKey);
  using key = shared(ephemeral.privateKey, theirs, own, publicKey);
  const sealed = kek.use((bytes) => seal(key, ad(place, publicKey, purpose), bytes));
  return { publicKey: Uint8Array.from(publicKey), sealed: join(Uint8Array.of(FORMAT), own, sealed) };
}

/** @param entropy the phrase's 32 bytes. @returns the key-encryption key, the caller's to dispose of.
 *  @throws {VaultError} VAULT_WRONG_PHRASE for another vault's phrase, VAULT_DAMAGED. */
export function openWithRecovery(
  entropy: Secret,
  place: MasterPlace,
  row: RecoveryRow,
  purpose: RecoveryPurpose = "WKR1",
): Secret {
  const own = privateOf(entropy);
  if (Buffer.compare(publicOf(own), row.publicKey) !== 0)
    throw new VaultError(
      "VAULT_WRONG_PHRASE",
      "The recovery phrase is not this vault's, or a newer one took its place",
    );
  if (row.sealed.length !== RECOVERY_SEALED_BYTES || row.sealed[0] !== FORMAT)
    throw new VaultError("VAULT_DAMAGED", "The key that was sealed for recovery is not of a known form");
  const ephemeral = row.sealed.slice(EPHEMERAL_AT, SEALED_AT);
  using key = shared(own, publicKeyOf(ephemeral), ephemeral, row.publicKey);
  const kek = open(key, ad(place, row.publicKey, purpose), row.sealed.subarray(SEALED_AT));
  if (kek !== null) return Secret.take(kek);
  throw new VaultError("VAULT_DAMAGED", "The key that was sealed for recovery does not open: it was changed");
}

function ad({ vault, masterId }: MasterPlace, publicKey: Uint8Array, purpose: RecoveryPurpose): Uint8Array {
  return join(purpose, vault, u32(masterId), publicKey);
}

function shared(own: KeyObject, theirs: KeyObject, ephemeral: Uint8Array, recipient: Uint8Array): Secret {
  let agreed: Buffer;
  try {
    agreed = diffieHellman({ privateKey: own, publicKey: theirs });
  } catch (cause) {
    // A point of small order, which makes every agreement the same: OpenSSL refuses it.
    throw new VaultError("VAULT_REFUSED", "This is no public key of a recovery phrase", { cause });
  }
  using secret = Secret.take(agreed);
  return hkdf(secret, join(ephemeral, recipient), join("wirken/vault/v1/recovery/seal"), KEY_BYTES);
}

function privateOf(entropy: Secret): KeyObject {
  using seed = hkdf(entropy, new Uint8Array(0), join("wirken/vault/v1/recovery"), KEY_BYTES);
  const der = Buffer.from(new ArrayBuffer(PKCS8.length + KEY_BYTES));
  try {
    der.set(PKCS8);
    seed.use((bytes) => der.set(bytes, PKCS8.length));
    return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  } finally {
    der.fill(0);
  }
}

function publicOf(key: KeyObject): Uint8Array {
  return new Uint8Array(createPublicKey(key).export({ type: "spki", format: "der" }).subarray(SPKI.length));
}

function publicKeyOf(bytes: Uint8Array): KeyObject {
  if (bytes.length !== PUBLIC_BYTES)
    throw new VaultError(
      "VAULT_REFUSED",
      `A recovery phrase's public key has ${PUBLIC_BYTES} bytes, not ${bytes.length}`,
    );
  return createPublicKey({ key: Buffer.concat([SPKI, bytes]), format: "der", type: "spki" });
}
