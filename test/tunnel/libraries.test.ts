import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { createHash } from "node:crypto";
import { upgradeToWebSocket } from "@copilotkit/aimock";
import { Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import type { LaneEntry } from "../../src/ipc/egress-frames.ts";
import { EgressWorld } from "../egress/egress-world.ts";
import { serving } from "../support/serving.ts";
import { bundleRole } from "../../scripts/build/bundle.ts";
import { NODE_FLAGS } from "../../src/confine/flags.ts";
import { ScriptedModel } from "../support/scripted-model.ts";
import { soon } from "../support/soon.ts";
import { SlackServer } from "../support/slack-server/slack-server.ts";
import { TelegramServer } from "../support/telegram-server.ts";
import { TestAuthority } from "../support/test-authority.ts";

/** Every library that ours use, in a process that can open no socket, through the real egress process, to servers whose certificate is of an authority
 *  of the operator's own. */

const MIB = 1_048_576;
const Said = z.object({
  done: z.optional(z.unknown()),
  error: z.optional(z.string()),
  code: z.nullish(z.string()),
  final: z.nullish(z.boolean()),
});
type Said = z.infer<typeof Said>;

const root = resolve(import.meta.dirname, "../..");
let folder: string;
/** The child's program as the build makes one: what a library loads late is in it. */
let program: string;
let authority: TestAuthority;
let egress: EgressWorld;
let nextLane = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "wirken-tunnelled-"));
  program = join(folder, "tunnelled.cjs");
  const stamp = { version: "0.0.0", commit: "none", build: "test-build" };
  const made = await bundleRole(root, stamp, "tunnelled", "test/support/children/tunnelled.ts");
  for (const text of made.values()) writeFileSync(program, text);
  authority = new TestAuthority("localhost");
  egress = await new EgressWorld().start();
});

