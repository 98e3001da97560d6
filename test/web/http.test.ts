import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { OperatorFailure } from "../../src/ipc/operator.ts";
import { buildPage } from "../support/page-build.ts";
import { PageScript } from "../support/page-script.ts";
import { type Asked, askHttp, sendRaw, WebClient } from "../support/raw-http.ts";
import { Refusal, WebSupervisor } from "../support/web-supervisor.ts";

/** Real ingress and web processes; the test is the supervisor, and the browser. */
let supervisor: WebSupervisor;
let client: WebClient;
let script: PageScript;

beforeAll(async () => {
  await buildPage();
  script = new PageScript();
  supervisor = await WebSupervisor.start(script.answer);
});
afterAll(async () => {
  await supervisor[Symbol.asyncDispose]();
});
beforeEach(async () => {
  supervisor.script = script.answer;
  client = await WebClient.logIn(supervisor.link());
  supervisor.calls.length = 0;
});

const JSON_TYPE = { "content-type": "application/json" };

test.for<[string, Asked, number]>([
  ["no JSON", { headers: JSON_TYPE, body: "{" }, 400],
  ["bytes that are no text", { headers: JSON_TYPE, body: Buffer.from([0x7b, 0xff, 0x7d]) }, 400],
  [
    "half of a surrogate pair",
    { headers: JSON_TYPE, body: '{"call":{"call":"audit.acknowledge","reason":"\\ud800"}}' },
    400,
  ],
  ["another type", { headers: { "content-type": "text/plain" }, body: '{"call":{"call":"status"}}' }, 415],
  [
    "over a mebibyte",
    { headers: JSON_TYPE, body: JSON.stringify({ call: { call: "status" }, text: "x".repeat(1_048_577) }) },
    413,
  ],
  [
    "over a mebibyte, in chunks",
    { headers: { ...JSON_TYPE, "transfer-encoding": "chunked" }, body: "x".repeat(3_000_000) },
    413,
  ],
  ["an unknown call", { headers: JSON_TYPE, body: '{"call":{"call":"shutdown"}}' }, 400],
  ["a call with more than its fields", { headers: JSON_TYPE, body: '{"call":{"call":"status","as":"root"}}' }, 400],
  ["JSON nested a hundred thousand deep", { headers: JSON_TYPE, body: "[".repeat(100_000) + "]".repeat(100_000) }, 400],
  ["a text for a call that has none", { headers: JSON_TYPE, body: '{"call":{"call":"status"},"text":"x"}' }, 400],
  ["nothing to say", { headers: JSON_TYPE, body: '{"call":{"call":"say","agent":"default","fresh":false}}' }, 400],
])("a body that is %s is refused, and the web process goes on", async ([, asked, status]) => {
  const answered = await askHttp(supervisor.origin, "/api/call", {
    method: "POST",
    ...asked,
    headers: { ...client.headers, ...asked.headers },
  });
  expect(answered.status).toBe(status);
  expect(supervisor.calls).toEqual([]);
  expect((await client.call({ call: "status" })).status).toBe(200);
});

test("headers over 16 KiB are refused", async () => {
  const answered = await sendRaw(supervisor.origin, `GET / HTTP/1.1\r\nHost: x\r\nA: ${"a".repeat(20_000)}\r\n\r\n`);
  expect(answered).toMatch(/^HTTP\/1\.1 431/);
});

test.for<[object]>([
  [{ call: "vault.add", scope: "channel/slack", check: true }],
  [{ call: "vault.unlock" }],
  [{ call: "vault.protect", protector: "passphrase" }],
  [{ call: "daemon.stop" }],
  [{ call: "web.link" }],
  [{ call: "watch" }],
])("the page does not ask for $call", async ([call]) => {
  const answered = await client.call(call);
  expect(answered.status).toBe(403);
  expect(answered.body).toContain("done on the terminal");
  expect(supervisor.calls).toEqual([]);
});

