import * as z from "zod/mini";
import { getJson, peerOf, type ProviderSettings } from "./http.ts";
import { listOf } from "./listing.ts";
import type { ModelProvider } from "./port.ts";
import { RETRY } from "./retry.ts";
import { completeWith } from "./sdk-completion.ts";
import { SdkModels } from "./sdk-model.ts";

const Models = z.object({
  models: z.array(
    z.object({
      /** `models/…`. */
      name: z.string().check(z.minLength(1)),
      inputTokenLimit: z.nullish(z.number()),
      supportedGenerationMethods: z.nullish(z.array(z.string())),
    }),
  ),
});

/** Google's Gemini API. @see https://ai.google.dev/api/generate-content */
export function gemini(settings: ProviderSettings): ModelProvider {
  const { retry = RETRY } = settings;
  const peer = peerOf(settings, "x-goog-api-key");

  const models = new SdkModels();
  return {
    async complete(conversation, options, onDelta, signal) {
      const { createGoogle } = await import("./sdk-gemini.ts");
      const model = models.of(options.model, (fetch) =>
        // The placeholder keeps the SDK from looking for a key in the environment; `fetch` replaces it.
        createGoogle({ baseURL: peer.baseUrl, apiKey: "placeholder", fetch }).languageModel(options.model),
      );
      return await completeWith(model, peer, markForm, conversation, options, onDelta, signal, retry);
    },
    async models(signal) {
      const { body } = await getJson(peer, "/models?pageSize=1000", signal);
      return listOf(peer, Models, body, ({ models: listed }) =>
        listed
          .filter(({ supportedGenerationMethods }) => supportedGenerationMethods?.includes("generateContent") ?? true)
          // Which of them call tools, and since when there is each, is not said.
          .map(({ name, inputTokenLimit }) => ({ id: name.replace(/^models\//, ""), window: inputTokenLimit ?? null })),
      );
    },
    async check(signal) {
      await getJson(peer, "/models?pageSize=1", signal);
      return { account: null };
    },
  };
}

/** A mark, as this API's contents have it. */
function markForm(role: "user" | "assistant", text: string): string {
  return JSON.stringify({ role: role === "user" ? "user" : "model", parts: [{ text }] });
}
