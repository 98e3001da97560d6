import { hash } from "node:crypto";
import { VaultError } from "./error.ts";
import { copyOf, Secret } from "./secret.ts";
import { WORDS } from "./words.ts";

/** 32 random bytes as 24 words that a person can write down (BIP-39): each word is 11 bits, the last 8 of the 264 are the first of the bytes' SHA-256.
 *  A phrase is bytes from end to end, for a JavaScript string of it could never be wiped.
 *  @see https://github.com/bitcoin/bips/blob/master/bip-0039.mediawiki */

export const PHRASE_WORDS = 24;
export const ENTROPY_BYTES = 32;
const WORD_BITS = 11;
const LONGEST_WORD = 8;
const SPACE = 0x20;

const encoded = WORDS.map((word) => new TextEncoder().encode(word));

/** @param entropy 32 bytes. @returns the places of the 24 words in the list, the caller's to wipe. */
function placesOf(entropy: Uint8Array): Uint16Array {
  const bits = new Uint8Array(new ArrayBuffer(ENTROPY_BYTES + 1));
  bits.set(entropy);
  bits[ENTROPY_BYTES] = checksum(entropy);
  const places = new Uint16Array(PHRASE_WORDS);
  for (let at = 0; at < PHRASE_WORDS * WORD_BITS; at++) {
    const bit = ((bits[at >> 3] ?? 0) >> (7 - (at & 7))) & 1;
    const word = Math.floor(at / WORD_BITS);
    places[word] = ((places[word] ?? 0) << 1) | bit;
  }
  bits.fill(0);
  return places;
}

function checksum(entropy: Uint8Array): number {
  const digest = hash("sha256", entropy, "buffer");
  const first = digest[0] ?? 0;
  digest.fill(0);
  return first;
}

/** @param entropy 32 bytes. @returns the 24 words in ASCII with one space between two, the caller's to dispose of. @throws {RangeError} for another length. */
export function phraseOf(entropy: Secret): Secret {
  const places = entropy.use((bytes) => {
    if (bytes.length !== ENTROPY_BYTES)
      throw new RangeError(`a phrase says ${ENTROPY_BYTES} bytes, not ${bytes.length}`);
    return placesOf(bytes);
  });
  const phrase = new Uint8Array(new ArrayBuffer(PHRASE_WORDS * (LONGEST_WORD + 1)));
  let length = 0;
  for (const place of places) {
    if (length > 0) phrase[length++] = SPACE;
    const word = encoded[place] ?? new Uint8Array(0);
    phrase.set(word, length);
    length += word.length;
  }
  places.fill(0);
  const made = Secret.take(phrase.subarray(0, length));
  phrase.fill(0);
  return made;
}

/** @param phrase as typed: capitals, and spaces and line ends of any number, do not matter; each word may be cut to its first four letters.
 *  @returns the 32 bytes that it says. @throws {VaultError} VAULT_WRONG_PHRASE, which names the place of a word that is not in the list and never the word. */
export function entropyOf(phrase: Secret): Secret {
  const bits = new Uint8Array(new ArrayBuffer(ENTROPY_BYTES + 1));
  try {
    phrase.use((bytes) => {
      const words = split(bytes);
      if (words.length !== PHRASE_WORDS)
        throw wrong(`A recovery phrase has ${PHRASE_WORDS} words, and this one ${words.length}`);
      for (const [at, word] of words.entries()) {
        const place = placeOf(word);
        if (place === -1) throw wrong(`Word ${at + 1} is not in the list of words`);
        for (let bit = 0; bit < WORD_BITS; bit++) {
          const to = at * WORD_BITS + bit;
          bits[to >> 3] = (bits[to >> 3] ?? 0) | (((place >> (WORD_BITS - 1 - bit)) & 1) << (7 - (to & 7)));
        }
      }
    });
    const own = copyOf(bits.subarray(0, ENTROPY_BYTES));
    const good = checksum(own) === bits[ENTROPY_BYTES];
    const entropy = Secret.take(own);
    if (good) return entropy;
    entropy[Symbol.dispose]();
    throw wrong("The words are all known, and one is wrong or two are out of order: their checksum does not hold");
  } finally {
    bits.fill(0);
  }
}

/** Is this the word at a place of the phrase, from 1? As forgiving as {@link entropyOf}. */
export function isWord(phrase: Secret, at: number, typed: Uint8Array): boolean {
  return phrase.use((bytes) => {
    const expected = split(bytes)[at - 1];
    const [word, ...more] = split(typed);
    if (expected === undefined || word === undefined || more.length > 0) return false;
    const place = placeOf(word);
    return place !== -1 && place === placeOf(expected);
  });
}

function wrong(why: string): VaultError {
  return new VaultError("VAULT_WRONG_PHRASE", why);
}

/** @returns views of the words. */
function split(bytes: Uint8Array): Uint8Array[] {
  const words: Uint8Array[] = [];
  let start = 0;
  for (let at = 0; at <= bytes.length; at++) {
    if (at < bytes.length && (bytes[at] ?? 0) > SPACE) continue;
    if (at > start) words.push(bytes.subarray(start, at));
    start = at + 1;
  }
  return words;
}

/** The first four letters tell any two words of the list apart. */
const TELLING = 4;
const LOWER = 0x20;

/** @returns the word's place in the list, or -1. */
function placeOf(word: Uint8Array): number {
  return encoded.findIndex((known) => {
    if (word.length > known.length || word.length < Math.min(TELLING, known.length)) return false;
    if (word.length !== known.length && word.length !== TELLING) return false;
    return word.every((byte, at) => byte === known[at] || (byte | LOWER) === known[at]);
  });
}
