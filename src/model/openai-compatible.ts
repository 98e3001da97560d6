import * as z from "zod/mini";
import { isOllama } from "./failure.ts";
import { getJson, type HttpPeer, peerOf, type ProviderSettings } from "./http.ts";
import type { OfferedModel } from "../ipc/model-frames.ts";
import { listOf, timeOf } from "./listing.ts";
import { ollamaModels } from "./ollama.ts";
import type { ModelListing, ModelProvider } from "./port.ts";
import { RETRY } from "./retry.ts";
import { completeWith } from "./sdk-completion.ts";
import { SdkModels } from "./sdk-model.ts";

/** Every server that speaks OpenAI's chat completions: OpenAI, OpenRouter, Ollama, vLLM, LM Studio and others.
 *  @param keyHeader Azure's v1 API has one of its own. */
export function openAICompatible(settings: ProviderSettings, keyHeader: "authorization" | "api-key"): ModelProvider {
  const { provider, retry = RETRY } = settings;
  const peer = peerOf(settings, keyHeader);
  const { baseUrl } = peer;
  const ownApi = keyHeader === "api-key" || new URL(baseUrl).hostname === "api.openai.com" || provider === "openai";

  const models = new SdkModels();
  return {
    async complete(conversation, options, onDelta, signal) {
      const { createOpenAICompatible } = await import("./sdk-openai-compatible.ts");
      const model = models.of(options.model, (fetch) =>
        createOpenAICompatible({
          name: "compatible",
          baseURL: baseUrl,
          fetch,
          includeUsage: true,
          // OpenAI's newer models refuse `max_tokens`; other servers know nothing else.
          ...(ownApi ? { transformRequestBody: withNewName } : {}),
        }).chatModel(options.model),
      );
      return await completeWith(model, peer, markForm, conversation, options, onDelta, signal, retry);
    },
    models: (signal) => (isOllama(provider) ? ollamaModels(peer, signal) : openAIModels(peer, signal)),
    async check(signal) {
      if (isOllama(provider)) {
        await ollamaModels(peer, signal, 0);
        return { account: null };
      }
      // OpenRouter lists its models to everybody: only its page about the key itself checks the key.
      const path = new URL(baseUrl).hostname === "openrouter.ai" ? "/key" : "/models";
      const { headers } = await getJson(peer, path, signal);
      return { account: headers.get("openai-organization")?.slice(0, 200) ?? null };
    },
  };
}

/** A mark, as this API's messages have it. */
function markForm(role: "user" | "assistant", text: string): string {
  return JSON.stringify({ role, content: text });
}

function withNewName({ max_tokens, ...body }: Record<string, unknown>): Record<string, unknown> {
  return { ...body, max_completion_tokens: max_tokens };
}

const Models = z.object({
  data: z.array(
    z.object({
      id: z.string().check(z.minLength(1)),
      created: z.nullish(z.number()),
      /** OpenRouter's. */
      supported_parameters: z.nullish(z.array(z.string())),
      architecture: z.nullish(z.object({ input_modalities: z.nullish(z.array(z.string())) })),
      context_length: z.nullish(z.number()),
      /** Mistral's. */
      capabilities: z.nullish(z.object({ function_calling: z.nullish(z.boolean()), vision: z.nullish(z.boolean()) })),
      max_context_length: z.nullish(z.number()),
      /** vLLM's, Groq's. */
      max_model_len: z.nullish(z.number()),
      context_window: z.nullish(z.number()),
      /** Privatemode's. */
      tasks: z.nullish(z.array(z.string())),
    }),
  ),
});

async function openAIModels(peer: HttpPeer, signal: AbortSignal): Promise<OfferedModel[]> {
  const { body } = await getJson(peer, "/models", signal);
  return listOf(peer, Models, body, ({ data }) =>
    data
      .filter(({ tasks }) => tasks?.includes("generate") ?? true)
      .map((model) => ({ id: model.id, ...abilitiesOf(model), modified: secondsOf(model.created) })),
  );
}

/** Every server that says any of this says it in a way of its own. */
function abilitiesOf(model: z.infer<typeof Models>["data"][number]): Omit<ModelListing, "id" | "modified"> {
  const { supported_parameters, architecture, capabilities, tasks } = model;
  const inputs = architecture?.input_modalities;
  return {
    tools:
      supported_parameters?.includes("tools") ??
      capabilities?.function_calling ??
      tasks?.includes("tool_calling") ??
      null,
    images: inputs?.includes("image") ?? capabilities?.vision ?? tasks?.includes("vision") ?? null,
    pdfs: inputs?.includes("file") ?? null,
    window: model.context_length ?? model.max_context_length ?? model.max_model_len ?? model.context_window ?? null,
  };
}

function secondsOf(created: number | null | undefined): string | null {
  return timeOf(typeof created === "number" ? created * 1000 : null);
}
