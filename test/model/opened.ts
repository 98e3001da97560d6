import type { Server } from "node:http";
import type { CompletionRequest, ToolDescription } from "../../src/ipc/completion.ts";
import type { HttpLimits } from "../../src/model/http.ts";
import { Conversation } from "../../src/model/conversations.ts";
import { ApiKey } from "../../src/model/key.ts";
import { anthropic } from "../../src/model/anthropic.ts";
import { bedrock } from "../../src/model/bedrock.ts";
import { gemini } from "../../src/model/gemini.ts";
import { ModelError } from "../../src/model/model-error.ts";
import { openAICompatible } from "../../src/model/openai-compatible.ts";
import type { Completion, ModelProvider } from "../../src/model/port.ts";
import type { RetryPolicy } from "../../src/model/retry.ts";

export const KEY = "sk-test-0123456789abcdef";

/** The real policy with pauses a test can wait for. */
export const QUICK: RetryPolicy = { tries: 3, firstPauseMs: 20, longestPauseMs: 100, longestAskedMs: 5_000 };
export const LIMITS: HttpLimits = { firstByteMs: 300, idleMs: 250, answerBytes: 1_048_576 };

export const APIS = ["openai", "anthropic"] as const;
export type Api = (typeof APIS)[number];
/** Every way that a provider is spoken to; the others are known to aimock too. */
export const ALL_APIS = [...APIS, "azure", "google", "bedrock"] as const;
type AnyApi = (typeof ALL_APIS)[number];

/** @param baseUrl of a server of the test's own, with `/v1`. */
export function opened(
  api: AnyApi,
  baseUrl: string,
  given: { provider?: string; key?: string | null; limits?: HttpLimits } = {},
): ModelProvider {
  const { provider = api, key = KEY, limits = LIMITS } = given;
  const root = baseUrl.replace(/\/v1$/, "");
  const settings = {
    provider,
    baseUrl: { openai: baseUrl, anthropic: baseUrl, azure: baseUrl, google: `${root}/v1beta`, bedrock: root }[api],
    key: key === null ? null : ApiKey.take(new TextEncoder().encode(key)),
    limits,
    retry: QUICK,
  };
  switch (api) {
    case "anthropic":
      return anthropic(settings);
    case "google":
      return gemini(settings);
    case "bedrock":
      return bedrock(settings);
    case "azure":
      return openAICompatible(settings, "api-key");
    case "openai":
      return openAICompatible(settings, "authorization");
  }
}

export const LIST_FILES: ToolDescription = {
  name: "list_files",
  description: "lists the files of a folder",
  parameters: { type: "object", properties: { path: { type: "string" } }, required: ["path"] },
};

export function asked(text: string): CompletionRequest {
  return { instructions: "You are a test.", messages: [{ role: "user", text }], tools: [LIST_FILES] };
}

export interface Said {
  readonly deltas: string[];
  readonly done: Completion;
}

export async function say(
  provider: ModelProvider,
  request: CompletionRequest,
  given: { timeoutMs?: number; signal?: AbortSignal; onDelta?: (text: string) => void } = {},
): Promise<Said> {
  const deltas: string[] = [];
  const done = await provider.complete(
    Conversation.of(request),
    { model: "test-model", maxOutputTokens: 1000, timeoutMs: given.timeoutMs ?? 10_000 },
    (text) => {
      deltas.push(text);
      given.onDelta?.(text);
      return Promise.resolve();
    },
    given.signal ?? new AbortController().signal,
  );
  return { deltas, done };
}

/** @returns the failure. @throws if it did not fail, or not in the agreed way. */
export async function failureOf(outcome: Promise<unknown>): Promise<ModelError> {
  try {
    await outcome;
  } catch (error) {
    if (error instanceof ModelError) return error;
    throw error;
  }
  throw new Error("this was expected to fail, and did not");
}

/** Of a server that listens. */
export function portOf(server: Server): number {
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the server does not listen on a port");
  return address.port;
}
