import { randomFillSync } from "node:crypto";
import * as sodium from "libsodium-wrappers";
import type { Secret } from "./secret.ts";

/** XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) by libsodium.
 *
 *  The package's own wrappers free their copies of keys and plaintexts in the WebAssembly heap without wiping them. So its functions are
 *  called here on one buffer of ours, which is wiped before it is freed; a test scans the heap. */
interface Module {
  /** A new view after the heap grew: never kept. */
  readonly HEAPU8: Uint8Array;
  _malloc(bytes: number): number;
  _free(address: number): void;
  /** 64-bit lengths come as (low, high). */
  _crypto_aead_xchacha20poly1305_ietf_encrypt(
    ...args: [
      out: number,
      outLength: 0,
      message: number,
      low: number,
      high: 0,
      ad: number,
      low: number,
      high: 0,
      no: 0,
      nonce: number,
      key: number,
    ]
  ): number;
  _crypto_aead_xchacha20poly1305_ietf_decrypt(
    ...args: [
      out: number,
      outLength: 0,
      no: 0,
      sealed: number,
      low: number,
      high: 0,
      ad: number,
      low: number,
      high: 0,
      nonce: number,
      key: number,
    ]
  ): number;
}

export const KEY_BYTES = 32;
export const NONCE_BYTES = 24;
export const TAG_BYTES = 16;
/** What {@link seal} adds to a plaintext. */
export const SEAL_BYTES = NONCE_BYTES + TAG_BYTES;

let loaded: Module | null = null;

/** Resolves when {@link seal} and {@link open} may be called. */
export async function loadAead(): Promise<void> {
  await sodium.ready;
  const module: unknown = Reflect.get(sodium, "libsodium");
  if (!isModule(module)) throw new TypeError("libsodium-wrappers does not offer the functions of libsodium");
  loaded = module;
}

function isModule(value: unknown): value is Module {
  if (typeof value !== "object" || value === null) return false;
  return (
    Reflect.get(value, "HEAPU8") instanceof Uint8Array &&
    [
      "_malloc",
      "_free",
      "_crypto_aead_xchacha20poly1305_ietf_encrypt",
      "_crypto_aead_xchacha20poly1305_ietf_decrypt",
    ].every((name) => typeof Reflect.get(value, name) === "function")
  );
}

/** @param key 32 bytes. @returns `nonce (24, random) ‖ ciphertext ‖ tag (16)`. @throws {RangeError} for a key of another length. */
export function seal(key: Secret, ad: Uint8Array, plain: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(SEAL_BYTES + plain.length);
  const nonce = randomFillSync(sealed.subarray(0, NONCE_BYTES));
  sealed.set(sealWith(key, nonce, ad, plain), NONCE_BYTES);
  return sealed;
}

/** @param sealed as {@link seal} made it. @returns the plaintext, off the V8 heap and the caller's to wipe, or null if it does not open. */
export function open(key: Secret, ad: Uint8Array, sealed: Uint8Array): Uint8Array | null {
  if (sealed.length < SEAL_BYTES) return null;
  return openWith(key, sealed.subarray(0, NONCE_BYTES), ad, sealed.subarray(NONCE_BYTES));
}

/** {@link seal} with a given nonce, which must not be used twice under one key: for test vectors. @returns `ciphertext ‖ tag (16)`. */
export function sealWith(key: Secret, nonce: Uint8Array, ad: Uint8Array, plain: Uint8Array): Uint8Array {
  return (
    within(key, nonce, ad, plain, (libsodium, at) => {
      libsodium._crypto_aead_xchacha20poly1305_ietf_encrypt(
        ...([at.text, 0, at.text, plain.length, 0, at.ad, ad.length, 0, 0, at.nonce, at.key] as const),
      );
      return plain.length + TAG_BYTES;
    }) ?? new Uint8Array(0)
  );
}

/** {@link open} with the nonce apart. @param sealed `ciphertext ‖ tag (16)`. @returns null if it does not open. */
export function openWith(key: Secret, nonce: Uint8Array, ad: Uint8Array, sealed: Uint8Array): Uint8Array | null {
  if (sealed.length < TAG_BYTES) return null;
  return within(key, nonce, ad, sealed, (libsodium, at) => {
    const refused = libsodium._crypto_aead_xchacha20poly1305_ietf_decrypt(
      ...([at.text, 0, 0, at.text, sealed.length, 0, at.ad, ad.length, 0, at.nonce, at.key] as const),
    );
    return refused === 0 ? sealed.length - TAG_BYTES : null;
  });
}

interface Places {
  readonly key: number;
  readonly nonce: number;
  readonly ad: number;
  readonly text: number;
}

/** Lays out `key ‖ nonce ‖ ad ‖ text ‖ room for a tag` in the heap, runs in place, takes out as many bytes of text as `run` says, and wipes all of it. */
function within(
  key: Secret,
  nonce: Uint8Array,
  ad: Uint8Array,
  text: Uint8Array,
  run: (libsodium: Module, at: Places) => number | null,
): Uint8Array | null {
  if (loaded === null) throw new TypeError("loadAead() was not awaited");
  if (nonce.length !== NONCE_BYTES) throw new RangeError(`a nonce has ${NONCE_BYTES} bytes, not ${nonce.length}`);
  const size = KEY_BYTES + NONCE_BYTES + ad.length + text.length + TAG_BYTES;
  const start = loaded._malloc(size);
  if (start === 0) throw new RangeError(`no memory to seal or open ${text.length} bytes`);
  const heap = loaded.HEAPU8.subarray(start, start + size);
  try {
    const nonceAt = KEY_BYTES;
    const adAt = nonceAt + NONCE_BYTES;
    const textAt = adAt + ad.length;
    key.use((bytes) => {
      if (bytes.length !== KEY_BYTES) throw new RangeError(`a key has ${KEY_BYTES} bytes, not ${bytes.length}`);
      heap.set(bytes, 0);
    });
    heap.set(nonce, nonceAt);
    heap.set(ad, adAt);
    heap.set(text, textAt);
    const length = run(loaded, { key: start, nonce: start + nonceAt, ad: start + adAt, text: start + textAt });
    if (length === null) return null;
    const out = new Uint8Array(new ArrayBuffer(length));
    out.set(heap.subarray(textAt, textAt + length));
    return out;
  } finally {
    heap.fill(0);
    loaded._free(start);
  }
}
