/** Characters that a terminal obeys, or that make a line look like another: controls, and what turns the direction of writing. */
const OBEYED = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
}

/** One line, safe to show: whatever a terminal would obey is written out. */
export function printable(text: string): string {
  return text.replaceAll(OBEYED, escaped);
}

/** The same for text that may have lines and tabs of its own, such as an agent's reply. */
export function printableLines(text: string): string {
  return text.replaceAll(OBEYED, (character) =>
    character === "\n" || character === "\t" ? character : escaped(character),
  );
}
