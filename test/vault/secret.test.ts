import { inspect } from "node:util";
import { MessageChannel } from "node:worker_threads";
import { expect, test } from "vitest";
import { Secret } from "../../vault/secret.ts";

const TEXT = "xoxb-canary-5f1d";

function aSecret(): Secret {
  return Secret.take(new TextEncoder().encode(TEXT));
}

test("what is moved into a secret is wiped where it came from", () => {
  const source = new TextEncoder().encode(TEXT);
  using secret = Secret.take(source);
  expect([...source]).toEqual(Array.from({ length: TEXT.length }, () => 0));
  expect(secret.use((bytes) => new TextDecoder().decode(bytes))).toBe(TEXT);
});

test("a secret ends with its block, and with it every view of its bytes", () => {
  let view: Uint8Array = new Uint8Array(0);
  let kept: Secret;
  {
    using secret = aSecret();
    kept = secret;
    secret.use((bytes) => {
      view = bytes;
    });
    expect(view.every((byte) => byte === 0)).toBe(false);
  }
  expect(view).toHaveLength(TEXT.length);
  expect(view.every((byte) => byte === 0)).toBe(true);
  expect(() => kept.use((bytes) => bytes.length)).toThrow("Cannot use a wiped secret");
  expect(() => kept.copy()).toThrow("Cannot use a wiped secret");
  kept[Symbol.dispose](); // a second time does nothing
});

test("a copy of a secret has a life of its own", () => {
  using copy = (() => {
    using secret = aSecret();
    return secret.copy();
  })();
  expect(copy.use((bytes) => new TextDecoder().decode(bytes))).toBe(TEXT);
});

test.for<[string, (secret: Secret) => string]>([
  // oxlint-disable-next-line typescript/restrict-template-expressions -- what the lint refuses must not show anything either
  ["a template", (secret) => `${secret}`],
  ["String()", String],
  ["inspect", (secret) => inspect(secret)],
  ["inspect with everything", (secret) => inspect(secret, { showHidden: true, depth: 9, getters: true })],
  ["inspect of what holds it", (secret) => inspect({ in: [secret] }, { depth: 9 })],
  // oxlint-disable-next-line typescript/restrict-template-expressions -- as above
  ["an error's message", (secret) => new Error(`failed on ${secret}`).stack ?? ""],
  // oxlint-disable-next-line typescript/restrict-plus-operands -- as above
  ["a concatenation", (secret) => "token " + secret],
])("a secret shows nothing of itself in %s", ([, show]) => {
  using secret = aSecret();
  const shown = show(secret);
  expect(shown).toContain("[secret]");
  for (const form of [TEXT, Buffer.from(TEXT).toString("base64"), Buffer.from(TEXT).toString("hex"), "120, 111"])
    expect(shown).not.toContain(form);
});

test("a secret has no property that could be listed", () => {
  using secret = aSecret();
  expect(Reflect.ownKeys(secret)).toEqual([]);
  // oxlint-disable-next-line typescript/no-misused-spread -- as above
  expect({ ...secret }).toEqual({});
});

test("a secret cannot be serialised", () => {
  using secret = aSecret();
  expect(() => JSON.stringify(secret)).toThrow("Cannot serialise a secret");
  expect(() => JSON.stringify({ deep: [{ secret }] })).toThrow("Cannot serialise a secret");
});

test("a secret cannot be cloned, nor posted to another thread", () => {
  using secret = aSecret();
  expect(() => structuredClone(secret)).toThrow(/Cannot clone object/);
  expect(() => structuredClone({ deep: [secret] })).toThrow(/Cannot clone object/);
  const { port1, port2 } = new MessageChannel();
  expect(() => port1.postMessage(secret)).toThrow(/Cannot clone object/);
  port1.close();
  port2.close();
});

test("random secrets have the length asked for, and differ", () => {
  using one = Secret.random(32);
  using other = Secret.random(32);
  expect(one.use((a) => other.use((b) => [a.length, Buffer.compare(a, b) === 0]))).toEqual([32, false]);
});
