import * as z from "zod/mini";
import { MAX_FOUND } from "../../effect/action.ts";
import { ArgumentsError, defineTool } from "./tool.ts";

export const memoryRead = defineTool({
  name: "memory_read",
  description:
    "Finds what was kept with memory_write for the person you are talking to, by words, the best first; without words the newest. What was kept on other channels is asked for first.",
  schema: z.strictObject({
    query: z
      .optional(z.string().check(z.minLength(1), z.maxLength(500)))
      .check(z.describe("Words that stand in it; their beginnings are enough.")),
    other_channels: z
      ._default(z.boolean(), false)
      .check(z.describe("Also what was kept when this person spoke on another channel? Somebody is asked first.")),
    limit: z._default(z.int().check(z.gte(1), z.lte(MAX_FOUND)), 10).check(z.describe("Entries that are shown.")),
  }),
  prepare: ({ query, other_channels, limit }, { agent, principal, channel }) => {
    if (query?.isWellFormed() === false) throw new ArgumentsError("query holds half a character (a lone surrogate)");
    return {
      type: "memory.read",
      agent,
      principal,
      channel,
      everywhere: other_channels,
      query: query ?? null,
      limit,
    };
  },
});
