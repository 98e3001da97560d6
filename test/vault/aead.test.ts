import { createCipheriv } from "node:crypto";
import sodium from "libsodium-wrappers";
import { assert, integer, nat, property, uint8Array } from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { loadAead, open, openWith, seal, SEAL_BYTES, sealWith } from "../../vault/aead.ts";
import { Secret } from "../../vault/secret.ts";
import { XCHACHA_EXAMPLE } from "../vectors/xchacha20-poly1305.ts";
import { AeadGroup, readVectors, unhex } from "./wycheproof.ts";

beforeAll(loadAead);

const NOTHING = new Uint8Array(0);

test("the worked example of the XChaCha draft seals and opens byte for byte", () => {
  using key = Secret.take(unhex(XCHACHA_EXAMPLE.key));
  const nonce = unhex(XCHACHA_EXAMPLE.nonce);
  const ad = unhex(XCHACHA_EXAMPLE.ad);
  const plain = new TextEncoder().encode(XCHACHA_EXAMPLE.plaintext);
  const sealed = sealWith(key, nonce, ad, plain);
  expect(Buffer.from(sealed).toString("hex")).toBe(XCHACHA_EXAMPLE.ciphertext + XCHACHA_EXAMPLE.tag);
  expect(openWith(key, nonce, ad, sealed)).toEqual(plain);
});

test("every Wycheproof vector of XChaCha20-Poly1305 is sealed, opened or refused as it says", () => {
  const wrong = readVectors("xchacha20_poly1305_test.json", AeadGroup)
    .flatMap((group) => group.tests)
    .filter((vector) => {
      using key = Secret.take(unhex(vector.key));
      const [nonce, ad, plain, sealed] = [
        unhex(vector.iv),
        unhex(vector.aad),
        unhex(vector.msg),
        unhex(vector.ct + vector.tag),
      ];
      if (nonce.length !== 24) return !refuses(() => openWith(key, nonce, ad, sealed));
      const opened = openWith(key, nonce, ad, sealed);
      if (vector.result !== "valid") return opened !== null;
      return (
        opened === null ||
        Buffer.compare(opened, plain) !== 0 ||
        Buffer.compare(sealWith(key, nonce, ad, plain), sealed) !== 0
      );
    })
    .map((vector) => vector.tcId);
  expect(wrong).toEqual([]);
});

test("what is sealed opens under the same key and associated data only", () => {
  const bytes = uint8Array({ maxLength: 300 });
  const more = uint8Array({ minLength: 1, maxLength: 40 });
  assert(
    property(bytes, bytes, more, nat(), integer({ min: 0, max: 7 }), (plain, ad, tail, at, bit) => {
      using key = Secret.random(32);
      using other = Secret.random(32);
      const sealed = seal(key, ad, plain);
      expect(sealed).toHaveLength(plain.length + SEAL_BYTES);
      expect(open(key, ad, sealed)).toEqual(plain);
      expect(open(other, ad, sealed)).toBeNull();
      expect(open(key, Buffer.concat([ad, tail]), sealed)).toBeNull();
      expect(open(key, ad, sealed.subarray(0, -1))).toBeNull();
      const index = at % sealed.length;
      sealed[index] = (sealed[index] ?? 0) ^ (1 << bit);
      expect(open(key, ad, sealed)).toBeNull();
    }),
    { seed: 20261123 },
  );
});

test.for([0, 1, SEAL_BYTES - 1])("%i bytes are too few to open", (length) => {
  using key = Secret.random(32);
  expect(open(key, NOTHING, new Uint8Array(length))).toBeNull();
});

test("a key or nonce of the wrong length is refused before anything is sealed", () => {
  using short = Secret.random(31);
  using key = Secret.random(32);
  expect(() => seal(short, NOTHING, NOTHING)).toThrow("a key has 32 bytes, not 31");
  expect(() => sealWith(key, new Uint8Array(12), NOTHING, NOTHING)).toThrow("a nonce has 24 bytes, not 12");
});

