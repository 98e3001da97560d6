import { visibleLine, visibleLines } from "../visible.ts";

/** What cards are made of. */

/** One value on one line; a bar stands before it, so that leading spaces show. */
export function line(label: string, value: string): string {
  return `  ${label} | ${visibleLine(value)}`;
}

/** A text of any length, whole. */
export function block(label: string, text: string): string {
  const shown = visibleLines(text);
  return lines(`  ${label} (${Buffer.byteLength(text)} bytes, ${shown.length} lines)`, ...shown);
}

export function place(workspace: string, reach: string): string[] {
  return [line("workspace", workspace), `  reach: ${reach}`];
}

export function lines(...all: readonly string[]): string {
  return all.join("\n");
}
