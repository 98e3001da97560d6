import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import * as z from "zod/mini";
import { type ChatMessage, MAX_SHOWN, ShownFile } from "../ipc/completion.ts";
import type { RequestFile } from "../effect/request.ts";
import type { FileLine } from "./belongings.ts";

/** A file that came with a message and that a model may be shown, and the row that holds its bytes. */
const HeldFile = z.extend(ShownFile, { row: z.int().check(z.gte(0)) });
export type HeldFile = z.infer<typeof HeldFile>;

/** Of one conversation, in bytes: each request holds them all, as base64. */
const MAX_SHOWN_AT_ONCE = 20 * 1024 * 1024;

/** Those of the files of a message that a model may be shown; the others it finds in the inbox.
 *  @param before bytes of those that are in the conversation already: a request shows them all. */
export function shownOf(lines: readonly FileLine[], before: number): HeldFile[] {
  const shown: HeldFile[] = [];
  let bytes = before;
  for (const line of lines) {
    const file = "path" in line ? (line.shown ?? null) : null;
    if (file === null || shown.length === MAX_SHOWN || bytes + file.bytes > MAX_SHOWN_AT_ONCE) continue;
    if (shown.some(({ sha256 }) => sha256 === file.sha256)) continue;
    shown.push(file);
    bytes += file.bytes;
  }
  return shown;
}

/** As a message's row keeps them: nothing where there are none. */
export function shownFor(shown: readonly HeldFile[]): { shown?: string } {
  return shown.length === 0 ? {} : { shown: JSON.stringify(shown) };
}

/** Those that a row `message.told` names. */
export function shownIn(row: CommittedRow | null): HeldFile[] {
  const json = row?.action.kind === "message.told" ? row.content("shown") : null;
  return json === null ? [] : z.array(HeldFile).parse(JSON.parse(json));
}

/** As they stand in a message; left out where there are none. */
export function messageFiles(shown: readonly HeldFile[]): { files?: ShownFile[] } {
  if (shown.length === 0) return {};
  return { files: shown.map(({ sha256, media, bytes }) => ({ sha256, media, bytes })) };
}

/** How the bytes of one are had; null: they were erased. */
export function readerOf(log: Pick<AuditLog, "row">, { row }: HeldFile): RequestFile["read"] {
  return async () => await Promise.resolve(log.row(row)?.bytes("bytes") ?? null);
}

/** Bytes of all files that messages show. */
export function bytesShown(messages: readonly ChatMessage[]): number {
  return messages
    .flatMap((message) => (message.role === "assistant" ? [] : (message.files ?? [])))
    .reduce((sum, { bytes }) => sum + bytes, 0);
}
