import * as z from "zod/mini";
import { Name } from "./ids.ts";
import { ModelRef } from "./provider.ts";

/** What the owner may ask about models. */

/** US dollars for a million tokens. */
const Dollars = z.number().check(z.gte(0), z.lte(100_000));

export const MODEL_CALLS = [
  /** What each provider in reach offers; of one of them only. */
  z.strictObject({ call: z.literal("models.list"), provider: z.nullable(Name) }),
  /** Asks a model three small questions, which cost what they cost. */
  z.strictObject({ call: z.literal("models.test"), model: ModelRef }),
  /** The model that an agent talks to from its next turn on. */
  z.strictObject({ call: z.literal("models.use"), model: ModelRef, agent: Name }),
  /** The models that are asked where an agent's own is not there; none: it has none to fall back on. */
  z.strictObject({ call: z.literal("models.fall-back"), models: z.array(ModelRef).check(z.maxLength(8)), agent: Name }),
  /** What a model costs; null: every model that an agent has, and every price that the configuration gives. */
  z.strictObject({ call: z.literal("models.price"), model: z.nullable(ModelRef) }),
  /** The configuration's own price from now on; null: it gives none any more. */
  z.strictObject({
    call: z.literal("models.price.set"),
    model: ModelRef,
    price: z.nullable(
      z.strictObject({ input: Dollars, output: Dollars, source: z.nullable(z.string().check(z.maxLength(200))) }),
    ),
  }),
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

const PriceView = z.strictObject({
  model: z.string(),
  /** Null: it is not known. */
  input: z.nullable(z.number()),
  output: z.nullable(z.number()),
  /** `local`: it is on this machine. */
  from: z.enum(["config", "shipped", "local", "nobody"]),
  /** As of which day, and where that is said. */
  asOf: z.nullable(z.string()),
  source: z.nullable(z.string()),
  /** What we ship for it, where the configuration says something else. */
  shipped: z.nullable(z.strictObject({ input: z.number(), output: z.number(), asOf: z.string() })),
});
export type PriceView = z.infer<typeof PriceView>;

export const MODEL_ANSWERS = {
  "models.fall-back": z.strictObject({
    agent: z.string(),
    models: z.array(z.string()),
    before: z.array(z.string()),
    /** Where one of them cannot be asked now, or has no price. */
    notes: z.array(z.string()),
  }),
  "models.price": z.strictObject({ prices: z.array(PriceView) }),
  "models.price.set": z.strictObject({ price: PriceView }),
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
    /** Did it see what a picture shows? */
    images: z.boolean(),
    whyImages: z.nullable(z.string()),
    /** What its provider showed of itself; null: it shows nothing. */
    attested: z.nullable(
      z.strictObject({ holds: z.boolean(), evidence: z.string(), manifest: z.nullable(z.string()) }),
    ),
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
