/** List prices of the providers themselves, in US dollars for a million tokens, without what caches and batches save: enough to stop a runaway by,
 *  not a bill. A model that is not here falls under the token limit. */
export const PRICES_AS_OF = "2026-03-21";

interface Price {
  readonly input: number;
  readonly output: number;
}

/** @see https://docs.claude.com/en/docs/about-claude/pricing
 *  @see https://platform.openai.com/docs/pricing */
export const PRICES: Readonly<Record<string, Readonly<Record<string, Price>>>> = {
  anthropic: {
    "claude-opus-4-6": { input: 5, output: 25 },
    "claude-opus-4-5": { input: 5, output: 25 },
    "claude-opus-4-1": { input: 15, output: 75 },
    "claude-sonnet-4-6": { input: 3, output: 15 },
    "claude-sonnet-4-5": { input: 3, output: 15 },
    "claude-sonnet-4": { input: 3, output: 15 },
    "claude-haiku-4-5": { input: 1, output: 5 },
    "claude-3-5-haiku": { input: 0.8, output: 4 },
  },
  openai: {
    "gpt-5": { input: 1.25, output: 10 },
    "gpt-5-mini": { input: 0.25, output: 2 },
    "gpt-5-nano": { input: 0.05, output: 0.4 },
    "gpt-4.1": { input: 2, output: 8 },
    "gpt-4.1-mini": { input: 0.4, output: 1.6 },
    "gpt-4.1-nano": { input: 0.1, output: 0.4 },
    "gpt-4o": { input: 2.5, output: 10 },
    "gpt-4o-mini": { input: 0.15, output: 0.6 },
  },
};

/** A dated snapshot of a model costs what the model does. */
const SNAPSHOT = /-(?:\d{8}|\d{4}-\d\d-\d\d|latest)$/;

/** Millionths of a US dollar for tokens of a model. @returns null where the price is not known. */
export function costOf(provider: string, model: string, inputTokens: number, outputTokens: number): number | null {
  const price = own(own(PRICES, provider), model) ?? own(own(PRICES, provider), model.replace(SNAPSHOT, ""));
  if (price === undefined) return null;
  return Math.ceil(inputTokens * price.input + outputTokens * price.output);
}

/** A provider may name a model `constructor`. */
function own<T>(table: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return table !== undefined && Object.hasOwn(table, name) ? table[name] : undefined;
}
