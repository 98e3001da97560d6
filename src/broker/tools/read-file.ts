import * as z from "zod/mini";
import { defineTool, PathArgument, fileAt } from "./tool.ts";

export const readFile = defineTool({
  name: "read_file",
  description: "Reads lines of a text file in the workspace. At most 64 KiB are shown; read a large file in pieces.",
  schema: z.strictObject({
    path: PathArgument,
    offset: z._default(z.int().check(z.gte(1)), 1).check(z.describe("The first line wanted, from 1.")),
    limit: z._default(z.int().check(z.gte(1), z.lte(10_000)), 2000).check(z.describe("How many lines.")),
  }),
  prepare: ({ path, offset, limit }, turn, look) => {
    const { located, at } = fileAt(turn, path, look);
    return {
      type: "file.read",
      ...at,
      path: located.path,
      offset,
      limit,
    };
  },
});
