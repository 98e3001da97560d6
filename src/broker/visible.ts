/** Text made visible to the last character, for people who decide by what they see. Injective: two texts that differ are shown differently. */

/** Shown as `\u{…}`: what has no shape of its own (controls, formatting and bidirectional marks, zero-width and blank characters, surrogates, private
 *  and unassigned characters, every space but the plain one), and the backtick, which ends preformatted text on chat platforms. */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}`\u2800]|(?! )\p{Zs}/gu;
const TRAILING_SPACES = / +$/;

/** One line: no line break of any kind is left in it. */
export function visibleLine(text: string): string {
  // Two sequences that look the same (a letter with its accent, and the two of them apart) differ in this form only.
  const composed = text.isWellFormed() && text.normalize("NFC") === text;
  return text
    .replaceAll("\\", "\\\\")
    .replaceAll("\n", "\\n")
    .replaceAll("\t", "\\t")
    .replace(INVISIBLE, escaped)
    .replace(composed ? /(?!)/u : /[^\x20-\x7e]/gu, escaped)
    .replace(TRAILING_SPACES, (spaces) => "\\u{20}".repeat(spaces.length));
}

/** A text of any length, one line each under a bar; a text without a last line break says so. Empty: no line at all. */
export function visibleLines(text: string): string[] {
  if (text === "") return [];
  const lines = text.split("\n");
  const ended = lines.at(-1) === "";
  if (ended) lines.pop();
  // Tabs stay readable as what they are: `\t`.
  return [...lines.map((line) => `  | ${visibleLine(line)}`), ...(ended ? [] : ["  \\ no line break at the end"])];
}

function escaped(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
