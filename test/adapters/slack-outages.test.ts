import { expect, test } from "vitest";
import { SlackConnection } from "../../adapters/slack/connection.ts";
import { AdapterTalk } from "../support/adapter-talk.ts";
import { slack } from "../support/platforms.ts";
import { ALL_SCOPES, SlackServer } from "../support/slack-server/slack-server.ts";

async function connected(server: SlackServer, cursor: string | null = null): Promise<AdapterTalk> {
  const talk = AdapterTalk.local(slack);
  talk.start(server.tokens, { apiRoot: server.apiRoot, cursor });
  await talk.next("state", (frame) => frame.state === "connected");
  return talk;
}
const asked = (server: SlackServer, method: string): number =>
  server.calls.filter((call) => call.method === method).length;
const calling = (text: string): string => `<@U0WIRKEN> ${text}`;

/** Takes in the next messages and puts them on the log. @returns what they say, in order. */
async function take(talk: AdapterTalk, count: number): Promise<string[]> {
  const texts: string[] = [];
  for (let i = 0; i < count; i++) {
    const inbound = await talk.next("inbound");
    texts.push(inbound.text);
    talk.acknowledge(inbound);
  }
  return texts;
}

test("what was missed while nobody was connected is caught up with, in order, in threads too, and nothing twice", async () => {
  await using server = await SlackServer.start();
  let cursor: string;
  {
    await using talk = await connected(server);
    server.direct("one");
    const root = server.mention("look into it");
    server.direct("two");
    await take(talk, 3);
    ({ cursor } = await talk.next("cursor", (frame) => frame.cursor.split(" ").length === 3));
    server.missed("C0OPS", calling("and this"), { thread_ts: root });
  }
  server.missed("D0ADA", "three");
  server.missed("C0OPS", "lunch?");
  const begun = server.missed("C0OPS", calling("something new"));
  server.missed("C0OPS", calling("and more of it"), { thread_ts: begun });
  server.missed("D0ADA", "four", { edited: { user: "U0ADA", ts: "1.000000" } });
  server.missed("D0ADA", "of a bot", { bot_id: "B0OTHER", user: "U0OTHER" });
  await using talk = await connected(server, cursor);
  expect((await take(talk, 5)).toSorted()).toEqual(["and more of it", "and this", "four", "something new", "three"]);
  await talk.next("cursor");
  const told = talk.said.filter((frame) => frame.type === "inbound").map(({ text }) => text);
  expect(told.indexOf("three")).toBeLessThan(told.indexOf("four"));
  expect(told.indexOf("something new")).toBeLessThan(told.indexOf("and more of it"));
  expect(told).toHaveLength(5);
});

test("who calls us in a thread under something old, which nobody here knew of, is heard too", async () => {
  await using server = await SlackServer.start();
  const old = server.missed("C0OPS", "the build is red");
  const quiet = server.missed("C0OPS", "who brings cake?");
  server.missed("C0OPS", "not me", { thread_ts: quiet });
  let cursor: string;
  {
    await using talk = await connected(server);
    server.mention("look into it");
    await take(talk, 1);
    ({ cursor } = await talk.next("cursor"));
  }
  server.missed("C0OPS", "no idea why", { thread_ts: old });
  server.missed("C0OPS", calling("why?"), { thread_ts: old });
  await using talk = await connected(server, cursor);
  expect(await take(talk, 1)).toEqual(["why?"]);
  expect(talk.said.find(({ type }) => type === "inbound")).toMatchObject({ place: "C0OPS", thread: old });
  // A thread in which nothing came is not asked for.
  expect(asked(server, "conversations.replies")).toBeLessThanOrEqual(3);
});

test("when the line is cut, what was missed until the next one stands comes first, and what comes then behind it", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  server.direct("one");
  await take(talk, 1);
  server.cut();
  server.missed("D0ADA", "missed");
  await talk.next("state", ({ state }) => state === "reconnecting");
  server.mishaps.push({
    method: "conversations.history",
    status: 429,
    headers: { "retry-after": "1" },
    body: { ok: false, error: "ratelimited" },
  });
  await talk.next("state", ({ state }) => state === "connected");
  server.direct("after");
  expect(await take(talk, 2)).toEqual(["missed", "after"]);
  await expect.poll(() => server.pending).toBe(0);
});

test("a message that is heard and is remembered too is told once", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  server.direct("one");
  await take(talk, 1);
  server.cut();
  // It waits for the next line, and stands in the history by then.
  server.direct("both");
  expect(await take(talk, 1)).toEqual(["both"]);
  await expect.poll(() => server.pending).toBe(0);
  // For what came behind the last one, and for threads under what came before it.
  await expect.poll(() => asked(server, "conversations.history")).toBe(2);
  server.direct("then");
  expect(await take(talk, 1)).toEqual(["then"]);
});

