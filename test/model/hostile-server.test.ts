import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Conversation } from "../../src/model/conversations.ts";
import { ModelError } from "../../src/model/model-error.ts";
import { APIS, type Api, asked, failureOf, KEY, opened, portOf, say } from "./opened.ts";

type Answering = (request: IncomingMessage, response: ServerResponse) => void;

let requests = 0;
let answering: Answering = (_, response) => response.end();
let heard: IncomingMessage[] = [];
const server = createServer((request, response) => {
  requests++;
  heard.push(request);
  response.on("error", () => undefined);
  request.resume();
  request.on("end", () => answering(request, response));
});
beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  requests = 0;
  heard = [];
});

const url = () => `http://127.0.0.1:${portOf(server)}/v1`;

const EVENTS = { "content-type": "text/event-stream" };
/** The beginning of a good stream: one piece of text, "Hello". */
const BEGINNING: Record<Api, string> = {
  openai: `data: ${JSON.stringify({ id: "1", created: 1, model: "m", choices: [{ index: 0, delta: { role: "assistant", content: "Hello" }, finish_reason: null }] })}\n\n`,
  anthropic: [
    {
      type: "message_start",
      message: {
        id: "m",
        type: "message",
        role: "assistant",
        model: "m",
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { input_tokens: 1, output_tokens: 0 },
      },
    },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hello" } },
  ]
    .map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
    .join(""),
};
const COMMENT = ": still here\n\n";

