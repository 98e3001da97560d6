import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { LLMock } from "@copilotkit/aimock";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { BEFORE_START, type Heard, type Say, step } from "../../src/agent/loop.ts";
import { ModelError } from "../../src/model/model-error.ts";
import { ALL_APIS, asked, LIMITS, LIST_FILES, opened, portOf, say } from "./opened.ts";
import { certificateFor } from "../support/certificate.ts";

/** What a person sees of everything that can go wrong between us and a model, whoever the model is spoken to as: never a hang, never a silent stop. */

type Api = (typeof ALL_APIS)[number];

const scripted = new LLMock({ port: 0, chunkSize: 8 });
type Answering = (request: IncomingMessage, response: ServerResponse) => void;
let answering: Answering = (_, response) => response.end();
let requests = 0;
const listener = (request: IncomingMessage, response: ServerResponse): void => {
  requests += 1;
  response.on("error", () => undefined);
  request.resume();
  request.on("end", () => answering(request, response));
};
const strict = createServer(listener);
const secure = createSecureServer(certificateFor("127.0.0.1"), listener);
beforeAll(async () => {
  await scripted.start();
  for (const server of [strict, secure])
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
});
afterAll(async () => {
  for (const server of [strict, secure]) {
    server.closeAllConnections();
    server.close();
  }
  await scripted.stop();
});
beforeEach(() => {
  scripted.reset();
  scripted.clearChaos();
  requests = 0;
});

/** Where the model is asked. */
type Place = "scripted" | "strict" | "secure" | "nowhere";
const placeOf = (place: Place): string =>
  ({
    scripted: `${scripted.url}/v1`,
    strict: `http://127.0.0.1:${portOf(strict)}/v1`,
    secure: `https://127.0.0.1:${portOf(secure)}/v1`,
    nowhere: "https://models.invalid/v1",
  })[place];

interface Seen {
  /** What the person reads: what was streamed, and the sentence at the end. */
  person: string;
  /** What the row of the call says. */
  row: string;
  /** The tools that were asked for. */
  readonly tools: Say[];
}

/** One turn: the agent's loop, asking a model. It ends, or the test's time does. */
async function turnWith(api: Api, place: Place): Promise<Seen> {
  const limits = place === "strict" ? LIMITS : { firstByteMs: 5_000, idleMs: 5_000, answerBytes: 4_194_304 };
  const provider = opened(api, placeOf(place), { limits });
  const seen: Seen = { person: "", row: "", tools: [] };
  let agent = step(BEFORE_START, {
    type: "start",
    rounds: 5,
    instructions: "You are a test.",
    tools: [LIST_FILES],
    transcript: [],
  }).turn;
  const hear = (heard: Heard): Say[] => {
    const next = step(agent, heard);
    agent = next.turn;
    for (const one of next.say) {
      if (one.type === "reply.text") seen.person += one.text;
      if (one.type === "turn.end") seen.person += one.sentence;
    }
    seen.tools.push(...next.say.filter(({ type }) => type === "tool"));
    return [...next.say];
  };
  for (let said = hear({ type: "turn", text: "hello" }); ; ) {
    const ask = said.find((one) => one.type === "complete");
    if (ask?.type !== "complete") return seen;
    const { ref } = ask;
    try {
      const onDelta = (text: string): void => void hear({ type: "delta", ref, text });
      const { done } = await say(provider, asked("hello"), { onDelta });
      seen.row = done.stop;
      said = hear({ type: "completed", ref, stop: done.stop, answer: done.answer });
    } catch (error) {
      if (!(error instanceof ModelError)) throw error;
      seen.row = error.code;
      said = hear({ type: "failed", ref, code: error.code, sentence: error.message });
    }
  }
}

const status = (code: number, message = "no, sorry", type = "a_type"): (() => void) => {
  return () => void scripted.on({ userMessage: "hello" }, { error: { message, type }, status: code });
};
const quietly = (code: number, headers: Record<string, string> = {}): (() => void) => {
  return () => {
    answering = (_, response) => response.writeHead(code, headers).end('{"error":{"message":"no, sorry"}}');
  };
};
const raw = (answer: Answering): (() => void) => {
  return () => {
    answering = answer;
  };
};
const EVENTS = { "content-type": "text/event-stream" };
const call = (given: string, id = "call_1", name = "list_files") => ({ id, name, arguments: given });
const answered = (response: Parameters<LLMock["onMessage"]>[1], options = {}): (() => void) => {
  return () => void scripted.onMessage("hello", response, options);
};

