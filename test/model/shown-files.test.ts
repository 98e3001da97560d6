import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { ChatMessage, CompletionRequest, ShownFile } from "../../src/ipc/completion.ts";
import { NO_ITEMS, rootWith } from "../../src/ipc/item-digest.ts";
import { filesOf, packRequest, readItem, unpack } from "../../src/ipc/items.ts";
import { Conversation, Conversations } from "../../src/model/conversations.ts";
import { ALL_APIS, opened, portOf } from "./opened.ts";

const PNG = Buffer.from("89504e470d0a1a0a0000000d49484452", "hex");
const PDF = Buffer.from("%PDF-1.7 nothing much");
const shown = (bytes: Uint8Array, media: ShownFile["media"]): ShownFile => ({
  sha256: createHash("sha256").update(bytes).digest("hex"),
  media,
  bytes: bytes.length,
});
const picture = shown(PNG, "image/png");
const document = shown(PDF, "application/pdf");
const files = () =>
  new Map([
    [picture.sha256, new Uint8Array(PNG)],
    [document.sha256, new Uint8Array(PDF)],
  ]);
const requestOf = (...messages: ChatMessage[]): CompletionRequest => ({ instructions: "", messages, tools: [] });
const rootOf = (request: CompletionRequest) => Buffer.from(rootWith(NO_ITEMS, packRequest(request, 0))).toString("hex");

let bodies: string[] = [];
let [status, sentence] = [400, "that is all"];
/** Takes what it is sent, and is busy. */
const server = createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8").on("data", (piece: string) => (body += piece));
  request.on("end", () => {
    bodies.push(body);
    response
      .writeHead(status, { "content-type": "application/json" })
      .end(JSON.stringify({ error: { message: sentence } }));
  });
});
beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
afterAll(() => server.close());
beforeEach(() => {
  bodies = [];
  [status, sentence] = [400, "that is all"];
});

async function sent(api: (typeof ALL_APIS)[number], conversation: Conversation): Promise<string> {
  const limits = { firstByteMs: 20_000, idleMs: 20_000, answerBytes: 1_048_576 };
  await opened(api, `http://127.0.0.1:${portOf(server)}/v1`, { limits })
    .complete(
      conversation,
      { model: "test-model", maxOutputTokens: 100, timeoutMs: 20_000 },
      () => Promise.resolve(),
      new AbortController().signal,
    )
    .catch(() => undefined);
  return bodies.at(-1) ?? "";
}

test.for(ALL_APIS)("%s is shown a picture and a PDF as their bytes, and words beside them", async (api) => {
  const request = requestOf({ role: "user", text: "what is this?", files: [picture, document] });
  const body = await sent(api, Conversation.of(request, files()));
  expect(body).toContain(PNG.toString("base64"));
  expect(body).toContain(PDF.toString("base64"));
  expect(body).toContain("what is this?");
});

test.for(ALL_APIS)("%s is shown what a tool's result shows, behind the result", async (api) => {
  const request = requestOf(
    { role: "user", text: "look" },
    { role: "assistant", text: "", calls: [{ id: "c1", name: "see", arguments: "{}" }] },
    { role: "tool", call: "c1", name: "see", text: "here it is", files: [picture] },
  );
  const body = await sent(api, Conversation.of(request, files()));
  expect(body).toContain(PNG.toString("base64"));
  expect(body.indexOf("here it is")).toBeLessThan(body.indexOf(PNG.toString("base64")));
});

test.for(ALL_APIS)("%s is told in words of a file that it is not shown", async (api) => {
  const request = requestOf({ role: "user", text: "what is this?", files: [picture] });
  const body = await sent(api, Conversation.of(request));
  expect(body).toContain("a file of type image/png belongs here, 1 KiB: you are not shown it");
});

test("an item commits to the files that it shows, and what shows none is what it was", () => {
  const request = requestOf({ role: "user", text: "a", files: [picture] }, { role: "user", text: "b" });
  const [, first, second] = unpack(packRequest(request, 0));
  if (first === undefined || second === undefined) throw new Error("there are two messages");
  expect(filesOf(first)).toEqual([picture]);
  expect(readItem(first)).toEqual({ role: "user", text: "a", files: [picture] });
  expect(Buffer.from(second.head).toString()).toBe('{"role":"user"}');
});

test("files come before the request that shows them, and only as the bytes that they are named by", () => {
  const kept = new Conversations();
  expect(() => kept.bring(1, picture.sha256, new Uint8Array(PDF))).toThrow("not the one");
  kept.bring(1, picture.sha256, new Uint8Array(PNG));
  const request = requestOf({ role: "user", text: "what is this?", files: [picture] });
  const taken = kept.take(1, 0, rootOf(request), packRequest(request, 0), "all");
  expect(JSON.stringify(taken?.encoded.prompt("mark"))).toContain('"image/png"');
});

test("a conversation that is not shown its files any more is told anew", () => {
  const kept = new Conversations();
  kept.bring(1, picture.sha256, new Uint8Array(PNG));
  const request = requestOf({ role: "user", text: "what is this?", files: [picture] });
  const taken = kept.take(1, 0, rootOf(request), packRequest(request, 0), "all");
  if (taken === null) throw new Error("it is all there");
  kept.release(1, taken);
  const longer = { ...request, messages: [...request.messages, { role: "user" as const, text: "go on" }] };
  expect(kept.take(1, 2, rootOf(longer), packRequest(longer, 2), "none")).toBeNull();
  const anew = kept.take(1, 0, rootOf(longer), packRequest(longer, 0), "none");
  expect(JSON.stringify(anew?.encoded.prompt("mark"))).toContain("you are not shown it");
});

test.for([
  [400, "Invalid content type. image_url is only supported by certain models."],
  [404, "No endpoints found that support image input"],
  [400, "test-model is not a multimodal model"],
  [400, "At most 0 image(s) may be provided in one request."],
  [500, "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"],
  [400, "Image input is not enabled for this model"],
  [400, "This model does not support PDF input"],
  [400, "This model doesn't support the image content block that you provided."],
  [422, "unknown variant `image_url`, expected `text`"],
] as const)("a server that answers %i, %s, takes no such files", async ([code, words]) => {
  [status, sentence] = [code, words];
  const options = { model: "test-model", maxOutputTokens: 100, timeoutMs: 20_000 };
  const { signal } = new AbortController();
  const provider = opened("openai", `http://127.0.0.1:${portOf(server)}/v1`);
  const shows = requestOf({ role: "user", text: "what is this?", files: [picture] });
  await expect(
    provider.complete(Conversation.of(shows, files()), options, () => Promise.resolve(), signal),
  ).rejects.toMatchObject({ code: "files-refused" });
  // Whoever was shown nothing was refused for something else.
  const words_ = requestOf({ role: "user", text: "what is this?" });
  await expect(
    provider.complete(Conversation.of(words_), options, () => Promise.resolve(), signal),
  ).rejects.toMatchObject({ code: "bad-request" });
});