describe.for(APIS)("a server that is spoken to as %s", (api) => {
  test("and never answers is given up in time", async () => {
    answering = () => undefined;
    const began = performance.now();
    const failure = await failureOf(say(opened(api, url()), asked("hello"), { timeoutMs: 1100 }));
    expect(failure).toMatchObject({ code: "timeout" });
    expect(performance.now() - began).toBeLessThan(2000);
  });

  test("and sends headers and then nothing is given up, and asked again", async () => {
    answering = (_, response) => {
      response.writeHead(200, EVENTS);
      response.flushHeaders();
    };
    const failure = await failureOf(say(opened(api, url()), asked("hello")));
    expect(failure).toMatchObject({ code: "timeout", message: `${api} was silent for 0 s; tried 3 times` });
    expect(requests).toBe(3);
  });

  test("and falls silent in mid-answer is given up, and not asked again", async () => {
    answering = (_, response) => {
      response.writeHead(200, EVENTS);
      response.write(BEGINNING[api]);
    };
    const said: string[] = [];
    const failure = await failureOf(say(opened(api, url()), asked("hello"), { onDelta: (text) => said.push(text) }));
    expect(said).toEqual(["Hello"]);
    expect(failure.code).toBe("timeout");
    expect(requests).toBe(1);
  });

  test("and thinks for long, with a comment now and then, is not given up", async () => {
    answering = (_, response) => {
      response.writeHead(200, EVENTS);
      let left = 8;
      const timer = setInterval(() => {
        if (left-- > 0) response.write(COMMENT);
        else {
          clearInterval(timer);
          response.end(BEGINNING[api] + endOf(api));
        }
      }, 100);
    };
    const { done } = await say(opened(api, url()), asked("hello"));
    expect(done.answer.text).toBe("Hello");
  });

  test("is not taken for silent while our own side is slow to read", async () => {
    answering = (_, response) => {
      response.writeHead(200, EVENTS);
      response.write(BEGINNING[api]);
      setTimeout(() => response.end(endOf(api)), 50);
    };
    const provider = opened(api, url());
    const done = await provider.complete(
      Conversation.of(asked("hello")),
      { model: "m", maxOutputTokens: 10, timeoutMs: 5000 },
      () => new Promise((resolve) => setTimeout(resolve, 700)),
      new AbortController().signal,
    );
    expect(done.answer.text).toBe("Hello");
  });

  test("and cuts the connection at once is asked again, and then said to be broken", async () => {
    answering = (request) => request.socket.destroy();
    const failure = await failureOf(say(opened(api, url()), asked("hello")));
    expect(failure.code).toBe("unreachable");
    expect(failure.message).toMatch(/tried 3 times$/);
    expect(requests).toBe(3);
  });

  test("and cuts the connection in mid-answer fails with what was given out", async () => {
    answering = (_, response) => {
      response.writeHead(200, EVENTS);
      response.write(BEGINNING[api]);
      setTimeout(() => response.destroy(), 100);
    };
    const failure = await failureOf(say(opened(api, url()), asked("hello")));
    expect(failure).toMatchObject({ code: "unreachable", message: `the connection to ${api} broke in mid-answer` });
    expect(requests).toBe(1);
  });

  test("and ends the stream before the answer's end is not believed", async () => {
    answering = (_, response) => {
      response.writeHead(200, EVENTS);
      response.end(BEGINNING[api]);
    };
    const failure = await failureOf(say(opened(api, url()), asked("hello")));
    expect(failure.code).not.toBe("cancelled");
    expect(requests).toBe(1);
  });

  test.for([
    ["a page", "text/html", "<html><body>Welcome to the hotel's network!</body></html>"],
    ["nothing", "text/event-stream", ""],
    ["events that are no JSON", "text/event-stream", "data: {nope\n\ndata: [1,2\n\n"],
    ["events of another kind", "text/event-stream", 'data: {"greeting":"hello"}\n\n'],
    ["bytes", "application/octet-stream", "\u0000\u0001\u0002\ud83d\udca9".repeat(100)],
  ] as const)("and answers with %s gives one clear sentence", async ([, type, body]) => {
    answering = (_, response) => {
      response.writeHead(200, { "content-type": type });
      response.end(body);
    };
    const failure = await failureOf(say(opened(api, url()), asked("hello")));
    expect(["other", "unreachable"]).toContain(failure.code);
    expect(failure.message).toMatch(/not a completion|broke off/);
    expect(failure.message.length).toBeLessThan(200);
  });

  test("and answers without an end is cut off at the limit", async () => {
    let sent = 0;
    answering = (_, response) => {
      response.writeHead(200, EVENTS);
      const piece = COMMENT.repeat(5000);
      const more = () => {
        sent += piece.length;
        if (response.destroyed || sent > 100_000_000) return;
        if (response.write(piece)) setImmediate(more);
        else response.once("drain", more);
      };
      more();
    };
    const failure = await failureOf(say(opened(api, url()), asked("hello")));
    expect(failure).toMatchObject({ code: "other", message: `${api} answered with more than 1 MiB` });
    expect(sent).toBeLessThan(50_000_000);
    expect(requests).toBe(1);
  });

  test("and answers with a bomb of zeros is cut off at the limit", async () => {
    const bomb = gzipSync(new Uint8Array(50_000_000));
    answering = (_, response) => {
      response.writeHead(200, { ...EVENTS, "content-encoding": "gzip" });
      response.end(bomb);
    };
    const failure = await failureOf(say(opened(api, url()), asked("hello")));
    expect(failure.message).toBe(`${api} answered with more than 1 MiB`);
  });

  test("and fails with an endless page is read no further than needed", async () => {
    answering = (_, response) => {
      response.writeHead(400, { "content-type": "text/html" });
      const piece = "x".repeat(65_536);
      const more = () => {
        if (response.destroyed) return;
        if (response.write(piece)) setImmediate(more);
        else response.once("drain", more);
      };
      more();
    };
    const failure = await failureOf(say(opened(api, url()), asked("hello")));
    expect(failure).toMatchObject({ code: "bad-request", message: `${api} refused the request with status 400` });
  });

  test("and points elsewhere is not followed: the key would go along", async () => {
    answering = (request, response) => {
      response.writeHead(request.url?.startsWith("/v1") === true ? 307 : 200, { location: "/elsewhere" });
      response.end();
    };
    const failure = await failureOf(say(opened(api, url()), asked("hello")));
    expect(failure.message).toContain("points to another address");
    expect(requests).toBe(1);
  });

  test("at a wrong address is told apart from a model that does not exist", async () => {
    answering = (_, response) => {
      response.writeHead(404, { "content-type": "text/html" });
      response.end("<h1>Not Found</h1>");
    };
    const failure = await failureOf(say(opened(api, url()), asked("hello")));
    expect(failure.message).toBe(`${api} knows no such address: is the base URL right (now ${url()})?`);
  });

  test("gets the key in its header, and nowhere else", async () => {
    answering = (_, response) => {
      response.writeHead(200, EVENTS);
      response.end(BEGINNING[api] + endOf(api));
    };
    await say(opened(api, url()), asked("hello"));
    const headers = heard[0]?.headers ?? {};
    const sent = api === "openai" ? headers.authorization : headers["x-api-key"];
    expect(sent).toBe(api === "openai" ? `Bearer ${KEY}` : KEY);
    expect(JSON.stringify(headers).split(KEY)).toHaveLength(2);
    expect(JSON.stringify(headers)).not.toContain("placeholder");
  });

  test("that quotes the key never gets it into an error, its causes included", async () => {
    answering = (_, response) => {
      response.writeHead(422, { "content-type": "application/json" });
      response.end(JSON.stringify({ error: { message: `bad ${KEY} and sk-ab***yz` } }));
    };
    const failure = await failureOf(say(opened(api, url()), asked("hello")));
    expect(failure.message).toBe(`${api} refused the request with status 422: bad [key] and [key]`);
    for (let error: unknown = failure; error instanceof Error; error = error.cause)
      expect(`${error.message}${error.stack}`).not.toContain(KEY);
  });

  test("is told nothing at all with a key that no header may hold", async () => {
    const failure = await failureOf(say(opened(api, url(), { key: "sk-bad\nkey-0123456789" }), asked("hello")));
    expect(failure.code).toBe("key-refused");
    expect(failure.message).toContain("has characters that no key has");
    for (let error: unknown = failure; error instanceof Error; error = error.cause)
      expect(`${error.message}${error.stack}`).not.toContain("0123456789");
    expect(requests).toBe(0);
  });

  test("is waited for to the millisecond, if it says so", async () => {
    answering = (_, response) => {
      if (requests === 1) {
        response.writeHead(429, { "retry-after-ms": "260", "retry-after": "1" });
        response.end("{}");
      } else {
        response.writeHead(200, EVENTS);
        response.end(BEGINNING[api] + endOf(api));
      }
    };
    const began = performance.now();
    await say(opened(api, url()), asked("hello"));
    expect(performance.now() - began).toBeGreaterThan(255);
    expect(performance.now() - began).toBeLessThan(900);
  });

  test("is not asked again in a pause that was cancelled", async () => {
    answering = (_, response) => {
      response.writeHead(429, { "retry-after": "3" });
      response.end("{}");
    };
    const controller = new AbortController();
    const stopped = new ModelError("cancelled", "the answer was stopped");
    setTimeout(() => controller.abort(stopped), 200);
    const began = performance.now();
    expect(await failureOf(say(opened(api, url()), asked("hello"), { signal: controller.signal }))).toBe(stopped);
    expect(performance.now() - began).toBeLessThan(1500);
    expect(requests).toBe(1);
  });
});

