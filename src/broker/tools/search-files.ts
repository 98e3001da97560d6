import * as z from "zod/mini";
import { placed } from "../../effect/action.ts";
import { ArgumentsError, defineTool, PathArgument, placeOfPath } from "./tool.ts";

export const searchFiles = defineTool({
  name: "search_files",
  description:
    "Finds a text in the files of the workspace: one match a line, as path:line: text, in order of path. Binary files and .git are left out.",
  schema: z.strictObject({
    pattern: z.string().check(z.minLength(1), z.maxLength(1000), z.describe("What to look for, within one line.")),
    path: z._default(PathArgument, "."),
    regexp: z
      ._default(z.boolean(), false)
      .check(
        z.describe("Is the pattern an extended regular expression, as of grep -E? Else it is taken as it stands."),
      ),
    ignore_case: z._default(z.boolean(), false).check(z.describe("Are capitals and small letters the same?")),
    files: z
      .optional(z.string().check(z.minLength(1), z.maxLength(200)))
      .check(z.describe("Only files whose name is like this, such as *.ts.")),
    limit: z._default(z.int().check(z.gte(1), z.lte(1000)), 100).check(z.describe("Matches that are shown.")),
  }),
  prepare: (given, turn, look) => {
    for (const word of [given.pattern, given.files ?? ""]) {
      if (!word.isWellFormed()) throw new ArgumentsError("pattern or files holds half a character (a lone surrogate)");
      if (/[\0\n]/.test(word))
        throw new ArgumentsError("a pattern is looked for within one line: it holds no line break");
    }
    const located = look.locate(turn, given.path);
    return {
      type: "file.search",
      ...placed(placeOfPath(turn, located)),
      path: located.path,
      pattern: given.pattern,
      regexp: given.regexp,
      ignoreCase: given.ignore_case,
      files: given.files ?? null,
      limit: given.limit,
    };
  },
});
