import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Ran } from "../support/daemon.ts";
import { BOT_TOKEN, HostileDaemon } from "../support/hostile-daemon.ts";
import { type RecordedFrame, recordedFrames } from "../support/recorded-frames.ts";
import { SecretScan } from "../support/secret-scan.ts";
import { SlackServer } from "../support/slack-server/slack-server.ts";

/** Every frame of a whole run, on every pipe of the supervisor, its control socket among them: commands enrol, platforms refuse in words that quote
 *  what they were sent, models fail, adapters start anew. */

const ANTHROPIC = "sk-ant-canary-Q7m2X9vKd4TzR1pLw8HsNc3YbG6fJ0uE";
const OPENAI = "sk-proj-canary-Hn5Wt8Lq2Zx7Vc4Rb9Kd1Mf6Gj3Ps0Ya";
const PASSPHRASE = "canary passphrase Tq8 lantern Vw3 mackerel Zr6";
/** Stands where a secret must not, to show that it would be seen. */
const PLANTED = "planted-canary-Zk5Wq8Rt1Yv3Xn6Bm9Lc2Hd4Gf7Js0P";

let slack: SlackServer;
let models: Server;
let hostile: HostileDaemon;
let frames: RecordedFrame[];
const said: string[] = [];

async function wirken(args: readonly string[], stdin = ""): Promise<Ran> {
  const ran = await hostile.daemon.wirken(args, { stdin });
  said.push(ran.stdout, ran.stderr);
  return ran;
}

/** A provider that refuses every key in words that hold it. */
async function refusing(): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    const key = String(request.headers["x-api-key"] ?? request.headers.authorization ?? "");
    response.writeHead(401, { "content-type": "application/json" });
    const message = `Incorrect API key provided: ${key}, ${encodeURIComponent(key)}, ${Buffer.from(key).toString("base64")}`;
    response.end(JSON.stringify({ type: "error", error: { type: "authentication_error", code: "bad", message } }));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server does not listen");
  return { server, url: `http://127.0.0.1:${address.port}/v1` };
}

beforeAll(async () => {
  slack = await SlackServer.start({ retryMs: 1_000 });
  const { server, url } = await refusing();
  models = server;
  hostile = await HostileDaemon.start({
    frames: true,
    passphrase: PASSPHRASE,
    channels: { slack: { enabled: true, apiRoot: slack.apiRoot } },
    config: {
      agents: { default: { model: "openai/gpt-test" }, other: { model: "anthropic/claude-test" } },
      providers: { openai: { baseUrl: url }, anthropic: { baseUrl: url } },
    },
  });
  const tokens = `${slack.tokens["bot-token"]}\n${slack.tokens["app-token"]}`;
  slack.mishaps.push({ method: "auth.test", error: slack.tokens["bot-token"] });
  await wirken(["vault", "add", "slack", "--stdin"], tokens);
  await wirken(["vault", "add", "slack", "--stdin"], tokens);
  for (const [provider, key] of [
    ["openai", OPENAI],
    ["anthropic", ANTHROPIC],
  ] as const) {
    await wirken(["vault", "add", provider, "--stdin"], key);
    await wirken(["vault", "add", provider, "--stdin", "--no-check"], key);
  }
  await wirken(["vault", "unlock"]);
  await wirken(["vault", "protect", "passphrase", "--stdin"], PASSPHRASE);
  await wirken(["ask", PLANTED]);
  await wirken(["ask", "--agent", "other", "hello"]);
  await hostile.anew();
  await hostile.orders.here();
  for (const words of [["vault", "list"], ["channel", "list"], ["status"], ["audit", "log", "--json"]])
    await wirken(words);
  frames = recordedFrames(join(hostile.home, "frames"));
}, 180_000);

afterAll(async () => {
  await hostile?.[Symbol.asyncDispose]();
  await slack?.[Symbol.asyncDispose]();
  models?.close();
});

/** Frames that hold a secret, as `what way`, without repetitions; and their pipes. */
function holding(secret: string): { ways: string[]; pipes: Set<string> } {
  const scan = new SecretScan([secret]);
  const found = frames.filter(({ bytes }) => scan.in(bytes).length > 0);
  return {
    ways: [...new Set(found.map((frame) => `${frame.what} ${frame.way}`))].toSorted(),
    pipes: new Set(found.filter(({ way }) => way === "out").map(({ pipe }) => pipe)),
  };
}

describe("what reads the frames", () => {
  test("has those of commands, adapters, models, the agent and the page", () => {
    expect(new Set(frames.map(({ pipe }) => pipe)).size).toBeGreaterThan(15);
    const kinds = new Set(frames.map(({ what, way }) => `${what} ${way}`));
    for (const kind of ["ready in", "start out", "call vault.add in", "call say in", "turn out", "complete in"])
      expect(kinds).toContain(kind);
  });

  test("sees what a person said on its way from the command to the agent and the model", () => {
    const { ways, pipes } = holding(PLANTED);
    expect(ways).toEqual(expect.arrayContaining(["call say in", "turn out"]));
    expect(pipes.size).toBeGreaterThanOrEqual(2);
  });
});

describe("the only frames that hold", () => {
  const [, secretPart = ""] = BOT_TOKEN.split(":");
  test.for<[what: string, secret: () => string, handOver: string]>([
    ["a bot's token", (): string => secretPart, "secret bot-token out"],
    ["Slack's bot token", (): string => slack.tokens["bot-token"], "secret bot-token out"],
    ["Slack's app token", (): string => slack.tokens["app-token"], "secret app-token out"],
    ["an OpenAI key", (): string => OPENAI, "secret api-key out"],
    ["an Anthropic key", (): string => ANTHROPIC, "secret api-key out"],
  ])("%s are the one it is enrolled with, and its hand-over to its own child", ([, secret, handOver]) => {
    expect(holding(secret()).ways).toEqual(["call vault.add in", handOver]);
  });

  test("a passphrase are those that its owner gives it with", () => {
    expect(holding(PASSPHRASE).ways).toEqual(["call vault.protect in"]);
  });

  test("one child's are on no other child's pipe", () => {
    const pipes = [[secretPart], [slack.tokens["bot-token"], slack.tokens["app-token"]], [OPENAI], [ANTHROPIC]].map(
      (secrets) => new Set(secrets.flatMap((secret) => [...holding(secret).pipes])),
    );
    for (const [nth, own] of pipes.entries()) {
      expect(own.size).toBeGreaterThan(0);
      for (const other of pipes.slice(nth + 1)) expect(own.isDisjointFrom(other)).toBe(true);
    }
  });
});

test("what was refused in words that hold the key was told without them", () => {
  const all = said.join("\n");
  for (const provider of ["openai", "anthropic"]) expect(all).toContain(`the key for ${provider} was refused`);
  expect(new SecretScan([OPENAI, ANTHROPIC, PASSPHRASE]).in(all)).toEqual([]);
});

test("nor is any in a row, in a byte of the data directory or in a line of the daemon's", async () => {
  const scan = new SecretScan([...Object.values(slack.tokens), OPENAI, ANTHROPIC, PASSPHRASE]);
  const rows = JSON.stringify(await hostile.rows());
  // The detector detects.
  expect(new SecretScan([PLANTED]).in(rows)).toEqual([PLANTED]);
  expect(scan.in(rows)).toEqual([]);
  expect(scan.below(hostile.daemon.data)).toEqual([]);
  expect(scan.in(hostile.daemon.stdout + hostile.daemon.stderr)).toEqual([]);
});