test("a link logs in once, with a cookie that no script can read and no other site sends", async () => {
  const token = supervisor.token();
  const post = () =>
    askHttp(supervisor.origin, "/api/login", {
      method: "POST",
      headers: { origin: supervisor.origin, ...JSON_TYPE },
      body: JSON.stringify({ token }),
    });
  const first = await post();
  expect(first.status).toBe(200);
  expect(first.headers["set-cookie"]).toEqual([
    expect.stringMatching(/^wirken=[A-Za-z0-9_-]{43}; HttpOnly; SameSite=Strict; Path=\/; Max-Age=604800$/),
  ]);
  const second = await post();
  expect(second.status).toBe(401);
  expect(second.headers["set-cookie"]).toBeUndefined();
  expect(second.body).toContain("a link works once, for two minutes");
});

test("a fault of the server is answered as one, and the next request is served", async () => {
  const { secret } = supervisor;
  supervisor.secret = () => "no secret of 32 bytes";
  await expect(WebClient.logIn(supervisor.link())).rejects.toThrow("500");
  supervisor.secret = secret;
  expect((await client.call({ call: "status" })).status).toBe(200);
});

test("a locked login says for how long", async () => {
  supervisor.locked = 541;
  try {
    const body = JSON.stringify({ token: "x" });
    const answered = await askHttp(supervisor.origin, "/api/login", {
      method: "POST",
      headers: { origin: supervisor.origin, ...JSON_TYPE },
      body,
    });
    expect(answered.status).toBe(429);
    expect(answered.headers["retry-after"]).toBe("541");
    expect(answered.body).toContain("Logging in is closed for 10 minutes");
  } finally {
    supervisor.locked = 0;
  }
});

async function ask(headers: Record<string, string>) {
  return await askHttp(supervisor.origin, "/api/call", {
    method: "POST",
    headers: { origin: supervisor.origin, ...JSON_TYPE, ...headers },
    body: '{"call":{"call":"status"}}',
  });
}

test("the cookie alone opens nothing, for a browser sends it to every port; nor does the key alone", async () => {
  expect((await ask({ cookie: client.cookie })).status).toBe(401);
  expect((await ask({ "wirken-key": client.key })).status).toBe(401);
  expect((await ask({ cookie: client.cookie, "wirken-key": randomBytes(32).toString("base64url") })).status).toBe(401);
  expect((await ask({ cookie: `${client.cookie}; ${client.cookie}`, "wirken-key": client.key })).status).toBe(401);
  expect((await ask({ cookie: `other=1; ${client.cookie}`, "wirken-key": client.key })).status).toBe(200);
});

test("who is not logged in is told how to", async () => {
  const answered = await askHttp(supervisor.origin, "/api/call", {
    method: "POST",
    headers: { origin: supervisor.origin, ...JSON_TYPE },
    body: '{"call":{"call":"status"}}',
  });
  expect(answered.status).toBe(401);
  expect(answered.body).toContain("wirken web");
});

test("a session that is logged out is over", async () => {
  const other = await WebClient.logIn(supervisor.link());
  const out = await askHttp(supervisor.origin, "/api/logout", { method: "POST", headers: other.headers });
  expect(out.status).toBe(200);
  expect(out.headers["set-cookie"]).toEqual([expect.stringContaining("Max-Age=0")]);
  expect((await other.call({ call: "status" })).status).toBe(401);
  expect((await client.call({ call: "status" })).status).toBe(200);
});

test.for<[OperatorFailure["code"], number]>([
  ["usage", 400],
  ["not-found", 404],
  ["not-ready", 503],
  ["locked", 423],
  ["refused", 403],
  ["bad-answer", 422],
  ["stopped", 503],
  ["bug", 500],
])("a call that fails with %s is answered %i with its sentence", async ([code, status]) => {
  supervisor.script = () => {
    throw new Refusal(code, "it was not done", "do this instead");
  };
  const answered = await client.call({ call: "status" });
  expect(answered.status).toBe(status);
  expect(JSON.parse(answered.body)).toEqual({
    failure: { code, sentence: "it was not done", hint: "do this instead" },
  });
});

test("an answer of megabytes arrives whole", async () => {
  const big = new PageScript();
  big.entries = Array.from({ length: 40 }, (_, i) => ({
    who: "agent" as const,
    at: "2026-01-01T00:00:00.000Z",
    text: `${i} ${"ü".repeat(60_000)}`,
  }));
  supervisor.script = big.answer;
  const answered = await client.call({ call: "transcript", agent: "default" });
  expect(JSON.parse(answered.body)).toMatchObject({ entries: big.entries });
});

