import type { CommittedRow } from "../../audit/log.ts";

/** Pieces of sentences about rows. */

export function where(via: string): string {
  if (via === "web") return "on the page";
  return via === "terminal" ? "on the terminal" : `on ${via}`;
}

export function quoted(row: CommittedRow, part: string): string {
  let text: string | null;
  try {
    text = row.content(part);
  } catch {
    return "[changed: this is not what the row committed to]";
  }
  if (text === null) return "[erased or locked]";
  const words = line(text);
  return `“${words.length <= 200 ? words : `${words.slice(0, 200).toWellFormed()}…`}”`;
}

export function count(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? "" : "s"}`;
}

/** One line: what a terminal would obey, and what would break the line, is blank. */
export function line(text: string): string {
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]+/gu, " ");
}
