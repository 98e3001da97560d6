import shipped from "./known-models.json" with { type: "json" };

interface KnownModel {
  /** The beginning of its name; the longest that fits counts. */
  readonly begins: string;
  readonly window: number;
  readonly images: boolean;
  readonly pdfs: boolean;
}

/** What models can take whose provider does not say so in its list, as their documentation has it; it was reported by others, and not read at the
 *  source. `models` of the configuration goes before it. */
const KNOWN: Readonly<Record<string, { readonly models: readonly KnownModel[] }>> = shipped.providers;

/** Bedrock's names: the region, the maker, then the model. */
const PREFIX = /^(?:[a-z]{2,6}\.)?(anthropic|amazon)\./;

/** @param ref `provider/model`. */
export function knownModel(ref: string): KnownModel | null {
  const at = ref.indexOf("/");
  const [provider, model] = [ref.slice(0, at), ref.slice(at + 1)];
  const of = Object.hasOwn(KNOWN, provider) ? KNOWN[provider] : undefined;
  const name = provider === "bedrock" ? model.replace(PREFIX, "") : model;
  const fits = (of?.models ?? []).filter(({ begins }) => name.startsWith(begins));
  return fits.toSorted((a, b) => b.begins.length - a.begins.length)[0] ?? null;
}