test("what happens is heard on the event stream, characters cut in two included", async () => {
  const events = await client.events();
  expect(await events.next()).toEqual({ type: "hello", version: "1.2.3" });
  await expect.poll(() => supervisor.watching).toBe(1);
  supervisor.emit({ event: "notice", about: "tool" }, "read_file notes.txt");
  const [first, second] = [Buffer.from("ü").subarray(0, 1), Buffer.from("ü").subarray(1)];
  supervisor.emitBytes(first);
  supervisor.emitBytes(second);
  supervisor.emit({ event: "turn.end", end: "done" });
  expect(await events.next()).toEqual({
    type: "event",
    event: { event: "notice", about: "tool" },
    text: "read_file notes.txt",
  });
  expect(await events.next()).toEqual({ type: "event", event: { event: "text" }, text: "" });
  expect(await events.next()).toEqual({ type: "event", event: { event: "text" }, text: "ü" });
  expect(await events.next()).toEqual({ type: "event", event: { event: "turn.end", end: "done" }, text: "" });
  events.close();
  await expect.poll(() => supervisor.watching).toBe(0);
});

test("a stream ends with its session, and says so", async () => {
  const events = await client.events();
  await events.next();
  await expect.poll(() => supervisor.watching).toBe(1);
  supervisor.endSessions();
  expect(await events.next()).toEqual({ type: "over", because: "session" });
  expect(await events.next()).toBeNull();
  await expect.poll(() => supervisor.watching).toBe(0);
});

test("what is said is accepted while its turn runs, and what fails later is told on the stream", async () => {
  const end = Promise.withResolvers<object>();
  supervisor.script = () => end.promise;
  const events = await client.events();
  await events.next();
  const answered = await client.call({ call: "say", agent: "default", fresh: false }, "hello\nthere");
  expect(answered.status).toBe(202);
  expect(supervisor.calls.at(-1)).toEqual({
    call: { call: "say", agent: "default", fresh: false },
    text: "hello\nthere",
  });
  end.reject(new Refusal("not-ready", "no model answers", null));
  expect(await events.next()).toEqual({
    type: "refused",
    failure: { code: "not-ready", sentence: "no model answers", hint: null },
  });
  events.close();
});

test("what is said and refused at once is answered so", async () => {
  supervisor.script = () => {
    throw new Refusal("locked", "the vault is locked", "run: wirken vault unlock");
  };
  expect((await client.call({ call: "say", agent: "default", fresh: false }, "hello")).status).toBe(423);
});

test("a connection that sends garbage harms no other", async () => {
  const events = await client.events();
  await events.next();
  const garbage = Array.from({ length: 40 }, (_, i) =>
    i % 2 === 0 ? randomBytes(1 + i * 700) : Buffer.from("POST /api/call HTTP/1.1\r\nContent-Length: -1\r\n\r\n"),
  );
  await Promise.all(
    garbage.map((bytes) => sendRaw(supervisor.origin, Buffer.concat([bytes, Buffer.from("\r\n\r\n")]), 2000)),
  );
  supervisor.emit({ event: "turn.end", end: "done" });
  expect(await events.next()).toMatchObject({ event: { event: "turn.end" } });
  events.close();
  expect(supervisor.ends).toEqual({});
  expect(supervisor.lines).toEqual([]);
});

test("sixty-four connections at once are all there are, and one that closes makes room", async () => {
  const { hostname, port } = new URL(supervisor.origin);
  const open = Array.from({ length: 64 }, () => {
    const socket = connect(Number(port), hostname);
    socket.on("error", () => undefined);
    socket.write("GET / HTTP/1.1\r\n"); // and nothing more
    return socket;
  });
  await Promise.all(
    open.map(
      (socket) => new Promise((resolve) => (socket.connecting ? socket.once("connect", resolve) : resolve(null))),
    ),
  );
  await expect(askHttp(supervisor.origin, "/")).rejects.toThrow(/ECONNRESET|hang up/);
  for (const socket of open) socket.destroy();
  await expect
    .poll(() =>
      askHttp(supervisor.origin, "/").then(
        ({ status }) => status,
        () => 0,
      ),
    )
    .toBe(200);
});
