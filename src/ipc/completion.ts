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

/** What a model can be shown beside words. */
export const ShownMedia = z.enum(["image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf"]);
export type ShownMedia = z.infer<typeof ShownMedia>;
/** Of one message. */
export const MAX_SHOWN = 10;
/** Of one file that a model is shown, in bytes: the rest of a request of 32 MiB that holds it as base64 is words. */
export const MAX_SHOWN_BYTES = 20 * 1024 * 1024;

/** A file that goes with a message, by what its bytes are: they themselves go from the supervisor to the model process and nowhere else. `media` is what the
 *  bytes show, never what a name says. */
export const ShownFile = z.strictObject({
  sha256: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  media: ShownMedia,
  bytes: z.int().check(z.gte(1), z.lte(MAX_SHOWN_BYTES)),
});
export type ShownFile = z.infer<typeof ShownFile>;

/** Left out where there are none: what a message without any is committed to is what it always was. */
export const ShownFiles = z.optional(z.array(ShownFile).check(z.minLength(1), z.maxLength(MAX_SHOWN)));

export const ChatMessage = z.discriminatedUnion("role", [
  z.strictObject({ role: z.literal("user"), text: z.string(), files: ShownFiles }),
  z.strictObject({ role: z.literal("assistant"), text: z.string(), calls: z.array(ToolCall) }),
  z.strictObject({
    role: z.literal("tool"),
    call: z.string().check(z.maxLength(200)),
    name: z.string().check(z.maxLength(200)),
    text: z.string(),
    files: ShownFiles,
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
