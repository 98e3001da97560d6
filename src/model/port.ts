import type { Answer } from "../ipc/completion.ts";
import type { OfferedModel, StopReason } from "../ipc/model-frames.ts";
import type { Conversation } from "./conversations.ts";

/** What the supervisor decided about one completion. */
export interface CompletionOptions {
  /** The provider's own name for the model. */
  readonly model: string;
  readonly maxOutputTokens: number;
  /** For everything together: waiting, tries, streaming. */
  readonly timeoutMs: number;
  /** Another model is asked if this one is silent: it is not waited for twice. */
  readonly others?: boolean;
}

export interface Completion {
  readonly answer: Answer;
  /** The id that the provider returned, which may be more exact than the one asked for. */
  readonly model: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly stop: StopReason;
}

/** What a provider says of a model; what is left out it does not say. */
export type ModelListing = Pick<OfferedModel, "id"> & Partial<OfferedModel>;

/** What a provider shows of itself. */
export interface Shown {
  readonly result: "holds" | "refused" | "unreachable";
  /** What was seen, in a sentence. */
  readonly evidence: string;
}

/** The one port behind which every language model lies. Everything it throws is a {@link ModelError}. */
export interface ModelProvider {
  /** Answers a conversation as it is now. `onDelta` gets the text as it comes, in order, and is waited for (back-pressure). */
  complete(
    conversation: Conversation,
    options: CompletionOptions,
    onDelta: (text: string) => Promise<void>,
    signal: AbortSignal,
  ): Promise<Completion>;
  /** The models this key may use, newest first where the provider says when. */
  models(signal: AbortSignal): Promise<OfferedModel[]>;
  /** One cheap call that a wrong key fails. `account` is something a person recognises, or null. */
  check(signal: AbortSignal): Promise<{ account: string | null }>;
  /** Has it show what it is; only where a provider can. It does not throw for what it does. */
  attest?(signal: AbortSignal): Promise<Shown>;
}
