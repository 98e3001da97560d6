import { afterEach, beforeEach, expect, test } from "vitest";
import { check } from "../../adapters/discord/check.ts";
import { DiscordConnection } from "../../adapters/discord/connection.ts";
import { AdapterTalk } from "../support/adapter-talk.ts";
import { DiscordServer } from "../support/discord-server/discord-server.ts";
import { BOB, IDS } from "../support/discord-server/people.ts";

/** The line to Discord: what is received counts once it is on the log, whatever becomes of the line. */

const platform = {
  check,
  connect: (...given: ConstructorParameters<typeof DiscordConnection>) => new DiscordConnection(...given),
};

let server: DiscordServer;
let talk: AdapterTalk;
beforeEach(async () => {
  server = await DiscordServer.start();
  talk = AdapterTalk.local(platform);
});
afterEach(async () => {
  await talk[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

type Start = Parameters<AdapterTalk["start"]>[1];

function start(more: Start = {}): void {
  talk.start({ "bot-token": server.token }, { apiRoot: server.apiRoot, ...more });
}

async function connect(more: Start = {}): Promise<void> {
  start(more);
  await up();
}

async function up(): Promise<void> {
  await talk.next("state", ({ state }) => state === "connected");
}

const resumes = (): string[] => server.gateway.asked.filter((what) => what.startsWith("resume"));
const identifies = (): number => server.gateway.asked.filter((what) => what === "identify").length;
const inbound = (): string[] => talk.said.flatMap((frame) => (frame.type === "inbound" ? [frame.text] : []));

/** Another adapter goes on where this one was. */
async function again(cursor: string): Promise<void> {
  await talk[Symbol.asyncDispose]();
  talk = AdapterTalk.local(platform);
  start({ cursor });
}

function lastCursor(): string {
  const frame = talk.said.findLast((said) => said.type === "cursor");
  if (frame?.type !== "cursor") throw new Error("no cursor was saved");
  return frame.cursor;
}

/** A server whose heart beats so fast that a test can wait for it. */
async function quick(): Promise<void> {
  await server[Symbol.asyncDispose]();
  server = await DiscordServer.start({ heartbeatMs: 300 });
}

test("what is not on the log is not received: neither heartbeats nor the cursor say so before it is", async () => {
  await quick();
  await connect();
  const id = server.direct("first");
  const first = await talk.next("inbound");
  server.direct("between", {}, BOB);
  talk.acknowledge(await talk.next("inbound"));
  const beats = server.gateway.asked.length;
  await expect.poll(() => server.gateway.asked.length).toBeGreaterThan(beats + 2);
  expect(server.gateway.received).toBe(1);
  expect(lastCursor()).not.toContain(id);
  talk.acknowledge(first);
  await expect.poll(() => server.gateway.received).toBe(server.gateway.dispatched);
  await expect.poll(() => lastCursor()).toContain(id);
});

test("when Discord moves its lines, the session goes on at once, and what waits for the log is not told twice", async () => {
  await connect();
  server.direct("waiting");
  const waiting = await talk.next("inbound");
  server.gateway.move();
  await talk.next("state", ({ state }) => state === "reconnecting");
  await up();
  expect(resumes()).toEqual(["resume 1"]);
  server.direct("next");
  talk.acknowledge(waiting);
  const next = await talk.next("inbound", ({ text }) => text === "next");
  talk.acknowledge(next);
  await expect.poll(() => lastCursor()).toContain(next.dedupe);
  expect(inbound()).toEqual(["waiting", "next"]);
  expect(identifies()).toBe(1);
});

test("after an outage the session goes on, however often it could not be reached", async () => {
  await connect();
  server.deaf(true);
  server.gateway.cut();
  server.direct("meanwhile");
  await talk.next("state", ({ state }) => state === "reconnecting");
  await talk.next("state", ({ state }) => state === "reconnecting");
  server.deaf(false);
  await up();
  expect((await talk.next("inbound")).text).toBe("meanwhile");
  expect(identifies()).toBe(1);
});

test("a line that no longer answers is left, and the session goes on on another", async () => {
  await quick();
  await connect();
  server.gateway.answers = false;
  await talk.next("state", ({ state }) => state === "reconnecting");
  server.gateway.answers = true;
  await up();
  expect(resumes().length).toBeGreaterThan(0);
  expect(identifies()).toBe(1);
});

test("when the machine woke, the line is made anew, with no wait before it", async () => {
  await connect();
  const began = performance.now();
  talk.tell({ type: "wake" });
  await talk.next("state", ({ state }) => state === "reconnecting");
  await up();
  expect(performance.now() - began).toBeLessThan(900);
  expect(resumes()).toHaveLength(1);
});

test("when Discord forgot the session, what known conversations missed is fetched, in order, and the rest is said to be lost", async () => {
  await connect();
  server.direct("first");
  talk.acknowledge(await talk.next("inbound"));
  server.mention("in a thread", {}, BOB, IDS.thread);
  const thread = await talk.next("inbound");
  talk.acknowledge(thread);
  await expect.poll(() => lastCursor()).toContain(thread.dedupe);
  const cursor = lastCursor();
  await talk[Symbol.asyncDispose]();
  server.gateway.forget();
  for (let i = 0; i < 120; i++) server.direct(`missed ${i}`);
  server.mention("missed in the thread", {}, BOB, IDS.thread);
  server.write(IDS.thread, "between others", {}, BOB);
  server.direct("for the first time", {}, BOB);
  await again(cursor);
  await up();
  server.direct("after");
  const told: string[] = [];
  while (told.at(-1) !== "after" || told.length < 122) {
    const frame = await talk.next("inbound");
    told.push(frame.text);
    talk.acknowledge(frame);
  }
  expect(told.filter((text) => text !== "missed in the thread")).toEqual([
    ...Array.from({ length: 120 }, (_, i) => `missed ${i}`),
    "after",
  ]);
  expect(talk.said.find((frame) => frame.type === "inbound" && frame.text === "missed in the thread")).toMatchObject({
    place: IDS.channel,
    thread: IDS.thread,
    sender: BOB.id,
    talk: "group",
  });
  expect(await talk.next("notice")).toMatchObject({ about: "gap", place: null });
}, 30_000);

test("a session that is refused while it runs is begun anew, and what waits for the log is not told twice", async () => {
  await connect();
  server.direct("waiting");
  const waiting = await talk.next("inbound");
  server.gateway.forget();
  server.gateway.move();
  await talk.next("state", ({ text }) => text === "Discord ended the session");
  await up();
  talk.acknowledge(waiting);
  server.direct("next");
  talk.acknowledge(await talk.next("inbound"));
  expect(inbound()).toEqual(["waiting", "next"]);
}, 30_000);

test.for([
  [4_004, "reset it on discord.com"],
  [4_011, "2,500"],
  [4_013, "update it"],
  [4_014, "Message Content Intent"],
] as const)("a line that is closed with %i is not tried again, and what to do is said", async ([code, says]) => {
  server.gateway.closing = code;
  start();
  const refused = await talk.next("state");
  expect(refused).toMatchObject({ state: "refused", account: "@wirken" });
  expect(refused.text).toContain(says);
  await expect.poll(() => server.gateway.lines).toBe(0);
  expect(identifies()).toBe(1);
});

test("a token that Discord refuses, or that is none, is said with what to do, once", async () => {
  server.refuses = () => true;
  start();
  expect(await talk.next("state")).toMatchObject({ state: "refused", text: expect.stringContaining("under Bot") });
  expect(server.calls).toHaveLength(1);
  await talk[Symbol.asyncDispose]();
  talk = AdapterTalk.local(platform);
  talk.start({ "bot-token": "../../etc" }, { apiRoot: server.apiRoot });
  expect(await talk.next("state")).toMatchObject({ state: "refused", account: null });
  expect(server.calls).toHaveLength(1);
});

test("a token that was reset while it was used stops the channel with one message", async () => {
  await connect();
  server.refuses = () => true;
  server.gateway.closing = 4_004;
  expect(await talk.send(IDS.ada, "x")).toMatchObject({ type: "undelivered", reason: "refused" });
  expect(await talk.next("state", ({ state }) => state === "refused")).toMatchObject({ account: "@wirken" });
});

test("where the day's sessions are used up, none is begun, and it is said until when", async () => {
  server.gateway.left = 3;
  start();
  const waits = await talk.next("state");
  expect(waits).toMatchObject({ state: "reconnecting", text: expect.stringContaining("for 60 minutes") });
  expect(identifies()).toBe(0);
  server.gateway.left = 900;
  talk.tell({ type: "wake" });
  await up();
});

test("somebody else's use of the token is noticed, and our own is not", async () => {
  await connect();
  await expect.poll(() => lastCursor()).toContain("session-1");
  for (let i = 0; i < 2; i++) {
    await again(lastCursor());
    await up();
    await talk.next("cursor");
  }
  expect(talk.said.some(({ type }) => type === "notice")).toBe(false);
  server.gateway.elsewhere();
  talk.tell({ type: "wake" });
  expect(await talk.next("notice")).toMatchObject({
    about: "foreign-use",
    text: expect.stringContaining("reset the token"),
  });
});

test("another bot's cursor is not gone on with", async () => {
  await connect({
    cursor: JSON.stringify({ v: 1, bot: "1", session: ["s", 9, "ws://127.0.0.1:1"], starts: null, at: 1, seen: [] }),
  });
  expect(resumes()).toEqual([]);
});

test("a session does not go on where its address leads elsewhere", async () => {
  const own = { v: 1, bot: "100000000000000001", starts: null, at: 1, seen: [] };
  await connect({ cursor: JSON.stringify({ ...own, session: ["s", 9, "ws://127.0.0.1:9/elsewhere"] }) });
  expect(resumes()).toEqual([]);
  expect(identifies()).toBe(1);
});

test("what no gateway says is nothing", async () => {
  await connect();
  for (const raw of ["{", "null", "[]", '{"op":99}', '{"op":0,"t":"MESSAGE_CREATE","s":2,"d":null}'])
    server.gateway.raw(raw);
  server.gateway.dispatch("SOMETHING_NEW", { a: { b: ["c"] } });
  server.direct("still here");
  expect((await talk.next("inbound")).text).toBe("still here");
});

test.for([
  ["good", {}, { failure: null, account: "@wirken" }],
  ["of somebody else", { refuses: () => true }, { failure: "refused", account: null }],
  ["a person's", { isBot: false }, { failure: "mixed-up" }],
  ["not allowed to read messages", { content: false }, { failure: "scope-missing" }],
] as const)("the check of a token that is %s says so", async ([, changed, says]) => {
  Object.assign(server, changed);
  start({ check: true });
  const said = await talk.next("checked");
  expect(said).toMatchObject(says);
  if (said.failure === "scope-missing") expect(said.text).toMatch(/Bot.*Message Content Intent.*Save Changes/);
  expect(await talk.exited).toMatchObject({ status: 0 });
  talk = AdapterTalk.local(platform);
});

test("the check of a token whose sessions are used up, or where nobody answers, says so", async () => {
  server.gateway.left = 0;
  start({ check: true });
  expect(await talk.next("checked")).toMatchObject({ failure: "other", text: expect.stringContaining("60 minutes") });
  await talk.exited;
  talk = AdapterTalk.local(platform);
  server.mishaps.push({ route: "GET /users/@me", status: 200, body: "<html>a proxy's page</html>" });
  start({ check: true });
  expect(await talk.next("checked")).toMatchObject({ failure: expect.stringMatching(/other|unreachable/) });
  await talk.exited;
  talk = AdapterTalk.local(platform);
  const gone = await DiscordServer.start();
  const { apiRoot } = gone;
  await gone[Symbol.asyncDispose]();
  talk.start({ "bot-token": server.token }, { check: true, apiRoot });
  expect(await talk.next("checked")).toMatchObject({
    failure: "unreachable",
    text: expect.stringMatching(/^Discord cannot be reached \((ECONNREFUSED|UND_ERR_SOCKET)\)$/),
  });
  await talk.exited;
  talk = AdapterTalk.local(platform);
});
