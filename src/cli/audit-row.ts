import type { RowView } from "../ipc/audit-calls.ts";
import { moment } from "./moment.ts";
import { printable, printableLines } from "./printable.ts";
import { pairs, table } from "./table.ts";

/** Rows of the log, one line each. */
export function rowLines(rows: readonly RowView[]): string {
  return table(["row", "time", "kind", "cause", "what"], rows.map(cellsOf));
}

/** Columns of a line that comes alone: most rows fit, a longer cell moves what follows. */
const WIDTHS = [8, 19, 22, 8] as const;

/** One row as it comes, under the others. */
export function rowLine(row: RowView): string {
  return cellsOf(row)
    .map((cell, column) => printable(cell).padEnd(WIDTHS[column] ?? 0))
    .join("  ")
    .trimEnd();
}

function cellsOf({ seq, at, kind, cause, fields }: RowView): string[] {
  return [
    `#${seq}`,
    moment(at),
    kind,
    cause === null ? "-" : `#${cause}`,
    Object.entries(fields)
      .filter(([name, value]) => value !== null && !isDigest(value) && name !== "nonce")
      .map(([name, value]) => `${name}=${plain(value)}`)
      .join(" "),
  ];
}

/** One row with everything in it. */
export function rowText({ seq, at, kind, cause, fields, content }: RowView): string {
  const parts = [
    pairs([
      ["row", `#${seq}`],
      ["time", `${moment(at)} (${at})`],
      ["kind", kind],
      ["cause", cause === null ? "-" : `#${cause}`],
      ...Object.entries(fields).map(([name, value]): [string, string] => [name, plain(value)]),
    ]),
  ];
  for (const [name, text] of Object.entries(content)) {
    parts.push(`${printable(name)}:\n${text === null ? "  (erased, or the vault is locked)" : indented(text)}`);
  }
  return parts.join("\n\n");
}

function indented(text: string): string {
  return printableLines(text)
    .split("\n")
    .map((line) => `  ${line}`.trimEnd())
    .join("\n");
}

function plain(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function isDigest(value: unknown): boolean {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}
