import { hash } from "node:crypto";
import { crc32, deflateSync } from "node:zlib";
import type { CompletionRequest, ShownFile } from "../ipc/completion.ts";
import { Conversation } from "./conversations.ts";
import { ModelError } from "./model-error.ts";
import type { Completion, ModelProvider } from "./port.ts";

/** For each of the questions. Models that think first need more tokens than the words of an answer. */
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
  /** Did it see what a picture shows? */
  readonly images: boolean;
  readonly whyImages: string | null;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Asks a model for words, for a tool call, and what it sees in a picture: nothing of anybody's is in the questions.
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
  const text = first.answer.text.trim() !== "";
  const spent = { inputTokens: first.inputTokens, outputTokens: first.outputTokens };
  /** Why it does not work; null: it does. */
  const question = async (asks: Conversation, wrong: (answer: Completion) => string | null): Promise<string | null> => {
    try {
      const answer = await provider.complete(asks, options, () => Promise.resolve(), signal);
      spent.inputTokens += answer.inputTokens;
      spent.outputTokens += answer.outputTokens;
      return wrong(answer);
    } catch (error) {
      if (!(error instanceof ModelError) || error.code === "cancelled") throw error;
      return error.message;
    }
  };
  const why = await question(Conversation.of(CALL), wrongWith);
  const picture = redPicture();
  const file: ShownFile = { sha256: hash("sha256", picture), media: "image/png", bytes: picture.length };
  const asks = Conversation.of(
    { ...WORDS, messages: [{ role: "user", text: "Which colour is this? One word.", files: [file] }] },
    new Map([[file.sha256, picture]]),
  );
  const whyImages = await question(asks, ({ answer }) =>
    /\bred\b/i.test(answer.text) ? null : "it was shown a red picture, and did not say that it is red",
  );
  return {
    model: first.model,
    text,
    pieces,
    tools: why === null,
    why,
    images: whyImages === null,
    whyImages,
    ...spent,
  };
}

const SIDE = 64;

/** A square of red, as PNG. */
function redPicture(): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(SIDE, 0);
  header.writeUInt32BE(SIDE, 4);
  // Eight bits each of red, green and blue.
  header.set([8, 2, 0, 0, 0], 8);
  const line = Buffer.concat([Buffer.of(0), Buffer.alloc(SIDE * 3, Buffer.of(0xd0, 0x10, 0x10))]);
  const lines = deflateSync(Buffer.concat(Array.from({ length: SIDE }, () => line)));
  const signature = Buffer.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  return new Uint8Array(
    Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", lines), chunk("IEND", Buffer.alloc(0))]),
  );
}

function chunk(type: string, data: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const framed = Buffer.alloc(8 + typed.length);
  framed.writeUInt32BE(data.length, 0);
  framed.set(typed, 4);
  framed.writeUInt32BE(crc32(typed), 4 + typed.length);
  return framed;
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
