import type { Recorded } from "../../audit/recorded.ts";
import type { CompletionFailure } from "../ipc/model-frames.ts";

export type TrialResult =
  | {
      readonly state: "tried";
      readonly model: string;
      readonly text: boolean;
      readonly pieces: number;
      readonly tools: boolean;
      readonly why: string | null;
      readonly images: boolean;
      readonly whyImages: string | null;
      readonly inputTokens: number;
      readonly outputTokens: number;
    }
  | { readonly state: "failed"; readonly code: CompletionFailure; readonly sentence: string };

/** Filled by the supervisor with the model processes. It never throws for what a provider or its process does. */
export interface TrialPort {
  tryOut(provider: string, model: string, signal: AbortSignal): Promise<TrialResult>;
}

/** Asks a model the questions of a trial, once it is on the log who wanted that. */
export async function tryModel(
  recorded: Recorded<"model.trying">,
  port: TrialPort,
  signal: AbortSignal,
): Promise<TrialResult> {
  recorded.redeem();
  const { provider, model } = recorded.action;
  return await port.tryOut(provider, model, signal);
}