test("an error in the first event of a stream counts as a status", async () => {
  answering = (_, response) => {
    response.writeHead(200, EVENTS);
    response.end(`event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n`);
  };
  const failure = await failureOf(say(opened("anthropic", url()), asked("hello")));
  expect(failure).toMatchObject({ code: "overloaded", message: "anthropic is overloaded; tried 3 times" });
});

test("an error in mid-stream ends the answer with the provider's reason", async () => {
  answering = (_, response) => {
    response.writeHead(200, EVENTS);
    response.write(BEGINNING.anthropic);
    response.end(`event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n`);
  };
  const failure = await failureOf(say(opened("anthropic", url()), asked("hello")));
  expect(failure).toMatchObject({ code: "overloaded", message: "anthropic is overloaded" });
  answering = (_, response) => {
    response.writeHead(200, EVENTS);
    response.write(BEGINNING.openai);
    response.end(`data: {"error":{"message":"the GPU fell out","code":500}}\n\n`);
  };
  const other = await failureOf(say(opened("openai", url()), asked("hello")));
  expect(other).toMatchObject({ code: "failing", message: "openai failed with status 500: the GPU fell out" });
});

test.for([
  [
    { error: { message: "You exceeded your current quota", code: "insufficient_quota" } },
    429,
    "rate-limited",
    "has no credit left",
  ],
  [
    { error: { message: "maximum context length is 8192 tokens", code: "context_length_exceeded" } },
    400,
    "too-long",
    "too long",
  ],
  [
    { error: { message: "The model `x` does not exist", code: "model_not_found" } },
    400,
    "model-unknown",
    "has no model test-model",
  ],
  [{ error: 'model "x" not found' }, 404, "model-unknown", "has no model test-model"],
  [{ error: { message: "no such region" } }, 403, "key-refused", "not allowed"],
  [{}, 402, "rate-limited", "no credit"],
  [{}, 413, "too-long", "too long"],
] as const)("%j with status %i is %s, and is not tried again", async ([body, status, code, words]) => {
  answering = (_, response) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };
  const failure = await failureOf(say(opened("openai", url()), asked("hello")));
  expect(failure.code).toBe(code);
  expect(failure.message).toContain(words);
  expect(requests).toBe(1);
});

