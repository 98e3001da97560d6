import * as z from "zod/mini";
import { getJson, type HttpPeer } from "./http.ts";
import { listOf, timeOf } from "./listing.ts";
import { modelErrorIn } from "./model-error.ts";
import type { OfferedModel } from "../ipc/model-frames.ts";

/** How many models are asked about one by one, the newest. */
const MAX_ASKED = 32;

const Tags = z.object({
  models: z.array(z.object({ name: z.string().check(z.minLength(1)), modified_at: z.nullish(z.string()) })),
});
const Shown = z.object({
  capabilities: z.nullish(z.array(z.string())),
});

/** Ollama's own list: what is installed, the most recently changed first, and what it can do. What its context holds is not taken from here: it
 *  says what a model was made for, and cuts requests off, without a word, at what it was started with.
 *  @param asked of how many models the capabilities are asked.
 *  @see https://github.com/ollama/ollama/blob/main/docs/api.md */
export async function ollamaModels(peer: HttpPeer, signal: AbortSignal, asked = MAX_ASKED): Promise<OfferedModel[]> {
  // Its OpenAI-compatible half lies under /v1, its own beside it.
  const own: HttpPeer = { ...peer, baseUrl: peer.baseUrl.replace(/\/v1$/, "") };
  const { body } = await getJson(own, "/api/tags", signal);
  const list = listOf(own, Tags, body, ({ models }) =>
    models.map(({ name, modified_at }) => ({ id: name, modified: timeOf(modified_at) })),
  );
  return Promise.all(
    list.map(async (model, at) => (at < asked ? { ...model, ...(await shown(own, model.id, signal)) } : model)),
  );
}

/** What a model can do; nothing if this server does not say (before 0.6.4). */
async function shown(peer: HttpPeer, model: string, signal: AbortSignal): Promise<Partial<OfferedModel>> {
  try {
    const { body } = await getJson(peer, "/api/show", signal, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model }),
    });
    const { data } = Shown.safeParse(body);
    const able = data?.capabilities ?? null;
    return able === null ? {} : { tools: able.includes("tools"), images: able.includes("vision"), pdfs: false };
  } catch (error) {
    if (signal.aborted || modelErrorIn(error) === null) throw error;
    return {};
  }
}
