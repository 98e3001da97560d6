import * as z from "zod/mini";
import { MAX_MEMORY_TEXT } from "../../effect/action.ts";
import { ArgumentsError, defineTool } from "./tool.ts";

export const memoryWrite = defineTool({
  name: "memory_write",
  description:
    "Keeps a short text for later conversations with the person you are talking to. Nobody else's conversations see it. Keep what will matter again, one thing an entry; no secrets.",
  schema: z.strictObject({
    text: z
      .string()
      .check(
        z.minLength(1),
        z.describe(`What is to be kept, at most ${MAX_MEMORY_TEXT} bytes. It will be read without this conversation.`),
      ),
    replaces: z
      .optional(z.string().check(z.maxLength(40)))
      .check(z.describe("The id of an entry, as memory_read shows it, that this takes the place of.")),
  }),
  prepare: ({ text, replaces }, { agent, principal, channel, labels }) => {
    if (!text.isWellFormed()) throw new ArgumentsError("text holds half a character (a lone surrogate)");
    const bytes = Buffer.byteLength(text);
    if (bytes > MAX_MEMORY_TEXT)
      throw new ArgumentsError(`text has ${bytes} bytes, and at most ${MAX_MEMORY_TEXT} are kept as one entry`);
    return {
      type: "memory.write",
      agent,
      principal,
      channel,
      text,
      replaces: replaces ?? null,
      untrusted: labels.now.untrusted,
      private: [...labels.now.private],
    };
  },
});
