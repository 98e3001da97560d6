import { createServer } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import type { ChatMessage } from "../../src/ipc/completion.ts";
import { NO_ITEMS, rootWith } from "../../src/ipc/item-digest.ts";
import { packRequest } from "../../src/ipc/items.ts";
import { Conversations } from "../../src/model/conversations.ts";
import { APIS, asked, LIMITS, opened, portOf, say } from "./opened.ts";

/** Bodies as they came. */
let bodies: { readonly length: string | undefined; readonly text: string; readonly headers: string }[] = [];
/** How the next requests end: with an answer where there is nothing. */
let statuses: number[] = [];
const server = createServer((request, response) => {
  let text = "";
  request.setEncoding("utf8").on("data", (piece: string) => {
    text += piece;
  });
  request.on("end", () => {
    bodies.push({
      length: request.headers["content-length"],
      text,
      headers: Object.keys(request.headers).join(" "),
    });
    const status = statuses.shift() ?? 200;
    if (status !== 200) {
      response.writeHead(status, { "content-type": "application/json" }).end('{"error":{"message":"no"}}');
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(
      request.url?.endsWith("/messages") === true
        ? [
            `event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}}\n\n`,
            `event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":1}}\n\n`,
            `event: message_stop\ndata: {"type":"message_stop"}\n\n`,
          ].join("")
        : 'data: {"choices":[{"delta":{"content":"Hi."},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
    );
  });
});
beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  bodies = [];
  statuses = [];
});
/** A busy machine is no reason to ask again: each request is looked at. */
const patient = (api: (typeof APIS)[number]) =>
  opened(api, url(), { limits: { ...LIMITS, firstByteMs: 30_000, idleMs: 30_000 } });
const url = () => `http://127.0.0.1:${portOf(server)}/v1`;

const call = (id: string) => ({ id, name: "list_files", arguments: '{"path":"."}' });
/** What is said from request to request: each goes on from the one before. */
const SAID: readonly (readonly ChatMessage[])[] = [
  [{ role: "user", text: 'ä "quoted" \\ 😀\n' }],
  [
    { role: "assistant", text: "I will look. ", calls: [call("call_0"), call("call 1")] },
    { role: "tool", call: "call_0", name: "list_files", text: "a.txt" },
    { role: "tool", call: "call 1", name: "list_files", text: "" },
  ],
  [
    { role: "assistant", text: "", calls: [call("call_0")] },
    { role: "tool", call: "call_0", name: "list_files", text: "b.txt" },
  ],
  // Made again, with nothing new.
  [],
  // An answer that came to nothing, and what the person said then.
  [{ role: "user", text: "well?" }],
  [
    { role: "assistant", text: "Two files.", calls: [] },
    { role: "user", text: "wirken-0 ".repeat(30_000) },
  ],
  [
    { role: "assistant", text: " ", calls: [] },
    { role: "user", text: " " },
  ],
];

/** One by one, as a session goes on. */
async function goingOn(api: (typeof APIS)[number]): Promise<void> {
  const kept = new Conversations();
  const provider = patient(api);
  const messages: ChatMessage[] = [];
  for (const [at, news] of SAID.entries()) {
    const from = at === 0 ? 0 : 1 + messages.length;
    messages.push(...news);
    const request = { ...asked(""), messages };
    const root = Buffer.from(rootWith(NO_ITEMS, packRequest(request, 0))).toString("hex");
    const conversation = kept.take(1, from, root, packRequest(request, from), "all");
    if (conversation === null) throw new Error("it did not go on");
    await provider.complete(
      conversation,
      { model: "test-model", maxOutputTokens: 1000, timeoutMs: 10_000 },
      () => Promise.resolve(),
      new AbortController().signal,
    );
    kept.release(1, conversation);
  }
}

const Sent = z.looseObject({ messages: z.array(z.looseObject({ role: z.string(), content: z.unknown() })) });

/** Some APIs have the neighbours of one side as one message: said apart they are the same. */
function joined(body: string): unknown {
  const { messages, ...rest } = Sent.parse(JSON.parse(body));
  const all: typeof messages = [];
  for (const message of messages) {
    const last = all.at(-1);
    if (last?.role === message.role && Array.isArray(last.content) && Array.isArray(message.content))
      last.content = [last.content, message.content].flat();
    else all.push({ ...message });
  }
  return { ...rest, messages: all };
}

describe.each(APIS)("%s", (api) => {
  test("what is sent of a conversation that goes on is what would be sent of it whole", async () => {
    await goingOn(api);
    const inPieces = bodies.splice(0);
    const messages: ChatMessage[] = [];
    for (const news of SAID) {
      messages.push(...news);
      await say(patient(api), { ...asked(""), messages });
    }
    expect(inPieces).toHaveLength(SAID.length);
    expect(inPieces.map(({ text }) => joined(text))).toEqual(bodies.map(({ text }) => joined(text)));
    // No mark of ours is sent.
    for (const { text, headers } of inPieces) expect(`${text} ${headers}`).not.toMatch(/wirken-[0-9a-f]{8}-|x-wirken/);
  });

  test("its length is said before it comes", async () => {
    await goingOn(api);
    for (const { length, text } of bodies) expect(length).toBe(String(Buffer.byteLength(text)));
  });

  test("a request that is tried again is the same request", async () => {
    statuses = [529, 503];
    await say(patient(api), asked("hello"));
    expect(bodies).toHaveLength(3);
    expect(new Set(bodies.map(({ text }) => text)).size).toBe(1);
  });
});
