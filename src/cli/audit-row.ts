import { KINDS } from "../../audit/action.ts";
import type { RowView } from "../ipc/audit-calls.ts";
import { moment } from "./moment.ts";
import { printable, printableLines } from "./printable.ts";
import type { RowsAsTheyCome } from "./rows.ts";
import { GrowingTable, pairs, table } from "./table.ts";

const HEADINGS = ["row", "time", "kind", "cause", "what"] as const;
/** How wide columns are where rows are still to come: a row of seven digits, a time, the longest kind. */
const WIDTHS = [8, 19, Math.max(...Object.keys(KINDS).map(({ length }) => length)), 11] as const;

/** Rows of the log, one line each. */
export function rowLines(rows: readonly RowView[]): string {
  return table(HEADINGS, rows.map(cellsOf));
}

/** The same one after another. @param follow more are to come. */
export function rowsAsTheyCome(follow: boolean): RowsAsTheyCome {
  const growing = new GrowingTable(HEADINGS, follow ? WIDTHS : []);
  return { lines: (rows) => growing.lines(rows.map(cellsOf)), line: (row) => growing.line(cellsOf(row)) };
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