interface Case {
  /** What happens. */
  readonly what: string;
  readonly place: Place;
  readonly happens: (api: Api) => void;
  /** What the person sees; P stands for the provider. */
  readonly person: string | RegExp;
  /** What the row says: the code of a failure, or how the answer ended. */
  readonly row: string;
  /** How often the provider was asked. */
  readonly asked: number;
  /** For one way of speaking that differs. */
  readonly but?: Partial<Record<Api, Partial<Pick<Case, "person" | "row" | "asked">>>>;
  /** Where it cannot occur. */
  readonly not?: readonly Api[];
}

/** As each of them says that its filter stepped in. */
const FILTERED: Readonly<Record<Api, string>> = {
  openai: "content_filter",
  azure: "content_filter",
  anthropic: "refusal",
  google: "content_filter",
  bedrock: "content_filtered",
};

// biome-ignore format: a table is read by its lines
const CASES: readonly Case[] = [
  { what: "401", place: "scripted", happens: status(401), person: "the key for P was refused", row: "key-refused", asked: 1 },
  { what: "403", place: "scripted", happens: status(403), person: "the key for P is not allowed to do this: no, sorry", row: "key-refused", asked: 1 },
  { what: "404, no such model", place: "scripted", happens: status(404), person: "P has no model test-model: no, sorry", row: "model-unknown", asked: 1 },
  { what: "408", place: "scripted", happens: status(408), person: "P gave up waiting for the request; tried 3 times", row: "timeout", asked: 3 },
  { what: "409", place: "scripted", happens: status(409), person: "P refused the request with status 409: no, sorry; tried 3 times", row: "bad-request", asked: 3 },
  { what: "413", place: "scripted", happens: status(413), person: "this conversation is too long for test-model: start a new one with /new: no, sorry", row: "too-long", asked: 1 },
  { what: "429 that asks for a second", place: "scripted", happens: status(429), person: "P has had too many requests and asks to wait 1 s; tried 3 times", row: "rate-limited", asked: 3 },
  { what: "429 that asks for nothing", place: "strict", happens: quietly(429), person: "P has had too many requests; tried 3 times", row: "rate-limited", asked: 3 },
  { what: "429 that asks for an hour", place: "strict", happens: quietly(429, { "retry-after": "3600" }), person: "P has had too many requests and asks to wait 3600 s", row: "rate-limited", asked: 1 },
  { what: "429 by a clock that is years ahead of ours", place: "strict", happens: quietly(429, { date: "Sat, 01 Jan 2050 00:00:00 GMT", "retry-after": "Sat, 01 Jan 2050 01:00:00 GMT" }), person: "P has had too many requests and asks to wait 3600 s", row: "rate-limited", asked: 1 },
  { what: "500", place: "scripted", happens: status(500), person: "P failed with status 500: no, sorry; tried 3 times", row: "failing", asked: 3 },
  { what: "529", place: "scripted", happens: status(529), person: "P is overloaded; tried 3 times", row: "overloaded", asked: 3 },
  { what: "connection cut at once", place: "strict", happens: raw((request) => request.socket.destroy()), person: /^cannot reach P .*tried 3 times$/, row: "unreachable", asked: 3 },
  { what: "chaos: dropped", place: "scripted", happens: () => void scripted.setChaos({ dropRate: 1 }), person: /^P failed with status 500.*tried 3 times$/, row: "failing", asked: 3 },
  { what: "chaos: cut", place: "scripted", happens: () => void scripted.setChaos({ disconnectRate: 1 }), person: /^(cannot reach P|the connection to P broke|P broke off).*tried 3 times$/, row: "unreachable", asked: 3 },
  { what: "chaos: malformed", place: "scripted", happens: () => void scripted.setChaos({ malformedRate: 1 }), person: /^(P answered with something that is not a completion|P broke off in mid-answer|the connection to P broke in mid-answer)(; tried 3 times)?$/, row: "other|unreachable", asked: 1, but: { anthropic: { asked: 3 }, google: { asked: 3 }, bedrock: { asked: 3 } } },
  { what: "stream cut in the middle", place: "scripted", happens: answered({ content: "word ".repeat(200) }, { truncateAfterChunks: 6, chunkSize: 20, latency: 20 }), person: /^word .*(the connection to P broke|P broke off) in mid-answer$/s, row: "unreachable", asked: 1 },
  { what: "empty stream", place: "strict", happens: raw((_, response) => response.writeHead(200, EVENTS).end()), person: /^P (broke off in mid-answer; tried 3 times|answered with something that is not a completion)$/, row: "unreachable|other", asked: 3, but: { openai: { asked: 1 }, azure: { asked: 1 }, bedrock: { person: "the model gave an empty answer, twice: ask in other words, or try another model", row: "other", asked: 2 } } },
  { what: "empty answer, twice", place: "scripted", happens: answered({ content: "" }), person: "the model gave an empty answer, twice: ask in other words, or try another model", row: "stop", asked: 2 },
  { what: "length stop", place: "scripted", happens: answered({ content: "half an ans", finishReason: "length" }), person: "half an ans\n\n(cut off: the model reached its limit for one answer)", row: "length", asked: 1 },
  { what: "content filter", place: "scripted", happens: (api) => answered({ content: "half an ans", finishReason: FILTERED[api] })(), person: "half an ans\n\n(ended by the provider: its content filter, or a refusal)", row: "content-filter", asked: 1 },
  { what: "slow first token", place: "scripted", happens: answered({ content: "At last." }, { streamingProfile: { ttft: 1500 } }), person: "At last.", row: "stop", asked: 1 },
  { what: "no headers", place: "strict", happens: raw(() => undefined), person: "P was silent for 0 s; tried 3 times", row: "timeout", asked: 3 },
  { what: "no token", place: "strict", happens: raw((_, response) => response.writeHead(200, EVENTS).flushHeaders()), person: "P was silent for 0 s; tried 3 times", row: "timeout", asked: 3 },
  { what: "a certificate that nobody vouches for", place: "secure", happens: () => undefined, person: /^the certificate of P at https:.* is not trusted \([A-Z_]+\)$/, row: "unreachable", asked: 0 },
  { what: "no such host", place: "nowhere", happens: () => undefined, person: /^cannot find P at https:\/\/models.invalid.*: is there a network\?; tried 3 times$/, row: "unreachable", asked: 0 },
];

