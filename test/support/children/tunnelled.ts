/** A child that has a lane and can open no socket: it uses every library that ours use, and says how that went, one JSON line for each.
 *
 *  argv: a list of `[what, argument]` as JSON, done one after the other. */
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { writeSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Api } from "grammy/web";
import { WebSocket as WsSocket } from "ws";
import { z } from "zod";
import { client, trouble } from "../../../adapters/slack/api.ts";
import { networkCode } from "../../../adapters/failure.ts";
import { Line } from "../../../adapters/slack/line.ts";
import { confine } from "../../../src/confine/confine.ts";
import { tunnelAgents } from "../../../src/tunnel/agents.ts";
import { takeLane } from "../../../src/tunnel/own-tunnel.ts";
import { routeClient } from "../../../src/tunnel/route-fetch.ts";
import { tunnelErrorIn } from "../../../src/tunnel/tunnel-error.ts";

const Orders = z.array(z.tuple([z.string(), z.string()]));
const orders = Orders.parse(JSON.parse(process.argv[2] ?? "[]"));

setFlagsFromString("--expose-gc");
const collect = z.custom<() => void>((value) => typeof value === "function").parse(runInNewContext("gc"));

const own = takeLane("adapter:test");
// It keeps nothing: no scope of Node's, and no socket of the system's.
confine("adapter");
const { dialler, tunnel } = own;
const agents = tunnelAgents(dialler);

const PROMPT = [{ role: "user" as const, content: [{ type: "text" as const, text: "say something" }] }];
const MIB = 1_048_576;

/** Each returns what is to be known of it, or throws. */
const DOES: Readonly<Record<string, (argument: string) => Promise<unknown>>> = {
  async socket(port) {
    await once(connect(Number(port), "127.0.0.1"), "connect");
  },
  async fetch(url) {
    const response = await fetch(url);
    return { status: response.status, text: await response.text() };
  },
  async "fetch-hundred"(url) {
    const all = await Promise.all(
      Array.from({ length: 100 }, async (_, i) => await (await fetch(`${url}?${i}`)).text()),
    );
    return all.every((text, i) => text.endsWith(`?${i}`)) ? all.length : all;
  },
  async "fetch-aborted"(url) {
    await fetch(url, { signal: AbortSignal.timeout(300) });
  },
  /** Asks for bytes and counts them, reading slowly at first. */
  async download(url) {
    const response = await fetch(url);
    const before = held();
    let bytes = 0;
    let most = 0;
    const digest = createHash("sha256");
    await delay(500);
    for await (const piece of response.body ?? []) {
      if (!(piece instanceof Uint8Array)) throw new TypeError("no bytes");
      bytes += piece.length;
      digest.update(piece);
      if (bytes % (8 * MIB) < piece.length) most = Math.max(most, held() - before);
    }
    return { bytes, digest: digest.digest("hex"), most };
  },
  /** Holds the whole answer at once. */
  async hoard(url) {
    const before = held();
    const answer = await (await fetch(url)).arrayBuffer();
    return { most: held() - before, bytes: answer.byteLength };
  },
  async upload(url) {
    const before = held();
    let most = 0;
    let left = 64;
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        pull(controller) {
          if (left % 8 === 0) most = Math.max(most, held() - before);
          if (left-- > 0) controller.enqueue(new Uint8Array(MIB).fill(left));
          else controller.close();
        },
      },
      { highWaterMark: 0 },
    );
    const init = { method: "POST", body, duplex: "half" as const };
    const response = await fetch(url, init);
    return { text: await response.text(), most };
  },
  async https(url) {
    return await asked(https.get(url, { agent: agents.https }));
  },
  async "https-twice"(url) {
    const first = await asked(https.get(url, { agent: agents.https }));
    await delay(50);
    return [first, await asked(https.get(url, { agent: agents.https }))];
  },
  async "https-global"(url) {
    const before = https.globalAgent;
    https.globalAgent = agents.https;
    try {
      return await asked(https.get(url));
    } finally {
      https.globalAgent = before;
    }
  },
  async http(url) {
    return await asked(http.get(url, { agent: agents.http }));
  },
  async ws(url) {
    const socket = new WsSocket(url, { agent: url.startsWith("wss:") ? agents.https : agents.http });
    await once(socket, "open");
    socket.send("hello over ws");
    const [said]: unknown[] = await once(socket, "message");
    socket.close();
    await once(socket, "close");
    return String(said);
  },
  async websocket(url) {
    routeClient(dialler);
    const socket = new WebSocket(url);
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    socket.addEventListener("open", () => socket.send("hello over WebSocket"));
    socket.addEventListener("message", ({ data }) => resolve(String(data)));
    socket.addEventListener("error", () => reject(new Error("the WebSocket failed")));
    const said = await promise;
    socket.close();
    return said;
  },
  async telegram(apiRoot) {
    const api = new Api("700100:AAEzTqbz4vJ5uYB-f9L2dKxPq7wR8sT1u3V", { apiRoot });
    const { username } = await api.getMe();
    const sent = await api.sendMessage(42, "hello", { link_preview_options: { is_disabled: true } });
    return { username, sent: sent.text };
  },
  async slack(apiRoot) {
    const { bot, app } = TOKENS;
    const web = client(bot, start(apiRoot));
    const auth = await web.auth.test();
    const envelope = Promise.withResolvers<unknown>();
    const line = new Line(app, start(apiRoot), {
      envelope: ({ body, ack }) => void ack().then(() => envelope.resolve(body["event_id"])),
      leaving: () => undefined,
      closed: () => undefined,
    });
    await line.open();
    const event = await envelope.promise;
    // The server answers no close. When it has answered this, it has the acknowledgement too.
    await web.auth.test();
    line.hangUp();
    return { user: auth.user, app: line.app, event };
  },
  async "slack-refused"(apiRoot) {
    try {
      await client(TOKENS.bot, start(apiRoot)).auth.test();
      return "it was not refused";
    } catch (error) {
      return trouble(error, "bot");
    }
  },
  async openai(baseURL) {
    const model = createOpenAICompatible({ name: "compatible", baseURL, apiKey: "sk-none" }).chatModel("a-model");
    return await streamed((await model.doStream({ prompt: PROMPT })).stream);
  },
  async anthropic(baseURL) {
    const model = createAnthropic({ baseURL, apiKey: "sk-none" }).languageModel("a-model");
    return await streamed((await model.doStream({ prompt: PROMPT })).stream);
  },
  async "wrong-name"(url) {
    return await asked(https.get(url, { agent: agents.https, servername: "other.example.com" }));
  },
  async tcp(place) {
    const { hostname, port } = new URL(place);
    const socket = tunnel.connect(hostname, Number(port));
    socket.end("hello over tcp");
    let text = "";
    for await (const piece of socket) text += String(piece);
    return text;
  },
};

