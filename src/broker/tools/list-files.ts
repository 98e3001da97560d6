import * as z from "zod/mini";
import { defineTool, PathArgument } from "./tool.ts";

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
  prepare: ({ path, depth }, workspace, look) => ({
    type: "file.list",
    workspace,
    path: look.locate(workspace, path).path,
    depth,
  }),
});
