import * as z from "zod/mini";
import { Name } from "./ids.ts";
import { ModelRef } from "./provider.ts";

/** What the owner may ask about models. */

export const MODEL_CALLS = [
  /** What each provider in reach offers; of one of them only. */
  z.strictObject({ call: z.literal("models.list"), provider: z.nullable(Name) }),
  /** Asks a model two small questions, which cost what they cost. */
  z.strictObject({ call: z.literal("models.test"), model: ModelRef }),
  /** The model that an agent talks to from its next turn on. */
  z.strictObject({ call: z.literal("models.use"), model: ModelRef, agent: Name }),
] as const;

const ProviderView = z.strictObject({
  provider: z.string(),
  /** `silent`: it did not say what it has. */
  state: z.enum(["answers", "silent", "no-key", "refused"]),
  /** One sentence when something is to be done. */
  note: z.nullable(z.string()),
  /** On this machine: it costs nothing. */
  local: z.boolean(),
  /** Newest first, where the provider says when. Of what it can do null: it does not say. `agents`: who uses it. */
  models: z.array(
    z.strictObject({
      id: z.string(),
      tools: z.nullable(z.boolean()),
      images: z.nullable(z.boolean()),
      pdfs: z.nullable(z.boolean()),
      /** What its context holds, in tokens. */
      window: z.nullable(z.int()),
      modified: z.nullable(z.string()),
      agents: z.array(z.string()),
    }),
  ),
});
export type ProviderView = z.infer<typeof ProviderView>;

export const MODEL_ANSWERS = {
  "models.list": z.strictObject({ providers: z.array(ProviderView) }),
  "models.test": z.strictObject({
    /** As the provider names it. */
    model: z.string(),
    /** Did it answer in words? */
    text: z.boolean(),
    /** In so many pieces. */
    pieces: z.int(),
    /** Did it call the tool that it was asked to call? */
    tools: z.boolean(),
    /** Why not. */
    why: z.nullable(z.string()),
    inputTokens: z.int(),
    outputTokens: z.int(),
    ms: z.int(),
  }),
  "models.use": z.strictObject({
    agent: z.string(),
    model: z.string(),
    before: z.string(),
    /** Where the provider does not list it. */
    note: z.nullable(z.string()),
  }),
} as const;
