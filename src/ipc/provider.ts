import * as z from "zod/mini";

/** How a model server is spoken to. `offline` is built in and speaks to nobody. */
export const ModelApi = z.enum([
  "openai-compatible",
  "azure",
  "anthropic",
  "gemini",
  "bedrock",
  "privatemode",
  "offline",
]);
export type ModelApi = z.infer<typeof ModelApi>;

/** The providers known by name; any other OpenAI-compatible endpoint is named in the configuration. */
export const KNOWN_PROVIDERS = {
  anthropic: {
    api: "anthropic",
    baseUrl: "https://api.anthropic.com/v1",
    needsKey: true,
    label: "Anthropic API key (sk-ant-…)",
  },
  openai: {
    api: "openai-compatible",
    baseUrl: "https://api.openai.com/v1",
    needsKey: true,
    label: "OpenAI API key (sk-…)",
  },
  openrouter: {
    api: "openai-compatible",
    baseUrl: "https://openrouter.ai/api/v1",
    needsKey: true,
    label: "OpenRouter API key (sk-or-…)",
  },
  google: {
    api: "gemini",
    baseUrl: "https://generativelanguage.googleapis.com/v1beta",
    needsKey: true,
    label: "Gemini API key (AIza…)",
  },
  mistral: {
    api: "openai-compatible",
    baseUrl: "https://api.mistral.ai/v1",
    needsKey: true,
    label: "Mistral API key",
  },
  /** Of another region: `providers.bedrock.baseUrl` in the configuration. */
  bedrock: {
    api: "bedrock",
    baseUrl: "https://bedrock-runtime.us-east-1.amazonaws.com",
    needsKey: true,
    label: "Amazon Bedrock API key (bedrock-api-key-… or ABSK…)",
  },
  /** Its address is a company's own: `providers.azure.baseUrl` in the configuration, such as https://NAME.openai.azure.com/openai/v1. */
  azure: { api: "azure", baseUrl: null, needsKey: true, label: "Azure OpenAI key" },
  /** The proxy that runs on this machine; it has a key of its own, or takes ours. */
  privatemode: {
    api: "privatemode",
    baseUrl: "http://127.0.0.1:8080/v1",
    needsKey: false,
    label: "Privatemode API key",
  },
  ollama: { api: "openai-compatible", baseUrl: "http://127.0.0.1:11434/v1", needsKey: false, label: "" },
  offline: { api: "offline", baseUrl: null, needsKey: false, label: "" },
} as const satisfies Record<string, { api: ModelApi; baseUrl: string | null; needsKey: boolean; label: string }>;

/** Where Bedrock says what it has: another host than the one that answers. @param runtime the base URL of the latter. */
export function bedrockControlUrl(runtime: string): string {
  return runtime.replace("://bedrock-runtime.", "://bedrock.");
}

/** A model as a person writes it: `provider/model`, where the model's own name may hold slashes. */
export const ModelRef = z
  .string()
  .check(
    z.regex(
      /^[a-z0-9][a-z0-9-]{0,31}\/[\x21-\x7e]{1,128}$/,
      "write provider/model, such as anthropic/claude-sonnet-4-5",
    ),
  );
export type ModelRef = z.infer<typeof ModelRef>;

export function splitModelRef(ref: ModelRef): { provider: string; model: string } {
  const at = ref.indexOf("/");
  return { provider: ref.slice(0, at), model: ref.slice(at + 1) };
}
