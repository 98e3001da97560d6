import { nearest } from "../config/nearest.ts";

/** Says an error of the command line's parser in our words.
 *  @param namesAfter the commands that may stand behind the given words. */
export function usageText(
  message: string,
  words: readonly string[],
  namesAfter: (prefix: readonly string[]) => readonly string[],
): { sentence: string; hint: string | null } {
  const plain = message.replace(/^error: /, "").replaceAll("'", "");
  const unknown = /^unknown command (\S+)/.exec(plain)?.[1];
  const known = unknown === undefined ? [] : namesAfter(words.slice(0, words.indexOf(unknown)));
  const near = unknown === undefined ? null : nearest(unknown, known);
  const [sentence = plain] = plain.split("\n", 1);
  if (near !== null) return { sentence, hint: `did you mean ${near}?` };
  if (known.length > 0) return { sentence, hint: `commands: ${known.join(", ")}` };
  const command = words.filter((word) => !word.startsWith("-")).slice(0, 2);
  return {
    sentence,
    hint: `see: ${["wirken", ...command.filter((word) => /^[a-z]+$/.test(word)), "--help"].join(" ")}`,
  };
}
