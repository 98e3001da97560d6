import * as z from "zod/mini";
import { unifiedDiff } from "../diff.ts";
import { ArgumentsError, checkWritable, defineTool, PathArgument, fileAt } from "./tool.ts";

/** Bytes of a file that is written. */
export const MAX_CONTENT = 1024 * 1024;

export const writeFile = defineTool({
  name: "write_file",
  description:
    "Writes a whole text file in the workspace, and makes the directories it needs. Somebody may be asked first. To change part of a file use edit_file.",
  schema: z.strictObject({
    path: PathArgument,
    content: z.string().check(z.describe("The whole file as it is to be, at most 1 MiB.")),
  }),
  prepare: ({ path, content }, turn, look) => {
    checkContent(content);
    const { located, at } = fileAt(turn, path, look);
    checkWritable(located);
    const base = look.base(
      at.outside === true ? { workspace: "/", folders: [] } : turn,
      located.path,
      at.outside === true,
    );
    return {
      type: "file.write",
      tool: "write_file",
      ...at,
      path: located.path,
      protected: located.protected,
      base: base?.digest ?? null,
      // Of a new file everything is new: its content says it once.
      diff: base === null ? "" : unifiedDiff(base.text, content),
      content,
    };
  },
});

/** @throws {ArgumentsError} for what cannot be written as it is shown. */
export function checkContent(content: string): void {
  if (!content.isWellFormed()) throw new ArgumentsError("the content holds half a character (a lone surrogate)");
  const bytes = Buffer.byteLength(content);
  if (bytes > MAX_CONTENT)
    throw new ArgumentsError(`the file would have ${bytes} bytes, and at most ${MAX_CONTENT} are written at once`);
}
