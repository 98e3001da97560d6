/** Splits a command into words as a person writes it: blanks separate, quotation marks and backslashes keep together.
 *  Nothing is expanded and nothing is an operator: `a | b` are three words, for a program and not for a shell.
 *  @returns null if a quotation mark is not closed. */
export function wordsOf(command: string): string[] | null {
  const words: string[] = [];
  let word: string | null = null;
  let quote: string | null = null;
  for (let at = 0; at < command.length; at++) {
    const char = command.charAt(at);
    if (char === "\\" && quote !== "'" && at + 1 < command.length) {
      word = (word ?? "") + command.charAt(++at);
    } else if (quote !== null) {
      if (char === quote) quote = null;
      else word = (word ?? "") + char;
    } else if (char === "'" || char === '"') {
      quote = char;
      word ??= "";
    } else if (/\s/.test(char)) {
      if (word !== null) words.push(word);
      word = null;
    } else {
      word = (word ?? "") + char;
    }
  }
  if (quote !== null) return null;
  return word === null ? words : [...words, word];
}
