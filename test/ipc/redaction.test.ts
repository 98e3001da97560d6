import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { withoutSecret } from "../../src/ipc/redaction.ts";

const TOKEN = "700100:AAcanaryBotTokenOfTheTests0123456789x";
const KEY = String.raw`sk-test-"quoted"\and/slashed+and%percent=end`;

const FORMS: readonly (readonly [name: string, form: (secret: string) => string])[] = [
  ["as it is", (secret) => secret],
  ["percent-encoded", encodeURIComponent],
  ["percent-encoded to the last character", (secret) => Buffer.from(secret).toString("hex").replaceAll(/../g, "%$&")],
  ["in a JSON string", (secret) => JSON.stringify(secret).slice(1, -1)],
  ["in base64", (secret) => Buffer.from(secret).toString("base64")],
  ["in base64 behind one character", (secret) => Buffer.from(`:${secret}`).toString("base64")],
  ["in base64 behind two characters", (secret) => Buffer.from(`u:${secret}`).toString("base64")],
  ["in base64 for addresses", (secret) => Buffer.from(secret).toString("base64url")],
  ["in hex", (secret) => Buffer.from(secret).toString("hex")],
  ["in upper hex", (secret) => Buffer.from(secret).toString("hex").toUpperCase()],
];

describe.for([
  ["a bot's token", TOKEN],
  ["a key of every character", KEY],
] as const)("%s", ([, secret]) => {
  test.for(FORMS)("is taken out %s, and its halves too", ([, form]) => {
    const quoted = form(secret);
    const half = Math.floor(quoted.length / 2);
    for (const piece of [quoted, quoted.slice(0, half), quoted.slice(half)]) {
      const clean = withoutSecret(`not found: ${piece} (404)`, secret, "[token]");
      expect(clean).toContain("[token]");
      expect(clean).toMatch(/^not found: .* \(404\)$/);
      // What base64 says of the characters beside it may stay: three at each end.
      expect(clean.length).toBeLessThanOrEqual("not found: [token] (404)".length + 6);
    }
  });
});

test("a secret that stands twice, or is cut by the end of a text, is taken out everywhere", () => {
  expect(withoutSecret(`${TOKEN}${TOKEN} and ${TOKEN.slice(0, 9)}`, TOKEN, "[token]")).toBe(
    "[token][token] and [token]",
  );
});

test.for([
  "Bad Request: chat not found",
  "Too Many Requests: retry after 5",
  "the model gpt-5.1-mini does not exist",
  "https://api.example.org/v1/messages?limit=1",
  "",
])("a sentence that quotes nothing stays as it is: %s", (sentence) => {
  expect(withoutSecret(sentence, TOKEN, "[token]")).toBe(sentence);
});

test("a short secret is taken out whole, and a word that shares four letters with it stays", () => {
  expect(withoutSecret("no key opensesame here, open it", "opensesa", "[key]")).toBe("no key [key]me here, open it");
  expect(withoutSecret("no key abc", "abc", "[key]")).toBe("no key abc");
});

test("whatever stands around it, no eight characters of a secret stay", () => {
  const secrets = fc.string({ minLength: 8, maxLength: 60, unit: "grapheme-ascii" });
  fc.assert(
    fc.property(secrets, fc.string(), fc.string(), fc.nat(50), (secret, before, after, cut) => {
      const clean = withoutSecret(`${before}${secret.slice(0, 8 + cut)}${after}`, secret, "\u0000");
      for (let at = 0; at + 8 <= secret.length; at++) expect(clean).not.toContain(secret.slice(at, at + 8));
    }),
  );
});
