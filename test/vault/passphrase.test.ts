import { assert, property, uint8Array } from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { argon2id, commitment, loadAead, seal } from "../../vault/crypto.ts";
import { join, u32 } from "../../vault/encoding.ts";
import { VaultError } from "../../vault/error.ts";
import { parseWrapping, unwrapMaster, wrapMaster } from "../../vault/passphrase.ts";
import { Secret } from "../../vault/secret.ts";

const PLACE = { vault: new Uint8Array(16).fill(5), masterId: 2 };

function typed(text: string): Secret {
  return Secret.take(new TextEncoder().encode(text));
}

/** One wrapping for all tests: each takes a tenth of a second of work, as it should. */
let wrapping: Uint8Array;
beforeAll(async () => {
  await loadAead();
  using passphrase = typed("correct horse battery staple");
  using master = Secret.take(new Uint8Array(32).fill(7));
  wrapping = await wrapMaster(passphrase, PLACE, master);
});

test("a passphrase opens what it wrapped", async () => {
  using passphrase = typed("correct horse battery staple");
  using master = await unwrapMaster(passphrase, PLACE, wrapping);
  expect(master.use((bytes) => [...new Set(bytes)])).toEqual([7]);
});

test("the cost of a guess is Argon2id with 64 MiB, three passes and four lanes", () => {
  expect(wrapping).toHaveLength(133);
  expect(parseWrapping(wrapping).cost).toEqual({ memory: 65_536, passes: 3, lanes: 4 });
});

test("another passphrase is a wrong passphrase", async () => {
  using passphrase = typed("Correct horse battery staple");
  await expect(unwrapMaster(passphrase, PLACE, wrapping)).rejects.toMatchObject({ code: "VAULT_WRONG_PASSPHRASE" });
});

test.for([
  ["another vault", { ...PLACE, vault: new Uint8Array(16).fill(6) }],
  ["another master", { ...PLACE, masterId: 3 }],
] as const)("a wrapped master moved to %s does not open", async ([, place]) => {
  using passphrase = typed("correct horse battery staple");
  await expect(unwrapMaster(passphrase, place, wrapping)).rejects.toThrow(VaultError);
});

test.for([
  ["less memory", 1, 65_535],
  ["almost no memory", 1, 8],
  ["fewer passes", 5, 2],
  ["no passes", 5, 0],
  ["fewer lanes", 9, 3],
  ["more memory than the machine has", 1, 0xffff_ffff],
  ["passes without end", 5, 0xffff_ffff],
  ["lanes without end", 9, 0xff_ffff],
] as const)("a wrapping that asks for %s is refused before any work is done", async ([, at, value]) => {
  const weakened = Uint8Array.from(wrapping);
  weakened.set(u32(value), at);
  using passphrase = typed("correct horse battery staple");
  const before = performance.now();
  await expect(unwrapMaster(passphrase, PLACE, weakened)).rejects.toMatchObject({ code: "VAULT_WEAKENED" });
  expect(performance.now() - before).toBeLessThan(50);
});

test.for([
  ["a little more memory", 1, 65_540],
  ["one more pass", 5, 4],
  ["one more lane", 9, 5],
] as const)("a wrapping whose parameters were changed to %s does not open", async ([, at, value]) => {
  const changed = Uint8Array.from(wrapping);
  changed.set(u32(value), at);
  using passphrase = typed("correct horse battery staple");
  await expect(unwrapMaster(passphrase, PLACE, changed)).rejects.toMatchObject({ code: "VAULT_WRONG_PASSPHRASE" });
});

test.for([13, 28, 29, 60])("a wrapping with byte %i flipped does not open: salt and commitment", async (at) => {
  const flipped = Uint8Array.from(wrapping);
  flipped[at] = (flipped[at] ?? 0) ^ 1;
  using passphrase = typed("correct horse battery staple");
  await expect(unwrapMaster(passphrase, PLACE, flipped)).rejects.toMatchObject({ code: "VAULT_WRONG_PASSPHRASE" });
});

test.for([61, 84, 85, 116, 117, 132])("a wrapping with byte %i flipped is damaged: nonce, master, tag", async (at) => {
  const flipped = Uint8Array.from(wrapping);
  flipped[at] = (flipped[at] ?? 0) ^ 1;
  using passphrase = typed("correct horse battery staple");
  await expect(unwrapMaster(passphrase, PLACE, flipped)).rejects.toMatchObject({ code: "VAULT_DAMAGED" });
});

test("parameters are authenticated by the cipher too, should the derivation not cover them", async () => {
  const { cost, salt } = parseWrapping(wrapping);
  using passphrase = typed("correct horse battery staple");
  const head = join(u32(cost.memory), u32(cost.passes), u32(cost.lanes));
  const place = join("WKP1", PLACE.vault, u32(PLACE.masterId), head, salt);
  using key = await argon2id(passphrase, salt, cost, place);
  const commit = commitment(key);
  const stripped = join(Uint8Array.of(1), head, salt, commit, seal(key, commit, new Uint8Array(32)));
  await expect(unwrapMaster(passphrase, PLACE, stripped)).rejects.toMatchObject({ code: "VAULT_DAMAGED" });
});

test("a wrapping of any other form is damaged", () => {
  expect(() => parseWrapping(wrapping.subarray(0, -1))).toThrow(expect.objectContaining({ code: "VAULT_DAMAGED" }));
  expect(() => parseWrapping(join(wrapping, "x"))).toThrow(expect.objectContaining({ code: "VAULT_DAMAGED" }));
  assert(
    property(uint8Array({ maxLength: 200 }), (bytes) => {
      expect(() => parseWrapping(bytes)).toThrow(VaultError);
    }),
    { seed: 20261123 },
  );
  assert(
    property(uint8Array({ minLength: 133, maxLength: 133 }), (bytes) => {
      bytes[0] = 1;
      // Random parameters are never the ones that are accepted.
      expect(() => parseWrapping(bytes)).toThrow(expect.objectContaining({ code: "VAULT_WEAKENED" }));
    }),
    { seed: 20261123 },
  );
});

test.for([0, 9, 1025])("a passphrase of %i bytes is refused", async (length) => {
  using passphrase = typed("x".repeat(length));
  using master = Secret.random(32);
  await expect(wrapMaster(passphrase, PLACE, master)).rejects.toMatchObject({ code: "VAULT_WEAK_PASSPHRASE" });
});

test("wrapping the same master twice gives nothing in common", async () => {
  using passphrase = typed("correct horse battery staple");
  using master = Secret.take(new Uint8Array(32).fill(7));
  const again = await wrapMaster(passphrase, PLACE, master);
  const [one, two] = [parseWrapping(wrapping), parseWrapping(again)];
  expect(one.salt).not.toEqual(two.salt);
  expect(one.commitment).not.toEqual(two.commitment);
  expect(one.sealed).not.toEqual(two.sealed);
});
