import { createServer, type IncomingMessage } from "node:http";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import * as z from "zod/mini";
import type { ChatMessage } from "../../src/ipc/completion.ts";
import { bedrockControlUrl } from "../../src/ipc/provider.ts";
import { asked, failureOf, KEY, opened, portOf, say } from "./opened.ts";

/** What came, and what is answered to it. */
interface Heard {
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}
let heard: Heard[] = [];
let answering: (asked: Heard) => { status?: number; type?: string; body: string };
const server = createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8").on("data", (piece: string) => (body += piece));
  request.on("end", () => {
    const one = { path: request.url ?? "", headers: request.headers, body };
    heard.push(one);
    const { status = 200, type = "application/json", body: words } = answering(one);
    response.writeHead(status, { "content-type": type }).end(words);
  });
});
beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
afterAll(() => server.close());
beforeEach(() => {
  heard = [];
});
/** A busy machine is no silent server. */
const limits = { firstByteMs: 20_000, idleMs: 20_000, answerBytes: 1_048_576 };
const url = () => `http://127.0.0.1:${portOf(server)}/v1`;
const signal = new AbortController().signal;

const SIGNATURE = "CiQB0e2Kb3cNzMqU9h0l2C1p";
const Contents = z.object({
  contents: z.array(
    z.object({
      parts: z.array(z.object({ functionCall: z.optional(z.unknown()), thoughtSignature: z.optional(z.string()) })),
    }),
  ),
});

/** As Gemini 3 does: a call comes with a signature of the thought that led to it, and a request that brings the call without it is refused. */
function strictGemini({ body }: Heard): ReturnType<typeof answering> {
  const { contents } = Contents.parse(JSON.parse(body));
  const calls = contents.flatMap(({ parts }) => parts).filter((part) => part.functionCall !== undefined);
  if (calls.some(({ thoughtSignature }) => thoughtSignature !== SIGNATURE)) {
    const error = { code: 400, message: "Function call is missing a thought_signature", status: "INVALID_ARGUMENT" };
    return { status: 400, body: JSON.stringify({ error }) };
  }
  const part =
    calls.length > 0
      ? { text: "There are two." }
      : { functionCall: { name: "list_files", args: { path: "." } }, thoughtSignature: SIGNATURE };
  const candidate = { content: { role: "model", parts: [part] }, finishReason: "STOP", index: 0 };
  const usageMetadata = { promptTokenCount: 5, candidatesTokenCount: 3, totalTokenCount: 8 };
  return {
    type: "text/event-stream",
    body: `data: ${JSON.stringify({ candidates: [candidate], usageMetadata, modelVersion: "gemini-3-pro" })}\n\n`,
  };
}

test("what Gemini signs of a call goes back to it with the call", async () => {
  answering = strictGemini;
  const provider = opened("google", url(), { limits });
  const first = await say(provider, asked("how many files?"));
  expect(first.done).toMatchObject({ stop: "tool-calls", inputTokens: 5, outputTokens: 3 });
  const [call] = first.done.answer.calls;
  expect(call).toMatchObject({ name: "list_files", arguments: '{"path":"."}', opaque: SIGNATURE });
  const goOn = (calls: typeof first.done.answer.calls): ChatMessage[] => [
    { role: "user", text: "how many files?" },
    { role: "assistant", text: "", calls },
    { role: "tool", call: call?.id ?? "", name: "list_files", text: "a.txt\nb.txt" },
  ];
  const second = await say(provider, { ...asked(""), messages: goOn(first.done.answer.calls) });
  expect(second.done.answer).toEqual({ text: "There are two.", calls: [] });
  // The server notices what is missing.
  const without = first.done.answer.calls.map(({ id, name, arguments: given }) => ({ id, name, arguments: given }));
  const refused = await failureOf(say(provider, { ...asked(""), messages: goOn(without) }));
  expect(refused.message).toContain("missing a thought_signature");
});

