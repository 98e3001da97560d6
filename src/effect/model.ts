import type { Recorded } from "../../audit/recorded.ts";
import type { CompletionFailure, StopReason } from "../ipc/model-frames.ts";

/** One completion that a model process is asked for. */
export interface ModelRequest {
  readonly provider: string;
  /** The provider's own name for the model. */
  readonly model: string;
  /** A `CompletionRequest` as UTF-8 JSON: the recorded bytes. */
  readonly request: Uint8Array;
  readonly maxOutputTokens: number;
  /** For everything together: waiting, tries, streaming. */
  readonly timeoutMs: number;
}

export type ModelAnswer =
  | {
      readonly state: "completed";
      /** The id that the provider returned. */
      readonly model: string;
      readonly inputTokens: number;
      readonly outputTokens: number;
      readonly stop: StopReason;
      /** An `Answer` as UTF-8 JSON. */
      readonly answer: Uint8Array;
    }
  | {
      readonly state: "failed";
      readonly code: CompletionFailure;
      /** One sentence for the person. */
      readonly sentence: string;
      /** Some text was already given out: nothing may be tried again. */
      readonly streamed: boolean;
    };

/** Filled by the supervisor with the model processes. It never throws for what a provider or a model process does. */
export interface ModelPort {
  complete(request: ModelRequest, onDelta: (text: Uint8Array) => void, signal: AbortSignal): Promise<ModelAnswer>;
}

/** Sends one recorded request, and those very bytes, to its model. The outcome is left to the caller, who knows what it cost. */
export function callModel(
  recorded: Recorded<"model.called">,
  port: ModelPort,
  limits: { readonly maxOutputTokens: number; readonly timeoutMs: number },
  onDelta: (text: Uint8Array) => void,
  signal: AbortSignal,
): Promise<ModelAnswer> {
  recorded.redeem();
  const { provider, model } = recorded.action;
  return port.complete({ provider, model, request: recorded.content("request"), ...limits }, onDelta, signal);
}
