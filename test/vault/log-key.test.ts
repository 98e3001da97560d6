import { createHash, createPublicKey, verify } from "node:crypto";
import { assert, property, uint8Array } from "fast-check";
import { expect, test } from "vitest";
import { VaultError } from "../../vault/error.ts";
import { decodeOrigin, encodeOrigin, mintOrigin, newSeed, signerOf } from "../../vault/log-key.ts";
import { Secret } from "../../vault/secret.ts";
import { ED25519_EXAMPLES } from "../vectors/ed25519.ts";
import { EddsaGroup, readVectors, unhex } from "./wycheproof.ts";

const ORIGIN = "wirken.local/audit/00112233445566778899aabbccddeeff";

function signer(seed: string, alive: () => boolean = () => true) {
  using own = Secret.take(unhex(seed));
  return signerOf(own, ORIGIN, alive);
}

test.for(ED25519_EXAMPLES)("the log's key signs RFC 8032 $title", ({ seed, publicKey, message, signature }) => {
  const key = signer(seed);
  expect(Buffer.from(key.sign(unhex(message))).toString("hex")).toBe(signature);
  expect(Buffer.from(key.vkey.split("+").slice(2).join("+"), "base64").toString("hex")).toBe(`01${publicKey}`);
});

test("a vkey is the name, the key id and the key, as C2SP signed-note writes it", () => {
  const [{ seed, publicKey }] = ED25519_EXAMPLES;
  const typed = Buffer.concat([Buffer.of(1), Buffer.from(publicKey, "hex")]);
  const id = createHash("sha256").update(ORIGIN).update("\n").update(typed).digest().subarray(0, 4).toString("hex");
  expect(signer(seed).vkey).toBe(`${ORIGIN}+${id}+${typed.toString("base64")}`);
});

test("every Wycheproof vector of Ed25519 is verified as it says", () => {
  const wrong = readVectors("ed25519_test.json", EddsaGroup).flatMap(({ publicKeyDer, tests }) => {
    const key = createPublicKey({ key: Buffer.from(publicKeyDer, "hex"), format: "der", type: "spki" });
    return tests
      .filter(({ msg, sig, result }) => verify(null, unhex(msg), key, unhex(sig)) !== (result === "valid"))
      .map((vector) => vector.tcId);
  });
  expect(wrong).toEqual([]);
});

test("what a new key signs verifies with its own vkey and with no other", () => {
  const [one, two] = [signerOf(newSeed(), ORIGIN, () => true), signerOf(newSeed(), ORIGIN, () => true)];
  const text = new TextEncoder().encode("a note\n");
  expect([good(one.vkey, text, one.sign(text)), good(two.vkey, text, one.sign(text))]).toEqual([true, false]);
  expect(one.sign(text)).toHaveLength(64);
});

test("nothing is signed once the vault is closed", () => {
  let open = true;
  const key = signer(ED25519_EXAMPLES[0].seed, () => open);
  key.sign(new Uint8Array(1));
  open = false;
  expect(() => key.sign(new Uint8Array(1))).toThrow(expect.objectContaining({ code: "VAULT_CLOSED" }));
});

test("a seed of another length is damaged", () => {
  expect(() => signer("00".repeat(31))).toThrow(expect.objectContaining({ code: "VAULT_DAMAGED" }));
});

test("a new log has a name of its own, which comes back from its bytes and from no others", () => {
  const origin = mintOrigin();
  expect(origin).not.toBe(mintOrigin());
  expect(decodeOrigin(encodeOrigin(origin))).toBe(origin);
  for (const text of [
    '{"origin":"elsewhere"}',
    `{"origin": "${origin}"}`,
    `{"origin":"${origin}"} `,
    `["origin","${origin}"]`,
  ])
    expect(() => decodeOrigin(new TextEncoder().encode(text))).toThrow(VaultError);
  assert(
    property(uint8Array({ maxLength: 100 }), (bytes) => {
      expect(() => decodeOrigin(bytes)).toThrow(VaultError);
    }),
    { seed: 20261123 },
  );
});

function good(vkey: string, text: Uint8Array, signature: Uint8Array): boolean {
  const raw = Buffer.from(vkey.split("+").slice(2).join("+"), "base64").subarray(1);
  const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), raw]);
  return verify(null, text, createPublicKey({ key: spki, format: "der", type: "spki" }), signature);
}
