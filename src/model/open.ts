import { type ModelApi, KNOWN_PROVIDERS } from "../ipc/provider.ts";
import type { ApiKey } from "./key.ts";
import { isLoopback } from "./failure.ts";
import { ModelError } from "./model-error.ts";
import { offline } from "./offline.ts";
import type { ModelProvider } from "./port.ts";

/** Opens the provider this process serves. Each API's code is loaded only here: the offline model loads none.
 *  @throws {ModelError} without a usable base URL. */
export async function openProvider(
  provider: string,
  api: ModelApi,
  baseUrl: string | null,
  key: ApiKey | null,
): Promise<ModelProvider> {
  if (api === "offline") return offline;
  const url = baseUrl ?? knownUrl(provider);
  const parsed = url === null ? null : URL.parse(url);
  if (url === null || parsed === null || !/^https?:$/.test(parsed.protocol))
    throw new ModelError(
      "bad-request",
      `${provider} has no base URL that begins with http:// or https://: configure one`,
    );
  if (parsed.username !== "" || parsed.password !== "")
    throw new ModelError(
      "bad-request",
      `the base URL of ${provider} holds a password, which would be shown: take it out and use \`wirken vault add ${provider}\``,
    );
  if (parsed.protocol === "http:" && !isLoopback(url))
    throw new ModelError(
      "bad-request",
      `${provider} is not on this machine, and ${parsed.origin} is spoken to without TLS, where anybody on the way reads along: write https://`,
    );
  const settings = { provider, baseUrl: url, key };
  switch (api) {
    case "anthropic":
      return (await import("./anthropic.ts")).anthropic(settings);
    case "gemini":
      return (await import("./gemini.ts")).gemini(settings);
    case "bedrock":
      return (await import("./bedrock.ts")).bedrock(settings);
    case "privatemode":
      return (await import("./privatemode.ts")).privatemode(settings);
    case "azure":
      return (await import("./openai-compatible.ts")).openAICompatible(settings, "api-key");
    case "openai-compatible":
      return (await import("./openai-compatible.ts")).openAICompatible(settings, "authorization");
  }
}

function knownUrl(provider: string): string | null {
  return Object.entries(KNOWN_PROVIDERS).find(([name]) => name === provider)?.[1].baseUrl ?? null;
}
