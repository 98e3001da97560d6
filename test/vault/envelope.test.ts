import { assert, nat, property, string, uint8Array } from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { commitment, loadAead, seal } from "../../vault/crypto.ts";
import { join, lp, u32 } from "../../vault/encoding.ts";
import {
  deriveKek,
  openContent,
  openRecord,
  recordEpoch,
  sealContent,
  sealRecord,
  unwrapKey,
  wrapKey,
  WRAPPED_BYTES,
} from "../../vault/envelope.ts";
import { VaultError } from "../../vault/error.ts";
import { Secret } from "../../vault/secret.ts";

beforeAll(loadAead);

const VAULT = new Uint8Array(16).fill(0xa1);
const OTHER_VAULT = new Uint8Array(16).fill(0xa2);
const METADATA = new TextEncoder().encode('{"created":"2026-11-23T22:31:00.000Z"}');
const KEY_PLACE = { vault: VAULT, masterId: 3, scope: "channel/slack", epoch: 2 };
const PLACE = { vault: VAULT, scope: "channel/slack", name: "bot-token", version: 4, metadata: METADATA };
const damaged = expect.objectContaining({ name: "VaultError", code: "VAULT_DAMAGED" });

function aSecret(fill: number, length = 32): Secret {
  return Secret.take(new Uint8Array(length).fill(fill));
}

function textOf(secret: Secret): string {
  return secret.use((bytes) => new TextDecoder().decode(bytes));
}

test("a wrapped key has 73 bytes, its version first, and opens at its place", () => {
  using kek = aSecret(1);
  using key = aSecret(2);
  const { wrapped, commitment: commit } = wrapKey(kek, KEY_PLACE, key);
  expect([wrapped.length, wrapped[0], WRAPPED_BYTES]).toEqual([73, 1, 73]);
  using opened = unwrapKey(kek, KEY_PLACE, wrapped, commit);
  expect(opened.use((bytes) => [...new Set(bytes)])).toEqual([2]);
});

test("the associated data of a wrapped key is that of the specification, byte for byte", () => {
  using kek = aSecret(1);
  using key = aSecret(2);
  const commit = commitment(key);
  const scope = Buffer.from("channel/slack");
  const ad = Buffer.concat([Buffer.from("WKD1"), VAULT, u32(3), u32(scope.length), scope, u32(2), commit]);
  const wrapped = join(
    Uint8Array.of(1),
    key.use((bytes) => seal(kek, ad, bytes)),
  );
  using opened = unwrapKey(kek, KEY_PLACE, wrapped, commit);
  expect(opened.use((bytes) => bytes.length)).toBe(32);
});

test("the associated data of a record is that of the specification, byte for byte", () => {
  using key = aSecret(2);
  const [scope, name] = [Buffer.from("channel/slack"), Buffer.from("bot-token")];
  const version = Buffer.from("0000000000000004", "hex");
  const ad = Buffer.concat([Buffer.from("WKV1"), VAULT, u32(9), u32(13), scope, u32(9), name, version, METADATA]);
  const sealed = join(Uint8Array.of(1), u32(9), seal(key, ad, Buffer.from("xoxb")));
  using opened = openRecord(key, PLACE, sealed);
  expect(textOf(opened)).toBe("xoxb");
});

test.for<[string, Partial<typeof KEY_PLACE>]>([
  ["another vault", { vault: OTHER_VAULT }],
  ["another master", { masterId: 4 }],
  ["another scope", { scope: "channel/telegram" }],
  ["an older epoch", { epoch: 1 }],
  ["a newer epoch", { epoch: 3 }],
])("a wrapped key moved to %s does not open", ([, change]) => {
  using kek = aSecret(1);
  using key = aSecret(2);
  const { wrapped, commitment: commit } = wrapKey(kek, KEY_PLACE, key);
  expect(() => unwrapKey(kek, { ...KEY_PLACE, ...change }, wrapped, commit)).toThrow(damaged);
});