test("what cannot be had is told as a gap, with why", async () => {
  await using server = await SlackServer.start({ scopes: ALL_SCOPES.filter((scope) => scope !== "channels:history") });
  await using talk = await connected(server, "C0OPS::1700000000.000100");
  const gap = await talk.next("notice", ({ about }) => about === "gap");
  expect(gap).toMatchObject({
    place: "C0OPS",
    from: 1_700_000_000_000,
    text: expect.stringContaining("lacks channels:history"),
  });
  server.mention("still here");
  expect(await take(talk, 1)).toEqual(["still here"]);
});

test("of a conversation in which more was written than is caught up with, the newest is told, and the rest as a gap", async () => {
  await using server = await SlackServer.start();
  const texts = Array.from({ length: 1_010 }, (_, i) => `message ${i}`);
  for (const text of texts) server.missed("D0ADA", text);
  await using talk = await connected(server, "D0ADA::1700000000.000100");
  expect(await talk.next("notice", ({ about }) => about === "gap")).toMatchObject({
    place: "D0ADA",
    from: 1_700_000_000_000,
  });
  expect(await take(talk, 1_000)).toEqual(texts.slice(10));
});

test("a reply under somebody's message says what that is, the first time", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  const root = server.missed("C0OPS", "the build is broken", { user: "U0BOB" });
  server.mention("why?", { thread_ts: root });
  const first = await talk.next("inbound");
  expect(first).toMatchObject({ thread: root, text: "why?", quote: { by: "other", text: "the build is broken" } });
  talk.acknowledge(first);
  server.mention("and now?", { thread_ts: root });
  const second = await talk.next("inbound");
  expect(second.quote).toBeUndefined();
});

test("an edit and a deletion are told, and acknowledged when they are on the log", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  const ts = server.direct("delete A");
  const inbound = await talk.next("inbound");
  talk.acknowledge(inbound);
  const common = { type: "message", channel: "D0ADA", channel_type: "im", hidden: true };
  const before = { type: "message", user: "U0ADA", text: "delete A", ts };
  const message = { ...before, text: "delete B", edited: { user: "U0ADA", ts: "1.0" } };
  server.deliver({ ...common, subtype: "message_changed", message, previous_message: before, event_ts: "18.000001" });
  server.deliver({
    ...common,
    subtype: "message_deleted",
    deleted_ts: ts,
    previous_message: message,
    event_ts: "18.000002",
  });
  const edited = await talk.next("changed");
  expect(edited).toMatchObject({ message: inbound.dedupe, change: "edited", text: "delete B" });
  await expect.poll(() => server.pending).toBe(2);
  talk.acknowledge(edited);
  const deleted = await talk.next("changed");
  expect(deleted).toMatchObject({ message: inbound.dedupe, change: "deleted", text: "" });
  talk.acknowledge(deleted);
  await expect.poll(() => server.pending).toBe(0);
});

test("what became of a message is found by its key, in a channel and in a thread", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  const since = Date.now();
  const look = async (ref: number, key: string, thread: string | null = null): Promise<unknown> => {
    talk.tell({ type: "look-up", ref, place: "C0OPS", thread, key, since });
    const { outcome, ids } = await talk.next("looked-up", (frame) => frame.ref === ref);
    return [outcome, ids];
  };
  server.mishaps.push({ method: "chat.postMessage", cut: "after" });
  expect(await talk.send("C0OPS", "pay 10 EUR", { key: "k1" })).toMatchObject({ reason: "unknown" });
  expect(await look(1, "k1")).toEqual(["sent", [server.posted[0]?.ts]]);
  expect(await look(2, "k2")).toEqual(["absent", []]);
  const root = server.missed("C0OPS", "a thread");
  const long = await talk.send("C0OPS", "x ".repeat(3_000), { key: "k3", thread: root });
  expect(await look(3, "k3", root)).toEqual(["sent", long.ids]);
  expect(await look(4, "k3")).toEqual(["absent", []]);
  // Of two parts one is there: that is neither.
  server.workspace.posted.splice(-1);
  expect(await look(5, "k3", root)).toEqual(["unknown", long.ids.slice(0, 1)]);
  server.mishaps.push({ method: "conversations.history", error: "missing_scope" });
  expect(await look(6, "k1")).toEqual(["unknown", []]);
});

test("another program with the same token is told of when it stays, and not when it is our own line of before", async () => {
  await using server = await SlackServer.start();
  const quick = {
    ...slack,
    connect: (...[credentials, start, host]: Parameters<typeof slack.connect>) =>
      new SlackConnection(credentials, start, host, [], 200),
  };
  server.foreignOnce = 1;
  {
    await using talk = AdapterTalk.local(quick);
    talk.start(server.tokens, { apiRoot: server.apiRoot });
    await talk.next("state", ({ state }) => state === "connected");
    await expect.poll(() => server.opened).toBe(2);
    await expect.poll(() => server.lines).toBe(1);
    expect(talk.said.some(({ type }) => type === "notice")).toBe(false);
  }
  server.foreign = 1;
  await using talk = AdapterTalk.local(quick);
  talk.start(server.tokens, { apiRoot: server.apiRoot });
  const notice = await talk.next("notice");
  expect(notice).toMatchObject({
    about: "foreign-use",
    text: expect.stringContaining("another program uses this Slack app's token"),
  });
  expect(talk.said.filter(({ type }) => type === "state")).toHaveLength(1);
});

