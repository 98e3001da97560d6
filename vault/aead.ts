import { randomFillSync } from "node:crypto";
import * as sodium from "libsodium-wrappers";
import type { Secret } from "./secret.ts";

/** XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) by libsodium.
 *
 *  The package's own wrappers free their copies of keys and plaintexts in the WebAssembly heap without wiping them. So its functions are
 *  called here on one buffer of ours, which is wiped before it is freed; a test scans the heap. */
interface Sodium {
  /** A new view after the heap grew: never kept. */
  heap(): Uint8Array;
  readonly malloc: Exported;
  readonly free: Exported;
  /** Addresses and lengths: `out, 0, message, length, 0, ad, length, 0, 0, nonce, key`. A length is two words, the lower first. */
  readonly encrypt: Exported;
  /** `out, 0, 0, sealed, length, 0, ad, length, 0, nonce, key`; 0 if it opened. */
  readonly decrypt: Exported;
  /** libsodium leaves the last block of what it decrypted, up to 63 bytes, on its stack. This overwrites it with that of a ciphertext of zeros. */
  readonly rinse: () => void;
}
type Exported = (...words: number[]) => number;

export const KEY_BYTES = 32;
export const NONCE_BYTES = 24;
export const TAG_BYTES = 16;
/** What {@link seal} adds to a plaintext. */
export const SEAL_BYTES = NONCE_BYTES + TAG_BYTES;

let loaded: Sodium | null = null;

/** Resolves when {@link seal} and {@link open} may be called. */
export async function loadAead(): Promise<void> {
  if (loaded !== null) return;
  await sodium.ready;
  const module: unknown = Reflect.get(sodium, "libsodium");
  if (typeof module !== "object" || module === null) throw new TypeError("libsodium-wrappers has no libsodium in it");
  const heap = (): Uint8Array => {
    const found: unknown = Reflect.get(module, "HEAPU8");
    if (found instanceof Uint8Array) return found;
    throw new TypeError("libsodium does not show its heap");
  };
  const malloc = exported(module, "_malloc");
  const encrypt = exported(module, "_crypto_aead_xchacha20poly1305_ietf_encrypt");
  const decrypt = exported(module, "_crypto_aead_xchacha20poly1305_ietf_decrypt");
  const rinse = rinsing(heap(), malloc(RINSE_SIZE), encrypt, decrypt);
  loaded = { heap, malloc, free: exported(module, "_free"), encrypt, decrypt, rinse };
}

/** The longest last block: a whole one of 64 bytes is not copied. */
const RINSE_BYTES = 63;
const RINSE_SIZE = KEY_BYTES + NONCE_BYTES + RINSE_BYTES + TAG_BYTES + RINSE_BYTES;

/** @param start of memory that is kept: a key, a nonce, a sealed text and an opened one, all of zeros but the sealed. */
function rinsing(heap: Uint8Array, start: number, encrypt: Exported, decrypt: Exported): () => void {
  if (start === 0) throw new RangeError("no memory for libsodium");
  heap.fill(0, start, start + RINSE_SIZE);
  const nonce = start + KEY_BYTES;
  const sealed = nonce + NONCE_BYTES;
  const opened = sealed + RINSE_BYTES + TAG_BYTES;
  encrypt(sealed, 0, sealed, RINSE_BYTES, 0, 0, 0, 0, 0, nonce, start);
  return () => {
    if (decrypt(opened, 0, 0, sealed, RINSE_BYTES + TAG_BYTES, 0, 0, 0, 0, nonce, start) !== 0)
      throw new TypeError("libsodium's memory was overwritten");
  };
}

function exported(module: object, name: string): Exported {
  const found: unknown = Reflect.get(module, name);
  if (typeof found !== "function") throw new TypeError(`libsodium has no ${name}`);
  return (...words) => Number(Reflect.apply(found, module, words));
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
  const sealed = within(key, nonce, ad, plain, ({ encrypt }, at) => {
    encrypt(at.text, 0, at.text, plain.length, 0, at.ad, ad.length, 0, 0, at.nonce, at.key);
    return plain.length + TAG_BYTES;
  });
  if (sealed === null) throw new TypeError("sealing does not fail");
  return sealed;
}

/** {@link open} with the nonce apart. @param sealed `ciphertext ‖ tag (16)`. @returns null if it does not open. */
export function openWith(key: Secret, nonce: Uint8Array, ad: Uint8Array, sealed: Uint8Array): Uint8Array | null {
  if (sealed.length < TAG_BYTES) return null;
  return within(key, nonce, ad, sealed, ({ decrypt, rinse }, at) => {
    const refused = decrypt(at.text, 0, 0, at.text, sealed.length, 0, at.ad, ad.length, 0, at.nonce, at.key);
    rinse();
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
  run: (libsodium: Sodium, at: Places) => number | null,
): Uint8Array | null {
  if (loaded === null) throw new TypeError("loadAead() was not awaited");
  if (nonce.length !== NONCE_BYTES) throw new RangeError(`a nonce has ${NONCE_BYTES} bytes, not ${nonce.length}`);
  const size = KEY_BYTES + NONCE_BYTES + ad.length + text.length + TAG_BYTES;
  const start = loaded.malloc(size);
  if (start === 0) throw new RangeError(`no memory to seal or open ${text.length} bytes`);
  const heap = loaded.heap().subarray(start, start + size);
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
    loaded.free(start);
  }
}
