import * as z from "zod/mini";
import { placed } from "../../effect/action.ts";
import { defineTool, PathArgument, placeOfPath } from "./tool.ts";

export const listFiles = defineTool({
  name: "list_files",
  description:
    "Lists a directory of the workspace: one entry a line, directories end in /, files with their size in bytes.",
  schema: z.strictObject({
    path: z._default(PathArgument, "."),
    depth: z
      ._default(z.int().check(z.gte(1), z.lte(5)), 1)
      .check(z.describe("1: this directory only; more: the directories in it as well.")),
  }),
  prepare: ({ path, depth }, turn, look) => {
    const located = look.locate(turn, path);
    return {
      type: "file.list",
      ...placed(placeOfPath(turn, located)),
      path: located.path,
      depth,
    };
  },
});
