import * as z from "zod/mini";

/** Text that survives UTF-8: a lone surrogate would be shown as one thing and written as another. */
const Text = z.string().check(z.refine((text) => text.isWellFormed(), "holds half a character"));

/** Agents below the one that a person talks with. */
export const MAX_DEPTH = 2;
/** Of a task, in characters. */
export const MAX_TASK = 32_768;
export const MAX_ROUNDS = 20;
export const MAX_SECONDS = 900;

/** A part of the work, given to an agent of its own. */
export const AgentSpawn = z.strictObject({
  type: z.literal("agent.spawn"),
  task: Text.check(z.minLength(1), z.maxLength(MAX_TASK)),
  /** What it has, and nothing else: names in their order. */
  tools: z.array(z.string().check(z.regex(/^[a-z][a-z0-9_]{0,63}$/))).check(z.maxLength(64)),
  rounds: z.int().check(z.gte(1), z.lte(MAX_ROUNDS)),
  seconds: z.int().check(z.gte(1), z.lte(MAX_SECONDS)),
  /** How many agents stand above it. */
  depth: z.int().check(z.gte(1), z.lte(MAX_DEPTH)),
});
