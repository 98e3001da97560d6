import * as z from "zod/mini";

/** What agent and model process say to each other, through a supervisor that hashes and forwards it but never parses it. It goes item by item: items.ts. */

/** Items of one request: its setup and its messages. */
export const MAX_ITEMS = 100_000;

/** A tool as the model is shown it; `parameters` is a JSON schema. */
export const ToolDescription = z.strictObject({
  name: z.string().check(z.regex(/^[a-z][a-z0-9_]{0,63}$/)),
  description: z.string().check(z.maxLength(8192)),
  parameters: z.record(z.string(), z.unknown()),
});
export type ToolDescription = z.infer<typeof ToolDescription>;

/** Characters of what a provider wants back unread. */
export const MAX_OPAQUE = 65_536;

/** A tool call as a model asks for it. `arguments` is the model's own JSON text: it may be anything. `opaque` is what its provider wants to see again
 *  with it (Gemini's thought signature): nobody else reads it. */
export const ToolCall = z.strictObject({
  id: z.string().check(z.maxLength(200)),
  name: z.string().check(z.maxLength(200)),
  arguments: z.string(),
  opaque: z.optional(z.string().check(z.minLength(1), z.maxLength(MAX_OPAQUE))),
});
export type ToolCall = z.infer<typeof ToolCall>;

export const ChatMessage = z.discriminatedUnion("role", [
  z.strictObject({ role: z.literal("user"), text: z.string() }),
  z.strictObject({ role: z.literal("assistant"), text: z.string(), calls: z.array(ToolCall) }),
  z.strictObject({
    role: z.literal("tool"),
    call: z.string().check(z.maxLength(200)),
    name: z.string().check(z.maxLength(200)),
    text: z.string(),
  }),
]);
export type ChatMessage = z.infer<typeof ChatMessage>;

export const CompletionRequest = z.strictObject({
  instructions: z.string(),
  messages: z.array(ChatMessage),
  tools: z.array(ToolDescription),
});
export type CompletionRequest = z.infer<typeof CompletionRequest>;

export const Answer = z.strictObject({ text: z.string(), calls: z.array(ToolCall) });
export type Answer = z.infer<typeof Answer>;
