import { printable } from "./printable.ts";

/** Lays rows out in columns, two spaces apart, the last one as long as it likes. Cells are made safe to show. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  return new GrowingTable(headings).lines(rows);
}

/** A table whose rows come one after another: each stands under those before it, and a longer cell makes its column wider from then on. */
export class GrowingTable {
  readonly #headings: readonly string[];
  readonly #widths: number[];

  /** @param least how wide columns are at least, in characters: what is still to come seldom moves them then. */
  constructor(headings: readonly string[], least: readonly number[] = []) {
    this.#headings = headings;
    this.#widths = headings.map((heading, column) => Math.max(widthOf(heading), least[column] ?? 0));
  }

  /** These rows under the headings. */
  lines(rows: readonly (readonly string[])[]): string {
    for (const row of rows) this.#makeRoom(row);
    return [this.#headings, ...rows].map((row) => this.#line(row)).join("\n");
  }

  /** One more. */
  line(row: readonly string[]): string {
    this.#makeRoom(row);
    return this.#line(row);
  }

  #makeRoom(row: readonly string[]): void {
    for (const [column, cell] of row.entries())
      this.#widths[column] = Math.max(this.#widths[column] ?? 0, widthOf(printable(cell)));
  }

  #line(row: readonly string[]): string {
    return row
      .map((cell) => printable(cell))
      .map((cell, column) =>
        column === row.length - 1 ? cell : cell + " ".repeat((this.#widths[column] ?? 0) - widthOf(cell)),
      )
      .join("  ")
      .trimEnd();
  }
}

/** East Asian wide characters and emoji take two columns. */
const WIDE =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/u;

function widthOf(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += WIDE.test(segment) ? 2 : 1;
  return width;
}

/** `name  value` lines, the values under each other; a value of several lines stays in its column. */
export function pairs(entries: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(0, ...entries.map(([name]) => name.length));
  return entries
    .map(([name, value]) => {
      const lines = value.split("\n").map((line) => printable(line));
      return `${name.padEnd(width)}  ${lines.join(`\n${" ".repeat(width + 2)}`)}`;
    })
    .join("\n");
}
