import { randomUUID } from "node:crypto";
import * as z from "zod/mini";
import type { Conversation } from "./conversations.ts";
import type { EncodedBody, MarkForm } from "./encoded.ts";
import { failureOfStatus, notACompletion, quote } from "./failure.ts";
import { guardedFetch, type HttpPeer } from "./http.ts";
import { ModelError, modelErrorIn } from "./model-error.ts";
import type { Completion, CompletionOptions } from "./port.ts";
import { systemOf, toolsOf } from "./prompt.ts";
import { withRetry, type RetryPolicy } from "./retry.ts";
import type { SdkModel } from "./sdk-model.ts";
import { answerOf } from "./stream.ts";

/** Asks one of the AI SDK's models, with our own limits and tries: the SDK's provider classes try once.
 *  @param form how this API writes a mark (encoded.ts).
 *  @throws {ModelError} */
export async function completeWith(
  sdk: SdkModel,
  peer: HttpPeer,
  form: MarkForm,
  conversation: Conversation,
  given: CompletionOptions,
  onDelta: (text: string) => Promise<void>,
  signal: AbortSignal,
  retry: RetryPolicy,
): Promise<Completion> {
  const { timeoutMs, maxOutputTokens, model } = given;
  const timeUp = new AbortController();
  const timer = setTimeout(() => timeUp.abort(outOfTime(peer, timeoutMs)), timeoutMs);
  const stopped = AbortSignal.any([signal, timeUp.signal]);
  const { encoded, setup } = conversation;
  const tools = toolsOf(setup.tools);
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
        const mark = `wirken-${randomUUID()}`;
        const prompt = [...systemOf(setup.instructions), ...encoded.prompt(mark)];
        let answering = false;
        const asking: typeof fetch = async (input, init) => {
          const body = typeof init?.body === "string" ? encoded.body(mark, init.body, form) : null;
          if (body === null) throw new TypeError("the SDK does not write requests as it did");
          const response = await fetch(input, withBody(init, body));
          answering = true;
          return response;
        };
        const options = { prompt, maxOutputTokens, abortSignal: stopped, ...(tools.length > 0 ? { tools } : {}) };
        const { stream } = await sdk.stream(mark, asking, options).catch((error: unknown) => {
          throw modelErrorIn(error) ?? failureOfSdk(peer, error, model, answering);
        });
        return await answerOf(stream, peer, model, giveOut);
      },
      // A silent model is not waited for a second time where another one can be asked.
      (error) => !streamed && !(given.others === true && error.code === "timeout"),
      performance.now() + timeoutMs,
      stopped,
      retry,
    );
  } catch (error) {
    // Nothing was shown: then it was something else that it did not like.
    if (error instanceof ModelError && error.code === "files-refused" && !conversation.showsFiles)
      throw new ModelError("bad-request", error.message, { cause: error });
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** `fetch` copies a body that it is given whole, three times. One that comes in pieces it sends as it is; its length is said, for not every server
 *  takes one of unknown length. */
function withBody(init: RequestInit | undefined, { pieces, bytes }: EncodedBody): RequestInit {
  const headers = new Headers(init?.headers);
  headers.set("content-length", String(bytes));
  let next = 0;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      pull(controller) {
        const piece = pieces[next++];
        if (piece === undefined) controller.close();
        else controller.enqueue(piece);
      },
    },
    { highWaterMark: 0 },
  );
  const given = { ...init, headers, body, duplex: "half" as const };
  return given;
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