const TOKENS = {
  bot: "xoxb-1000-2000-AbCdEfGhIjKlMnOp",
  app: "xapp-1-A0WIRKEN-3000-0123456789abcdef",
} as const;

function start(apiRoot: string): { check: boolean; cursor: null; apiRoot: string } {
  return { check: false, cursor: null, apiRoot };
}

/** Bytes that are really held: what can be collected is collected first. */
function held(): number {
  collect();
  const { external_memory: external, used_heap_size: heap } = getHeapStatistics();
  return external + heap;
}

async function asked(request: http.ClientRequest): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  request.on("error", reject);
  request.on("response", (response) => {
    let text = "";
    response.on("data", (piece) => {
      text += String(piece);
    });
    response.on("end", () => resolve({ status: response.statusCode, text, reused: request.reusedSocket }));
    response.on("error", reject);
  });
  return await promise;
}

async function streamed(stream: ReadableStream<{ type: string; delta?: unknown }>): Promise<unknown> {
  let text = "";
  let pieces = 0;
  for await (const part of stream) {
    if (part.type !== "text-delta") continue;
    text += String(part.delta);
    pieces += 1;
  }
  return { text, several: pieces > 1 };
}

async function obey(): Promise<never> {
  for (const [what, argument] of orders) {
    let line: object;
    try {
      line = { done: await DOES[what]?.(argument) };
    } catch (error) {
      const tunnelError = tunnelErrorIn(error);
      line = {
        error: tunnelError?.message ?? String(error),
        code: networkCode(error),
        final: tunnelError?.final ?? null,
      };
    }
    writeSync(1, `${JSON.stringify(line)}\n`);
  }
  process.exit(0);
}

void obey();
