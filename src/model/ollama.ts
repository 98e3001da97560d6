import * as z from "zod/mini";
import { getJson, type HttpPeer } from "./http.ts";
import { listOf, timeOf } from "./listing.ts";
import { modelErrorIn } from "./model-error.ts";
import type { ModelListing } from "./port.ts";

/** How many models are asked about one by one, the newest. */
const MAX_ASKED = 32;

const Tags = z.object({
  models: z.array(z.object({ name: z.string().check(z.minLength(1)), modified_at: z.nullish(z.string()) })),
});
const Shown = z.object({ capabilities: z.array(z.string()) });

/** Ollama's own list: what is installed, the most recently changed first, and whether it can call tools.
 *  @param asked of how many models the capabilities are asked; the others have `tools: null`.
 *  @see https://github.com/ollama/ollama/blob/main/docs/api.md */
export async function ollamaModels(peer: HttpPeer, signal: AbortSignal, asked = MAX_ASKED): Promise<ModelListing[]> {
  // Its OpenAI-compatible half lies under /v1, its own beside it.
  const own: HttpPeer = { ...peer, baseUrl: peer.baseUrl.replace(/\/v1$/, "") };
  const { body } = await getJson(own, "/api/tags", signal);
  const list = listOf(own, Tags, body, ({ models }) =>
    models.map(({ name, modified_at }) => ({ id: name, tools: null, modified: timeOf(modified_at) })),
  );
  return Promise.all(
    list.map(async (model, at) =>
      at < asked ? { ...model, tools: await canCallTools(own, model.id, signal) } : model,
    ),
  );
}

/** Whether a model can call tools; null if this server does not say (before 0.6.4). */
async function canCallTools(peer: HttpPeer, model: string, signal: AbortSignal): Promise<boolean | null> {
  try {
    const { body } = await getJson(peer, "/api/show", signal, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model }),
    });
    const shown = Shown.safeParse(body);
    return shown.success ? shown.data.capabilities.includes("tools") : null;
  } catch (error) {
    if (signal.aborted || modelErrorIn(error) === null) throw error;
    return null;
  }
}
