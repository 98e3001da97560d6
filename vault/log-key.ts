import { createPrivateKey, createPublicKey, hash, type KeyObject, randomBytes, sign } from "node:crypto";
import { join } from "./encoding.ts";
import { VaultError } from "./error.ts";
import { Secret } from "./secret.ts";

/** The vault's scope of the keys that sign the log; one record per epoch, whose version is the epoch. */
export const LOG_SCOPE = "audit/log";
export const LOG_KEY = "key";
const SEED_BYTES = 32;
const ORIGIN = /^wirken\.local\/audit\/[0-9a-f]{32}$/;
/** The 16 bytes before the seed in an Ed25519 private key's PKCS #8 form (RFC 8410 §7). */
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");
/** The 12 bytes before the key in an Ed25519 public key's SPKI form (RFC 8410 §4). */
const SPKI_HEAD = 12;
/** C2SP signed-note: Ed25519. */
const NOTE_KEY_TYPE = 0x01;

/** What signs a log's notes. It fits the audit room's port of the same name. */
export interface LogSigner {
  /** `<origin>+<8 hex of the key id>+<base64(0x01 ‖ public key)>`. @see https://c2sp.org/signed-note */
  readonly vkey: string;
  /** @returns an Ed25519 signature, 64 bytes. */
  sign(text: Uint8Array): Uint8Array;
}

/** A new log's name: `wirken.local/audit/` and 16 random bytes in hex. */
export function mintOrigin(): string {
  return `wirken.local/audit/${randomBytes(16).toString("hex")}`;
}

export function newSeed(): Secret {
  return Secret.random(SEED_BYTES);
}

/** The metadata of a log key: the name of the log that it signs. */
export function encodeOrigin(origin: string): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ origin }));
}

/** @throws {VaultError} VAULT_DAMAGED. */
export function decodeOrigin(metadata: Uint8Array): string {
  const line = new TextDecoder().decode(metadata);
  const origin = line.slice(`{"origin":"`.length, -`"}`.length);
  if (ORIGIN.test(origin) && Buffer.compare(encodeOrigin(origin), metadata) === 0) return origin;
  throw new VaultError("VAULT_DAMAGED", "The metadata of the log's key is not of a known form");
}

/** @param seed 32 bytes; the signer keeps OpenSSL's copy of them, and may be used for as long as `alive` says so.
 *  @throws {VaultError} VAULT_DAMAGED for another length; `sign` throws VAULT_CLOSED. */
export function signerOf(seed: Secret, origin: string, alive: () => boolean): LogSigner {
  const key = privateKey(seed);
  const publicKey = createPublicKey(key).export({ type: "spki", format: "der" }).subarray(SPKI_HEAD);
  const typed = join(Uint8Array.of(NOTE_KEY_TYPE), publicKey);
  const id = hash("sha256", join(origin, "\n", typed), "hex").slice(0, 8);
  return {
    vkey: `${origin}+${id}+${Buffer.from(typed).toString("base64")}`,
    sign(text) {
      if (!alive()) throw new VaultError("VAULT_CLOSED", "The vault is closed: its keys sign nothing more");
      return new Uint8Array(sign(null, text, key));
    },
  };
}

function privateKey(seed: Secret): KeyObject {
  const der = seed.use((bytes) => {
    if (bytes.length !== SEED_BYTES) throw new VaultError("VAULT_DAMAGED", "The log's key has the wrong length");
    // An ArrayBuffer of its own: a pooled Buffer would leave the seed in the pool if wiping were forgotten once.
    const form = Buffer.from(new ArrayBuffer(PKCS8.length + SEED_BYTES));
    form.set(PKCS8);
    form.set(bytes, PKCS8.length);
    return form;
  });
  try {
    return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  } finally {
    der.fill(0);
  }
}
