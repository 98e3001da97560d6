import { usage } from "./command-error.ts";

/** Amounts as a person writes and reads them. */

/** Millionths of a US dollar. @throws {CommandError} naming the option. */
export function dollars(text: string, option: string): number {
  if (!/^\d{1,6}(\.\d{1,6})?$/.test(text)) throw usage(`${option} takes US dollars, not ${text}`, "such as 5 or 0.50");
  return Math.round(Number(text) * 1e6);
}

/** @throws {CommandError} naming the option. */
export function tokens(text: string, option: string): number {
  const plain = text.replaceAll(/[_,]/g, "");
  if (!/^\d{1,12}$/.test(plain)) throw usage(`${option} takes a number of tokens, not ${text}`, "such as 2000000");
  return Number(plain);
}

/** `$4.20` or `8,100 tokens`; less than a cent to the millionth. */
export function amount(unit: "usd" | "tokens", value: number): string {
  if (unit === "tokens") return `${value.toLocaleString("en-US")} tokens`;
  const cents = value % 10_000 === 0 || value >= 1e6;
  return `$${(value / 1e6).toFixed(cents ? 2 : 4)}`;
}
