import * as z from "zod/mini";
import { getJson, peerOf, type ProviderSettings } from "./http.ts";
import { listOf, timeOf } from "./listing.ts";
import type { ModelProvider } from "./port.ts";
import { RETRY } from "./retry.ts";
import { completeWith } from "./sdk-completion.ts";
import { SdkModels } from "./sdk-model.ts";

const VERSION = { "anthropic-version": "2023-06-01" };

const Supported = z.object({ supported: z.boolean() });
const Models = z.object({
  data: z.array(
    z.object({
      id: z.string().check(z.minLength(1)),
      created_at: z.nullish(z.string()),
      max_input_tokens: z.nullish(z.number()),
      capabilities: z.nullish(z.object({ image_input: z.nullish(Supported), pdf_input: z.nullish(Supported) })),
    }),
  ),
});

/** Anthropic's messages API. @see https://docs.anthropic.com/en/api/messages */
export function anthropic(settings: ProviderSettings): ModelProvider {
  const { retry = RETRY } = settings;
  const peer = peerOf(settings, "x-api-key");

  const models = new SdkModels();
  return {
    async complete(conversation, options, onDelta, signal) {
      const { createAnthropic } = await import("./sdk-anthropic.ts");
      const model = models.of(options.model, (fetch) =>
        // The placeholder keeps the SDK from looking for a key in the environment; `fetch` replaces it.
        createAnthropic({ baseURL: peer.baseUrl, apiKey: "placeholder", fetch }).languageModel(options.model),
      );
      return await completeWith(model, peer, markForm, conversation, options, onDelta, signal, retry);
    },
    async models(signal) {
      const { body } = await getJson(peer, "/models?limit=1000", signal, { headers: VERSION });
      return listOf(peer, Models, body, ({ data }) =>
        // Every model of this API can call tools.
        data.map(({ id, created_at, max_input_tokens, capabilities }) => ({
          id,
          tools: true,
          images: capabilities?.image_input?.supported ?? null,
          pdfs: capabilities?.pdf_input?.supported ?? null,
          window: max_input_tokens ?? null,
          modified: timeOf(created_at),
        })),
      );
    },
    async check(signal) {
      const { headers } = await getJson(peer, "/models?limit=1", signal, { headers: VERSION });
      return { account: headers.get("anthropic-organization-id")?.slice(0, 200) ?? null };
    },
  };
}

/** A mark, as this API's messages have it. */
function markForm(role: "user" | "assistant", text: string): string {
  return JSON.stringify({ role, content: [{ type: "text", text }] });
}
