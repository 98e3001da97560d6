import * as z from "zod";
import { defineTool, PathArgument } from "./tool.ts";

export const listFiles = defineTool({
  name: "list_files",
  description:
    "Lists a directory of the workspace: one entry a line, directories end in /, files with their size in bytes.",
  schema: z.strictObject({
    path: PathArgument.default("."),
    depth: z.int().min(1).max(5).default(1).describe("1: this directory only; more: the directories in it as well."),
  }),
  prepare: ({ path, depth }, workspace, look) => ({
    type: "file.list",
    workspace,
    path: look.locate(workspace, path).path,
    depth,
  }),
});
