import type { Steps } from "./finding.ts";

/** A word as a model would read it, however it is written. */
export interface Word {
  readonly text: string;
  readonly from: number;
  readonly to: number;
  /** Of a sentence or a line. */
  readonly begins: boolean;
}

/** A longer one is none. */
const MAX_WORD = 40;

/** Letters of other alphabets that are drawn like Latin ones. */
const LOOKALIKES: ReadonlyMap<number, string> = new Map(
  "аa еe оo рp сc уy хx іi јj ѕs ԁd ԛq ɡg һh ӏl оo αa εe ιi οo ρp υu νv κk τt ßss"
    .split(" ")
    .map((pair) => [pair.codePointAt(0) ?? 0, pair.slice(1)] as const),
);

/** Digits and signs that stand for letters inside a word. */
const LEET: Readonly<Record<string, string>> = {
  "0": "o",
  "1": "i",
  "3": "e",
  "4": "a",
  "5": "s",
  "7": "t",
  "@": "a",
  $: "s",
};

const MARK = /\p{M}/u;

/** What each of the first 128 characters is read as. */
const ASCII: readonly (string | null)[] = Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code);
  // It's and don't are one word each.
  if (character === "'") return "";
  return /[a-z0-9@$]/i.test(character) ? character.toLowerCase() : null;
});

/** Reads a text as words: small letters, without accents, without what nobody sees, look-alike letters as what they look like, tag characters as the
 *  letters they stand for. A character of a script without spaces is a word. */
export function wordsOf(text: string, steps: Steps): Word[] {
  const words: Word[] = [];
  let from = -1;
  let word = "";
  let to = 0;
  let begins = true;
  const end = (): void => {
    if (from >= 0 && word.length <= MAX_WORD) {
      words.push({ text: unleet(word), from, to, begins });
      begins = false;
    }
    from = -1;
    word = "";
  };
  for (let at = 0; at < text.length; ) {
    steps.count += 1;
    const unit = text.charCodeAt(at);
    // Nearly every character of nearly every text.
    if (unit < 0x80) {
      const plain = ASCII[unit] ?? null;
      if (plain === null) {
        if (from >= 0) end();
        begins ||= unit === 0x0a || unit === 0x2e || unit === 0x3a || unit === 0x3b || unit === 0x21 || unit === 0x3f;
      } else if (plain !== "") {
        if (from < 0) from = at;
        if (word.length <= MAX_WORD) word += plain;
        to = at + 1;
      }
      at += 1;
      continue;
    }
    const code = text.codePointAt(at) ?? 0;
    const next = at + (code > 0xffff ? 2 : 1);
    const letters = lettersOf(code);
    if (letters === null) end();
    else if (letters !== "") {
      if (isAlone(code)) {
        end();
        words.push({ text: letters, from: at, to: next, begins });
        begins = false;
      } else {
        if (from < 0) from = at;
        if (word.length <= MAX_WORD) word += letters;
        to = next;
      }
    }
    at = next;
  }
  end();
  return words;
}

/** @returns "": nothing is seen of it; null: it stands between words. */
function lettersOf(code: number): string | null {
  if (code < 0x80) return ASCII[code] ?? null;
  if (code === 0x2019 || isUnseen(code)) return "";
  if (code >= 0xe0020 && code <= 0xe007e) return lettersOf(code - 0xe0000);
  if (code >= 0xff01 && code <= 0xff5e) return lettersOf(code - 0xfee0);
  const alike = LOOKALIKES.get(code);
  if (alike !== undefined) return alike;
  const character = String.fromCodePoint(code);
  // Mathematical letters, and those in circles: one each.
  const plain =
    (code >= 0x1d400 && code <= 0x1d7ff) || (code >= 0x2460 && code <= 0x24ff)
      ? character.normalize("NFKC")
      : character;
  const letter = plain.normalize("NFD").charAt(0).toLowerCase();
  if (MARK.test(plain)) return "";
  if (code > 0xffff && plain === character) return isAlone(code) ? character : null;
  return /\p{L}|\p{N}/u.test(letter) ? letter : null;
}

/** Scripts that are written without spaces: Han, kana, Thai. */
function isAlone(code: number): boolean {
  return (
    (code >= 0x0e00 && code <= 0x0e7f) ||
    (code >= 0x3040 && code <= 0x30ff) ||
    (code >= 0x3400 && code <= 0x9fff) ||
    (code >= 0x20000 && code <= 0x3ffff)
  );
}

/** Has it no shape and no width? */
export function isUnseen(code: number): boolean {
  return (
    code === 0xad ||
    code === 0x34f ||
    code === 0x61c ||
    code === 0x180e ||
    (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x202a && code <= 0x202e) ||
    (code >= 0x2060 && code <= 0x206f) ||
    (code >= 0xfe00 && code <= 0xfe0f) ||
    code === 0xfeff ||
    code === 0xe0001 ||
    code === 0xe007f ||
    (code >= 0xe0100 && code <= 0xe01ef)
  );
}

/** `1gn0re` is read as `ignore`; a number stays one. */
function unleet(word: string): string {
  if (!/[a-z]/.test(word) || !/[0-9@$]/.test(word)) return word;
  return word.replaceAll(/[0-9@$]/g, (sign) => LEET[sign] ?? sign);
}
