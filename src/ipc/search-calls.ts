import * as z from "zod/mini";

/** What the owner may ask about web search. */

export const SEARCH_CALLS = [
  /** Asks the service one question, which costs what it costs. */
  z.strictObject({ call: z.literal("search.test") }),
] as const;

export const SEARCH_ANSWERS = {
  "search.test": z.strictObject({
    service: z.string(),
    host: z.string(),
    query: z.string(),
    /** The beginning of what it answered, as an agent is given it. */
    shown: z.string(),
    ms: z.int(),
  }),
} as const;