test("two wrapped keys that were swapped do not open, with or without their commitments", () => {
  using kek = aSecret(1);
  using one = aSecret(2);
  using two = aSecret(3);
  const telegram = { ...KEY_PLACE, scope: "channel/telegram" };
  const first = wrapKey(kek, KEY_PLACE, one);
  const second = wrapKey(kek, telegram, two);
  expect(() => unwrapKey(kek, KEY_PLACE, second.wrapped, first.commitment)).toThrow(damaged);
  expect(() => unwrapKey(kek, KEY_PLACE, second.wrapped, second.commitment)).toThrow(damaged);
  expect(() => unwrapKey(kek, telegram, first.wrapped, first.commitment)).toThrow(damaged);
});

test("a key that is not the one committed to is refused, though its seal is good", () => {
  using kek = aSecret(1);
  using key = aSecret(2);
  using other = aSecret(3);
  const commit = commitment(other);
  const ad = join("WKD1", VAULT, u32(3), lp("channel/slack"), u32(2), commit);
  const wrapped = join(
    Uint8Array.of(1),
    key.use((bytes) => seal(kek, ad, bytes)),
  );
  expect(() => unwrapKey(kek, KEY_PLACE, wrapped, commit)).toThrow("not the one that was committed to");
});

test.for<[string, Partial<typeof PLACE>]>([
  ["another vault", { vault: OTHER_VAULT }],
  ["another scope", { scope: "channel/telegram" }],
  ["another name", { name: "app-token" }],
  ["a newer version", { version: 5 }],
  ["an older version", { version: 3 }],
  ["other metadata", { metadata: new TextEncoder().encode('{"created":"2026-11-23T22:31:00.001Z"}') }],
  ["no metadata", { metadata: new Uint8Array(0) }],
  ["a name that takes a letter from the scope", { scope: "channel/slac", name: "kbot-token" }],
])("a record moved to %s does not open", ([, change]) => {
  using key = aSecret(2);
  using secret = Secret.take(Buffer.from("xoxb"));
  const sealed = sealRecord(key, 2, PLACE, secret);
  expect(() => openRecord(key, { ...PLACE, ...change }, sealed)).toThrow(damaged);
});

test("the sealed bytes of two records that were swapped do not open", () => {
  using key = aSecret(2);
  using bot = Secret.take(Buffer.from("xoxb"));
  using app = Secret.take(Buffer.from("xapp"));
  const appPlace = { ...PLACE, name: "app-token" };
  const [first, second] = [sealRecord(key, 2, PLACE, bot), sealRecord(key, 2, appPlace, app)];
  expect(() => openRecord(key, PLACE, second)).toThrow(damaged);
  expect(() => openRecord(key, appPlace, first)).toThrow(damaged);
});

test("a record does not open under the key of another scope, nor with its epoch set down", () => {
  using key = aSecret(2);
  using other = aSecret(3);
  using secret = Secret.take(Buffer.from("xoxb"));
  const sealed = sealRecord(key, 2, PLACE, secret);
  expect(recordEpoch(sealed)).toBe(2);
  expect(() => openRecord(other, PLACE, sealed)).toThrow(damaged);
  sealed[4] = 1;
  expect(recordEpoch(sealed)).toBe(1);
  expect(() => openRecord(key, PLACE, sealed)).toThrow(damaged);
});

test("every cut and every flipped bit of a sealed record is found", () => {
  using key = aSecret(2);
  using secret = Secret.take(Buffer.from("xoxb-1234"));
  const sealed = sealRecord(key, 2, PLACE, secret);
  // Of nothing: a head, a nonce and a tag.
  const least = sealed.length - "xoxb-1234".length;
  const cut = expect.objectContaining({ name: "VaultError", code: "VAULT_TRUNCATED" });
  for (let length = 0; length < sealed.length; length++)
    expect(() => openRecord(key, PLACE, sealed.subarray(0, length))).toThrow(length < least ? cut : damaged);
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const flipped = Uint8Array.from(sealed);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(() => openRecord(key, PLACE, flipped)).toThrow(damaged);
  }
});