const CANARY = "a canary that must not be found again, however long it is: ".repeat(4);

test("the scan of the WebAssembly heap finds what the package's own functions leave in it", () => {
  const bytes = Uint8Array.from({ length: 32 }, (_, at) => 100 + at);
  const plain = new TextEncoder().encode(CANARY.slice(0, 100));
  const nonce = new Uint8Array(24).fill(9);
  const sealed = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, null, null, nonce, bytes);
  sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(null, sealed, null, nonce, bytes);
  expect([found(bytes) > 0, found(plain) > 0]).toEqual([true, true]);
});

test.for([16, 37, 63, 64, 65, 100, 128, 191])(
  "neither key, derived key nor a plaintext of %i bytes stays in the WebAssembly heap",
  (length) => {
    const bytes = Secret.random(32).use((random) => Uint8Array.from(random));
    const plain = Uint8Array.from(new TextEncoder().encode(CANARY.slice(0, length)), (byte, at) => byte ^ (at % 7));
    const nonce = new Uint8Array(24).fill(9);
    const derived = hchacha20(bytes, nonce.subarray(0, 16));
    const left = (): number[] => [found(bytes), found(plain), found(derived)];
    using key = Secret.take(Uint8Array.from(bytes));
    const sealed = sealWith(key, nonce, plain, plain);
    expect(left()).toEqual([0, 0, 0]);
    expect(openWith(key, nonce, plain, sealed)).toEqual(plain);
    expect(left()).toEqual([0, 0, 0]);
    using wrong = Secret.random(32);
    expect(openWith(wrong, nonce, plain, sealed)).toBeNull();
    expect(left()).toEqual([0, 0, 0]);
  },
);

/** The key that XChaCha20 derives for one nonce: a block of ChaCha20 without its last addition (draft-irtf-cfrg-xchacha-03 §2.2). */
function hchacha20(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  const words = new Uint32Array(
    Uint8Array.from(createCipheriv("chacha20", key, nonce).update(new Uint8Array(64))).buffer,
  );
  const added = new Uint32Array(
    Uint8Array.from(Buffer.concat([Buffer.from("expand 32-byte k"), new Uint8Array(32), nonce])).buffer,
  );
  const block = words.map((word, at) => word - (added[at] ?? 0));
  return new Uint8Array(Uint32Array.of(...block.subarray(0, 4), ...block.subarray(12)).buffer);
}

test("the derived key that the scan looks for is that of the draft's example", () => {
  const key = unhex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
  expect(Buffer.from(hchacha20(key, unhex("000000090000004a0000000031415927"))).toString("hex")).toBe(
    "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc",
  );
});

test("fifty megabytes are sealed and opened", () => {
  using key = Secret.random(32);
  const plain = new Uint8Array(50 * 1_048_576).fill(7);
  const opened = open(key, NOTHING, seal(key, NOTHING, plain));
  expect(opened !== null && Buffer.compare(opened, plain) === 0).toBe(true);
});

function heap(): Uint8Array {
  const module: unknown = Reflect.get(sodium, "libsodium");
  const view: unknown = typeof module === "object" && module !== null ? Reflect.get(module, "HEAPU8") : null;
  if (!(view instanceof Uint8Array)) throw new TypeError("no heap");
  return view;
}

/** How often the whole heap, stack included, holds 16 bytes in a row of `secret`: each 16, and the last. */
function found(secret: Uint8Array): number {
  const whole = Buffer.from(heap().buffer);
  let count = 0;
  for (let at = 0; at + 16 <= secret.length; at += 16) if (whole.includes(secret.subarray(at, at + 16))) count++;
  if (secret.length > 16 && whole.includes(secret.subarray(-16))) count++;
  return count;
}

function refuses(run: () => Uint8Array | null): boolean {
  try {
    return run() === null;
  } catch (error) {
    return error instanceof RangeError;
  }
}
