import type { OpenAICompatibleProvider } from "@ai-sdk/openai-compatible";
import type { ChatMessage, ToolDescription } from "../ipc/completion.ts";

/** The AI SDK's own port to a model. `ai`'s functions above it would parse the model's arguments, which we want as they
 *  were written, and check each prompt twice. */
export type LanguageModel = ReturnType<OpenAICompatibleProvider["chatModel"]>;
type CallOptions = Parameters<LanguageModel["doStream"]>[0];
export type Prompt = CallOptions["prompt"];
type PromptMessage = Prompt[number];
type ToolResult = Extract<Extract<PromptMessage, { role: "tool" }>["content"][number], { type: "tool-result" }>;

/** Every provider takes these as the id of a call; some refuse others, so ids of another provider's making are replaced. */
const CALL_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** The instructions, as the first message. */
export function systemOf(instructions: string): Prompt {
  return instructions.trim() === "" ? [] : [{ role: "system", content: instructions }];
}

/** Turns messages into those of the AI SDK. Neighbouring tool results become one message, and messages without any
 *  text, which providers refuse, are left out or named as empty. */
export function promptMessages(messages: readonly ChatMessage[], ids: CallIds): Prompt {
  const prompt: Prompt = [];
  let results: ToolResult[] | null = null;
  for (const message of messages) {
    if (message.role === "tool") {
      if (results === null) {
        results = [];
        prompt.push({ role: "tool", content: results });
      }
      results.push({
        type: "tool-result",
        toolCallId: ids.ofResult(message.call),
        toolName: message.name,
        output: { type: "text", value: message.text },
      });
      continue;
    }
    results = null;
    const converted = spokenOf(message, ids);
    if (converted !== null) prompt.push(converted);
  }
  return prompt;
}

function spokenOf(message: Exclude<ChatMessage, { role: "tool" }>, ids: CallIds): PromptMessage | null {
  const hasText = message.text.trim() !== "";
  if (message.role === "user")
    return { role: "user", content: [{ type: "text", text: hasText ? message.text : "(an empty message)" }] };
  if (!hasText && message.calls.length === 0) return null;
  return {
    role: "assistant",
    content: [
      ...(hasText ? [{ type: "text" as const, text: message.text }] : []),
      ...message.calls.map((call) => ({
        type: "tool-call" as const,
        toolCallId: ids.ofCall(call.id),
        toolName: call.name,
        // The model's own JSON text: all SDKs take text that is no JSON too, and hand it back marked as such.
        input: call.arguments === "" ? "{}" : call.arguments,
        ...(call.opaque === undefined ? {} : { providerOptions: { google: { thoughtSignature: call.opaque } } }),
      })),
    ],
  };
}

export function toolsOf(tools: readonly ToolDescription[]): NonNullable<CallOptions["tools"]> {
  return tools.map(({ name, description, parameters }) => ({
    type: "function",
    name,
    description,
    inputSchema: parameters,
  }));
}

/** Gives each call an id that its provider takes and that comes once: some servers count from 0 in every answer. A result
 *  belongs to the last call of its id. */
export class CallIds {
  readonly #used = new Set<string>();
  readonly #last = new Map<string, string>();

  ofCall(id: string): string {
    let sent = id;
    for (let n = this.#used.size + 1; !CALL_ID.test(sent) || this.#used.has(sent); n++) sent = `call_${n}`;
    this.#used.add(sent);
    this.#last.set(id, sent);
    return sent;
  }

  ofResult(id: string): string {
    return this.#last.get(id) ?? this.ofCall(id);
  }
}
