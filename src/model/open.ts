import { type ModelApi, KNOWN_PROVIDERS } from "../ipc/provider.ts";
import type { ApiKey } from "./key.ts";
import { ModelError } from "./model-error.ts";
import { offline } from "./offline.ts";
import type { ModelProvider } from "./port.ts";

/** Opens the provider this process serves. Each API's code is loaded only here: the offline model loads none.
 *  @throws {ModelError} without a base URL, for a provider that is not known by name. */
export async function openProvider(
  provider: string,
  api: ModelApi,
  baseUrl: string | null,
  key: ApiKey | null,
): Promise<ModelProvider> {
  if (api === "offline") return offline;
  const url = baseUrl ?? knownUrl(provider);
  if (url === null || !/^https?:\/\//.test(url))
    throw new ModelError(
      "bad-request",
      `${provider} has no base URL that begins with http:// or https://: configure one`,
    );
  const settings = { provider, baseUrl: url, key };
  if (api === "anthropic") return (await import("./anthropic.ts")).anthropic(settings);
  return (await import("./openai-compatible.ts")).openAICompatible(settings);
}

function knownUrl(provider: string): string | null {
  return Object.entries(KNOWN_PROVIDERS).find(([name]) => name === provider)?.[1].baseUrl ?? null;
}
