import { usage } from "./command-error.ts";

/** @throws {CommandError} naming the option. */
export function wholeNumber(text: string, option: string): number {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw usage(`${option} takes a whole number, not ${text}`);
  return number;
}

/** A row's number, with or without its #. */
export function seqOf(text: string): number {
  const number = /^#?\d{1,15}$/.test(text) ? Number(text.replace("#", "")) : Number.NaN;
  if (!Number.isSafeInteger(number))
    throw usage(`${text} is not a row's number`, "it stands in front of each row: wirken audit log");
  return number;
}
