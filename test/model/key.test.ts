import { inspect } from "node:util";
import { expect, test } from "vitest";
import { ApiKey, redactKeys } from "../../src/model/key.ts";

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

test("a key shows nothing, and the bytes it was made from are wiped", () => {
  const source = bytes("sk-secret-0123456789\n");
  using key = ApiKey.take(source);
  expect(source.every((byte) => byte === 0)).toBe(true);
  expect(`${String(key)}${inspect(key)}${inspect({ key }, { depth: 9, showHidden: true })}`).not.toContain("0123");
  expect(() => JSON.stringify({ key })).toThrow("Cannot serialise a key");
  expect(Object.keys(key)).toEqual([]);
});

test("a key becomes a header, without the line end of a paste", () => {
  using key = ApiKey.take(bytes(" sk-secret-0123456789\r\n"));
  expect(key.header("openai", "Bearer ")).toBe("Bearer sk-secret-0123456789");
});

test.for(["", " \n", "sk two", "sk-\u0000", "schl\u00fcssel", "x".repeat(5000)])(
  "%j is no key: no header is made of it",
  (text) => {
    using key = ApiKey.take(bytes(text));
    expect(() => key.header("openai", "Bearer ")).toThrow("add it again with `wirken vault add openai`");
  },
);

test("a key that was wiped is gone", () => {
  const key = ApiKey.take(bytes("sk-secret-0123456789"));
  key[Symbol.dispose]();
  expect(() => key.header("openai", "")).toThrow("no longer in memory");
  expect(key.redact("sk-secret")).toBe("[key]");
});

test.for([
  ["sk-ant-api03-abc", "openai", "anthropic"],
  ["sk-ant-api03-abc", "anthropic", null],
  ["sk-or-v1-abc", "anthropic", "openrouter"],
  ["sk-proj-abc", "openrouter", "openai"],
  ["sk-abc", "anthropic", null],
  ["sk-ant-api03-abc", "my-server", null],
] as const)("a key %s given for %s belongs elsewhere: %s", ([text, provider, elsewhere]) => {
  using key = ApiKey.take(bytes(text));
  expect(key.belongsElsewhere(provider)).toBe(elsewhere);
});

test.for([
  ["refused: sk-ab***yz.", "refused: [key]"],
  ["Bearer sk-proj-AbC_d-e.F is wrong", "Bearer [key] is wrong"],
  ["task-oriented risk-averse words stay", "task-oriented risk-averse words stay"],
])("%j is quoted as %j", ([said, quoted]) => {
  expect(redactKeys(said ?? "")).toBe(quoted);
});

test("a key of any form is taken out of a sentence", () => {
  using key = ApiKey.take(bytes("a1b2c3d4e5f6"));
  expect(key.redact("no: a1b2c3d4e5f6 is unknown")).toBe("no: [key] is unknown");
});

test("half of a key, and a key in another form, is taken out of a sentence as well", () => {
  const key = "plain-key-of-a-server-0123456789";
  using held = ApiKey.take(bytes(key));
  const quoted = [key.slice(0, 16), key.slice(16), Buffer.from(key).toString("base64"), encodeURIComponent(key)];
  for (const one of quoted) expect(held.redact(`no: <${one}>`)).toMatch(/^no: <\[key\][\w+/]?=?>$/);
});