test("a line that may be dead is replaced when the machine wakes, and what was missed is caught up with", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  server.direct("one");
  await take(talk, 1);
  server.missed("D0ADA", "while it slept");
  talk.tell({ type: "wake" });
  expect(await take(talk, 1)).toEqual(["while it slept"]);
  expect(server.opened).toBe(2);
  await expect.poll(() => server.lines).toBe(1);
  expect(talk.said.filter(({ type }) => type === "state")).toHaveLength(1);
});

test("a machine that wakes does not wait out the time before the next try", async () => {
  const server = await SlackServer.start();
  await using talk = await connected(server);
  const { port } = server;
  await server[Symbol.asyncDispose]();
  for (let i = 0; i < 3; i++) await talk.next("state", ({ state }) => state === "reconnecting");
  await using again = await SlackServer.start({ port });
  const began = performance.now();
  talk.tell({ type: "wake" });
  await talk.next("state", ({ state }) => state === "connected");
  // It would have waited for four seconds.
  expect(performance.now() - began).toBeLessThan(3_500);
  expect(again.opened).toBe(1);
});

test.for([
  { what: "the app is uninstalled", happen: (server: SlackServer) => void server.deliver({ type: "app_uninstalled" }) },
  {
    what: "a message is refused for it",
    happen: (server: SlackServer) => void server.mishaps.push({ method: "chat.postMessage", error: "token_revoked" }),
  },
])(
  "when the token is gone because $what, that is said once, and nothing is asked of Slack any more",
  async ({ happen }) => {
    await using server = await SlackServer.start();
    await using talk = await connected(server);
    happen(server);
    if (server.mishaps.length > 0) await talk.send("D0ADA", "x");
    const refused = await talk.next("state", ({ state }) => state === "refused");
    expect(refused.text).toContain("wirken vault add slack");
    await expect.poll(() => server.lines).toBe(0);
    const calls = server.calls.length;
    for (let i = 0; i < 3; i++)
      expect(await talk.send("D0ADA", "x")).toMatchObject({ reason: "refused", text: refused.text });
    talk.tell({ type: "wake" });
    expect(server.calls).toHaveLength(calls);
    expect(talk.said.filter((frame) => frame.type === "state" && frame.state === "refused")).toHaveLength(1);
  },
);

test("that the bot was removed from a channel is told, by Slack or by what it refuses, once", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  server.deliver({
    type: "member_left_channel",
    user: "U0WIRKEN",
    channel: "C0OPS",
    channel_type: "C",
    team: "T0ACME",
  });
  expect(await talk.next("notice")).toMatchObject({ about: "removed", place: "C0OPS" });
  for (let i = 0; i < 2; i++) expect(await talk.send("C0GONE", "x")).toMatchObject({ reason: "refused" });
  expect(await talk.next("notice")).toMatchObject({ about: "removed", place: "C0GONE" });
  expect(talk.said.filter(({ type }) => type === "notice")).toHaveLength(2);
});

test("a channel in which Slack asks to slow down is left alone, and the others are not", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  // Long enough for all that is tried meanwhile, on a busy machine too.
  const slow = { status: 429, headers: { "retry-after": "3" }, body: { ok: false, error: "ratelimited" } };
  server.mishaps.push({ method: "chat.postMessage", ...slow });
  const first = talk.send("D0ADA", "one");
  await expect.poll(() => asked(server, "chat.postMessage")).toBe(1);
  // By the time that this is answered, so is the one before.
  expect(await talk.send("D0BOB", "two")).toMatchObject({ type: "delivered" });
  talk.tell({ type: "draft", ref: 3, place: "D0ADA", thread: null, replyTo: null }, "hm");
  expect(await talk.send("D0BOB", "three")).toMatchObject({ type: "delivered" });
  expect(asked(server, "chat.postMessage")).toBe(3);
  expect(await first).toMatchObject({ type: "delivered" });
  expect(asked(server, "chat.postMessage")).toBe(4);
});

test("somebody is written to first, wherever their conversation is; nobody that Slack does not know", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  talk.tell({ type: "open-direct", ref: 1, user: "T0OTHER:U0BOB" });
  talk.tell({ type: "open-direct", ref: 2, user: "U0NOBODY" });
  talk.tell({ type: "open-direct", ref: 3, user: "../x" });
  expect(await talk.next("direct", ({ ref }) => ref === 1)).toMatchObject({ place: "D0BOB" });
  for (const ref of [2, 3])
    expect(await talk.next("direct", (frame) => frame.ref === ref)).toMatchObject({ place: null });
});