test("every cut and every flipped bit of a wrapped key and its commitment is found", () => {
  using kek = aSecret(1);
  using key = aSecret(2);
  const { wrapped, commitment: commit } = wrapKey(kek, KEY_PLACE, key);
  for (let length = 0; length < wrapped.length; length++)
    expect(() => unwrapKey(kek, KEY_PLACE, wrapped.subarray(0, length), commit)).toThrow(damaged);
  const both = join(wrapped, commit);
  for (let bit = 0; bit < both.length * 8; bit++) {
    const flipped = Uint8Array.from(both);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const [first, second] = [flipped.subarray(0, WRAPPED_BYTES), flipped.subarray(WRAPPED_BYTES)];
    expect(() => unwrapKey(kek, KEY_PLACE, first, second)).toThrow(damaged);
  }
});

test("bytes of any kind are damaged and nothing else, wherever they lie", () => {
  using kek = aSecret(1);
  const bytes = uint8Array({ maxLength: 120 });
  assert(
    property(bytes, bytes, (one, two) => {
      for (const versioned of [one, join(Uint8Array.of(1), one)]) {
        expect(() => unwrapKey(kek, KEY_PLACE, versioned, two)).toThrow(VaultError);
        expect(() => openRecord(kek, PLACE, versioned)).toThrow(VaultError);
        expect(() => openContent(kek, "audit/content/daemon", "1", versioned)).toThrow(VaultError);
      }
    }),
    { seed: 20261123 },
  );
});

test("any secret comes back from any place, and from that place alone", () => {
  using key = aSecret(7);
  const name = string({ maxLength: 20 });
  assert(
    property(
      uint8Array({ maxLength: 200 }),
      name,
      name,
      nat(),
      nat(0xffff_ffff),
      (bytes, scope, called, version, epoch) => {
        const place = { vault: VAULT, scope, name: called, version, metadata: METADATA };
        using secret = Secret.take(Uint8Array.from(bytes));
        const sealed = sealRecord(key, epoch, place, secret);
        expect(recordEpoch(sealed)).toBe(epoch);
        using back = openRecord(key, place, sealed);
        expect(back.use((own) => Buffer.compare(own, bytes))).toBe(0);
        expect(() => openRecord(key, { ...place, version: version + 1 }, sealed)).toThrow(VaultError);
        expect(() => openRecord(key, { ...place, scope: `${scope}x` }, sealed)).toThrow(VaultError);
      },
    ),
    { seed: 20261123 },
  );
});

test("content opens at its place under its session's key, and nowhere else", () => {
  using key = aSecret(2);
  using other = aSecret(3);
  const plain = new TextEncoder().encode("hello");
  const sealed = sealContent(key, "audit/content/s_1", "7/text", plain);
  expect(sealed).toHaveLength(plain.length + 41);
  expect(openContent(key, "audit/content/s_1", "7/text", sealed)).toEqual(plain);
  expect(() => openContent(other, "audit/content/s_1", "7/text", sealed)).toThrow(damaged);
  expect(() => openContent(key, "audit/content/s_2", "7/text", sealed)).toThrow(damaged);
  expect(() => openContent(key, "audit/content/s_1", "8/text", sealed)).toThrow(damaged);
});

test("content and records of one key cannot stand for each other", () => {
  using key = aSecret(2);
  using secret = Secret.take(Buffer.from("xoxb"));
  expect(() => openContent(key, PLACE.scope, PLACE.name, sealRecord(key, 2, PLACE, secret))).toThrow(damaged);
});

test("the key-encryption key differs by vault, by master and by master id", () => {
  const keks = [
    [1, VAULT, 1],
    [2, VAULT, 1],
    [1, OTHER_VAULT, 1],
    [1, VAULT, 2],
  ] as const;
  const seen = keks.map(([fill, vault, id]) => {
    using master = aSecret(fill);
    using kek = deriveKek(master, vault, id);
    return kek.use((bytes) => Buffer.from(bytes).toString("hex"));
  });
  expect(new Set(seen).size).toBe(4);
});

test.for([
  ["a number over 32 bits", () => u32(2 ** 32)],
  ["a negative number", () => u32(-1)],
  ["a fraction", () => u32(0.5)],
  ["half a character", () => lp("\ud800")],
] as const)("%s has no form and is refused", ([, encode]) => {
  expect(encode).toThrow(RangeError);
});