describe.for(ALL_APIS)("a model that is spoken to as %s", (api) => {
  test.for(CASES.filter(({ not }) => not?.includes(api) !== true))("$what", async (given) => {
    given.happens(api);
    const { person, row, asked: times } = { ...given, ...given.but?.[api] };
    const seen = await turnWith(api, given.place);
    const said = seen.person.replaceAll(new RegExp(`\\b${api}\\b`, "g"), "P").replace("/P/", "/");
    if (typeof person === "string") expect(said).toBe(person);
    else expect(said).toMatch(person);
    expect(row.split("|")).toContain(seen.row);
    expect(given.place === "scripted" ? scripted.getRequests().length : requests).toBe(times);
  });

  test("arguments that are no JSON reach the broker as they were written, which refuses them to the model", async () => {
    scripted.onMessage("hello", { toolCalls: [call('{"path": ')] });
    const { tools, row } = await turnWith(api, "scripted");
    expect(row).toBe("tool-calls");
    expect(tools).toHaveLength(1);
    const [one] = tools;
    // Where an API carries arguments as an object, its server has no way to write others.
    expect(one?.type === "tool" && (one.arguments === '{"path": ' || isObject(one.arguments))).toBe(true);
  });

  test("a tool that there is not is asked for by its name, and the broker says so", async () => {
    scripted.onMessage("hello", { toolCalls: [call("{}", "call_1", "launch_rocket")] });
    expect((await turnWith(api, "scripted")).tools).toMatchObject([{ name: "launch_rocket" }]);
  });

  test("calls of one id get ids of their own", async () => {
    scripted.onMessage("hello", { toolCalls: [call("{}", "same"), call("{}", "same")] });
    const ids = (await turnWith(api, "scripted")).tools.map((one) => (one.type === "tool" ? one.call : ""));
    expect(new Set(ids).size).toBe(2);
  });

  test("of a hundred calls at once 64 are asked for, and the others are answered as not run", async () => {
    scripted.onMessage("hello", {
      toolCalls: Array.from({ length: 100 }, (_, nth) => call("{}", `call_${nth}`)),
    });
    expect((await turnWith(api, "scripted")).tools).toHaveLength(64);
  });
});

const chunk = (delta: object, finish_reason: string | null): string =>
  `data: ${JSON.stringify({ id: "1", created: 1, model: "m", choices: [{ index: 0, delta, finish_reason }] })}\n\n`;

test("a model that refuses says so in its own words", async () => {
  answering = (_, response) => {
    response.writeHead(200, EVENTS);
    response.end(
      `${chunk({ role: "assistant", refusal: "I will not do that." }, null)}${chunk({}, "stop")}data: [DONE]\n\n`,
    );
  };
  for (const api of ["openai", "azure"] as const) {
    const seen = await turnWith(api, "strict");
    expect(seen.person).toBe("I will not do that.\n\n(ended by the provider: its content filter, or a refusal)");
  }
});

function isObject(json: string): boolean {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null;
  } catch {
    return false;
  }
}
