import type { placeOf } from "../../effect/action.ts";
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

/** Where something takes place, the folders that it can reach included. */
export function place({ workspace, folders = [] }: Parameters<typeof placeOf>[0], reach: string): string[] {
  return [
    line("workspace", workspace),
    ...folders.flatMap(({ name, path, write, identity }) => [
      line(write ? "folder of it that MAY BE CHANGED" : "folder of it, only to be read", name),
      line("  which is", path),
      line("  device and inode", identity),
    ]),
    `  reach: ${reach}`,
  ];
}

export function lines(...all: readonly string[]): string {
  return all.join("\n");
}