afterAll(async () => {
  await egress[Symbol.asyncDispose]();
  authority[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

/** A child that does one thing after the other, and the only lane that it has. */
class Tunnelled implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly lane: number;
  readonly #said: Said[] = [];
  #errors = "";
  readonly exited: Promise<number | null>;

  private constructor(lane: number, env: Record<string, string>, orders: readonly (readonly [string, string])[]) {
    this.lane = lane;
    const end = egress.end(lane);
    this.child = spawn(process.execPath, [...NODE_FLAGS, program, JSON.stringify(orders)], {
      stdio: ["ignore", "pipe", "pipe", "pipe", end],
      env,
    });
    end.destroy();
    this.exited = once(this.child, "exit").then(([status]) => (typeof status === "number" ? status : null));
    this.child.stderr?.on("data", (chunk) => {
      this.#errors += String(chunk);
    });
    if (this.child.stdout !== null)
      createInterface(this.child.stdout).on("line", (line) => this.#said.push(Said.parse(JSON.parse(line))));
  }

  static async with(list: LaneEntry[], ...orders: readonly (readonly [string, string])[]): Promise<Tunnelled> {
    const lane = nextLane++;
    await egress.bind(lane, list);
    return new Tunnelled(lane, { WIRKEN_CERTIFICATES: authority.file }, orders);
  }

  static async trusting(env: Record<string, string>, port: number): Promise<Tunnelled> {
    const lane = nextLane++;
    await egress.bind(lane, [localhost(port)]);
    return new Tunnelled(lane, env, [["fetch", `https://localhost:${port}/`]]);
  }

  get errors(): string {
    return this.#errors;
  }

  async said(): Promise<readonly Said[]> {
    const status = await this.exited;
    if (status !== 0) throw new Error(`the child ended with ${status}: ${this.#errors}`);
    return this.#said;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL");
    await this.exited;
  }
}

function localhost(port: number, tls = true): LaneEntry {
  return { to: "host", host: "localhost", port, tls, private: true };
}

/** Runs one thing in a child whose list has one port. @returns what came of it. */
async function ran(port: number, what: string, argument: string, tls = true): Promise<Said> {
  await using child = await Tunnelled.with([localhost(port, tls)], [what, argument]);
  const [said] = await child.said();
  if (said === undefined) throw new Error("it said nothing");
  return said;
}

/** A page over TLS: `/` says its own address back, `/bytes` says 64 MiB, `/count` counts what it is sent, `/never` says nothing. */
async function site(): Promise<AsyncDisposable & { readonly port: number; readonly given: { up: number } }> {
  const given = { up: 0 };
  const plain = await serving(
    createServer((request, response) => void serve(request, response, given)).on("upgrade", (request, socket) => {
      if (!(socket instanceof Socket)) throw new TypeError("an upgrade without a socket");
      const line = upgradeToWebSocket(request, socket);
      line.on("message", (text: string) => line.send(`heard: ${text}`));
    }),
  );
  const front = await authority.inFrontOf(plain.port);
  return {
    port: front.port,
    given,
    [Symbol.asyncDispose]: async () => {
      await plain[Symbol.asyncDispose]();
      await front[Symbol.asyncDispose]();
    },
  };
}

async function serve(request: IncomingMessage, response: ServerResponse, given: { up: number }): Promise<void> {
  if (request.url === "/never") {
    given.up += 1;
    response.on("close", () => {
      given.up -= 1;
    });
    return;
  }
  if (request.url === "/bytes") {
    for (let i = 0; i < 64; i++) if (!response.write(Buffer.alloc(MIB, i))) await once(response, "drain");
    response.end();
    return;
  }
  if (request.url === "/count") {
    const digest = createHash("sha256");
    let bytes = 0;
    for await (const piece of request) {
      if (!(piece instanceof Buffer)) throw new TypeError("no bytes");
      bytes += piece.length;
      digest.update(piece);
    }
    response.end(`${bytes} ${digest.digest("hex")}`);
    return;
  }
  response.end(`you asked for ${request.url}`);
}

test("the child can open no socket of its own, and fetch reaches what is on its list all the same", async () => {
  await using page = await site();
  await using child = await Tunnelled.with(
    [localhost(page.port)],
    ["socket", String(page.port)],
    ["fetch", `https://localhost:${page.port}/`],
  );
  const [socket, fetched] = await child.said();
  expect(socket).toMatchObject({ code: "ERR_ACCESS_DENIED" });
  expect(fetched).toMatchObject({ done: { status: 200, text: "you asked for /" } });
  expect(egress.verdicts.filter(({ lane }) => lane === child.lane)).toEqual([
    { lane: child.lane, host: "localhost", port: page.port, reason: null, times: 1 },
  ]);
});

test.for([
  ["https", "you asked for /", false],
  ["https-global", "you asked for /", false],
] as const)("node:https with %s", async ([what, text, reused]) => {
  await using page = await site();
  const said = await ran(page.port, what, `https://localhost:${page.port}/`);
  expect(said).toEqual({ done: { status: 200, text, reused } });
});

test("node:https keeps a connection for the next request", async () => {
  await using page = await site();
  const { done } = await ran(page.port, "https-twice", `https://localhost:${page.port}/`);
  expect(done).toMatchObject([{ reused: false }, { reused: true }]);
});

test("node:http, and a bare connection, to a service of this machine that speaks no TLS", async () => {
  await using page = await serving(createServer((request, response) => response.end(`plain ${request.url}`)));
  const said = await ran(page.port, "http", `http://localhost:${page.port}/x`, false);
  expect(said.done).toMatchObject({ status: 200, text: "plain /x" });
  const fetched = await ran(page.port, "fetch", `http://localhost:${page.port}/y`, false);
  expect(fetched.done).toEqual({ status: 200, text: "plain /y" });
});

test.for([
  ["ws", "heard: hello over ws"],
  ["websocket", "heard: hello over WebSocket"],
] as const)("a WebSocket over TLS by %s", async ([what, text]) => {
  await using page = await site();
  expect(await ran(page.port, what, `wss://localhost:${page.port}/`)).toEqual({ done: text });
});

test("grammy calls the Bot API", async () => {
  await using server = await TelegramServer.start();
  await using front = await authority.inFrontOf(server.port);
  const said = await ran(front.port, "telegram", `https://localhost:${front.port}`);
  expect(said).toEqual({ done: { username: "wirken_bot", sent: "hello" } });
  expect(server.shown.map(({ text }) => text)).toEqual(["hello"]);
});

test("Slack's Web API and Socket Mode", async () => {
  await using server = await SlackServer.start();
  await using front = await authority.inFrontOf(server.port);
  server.linesAt = `wss://localhost:${front.port}`;
  server.direct("hello");
  const said = await ran(front.port, "slack", `https://localhost:${front.port}/api/`);
  expect(said).toEqual({ done: { user: "wirken", app: "A0WIRKEN", event: "Ev00000002" } });
  await soon(() => expect(server.acknowledgements).toHaveLength(1));
});

test.for(["openai", "anthropic"] as const)("the AI SDK streams an answer of %s", async (api) => {
  await using model = await ScriptedModel.start();
  const words = "word after word ".repeat(40);
  model.script("say something", { text: words });
  await using front = await authority.inFrontOf(Number(new URL(model.baseUrl).port));
  const said = await ran(front.port, api, `https://localhost:${front.port}/v1`);
  expect(said).toEqual({ done: { text: words, several: true } });
});

test("a hundred requests at once", async () => {
  await using page = await site();
  expect(await ran(page.port, "fetch-hundred", `https://localhost:${page.port}/`)).toEqual({ done: 100 });
});

test("large answers and large bodies pass whole, and neither is held in memory", async () => {
  await using page = await site();
  const down = createHash("sha256");
  const up = createHash("sha256");
  for (let i = 0; i < 64; i++) down.update(Buffer.alloc(MIB, i));
  for (let i = 63; i >= 0; i--) up.update(Buffer.alloc(MIB, i));
  const Most = z.object({ most: z.number() });
  const downloaded = await ran(page.port, "download", `https://localhost:${page.port}/bytes`);
  expect(downloaded).toMatchObject({ done: { bytes: 64 * MIB, digest: down.digest("hex") } });
  expect(Most.parse(downloaded.done).most).toBeLessThan(32 * MIB);
  // What is held in memory is seen.
  const hoarded = await ran(page.port, "hoard", `https://localhost:${page.port}/bytes`);
  expect(Most.parse(hoarded.done).most).toBeGreaterThan(60 * MIB);
  const uploaded = await ran(page.port, "upload", `https://localhost:${page.port}/count`);
  expect(uploaded.done).toMatchObject({ text: `${64 * MIB} ${up.digest("hex")}` });
  expect(Most.parse(uploaded.done).most).toBeLessThan(32 * MIB);
});

test("a request that is given up ends at the server too", async () => {
  await using page = await site();
  const said = await ran(page.port, "fetch-aborted", `https://localhost:${page.port}/never`);
  expect(said.error).toContain("aborted");
  await soon(() => expect(page.given.up).toBe(0));
});

test("an authority of the operator's is trusted by SSL_CERT_FILE too, and a file that is none is named", async () => {
  await using page = await site();
  await using child = await Tunnelled.trusting({ SSL_CERT_FILE: authority.file }, page.port);
  expect(await child.said()).toMatchObject([{ done: { status: 200 } }]);
  for (const [file, why] of [
    [join(folder, "absent.pem"), "ENOENT"],
    [program, "there are none in it"],
  ] as const) {
    await using without = await Tunnelled.trusting({ SSL_CERT_FILE: file }, page.port);
    expect(await without.said()).toMatchObject([{ code: expect.stringMatching(/CERT|ISSUER|SIGNATURE/) }]);
    expect(without.errors).toContain(why);
  }
});

test("a certificate of another authority is not trusted", async () => {
  using other = new TestAuthority("localhost");
  await using listener = await other.listen((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
  const said = await ran(listener.port, "https", `https://localhost:${listener.port}/`);
  expect(said.code).toMatch(/CERT|ISSUER|SIGNATURE/);
});

test("what is on no list is refused in words that say what to do, to every library alike", async () => {
  await using page = await site();
  const sentence = "api.example.com:443 is not on this process's list: see `wirken egress show adapter:test`";
  await using child = await Tunnelled.with(
    [localhost(page.port)],
    ["fetch", "https://api.example.com/"],
    ["https", "https://api.example.com/"],
    ["ws", "wss://api.example.com/"],
    ["telegram", "https://api.example.com"],
    ["slack-refused", "https://api.example.com/api/"],
    ["fetch", "https://10.0.0.1/"],
    ["fetch", `https://localhost:${page.port}/`],
  );
  const [fetched, asked, ws, telegram, slack, literal, listed] = await child.said();
  for (const refused of [fetched, asked, ws, telegram])
    expect(refused).toEqual({ error: sentence, code: "EACCES", final: true });
  expect(slack?.done).toMatchObject({ failure: "unreachable", sentence: `Slack cannot be reached (${sentence})` });
  expect(literal).toMatchObject({ code: "EACCES", error: expect.stringContaining("10.0.0.1:443 is an address") });
  expect(listed).toMatchObject({ done: { status: 200 } });
});

test("what says another name in its TLS hello than it asked egress for is cut, and says so", async () => {
  await using page = await site();
  const said = await ran(page.port, "wrong-name", `https://localhost:${page.port}/`);
  expect(said).toMatchObject({ code: "EACCES", final: true, error: expect.stringContaining("egress ended") });
});

test("a connection over TCP", async () => {
  await using echo = await serving(
    (await import("node:net")).createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)),
  );
  expect(await ran(echo.port, "tcp", `tcp://localhost:${echo.port}`, false)).toEqual({ done: "hello over tcp" });
});

test("when a child dies, what it had open ends at the server", async () => {
  await using page = await site();
  const orders = ["fetch", `https://localhost:${page.port}/never`] as const;
  await using child = await Tunnelled.with([localhost(page.port)], orders);
  await soon(() => expect(page.given.up).toBe(1));
  child.child.kill("SIGKILL");
  await soon(() => expect(page.given.up).toBe(0));
});

test("when the egress process dies, what is under way fails at once, and the child ends to be given another lane", async () => {
  await using page = await site();
  await using mortal = await new EgressWorld().start();
  const before = egress;
  egress = mortal;
  try {
    const lane = nextLane;
    nextLane = 0;
    await using child = await Tunnelled.with([localhost(page.port)], ["fetch", `https://localhost:${page.port}/never`]);
    nextLane = lane;
    await soon(() => expect(page.given.up).toBe(1));
    await mortal.child.kill();
    expect(await child.exited).toBe(0);
    const [said] = await child.said();
    expect(said).toMatchObject({ code: "ECONNRESET", final: false });
  } finally {
    egress = before;
  }
});
