import { argon2Sync } from "node:crypto";
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

test("Argon2id derives the example of RFC 9106, section 5.3", () => {
  const tag = argon2Sync("argon2id", {
    message: Buffer.alloc(32, 1),
    nonce: Buffer.alloc(16, 2),
    secret: Buffer.alloc(8, 3),
    associatedData: Buffer.alloc(12, 4),
    parallelism: 4,
    tagLength: 32,
    memory: 32,
    passes: 3,
  });
  expect(tag.toString("hex")).toBe("0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
});

/** Without a secret value, as it is used here: of the reference implementation. @see https://github.com/P-H-C/phc-winner-argon2/blob/master/src/test.c */
test.for([
  [2, 65_536, 1, "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"],
  [2, 256, 1, "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"],
  [2, 256, 2, "6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037"],
] as const)(
  "Argon2id derives the reference's tag for %i passes, %i KiB and %i lanes",
  async ([passes, memory, lanes, tag]) => {
    using passphrase = Secret.take(new TextEncoder().encode("password"));
    const salt = new TextEncoder().encode("somesalt");
    using key = await argon2id(passphrase, salt, { memory, passes, lanes }, new Uint8Array(0));
    expect(key.use((bytes) => Buffer.from(bytes).toString("hex"))).toBe(tag);
  },
);

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
