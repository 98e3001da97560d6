import { hash } from "node:crypto";
import { expect, test } from "vitest";
import { entropyOf, isWord, phraseOf } from "../../vault/phrase.ts";
import { Secret } from "../../vault/secret.ts";
import { WORDS } from "../../vault/words.ts";
import { textOf, typed } from "./world.ts";

const wrong = (what: string) =>
  expect.objectContaining({ name: "VaultError", code: "VAULT_WRONG_PHRASE", message: expect.stringContaining(what) });

function hexOf(entropy: Secret): string {
  using own = entropy;
  return own.use((bytes) => Buffer.from(bytes).toString("hex"));
}

test("the list of words is the published one, byte for byte", () => {
  expect(WORDS).toHaveLength(2048);
  expect(hash("sha256", `${WORDS.join("\n")}\n`)).toBe(
    "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda",
  );
});

/** Of the vectors that BIP-39 names, those of 256 bits. @see https://github.com/trezor/python-mnemonic/blob/master/vectors.json */
const VECTORS: readonly (readonly [string, string])[] = [
  ["00".repeat(32), `${"abandon ".repeat(23)}art`],
  [
    "7f".repeat(32),
    "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth title",
  ],
  [
    "80".repeat(32),
    "letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic bless",
  ],
  ["ff".repeat(32), `${"zoo ".repeat(23)}vote`],
];

test.for(VECTORS)("%s is said and understood as BIP-39 says it", ([bytes, words]) => {
  using entropy = Secret.take(new Uint8Array(Buffer.from(bytes, "hex")));
  expect(textOf(phraseOf(entropy))).toBe(words);
  using phrase = typed(words);
  expect(hexOf(entropyOf(phrase))).toBe(bytes);
});

test("any 32 bytes come back from their words, in capitals, on many lines, or cut to four letters", () => {
  for (let round = 0; round < 200; round++) {
    using entropy = Secret.random(32);
    const words = textOf(phraseOf(entropy));
    const forms = [
      words,
      words.toUpperCase(),
      `\n ${words.replaceAll(" ", "\r\n  ")}\n`,
      words.replaceAll(/\S+/g, (word) => word.slice(0, 4)),
    ];
    for (const form of forms) {
      using phrase = typed(form);
      expect(hexOf(entropyOf(phrase))).toBe(entropy.use((bytes) => Buffer.from(bytes).toString("hex")));
    }
  }
});

function refused(given: readonly string[], what: string): void {
  using phrase = typed(given.join(" "));
  expect(() => entropyOf(phrase)).toThrow(wrong(what));
}

test("one word less, one that is not in the list, and any one changed word or two swapped are told, and no word is repeated", () => {
  using entropy = Secret.take(new Uint8Array(32).fill(0x5a));
  const words = textOf(phraseOf(entropy)).split(" ");
  refused(words.slice(1), "24 words, and this one 23");
  refused(words.with(6, "wirken"), "Word 7 is not in the list");
  refused(words.with(6, "abou t".replace(" ", "")).with(7, "ab"), "Word 8 is not in the list");
  refused([], "24 words, and this one 0");
  // A checksum of 8 bits misses one change in 256.
  let missed = 0;
  for (let at = 0; at < 24; at++) {
    using phrase = typed(words.with(at, words[at] === "zoo" ? "able" : "zoo").join(" "));
    try {
      entropyOf(phrase)[Symbol.dispose]();
      missed++;
    } catch (error) {
      expect(error).toEqual(wrong("checksum"));
    }
  }
  expect(missed).toBeLessThanOrEqual(1);
});

test("a word that is asked for is the one at its place, and no other", () => {
  using entropy = Secret.take(new Uint8Array(32).fill(0xff));
  using phrase = phraseOf(entropy);
  const ask = (at: number, word: string): boolean => isWord(phrase, at, new TextEncoder().encode(word));
  expect([ask(1, "zoo"), ask(24, "vote"), ask(24, " VOTE "), ask(24, "zoo"), ask(25, "zoo"), ask(0, "zoo")]).toEqual([
    true,
    true,
    true,
    false,
    false,
    false,
  ]);
  expect([ask(1, ""), ask(1, "zo"), ask(1, "zoo zoo")]).toEqual([false, false, false]);
});

test("only 32 bytes are said as a phrase", () => {
  using short = Secret.random(16);
  expect(() => phraseOf(short)).toThrow(RangeError);
});
