import * as z from "zod/mini";
import type { CompletionRequest } from "../ipc/completion.ts";
import { failureOfStatus, notACompletion, quote } from "./failure.ts";
import { guardedFetch, type HttpPeer } from "./http.ts";
import { ModelError, modelErrorIn } from "./model-error.ts";
import type { Completion, CompletionOptions } from "./port.ts";
import { promptOf, toolsOf, type LanguageModel } from "./prompt.ts";
import { withRetry, type RetryPolicy } from "./retry.ts";
import { answerOf } from "./stream.ts";

/** Asks one of the AI SDK's models, with our own limits and tries: the SDK's provider classes try once.
 *  @param modelWith builds the model on a `fetch` that is good for one completion.
 *  @throws {ModelError} */
export async function completeWith(
  modelWith: (fetch: ReturnType<typeof guardedFetch>) => LanguageModel,
  peer: HttpPeer,
  request: CompletionRequest,
  options: CompletionOptions,
  onDelta: (text: string) => Promise<void>,
  signal: AbortSignal,
  retry: RetryPolicy,
): Promise<Completion> {
  const { timeoutMs, maxOutputTokens, model } = options;
  const timeUp = new AbortController();
  const timer = setTimeout(() => timeUp.abort(outOfTime(peer, timeoutMs)), timeoutMs);
  const stopped = AbortSignal.any([signal, timeUp.signal]);
  const prompt = promptOf(request);
  const tools = toolsOf(request.tools);
  let streamed = false;
  const giveOut = (text: string) => {
    streamed = true;
    return onDelta(text);
  };
  try {
    return await withRetry(
      async () => {
        stopped.throwIfAborted();
        const fetch = guardedFetch(peer, stopped, model);
        let answering = false;
        const asked = modelWith(async (input, init) => {
          const response = await fetch(input, init);
          answering = true;
          return response;
        }).doStream({ prompt, maxOutputTokens, abortSignal: stopped, ...(tools.length > 0 ? { tools } : {}) });
        const { stream } = await Promise.resolve(asked).catch((error: unknown) => {
          throw modelErrorIn(error) ?? failureOfSdk(peer, error, model, answering);
        });
        return await answerOf(stream, peer, model, giveOut);
      },
      () => !streamed,
      performance.now() + timeoutMs,
      stopped,
      retry,
    );
  } finally {
    clearTimeout(timer);
  }
}

function outOfTime(peer: HttpPeer, timeoutMs: number): ModelError {
  return new ModelError("timeout", `${peer.provider} did not finish within ${Math.round(timeoutMs / 1000)} s`);
}

/** What an SDK says when it took the answer itself, such as an error in the first event of a stream with status 200. */
const SdkError = z.object({ statusCode: z.int().check(z.gte(400), z.lte(599)), responseBody: z.optional(z.string()) });

function failureOfSdk(peer: HttpPeer, error: unknown, model: string, answering: boolean): ModelError {
  const known = SdkError.safeParse(error);
  if (known.success)
    return failureOfStatus(peer, known.data.statusCode, new Headers(), known.data.responseBody ?? "", model);
  if (answering) return notACompletion(peer, error);
  const said = quote(peer, error instanceof Error ? error.message : "");
  return new ModelError("other", `${peer.provider} could not be asked${said === "" ? "" : `: ${said}`}`, {
    cause: error,
  });
}
