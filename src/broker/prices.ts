import shipped from "./prices.json" with { type: "json" };

/** What a model costs, in US dollars for a million tokens. */
export interface Price {
  readonly input: number;
  readonly output: number;
  /** All tokens of a request with more than so many input tokens cost this. */
  readonly above?: { readonly tokens: number; readonly input: number; readonly output: number } | undefined;
}
interface ProviderPrices {
  /** Where the provider says it. */
  readonly source: string;
  /** As of which day. It was reported by others, and not read at the source: a provider's page says what it costs today. */
  readonly asOf: string;
  readonly models: Readonly<Record<string, Price>>;
}

/** The prices that we ship: enough to stop a runaway by, not a bill. `prices` of the configuration goes before them. */
export const PRICES: Readonly<Record<string, ProviderPrices>> = shipped.providers;

/** What a dated snapshot of a model is called by beside it: it costs what the model does. */
const SNAPSHOT = /-(?:\d{8}|\d{4}|\d{4}-\d\d-\d\d|latest)$/;

/** @returns the price that we ship for a model, or null. */
export function shippedPrice(provider: string, model: string): Price | null {
  const models = own(PRICES, provider)?.models;
  return own(models, model) ?? own(models, model.replace(SNAPSHOT, "")) ?? null;
}

/** Millionths of a US dollar for the tokens of one call, rounded up. */
export function costOf(price: Price, inputTokens: number, outputTokens: number): number {
  const { input, output } = price.above !== undefined && inputTokens > price.above.tokens ? price.above : price;
  return Math.ceil(inputTokens * input + outputTokens * output);
}

/** A provider may name a model `constructor`. */
function own<T>(table: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return table !== undefined && Object.hasOwn(table, name) ? table[name] : undefined;
}