test("Gemini's key travels in its header, and is in no URL", async () => {
  answering = strictGemini;
  await say(opened("google", url(), { limits }), asked("hello"));
  expect(heard.map(({ path }) => path)).toEqual(["/v1beta/models/test-model:streamGenerateContent?alt=sse"]);
  expect(heard[0]?.headers["x-goog-api-key"]).toBe(KEY);
  expect(JSON.stringify([heard[0]?.path, heard[0]?.body])).not.toContain(KEY);
});

test("Gemini says of a wrong key that the request is bad, and it is understood", async () => {
  const error = {
    code: 400,
    message: "API key not valid. Please pass a valid API key.",
    status: "INVALID_ARGUMENT",
    details: [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "API_KEY_INVALID" }],
  };
  answering = () => ({ status: 400, body: JSON.stringify({ error }) });
  expect(await failureOf(opened("google", url(), { limits }).check(signal))).toMatchObject({
    code: "key-refused",
    message: "the key for google was refused",
  });
});

test("Gemini's models are those that make text", async () => {
  answering = () => ({
    body: JSON.stringify({
      models: [
        {
          name: "models/gemini-2.5-flash",
          inputTokenLimit: 1_048_576,
          supportedGenerationMethods: ["generateContent", "countTokens"],
        },
        { name: "models/text-embedding-004", supportedGenerationMethods: ["embedContent"] },
      ],
    }),
  });
  expect(await opened("google", url(), { limits }).models(signal)).toEqual([
    { id: "gemini-2.5-flash", tools: null, images: null, pdfs: null, window: 1_048_576, modified: null },
  ]);
});

test("a prompt that Gemini blocks ends as filtered, not as an answer", async () => {
  const blocked = { promptFeedback: { blockReason: "SAFETY" }, usageMetadata: { promptTokenCount: 4 } };
  answering = () => ({ type: "text/event-stream", body: `data: ${JSON.stringify(blocked)}\n\n` });
  expect((await say(opened("google", url(), { limits }), asked("hello"))).done).toMatchObject({
    stop: "content-filter",
  });
});

test("Bedrock's models are its inference profiles and what it has on demand", async () => {
  answering = ({ path }) => {
    const profile = { inferenceProfileId: "eu.anthropic.claude-sonnet", updatedAt: "2026-05-01T00:00:00Z" };
    if (path.startsWith("/inference-profiles"))
      return {
        body: JSON.stringify({
          inferenceProfileSummaries: [
            { ...profile, status: "ACTIVE" },
            { ...profile, inferenceProfileId: "old", status: "LEGACY" },
          ],
        }),
      };
    return {
      body: JSON.stringify({
        modelSummaries: [
          { modelId: "amazon.nova-lite", responseStreamingSupported: true, inferenceTypesSupported: ["ON_DEMAND"] },
          { modelId: "by-profile-only", responseStreamingSupported: true, inferenceTypesSupported: [] },
          { modelId: "no-stream", responseStreamingSupported: false, inferenceTypesSupported: ["ON_DEMAND"] },
        ],
      }),
    };
  };
  const listed = await opened("bedrock", url(), { limits }).models(signal);
  expect(listed.map(({ id }) => id)).toEqual(["eu.anthropic.claude-sonnet", "amazon.nova-lite"]);
  expect(heard.map(({ headers }) => headers.authorization)).toEqual([`Bearer ${KEY}`, `Bearer ${KEY}`]);
});

test("Bedrock says what it has on another host than the one that answers", () => {
  expect(bedrockControlUrl("https://bedrock-runtime.eu-central-1.amazonaws.com")).toBe(
    "https://bedrock.eu-central-1.amazonaws.com",
  );
});

test("Azure's key travels in a header of its own", async () => {
  answering = () => ({ body: JSON.stringify({ data: [{ id: "gpt-5-mini" }] }) });
  await opened("azure", url(), { limits }).models(signal);
  expect(heard[0]?.headers["api-key"]).toBe(KEY);
  expect(heard[0]?.headers.authorization).toBeUndefined();
});
