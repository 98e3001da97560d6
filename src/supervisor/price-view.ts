import { PRICES, type Price, shippedPrice } from "../broker/prices.ts";
import type { Config } from "../config/schema.ts";
import type { PriceView } from "../ipc/model-calls.ts";
import { splitModelRef } from "../ipc/provider.ts";
import { isLocalProvider } from "./model-choice.ts";

/** What a model costs: what the operator gives goes before what we ship, and that before that what is on this machine costs nothing: a server here may
 *  pass everything on to one that costs money, and then its owner gives the price. */
export function priceOf(config: Config, provider: string, model: string): Price | null {
  const own = Object.entries(config.prices).find(([ref]) => ref === `${provider}/${model}`)?.[1];
  return own ?? shippedPrice(provider, model) ?? (isLocalProvider(config, provider) ? { input: 0, output: 0 } : null);
}

/** The same, with where it is from. @param ref `provider/model`. */
export function priceView(config: Config, ref: string): PriceView {
  const { provider, model } = splitModelRef(ref);
  const own = Object.entries(config.prices).find(([name]) => name === ref)?.[1];
  const ours = shippedPrice(provider, model);
  const { asOf = "", source = "" } = Object.hasOwn(PRICES, provider) ? (PRICES[provider] ?? {}) : {};
  const shipped = ours === null ? null : { input: ours.input, output: ours.output, asOf };
  if (own !== undefined) {
    const { input, output } = own;
    return { model: ref, input, output, from: "config", asOf: own.asOf ?? null, source: own.source ?? null, shipped };
  }
  if (ours !== null)
    return { model: ref, input: ours.input, output: ours.output, from: "shipped", asOf, source, shipped: null };
  const price = priceOf(config, provider, model);
  const [input, output] = [price?.input ?? null, price?.output ?? null];
  return {
    model: ref,
    input,
    output,
    from: price === null ? "nobody" : "local",
    asOf: null,
    source: null,
    shipped: null,
  };
}
