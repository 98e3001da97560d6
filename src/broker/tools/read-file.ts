import * as z from "zod";
import { defineTool, PathArgument } from "./tool.ts";

export const readFile = defineTool({
  name: "read_file",
  description: "Reads lines of a text file in the workspace. At most 64 KiB are shown; read a large file in pieces.",
  schema: z.strictObject({
    path: PathArgument,
    offset: z.int().min(1).default(1).describe("The first line wanted, from 1."),
    limit: z.int().min(1).max(10_000).default(2000).describe("How many lines."),
  }),
  prepare: ({ path, offset, limit }, workspace, look) => ({
    type: "file.read",
    workspace,
    path: look.locate(workspace, path).path,
    offset,
    limit,
  }),
});
