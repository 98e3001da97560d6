import type { OpenAICompatibleProvider } from "@ai-sdk/openai-compatible";
import type { ChatMessage, ShownFile, ToolDescription } from "../ipc/completion.ts";

/** The AI SDK's own port to a model. `ai`'s functions above it would parse the model's arguments, which we want as they
 *  were written, and check each prompt twice. */
export type LanguageModel = ReturnType<OpenAICompatibleProvider["chatModel"]>;
type CallOptions = Parameters<LanguageModel["doStream"]>[0];
export type Prompt = CallOptions["prompt"];
type PromptMessage = Prompt[number];
type FilePart = Extract<Extract<PromptMessage, { role: "user" }>["content"][number], { type: "file" }>;
type ToolResult = Extract<Extract<PromptMessage, { role: "tool" }>["content"][number], { type: "tool-result" }>;

/** Every provider takes these as the id of a call; some refuse others, so ids of another provider's making are replaced. */
const CALL_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** The bytes of a file that a message names; null: the model is not shown it. */
export type BytesOf = (file: ShownFile) => Uint8Array | null;

/** The instructions, as the first message. */
export function systemOf(instructions: string): Prompt {
  return instructions.trim() === "" ? [] : [{ role: "system", content: instructions }];
}

/** Turns messages into those of the AI SDK. Neighbouring tool results become one message, files that they show one behind it, for few providers take any in a
 *  result; and messages without any text, which providers refuse, are left out or named as empty. */
export function promptMessages(messages: readonly ChatMessage[], ids: CallIds, bytesOf: BytesOf): Prompt {
  const prompt: Prompt = [];
  let results: ToolResult[] | null = null;
  let shown: Spoken[] = [];
  const showResults = (): void => {
    prompt.push(...shown.map(({ text, files }) => heardOf(text, files)));
    [results, shown] = [null, []];
  };
  for (const message of messages) {
    if (message.role === "tool") {
      const { text, files } = spoken(message.text, message.files, bytesOf);
      if (results === null) {
        results = [];
        prompt.push({ role: "tool", content: results });
      }
      results.push({
        type: "tool-result",
        toolCallId: ids.ofResult(message.call),
        toolName: message.name,
        output: { type: "text", value: text },
      });
      if (files.length > 0) shown.push({ text: `[what the result of ${message.name} shows]`, files });
      continue;
    }
    showResults();
    const converted = spokenOf(message, ids, bytesOf);
    if (converted !== null) prompt.push(converted);
  }
  showResults();
  return prompt;
}

/** Words, and the files that are shown with them. */
interface Spoken {
  readonly text: string;
  readonly files: readonly FilePart[];
}

/** What is not shown is said: an answer never rests on a file that was silently left out. */
function spoken(text: string, named: readonly ShownFile[] | undefined, bytesOf: BytesOf): Spoken {
  const files: FilePart[] = [];
  const left: string[] = [];
  for (const file of named ?? []) {
    const bytes = bytesOf(file);
    if (bytes === null)
      left.push(`[a file of type ${file.media} belongs here, ${sizeText(file.bytes)}: you are not shown it]`);
    else files.push({ type: "file", mediaType: file.media, data: { type: "data", data: bytes } });
  }
  return { text: [text, ...left].filter((one) => one !== "").join("\n\n"), files };
}

function heardOf(text: string, files: readonly FilePart[]): PromptMessage {
  const words = text.trim() === "" ? (files.length > 0 ? "(no words)" : "(an empty message)") : text;
  return { role: "user", content: [{ type: "text", text: words }, ...files] };
}

function sizeText(bytes: number): string {
  return bytes < 1_048_576 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / 1_048_576).toFixed(1)} MiB`;
}

function spokenOf(
  message: Exclude<ChatMessage, { role: "tool" }>,
  ids: CallIds,
  bytesOf: BytesOf,
): PromptMessage | null {
  if (message.role === "user") {
    const { text, files } = spoken(message.text, message.files, bytesOf);
    return heardOf(text, files);
  }
  const hasText = message.text.trim() !== "";
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