test("a model that Ollama does not have comes with the command that fetches it", async () => {
  answering = (_, response) => {
    response.writeHead(404, { "content-type": "application/json" });
    response.end(
      JSON.stringify({ error: { message: 'model "x" not found, try pulling it first', type: "api_error" } }),
    );
  };
  const failure = await failureOf(say(opened("openai", url(), { provider: "ollama", key: null }), asked("hello")));
  expect(failure.message).toBe("ollama has no model test-model: fetch it with `ollama pull test-model`");
});

test("a server on this machine that is not there is asked after", async () => {
  const gone = createServer();
  await new Promise<void>((resolve) => gone.listen(0, "127.0.0.1", resolve));
  const port = portOf(gone);
  await new Promise((resolve) => gone.close(resolve));
  const ollama = opened("openai", `http://127.0.0.1:${port}/v1`, { provider: "ollama", key: null });
  expect(await failureOf(say(ollama, asked("hello")))).toMatchObject({
    code: "unreachable",
    message: `cannot reach ollama at http://127.0.0.1:${port}: is it running?`,
  });
});

test("Ollama's models come newest first, with what they can do", async () => {
  answering = (request, response) => {
    response.setHeader("content-type", "application/json");
    if (request.url === "/api/tags")
      response.end(
        JSON.stringify({
          models: [
            { name: "old", modified_at: "2024-01-01T00:00:00.5+02:00" },
            { name: "new", modified_at: "2026-01-01T00:00:00Z" },
            { name: "none" },
          ],
        }),
      );
    else if (request.url === "/api/show") response.end(JSON.stringify({ capabilities: ["completion", "tools"] }));
    else response.writeHead(404).end();
  };
  const models = await opened("openai", url(), { provider: "ollama", key: null }).models(new AbortController().signal);
  expect(models).toMatchObject([
    { id: "new", tools: true, modified: "2026-01-01T00:00:00.000Z" },
    { id: "old", tools: true, modified: "2023-12-31T22:00:00.500Z" },
    { id: "none", tools: true, modified: null },
  ]);
});

test("a list of models that is none gives one clear sentence", async () => {
  for (const body of ["<html>", "[]", '{"data":"x"}']) {
    answering = (_, response) => response.end(body);
    const failure = await failureOf(opened("openai", url()).models(new AbortController().signal));
    expect(failure.message).toMatch(/^openai answered with something that is not (JSON|a list of models)$/);
  }
});

test("a check of a key says to whom it belongs, where the provider does", async () => {
  answering = (_, response) => {
    response.writeHead(200, { "openai-organization": "acme-42", "content-type": "application/json" });
    response.end('{"data":[]}');
  };
  expect(await opened("openai", url()).check(new AbortController().signal)).toEqual({ account: "acme-42" });
});

function endOf(api: Api): string {
  if (api === "openai")
    return `data: ${JSON.stringify({ id: "1", created: 1, model: "m", choices: [{ index: 0, delta: {}, finish_reason: "stop" }] })}\n\ndata: [DONE]\n\n`;
  return [
    { type: "content_block_stop", index: 0 },
    { type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null }, usage: { output_tokens: 1 } },
    { type: "message_stop" },
  ]
    .map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
    .join("");
}
