import { commitment, hkdf, KEY_BYTES, open, seal, SEAL_BYTES } from "./crypto.ts";
import { join, lp, readU32, u32, u64 } from "./encoding.ts";
import { VaultError } from "./error.ts";
import { Secret } from "./secret.ts";

/** What lies in the vault and on the log, byte by byte. Everything says its version first, and where it belongs in the associated data. */
const FORMAT = 0x01;
export const VAULT_ID_BYTES = 16;
export const COMMITMENT_BYTES = 32;
/** `0x01 ‖ nonce24 ‖ sealed key ‖ tag`. */
export const WRAPPED_BYTES = 1 + SEAL_BYTES + KEY_BYTES;
/** `0x01 ‖ u32 epoch`. */
const RECORD_HEAD = 5;

/** `HKDF-SHA-256(master, salt = vault id, info = "wirken/vault/v1/kek" ‖ u32 master id)`. */
export function deriveKek(master: Secret, vault: Uint8Array, masterId: number): Secret {
  return hkdf(master, vault, join("wirken/vault/v1/kek", u32(masterId)), KEY_BYTES);
}

export interface KeyPlace {
  readonly vault: Uint8Array;
  readonly masterId: number;
  readonly scope: string;
  readonly epoch: number;
}

function keyAd(place: KeyPlace, commit: Uint8Array): Uint8Array {
  return join("WKD1", place.vault, u32(place.masterId), lp(place.scope), u32(place.epoch), commit);
}

/** `0x01 ‖ nonce24 ‖ XChaCha20-Poly1305(KEK, DEK, "WKD1" ‖ vault id ‖ u32 master id ‖ lp(scope) ‖ u32 epoch ‖ commitment)`, and the commitment. */
export function wrapKey(kek: Secret, place: KeyPlace, key: Secret): { wrapped: Uint8Array; commitment: Uint8Array } {
  const commit = commitment(key);
  const sealed = key.use((bytes) => seal(kek, keyAd(place, commit), bytes));
  return { wrapped: join(Uint8Array.of(FORMAT), sealed), commitment: commit };
}

/** @throws {VaultError} VAULT_DAMAGED unless it was wrapped under this KEK, for this place, with this commitment. */
export function unwrapKey(kek: Secret, place: KeyPlace, wrapped: Uint8Array, commit: Uint8Array): Secret {
  const damaged = (why: string): VaultError =>
    new VaultError("VAULT_DAMAGED", `The key of ${place.scope} (epoch ${place.epoch}) ${why}`);
  if (wrapped.length !== WRAPPED_BYTES || wrapped[0] !== FORMAT || commit.length !== COMMITMENT_BYTES)
    throw damaged("is not of a known form");
  const bytes = open(kek, keyAd(place, commit), wrapped.subarray(1));
  if (bytes === null) throw damaged("does not open here: it was changed, or belongs to another place");
  const key = Secret.take(bytes);
  if (Buffer.compare(commitment(key), commit) === 0) return key;
  key[Symbol.dispose]();
  throw damaged("is not the one that was committed to");
}

export interface RecordPlace {
  readonly vault: Uint8Array;
  readonly scope: string;
  readonly name: string;
  readonly version: number;
  readonly metadata: Uint8Array;
}

function recordAd(place: RecordPlace, epoch: number): Uint8Array {
  return join("WKV1", place.vault, u32(epoch), lp(place.scope), lp(place.name), u64(place.version), place.metadata);
}

/** `0x01 ‖ u32 epoch ‖ nonce24 ‖ XChaCha20-Poly1305(DEK, secret, "WKV1" ‖ vault id ‖ u32 epoch ‖ lp(scope) ‖ lp(name) ‖ u64 version ‖ metadata)`. */
export function sealRecord(key: Secret, epoch: number, place: RecordPlace, secret: Secret): Uint8Array {
  return join(
    Uint8Array.of(FORMAT),
    u32(epoch),
    secret.use((bytes) => seal(key, recordAd(place, epoch), bytes)),
  );
}

/** The epoch of the key that a record says it is sealed under. @throws {VaultError} VAULT_DAMAGED for an unknown form. */
export function recordEpoch(sealed: Uint8Array): number {
  if (sealed.length < RECORD_HEAD + SEAL_BYTES)
    throw new VaultError("VAULT_TRUNCATED", `A record has ${sealed.length} bytes: too few to be sealed`);
  if (sealed[0] !== FORMAT) throw new VaultError("VAULT_DAMAGED", "A record is not of a known form");
  return readU32(sealed, 1);
}

/** @param key the scope's key of `recordEpoch(sealed)`. @throws {VaultError} VAULT_DAMAGED if it does not open at this place. */
export function openRecord(key: Secret, place: RecordPlace, sealed: Uint8Array): Secret {
  const bytes = open(key, recordAd(place, recordEpoch(sealed)), sealed.subarray(RECORD_HEAD));
  if (bytes !== null) return Secret.take(bytes);
  throw new VaultError(
    "VAULT_DAMAGED",
    `${place.scope}/${place.name} version ${place.version} does not open: it was changed, or moved from another place`,
  );
}

function contentAd(scope: string, place: string): Uint8Array {
  return join("WKC1", lp(scope), lp(place));
}

/** `0x01 ‖ nonce24 ‖ XChaCha20-Poly1305(content key, plaintext, "WKC1" ‖ lp(scope) ‖ lp(place))`: 41 bytes more than the plaintext.
 *  Neither the vault's id nor the log's origin is in it, so that content outlives a restore. */
export function sealContent(key: Secret, scope: string, place: string, plain: Uint8Array): Uint8Array {
  return join(Uint8Array.of(FORMAT), seal(key, contentAd(scope, place), plain));
}

/** @throws {VaultError} VAULT_DAMAGED if it does not open at this place. */
export function openContent(key: Secret, scope: string, place: string, sealed: Uint8Array): Uint8Array {
  const plain = sealed[0] === FORMAT ? open(key, contentAd(scope, place), sealed.subarray(1)) : null;
  if (plain !== null) return plain;
  throw new VaultError(
    "VAULT_DAMAGED",
    `Content at ${place} does not open: it was changed, or moved from another place`,
  );
}
