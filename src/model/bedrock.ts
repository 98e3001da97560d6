import * as z from "zod/mini";
import { bedrockControlUrl } from "../ipc/provider.ts";
import { getJson, peerOf, type ProviderSettings } from "./http.ts";
import { listOf, timeOf } from "./listing.ts";
import type { OfferedModel } from "../ipc/model-frames.ts";
import type { ModelProvider } from "./port.ts";
import { RETRY } from "./retry.ts";
import { completeWith } from "./sdk-completion.ts";
import { SdkModels } from "./sdk-model.ts";

const Foundation = z.object({
  modelSummaries: z.array(
    z.object({
      modelId: z.string().check(z.minLength(1)),
      inputModalities: z.nullish(z.array(z.string())),
      responseStreamingSupported: z.nullish(z.boolean()),
      /** Those without `ON_DEMAND` are called by an inference profile only. */
      inferenceTypesSupported: z.nullish(z.array(z.string())),
    }),
  ),
});

const Profiles = z.object({
  inferenceProfileSummaries: z.array(
    z.object({
      inferenceProfileId: z.string().check(z.minLength(1)),
      status: z.nullish(z.string()),
      updatedAt: z.nullish(z.string()),
    }),
  ),
});

/** Amazon Bedrock's Converse API, with an API key of Bedrock. The region is in the base URL.
 *  @see https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html */
export function bedrock(settings: ProviderSettings): ModelProvider {
  const { retry = RETRY } = settings;
  const peer = peerOf(settings, "authorization");
  const control = { ...peer, baseUrl: bedrockControlUrl(peer.baseUrl) };

  const models = new SdkModels();
  const profiles = async (signal: AbortSignal, query: string): Promise<OfferedModel[]> => {
    const { body } = await getJson(control, `/inference-profiles?${query}`, signal);
    return listOf(control, Profiles, body, ({ inferenceProfileSummaries }) =>
      inferenceProfileSummaries
        .filter(({ status }) => status === null || status === undefined || status === "ACTIVE")
        .map(({ inferenceProfileId, updatedAt }) => ({ id: inferenceProfileId, modified: timeOf(updatedAt) })),
    );
  };
  return {
    async complete(conversation, options, onDelta, signal) {
      const { createAmazonBedrock } = await import("./sdk-bedrock.ts");
      const model = models.of(options.model, (fetch) =>
        // With an API key the SDK signs nothing; the placeholder is replaced by `fetch`. The region is in the base URL.
        createAmazonBedrock({ region: "none", baseURL: peer.baseUrl, apiKey: "placeholder", fetch })(options.model),
      );
      return await completeWith(model, peer, markForm, conversation, options, onDelta, signal, retry);
    },
    async models(signal) {
      const listed = await profiles(signal, "maxResults=1000");
      const { body } = await getJson(control, "/foundation-models?byOutputModality=TEXT", signal);
      const onDemand = listOf(control, Foundation, body, ({ modelSummaries }) =>
        modelSummaries
          .filter((one) => one.responseStreamingSupported !== false)
          .filter((one) => one.inferenceTypesSupported?.includes("ON_DEMAND") ?? true)
          .map(({ modelId, inputModalities }) => ({
            id: modelId,
            images: inputModalities?.includes("IMAGE") ?? null,
          })),
      );
      return [...listed, ...onDemand];
    },
    async check(signal) {
      await profiles(signal, "maxResults=1");
      return { account: null };
    },
  };
}

/** A mark, as this API's messages have it. */
function markForm(role: "user" | "assistant", text: string): string {
  return JSON.stringify({ role, content: [{ text }] });
}
