import { randomUUID } from "node:crypto";
import { MAX_OPAQUE, type ToolCall } from "../ipc/completion.ts";
import type { StopReason } from "../ipc/model-frames.ts";
import { failureInStream, failureOfNetwork, notACompletion, type Peer } from "./failure.ts";
import { ModelError, modelErrorIn } from "./model-error.ts";
import type { Completion } from "./port.ts";
import type { LanguageModel } from "./prompt.ts";

type Part = Awaited<ReturnType<LanguageModel["doStream"]>>["stream"] extends ReadableStream<infer P> ? P : never;
type ToolCallPart = Extract<Part, { type: "tool-call" }>;
type Finish = Extract<Part, { type: "finish" }>;

/** Of a model's id, and of a call's id and name, as the frames and `ToolCall` have it. */
const MAX_NAME = 200;
const MAX_TOKENS = 1_000_000_000;

/** Reads one streamed answer to its end, giving out text as it comes.
 *  @throws {ModelError} also for a stream that ends before its own end: half an answer is never taken for a whole one. */
export async function answerOf(
  stream: ReadableStream<Part>,
  peer: Peer,
  model: string,
  onDelta: (text: string) => Promise<void>,
): Promise<Completion> {
  let text = "";
  let returned = model;
  let finish: Finish | null = null;
  const calls: ToolCall[] = [];
  try {
    for await (const part of stream) {
      // Reasoning, sources and files are not part of an answer; the beginnings and ends of parts say nothing new.
      if (part.type === "text-delta") {
        text += part.delta;
        if (part.delta !== "") await onDelta(part.delta);
      } else if (part.type === "tool-call") {
        calls.push({
          ...callOf(part.toolCallId, part.toolName, part.input, calls),
          ...opaqueOf(part.providerMetadata),
        });
      } else if (part.type === "response-metadata") {
        returned = part.modelId?.slice(0, MAX_NAME) || returned;
      } else if (part.type === "finish") {
        finish = part;
      } else if (part.type === "error") {
        throw modelErrorIn(part.error) ?? streamError(peer, part.error, model);
      }
    }
  } catch (error) {
    throw modelErrorIn(error) ?? failureOfNetwork(peer, error, true);
  }
  const why = finish?.finishReason.unified;
  if (finish === null || why === "error" || why === "interrupted" || why === undefined) throw brokenOff(peer);
  return {
    answer: { text, calls },
    model: returned,
    inputTokens: tokens(finish.usage.inputTokens.total),
    outputTokens: tokens(finish.usage.outputTokens.total),
    stop: stopReason(why, calls.length > 0),
  };
}

/** A call as the agent will see it. An id that is missing, too long or comes twice is replaced: a result must find its call. */
function callOf(id: string, name: string, input: string, before: readonly ToolCall[]): ToolCall {
  const usable = id !== "" && id.length <= MAX_NAME && !before.some((call) => call.id === id);
  return {
    id: usable ? id : `call_${randomUUID()}`,
    name: name.slice(0, MAX_NAME),
    arguments: input,
  };
}

/** What has to go back to the provider with the call. Longer than that is not kept: Gemini is then told that it is missing. */
function opaqueOf(metadata: ToolCallPart["providerMetadata"]): Pick<ToolCall, "opaque"> {
  const opaque = metadata?.["google"]?.["thoughtSignature"];
  return typeof opaque === "string" && opaque !== "" && opaque.length <= MAX_OPAQUE ? { opaque } : {};
}

function stopReason(why: Finish["finishReason"]["unified"], hasCalls: boolean): StopReason {
  // Some servers say `stop` after a call, or have a word of their own for it.
  if (hasCalls && (why === "stop" || why === "other")) return "tool-calls";
  if (why === "stop") return "stop";
  return why === "length" || why === "content-filter" || why === "tool-calls" ? why : "other";
}

function tokens(total: number | undefined): number {
  return total === undefined || !Number.isFinite(total) ? 0 : Math.min(Math.max(Math.round(total), 0), MAX_TOKENS);
}

/** The SDKs report bytes that are no events of theirs as an `Error`, and a provider's own error as an object. */
function streamError(peer: Peer, error: unknown, model: string): ModelError {
  if (error instanceof Error && error.name.startsWith("AI_")) return notACompletion(peer, error);
  return failureInStream(peer, error, model);
}

function brokenOff(peer: Peer): ModelError {
  return new ModelError("unreachable", `${peer.provider} broke off in mid-answer`, { passing: true });
}
