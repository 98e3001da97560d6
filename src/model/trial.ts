import type { CompletionRequest } from "../ipc/completion.ts";
import { Conversation } from "./conversations.ts";
import { ModelError } from "./model-error.ts";
import type { Completion, ModelProvider } from "./port.ts";

/** For each of the two questions. Models that think first need more tokens than the words of an answer. */
const TRIAL_TOKENS = 2048;
const TRIAL_MS = 60_000;

const WORDS: CompletionRequest = {
  instructions: "You are being tried out by the program that will use you.",
  messages: [{ role: "user", text: "Answer with the one word: ready" }],
  tools: [],
};
const CALL: CompletionRequest = {
  instructions: WORDS.instructions,
  messages: [{ role: "user", text: "Please list the files in src" }],
  tools: [
    {
      name: "list_files",
      description: "Lists the files of a folder.",
      parameters: {
        type: "object",
        properties: { path: { type: "string" } },
        required: ["path"],
        additionalProperties: false,
      },
    },
  ],
};

/** What a model was seen to do. */
export interface Trial {
  /** As the provider names it. */
  readonly model: string;
  readonly text: boolean;
  /** The answer came in so many pieces. */
  readonly pieces: number;
  readonly tools: boolean;
  /** Why it did not call the tool; null: it did. */
  readonly why: string | null;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Asks a model for words, and then for a tool call: nothing of anybody's is in either question.
 *  @throws {ModelError} if it does not even answer the first. */
export async function tryOut(provider: ModelProvider, model: string, signal: AbortSignal): Promise<Trial> {
  let pieces = 0;
  const options = { model, maxOutputTokens: TRIAL_TOKENS, timeoutMs: TRIAL_MS };
  const first = await provider.complete(
    Conversation.of(WORDS),
    options,
    () => {
      pieces += 1;
      return Promise.resolve();
    },
    signal,
  );
  const asked = { model: first.model, text: first.answer.text.trim() !== "", pieces };
  const spent = (second: Completion | null): Pick<Trial, "inputTokens" | "outputTokens"> => ({
    inputTokens: first.inputTokens + (second?.inputTokens ?? 0),
    outputTokens: first.outputTokens + (second?.outputTokens ?? 0),
  });
  try {
    const second = await provider.complete(Conversation.of(CALL), options, () => Promise.resolve(), signal);
    const why = wrongWith(second);
    return { ...asked, tools: why === null, why, ...spent(second) };
  } catch (error) {
    if (!(error instanceof ModelError) || error.code === "cancelled") throw error;
    return { ...asked, tools: false, why: error.message, ...spent(null) };
  }
}

function wrongWith({ answer: { calls } }: Completion): string | null {
  const [call] = calls;
  if (call === undefined) return "it was asked to call a tool, and called none";
  if (call.name !== "list_files") return "it called another tool than the one that there was";
  try {
    const given: unknown = JSON.parse(call.arguments);
    if (typeof given === "object" && given !== null && "path" in given && typeof given.path === "string") return null;
  } catch {
    // Said below.
  }
  return "what it gave the tool is not of the form that it was shown";
}
