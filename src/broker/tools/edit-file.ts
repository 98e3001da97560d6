import * as z from "zod/mini";
import { unifiedDiff } from "../diff.ts";
import { ArgumentsError, checkWritable, defineTool, PathArgument, fileAt } from "./tool.ts";
import { checkContent } from "./write-file.ts";

export const editFile = defineTool({
  name: "edit_file",
  description:
    "Replaces a piece of a text file in the workspace by another. The piece must stand there exactly once, or `all` be true. Somebody may be asked first.",
  schema: z.strictObject({
    path: PathArgument,
    old: z
      .string()
      .check(z.minLength(1), z.describe("The piece as it stands in the file, with its line breaks and spaces.")),
    new: z.string().check(z.describe("What is to stand there instead.")),
    all: z._default(z.boolean(), false).check(z.describe("Replace every occurrence.")),
  }),
  prepare: (given, turn, look) => {
    const { located, at } = fileAt(turn, given.path, look);
    checkWritable(located);
    const base = look.base(
      at.outside === true ? { workspace: "/", folders: [] } : turn,
      located.path,
      at.outside === true,
    );
    if (base === null) throw new ArgumentsError(`${located.path} does not exist: use write_file to make it`);
    const pieces = base.text.split(given.old);
    const found = pieces.length - 1;
    if (found === 0)
      throw new ArgumentsError(
        `old does not stand in ${located.path}: read the file and give the piece exactly as it is`,
      );
    if (found > 1 && !given.all) {
      throw new ArgumentsError(`old stands ${found} times in ${located.path}: give a longer piece, or set all to true`);
    }
    const content = pieces.join(given.new);
    if (content === base.text) throw new ArgumentsError("old and new are the same: nothing would change");
    checkContent(content);
    return {
      type: "file.write",
      tool: "edit_file",
      ...at,
      path: located.path,
      protected: located.protected,
      base: base.digest,
      diff: unifiedDiff(base.text, content),
      content,
    };
  },
});
