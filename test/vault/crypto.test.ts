import { beforeAll, expect, test } from "vitest";
import { argon2id, commitment, hkdf, loadAead } from "../../vault/crypto.ts";
import { Secret } from "../../vault/secret.ts";
import { HKDF_EXAMPLES } from "../vectors/hkdf-sha256.ts";
import { HkdfGroup, readVectors, unhex } from "./wycheproof.ts";

beforeAll(loadAead);

function derived(ikm: string, salt: string, info: string, length: number): string {
  using key = Secret.take(unhex(ikm));
  using out = hkdf(key, unhex(salt), unhex(info), length);
  return out.use((bytes) => Buffer.from(bytes).toString("hex"));
}

test.for(HKDF_EXAMPLES)("HKDF derives RFC 5869 $title", ({ ikm, salt, info, length, okm }) => {
  expect(derived(ikm, salt, info, length)).toBe(okm);
});

test("every Wycheproof vector of HKDF-SHA-256 is derived or refused as it says", () => {
  const wrong = readVectors("hkdf_sha256_test.json", HkdfGroup)
    .flatMap((group) => group.tests)
    .filter(({ ikm, salt, info, size, okm, result }) => {
      if (result === "valid") return derived(ikm, salt, info, size) !== okm;
      try {
        derived(ikm, salt, info, size);
        return true;
      } catch {
        return false;
      }
    })
    .map((vector) => vector.tcId);
  expect(wrong).toEqual([]);
});

test("a commitment names one key and is not the key", () => {
  using key = Secret.take(new Uint8Array(32).fill(1));
  using other = Secret.take(new Uint8Array(32).fill(2));
  expect(commitment(key)).toEqual(commitment(key));
  expect(commitment(key)).not.toEqual(commitment(other));
  expect(key.use((bytes) => Buffer.compare(bytes, commitment(key)))).not.toBe(0);
});

test("a passphrase may be wiped while Argon2id is still at work", async () => {
  const salt = new Uint8Array(16).fill(3);
  const cost = { memory: 65_536, passes: 3, lanes: 4 };
  const derive = async (wipe: boolean): Promise<string> => {
    const passphrase = Secret.take(new TextEncoder().encode("correct horse battery"));
    const working = argon2id(passphrase, salt, cost, new Uint8Array(0));
    if (wipe) passphrase[Symbol.dispose]();
    using key = await working;
    return key.use((bytes) => Buffer.from(bytes).toString("hex"));
  };
  expect(await derive(true)).toBe(await derive(false));
});
