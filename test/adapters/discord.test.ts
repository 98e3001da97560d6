import { createServer } from "node:http";
import { afterEach, beforeEach, expect, test } from "vitest";
import { check } from "../../adapters/discord/check.ts";
import { DiscordConnection } from "../../adapters/discord/connection.ts";
import { AdapterTalk } from "../support/adapter-talk.ts";
import { DiscordServer, type Message, WRITTEN } from "../support/discord-server/discord-server.ts";
import { ADA, BOB, IDS } from "../support/discord-server/people.ts";
import { serving } from "../support/serving.ts";

/** What is said on Discord, in and out, by the SDK's own client against a server that refuses what Discord refuses. */

const platform = {
  check,
  connect: (...given: ConstructorParameters<typeof DiscordConnection>) => new DiscordConnection(...given),
};

let server: DiscordServer;
let talk: AdapterTalk;
beforeEach(async () => {
  server = await DiscordServer.start();
  talk = AdapterTalk.local(platform);
  talk.start({ "bot-token": server.token }, { apiRoot: server.apiRoot });
  await talk.next("state", ({ state }) => state === "connected");
});
afterEach(async () => {
  await talk[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

function only(): Message {
  expect(server.shown).toHaveLength(1);
  const [message] = server.shown;
  if (message === undefined) throw new Error("nothing was written");
  return message;
}

const card = { id: "ap_00000000000000000000000000", code: "7F3K", mayRemember: true };

test("a direct message, a call in a channel and one in a thread come in, each from its conversation", async () => {
  const direct = server.direct("hello");
  const first = await talk.next("inbound");
  expect(first).toMatchObject({ place: IDS.ada, thread: null, sender: ADA.id, senderName: "Ada", dedupe: direct });
  expect(first).toMatchObject({ talk: "direct", text: "hello" });
  server.mention("what is new?");
  const second = await talk.next("inbound");
  expect(second).toMatchObject({ place: IDS.channel, thread: null, talk: "group", text: "what is new?" });
  talk.acknowledge(second);
  server.mention("and here?", {}, BOB, IDS.thread);
  const third = await talk.next("inbound");
  expect(third).toMatchObject({ place: IDS.channel, thread: IDS.thread, sender: BOB.id, text: "and here?" });
  expect(await talk.send(IDS.channel, "here", { thread: IDS.thread })).toMatchObject({ type: "delivered" });
  expect(only().channel).toBe(IDS.thread);
});

test("messages of one conversation are told one after the other, whatever is asked about them meanwhile", async () => {
  server.mention("one", { mention_roles: [IDS.role] });
  server.mention("two");
  server.write(IDS.channel, `<@&${IDS.role}> three`, { mention_roles: [IDS.role] });
  const texts: string[] = [];
  for (let i = 0; i < 3; i++) {
    const inbound = await talk.next("inbound");
    texts.push(inbound.text);
    talk.acknowledge(inbound);
  }
  expect(texts).toEqual(["one", "two", "three"]);
});

test("Markdown is shown as Discord's, tables in a block, and long text in messages of its size, with nobody called", async () => {
  const text = `# Title\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n${"A sentence with **bold** words. ".repeat(100)}@everyone <@${BOB.id}>`;
  const outcome = await talk.send(IDS.ada, text);
  expect(outcome).toMatchObject({ type: "delivered", ids: server.shown.map(({ id }) => id) });
  expect(server.shown.length).toBe(2);
  expect(server.shown[0]?.content).toMatch(/^\*\*Title\*\*\n\n```\n\| a \| b \|\n\|---\|---\|\n\| 1 \| 2 \|\n```\n/);
  expect(server.shown.at(-1)?.content).toMatch(/\\@everyone \\<\\@200000000000000002>$/);
});

test("no address that goes out is looked up: not in a message, a change of one, a draft, or an answer to a press", async () => {
  const visits: string[] = [];
  const listening = createServer((request, response) => {
    visits.push(request.url ?? "");
    response.end("seen");
  });
  await using canary = await serving(listening);
  const address = `http://127.0.0.1:${canary.port}/canary`;
  await talk.send(IDS.ada, address, { card, style: "preformatted" });
  talk.tell({ type: "draft", ref: 900, place: IDS.ada, thread: null, replyTo: null }, `so far ${address}`);
  await expect.poll(() => server.shown).toHaveLength(2);
  await talk.edit(IDS.ada, [server.shown[0]?.id ?? ""], address);
  server.press({ ...only0(), buttons: [{ type: 2, style: 3, label: "Deny", custom_id: "d:d:ap_1" }] }, "Deny");
  talk.tell({ type: "answer", ref: (await talk.next("pressed")).ref }, address);
  await expect.poll(() => server.answers).toHaveLength(1);
  expect(server.previewed).toEqual([]);
  expect(visits).toEqual([]);
  // What does not say so is looked up.
  await fetch(`${server.apiRoot}/v10/channels/${IDS.ada}/messages`, {
    method: "POST",
    headers: { authorization: `Bot ${server.token}`, "content-type": "application/json" },
    body: JSON.stringify({
      content: address,
      flags: 0,
      allowed_mentions: { parse: [] },
      nonce: "1",
      enforce_nonce: true,
    }),
  });
  expect(visits).toEqual(["/canary"]);
});

function only0(): Message {
  const [message] = server.shown;
  if (message === undefined) throw new Error("nothing was written");
  return message;
}

test("a card has its buttons, a press is told and answered to its presser alone, and the decided card loses them", async () => {
  const sent = await talk.send(IDS.channel, "exec: uname -a", {
    style: "preformatted",
    card,
    thread: IDS.thread,
    replyTo: "9",
  });
  const shown = only();
  expect(shown).toMatchObject({ channel: IDS.thread, content: "```\nexec: uname -a\n```", replyTo: "9" });
  expect(shown.buttons.map(({ label }) => label)).toEqual(["Approve", "Approve for this session", "Deny"]);
  const interaction = server.press(shown, "Approve for this session", BOB);
  const pressed = await talk.next("pressed");
  expect(pressed).toMatchObject({ place: IDS.channel, thread: IDS.thread, sender: BOB.id, senderName: "Bob" });
  expect(pressed).toMatchObject({ card: card.id, decision: "approve-session" });
  talk.acknowledge(pressed);
  talk.tell({ type: "answer", ref: pressed.ref }, "Only Ada may decide this.");
  await expect.poll(() => server.answers).toEqual([{ interaction, text: "Only Ada may decide this.", alone: true }]);
  talk.tell(
    { type: "edit", ref: 99, place: IDS.channel, thread: IDS.thread, ids: sent.ids },
    "exec: uname -a\napproved by Ada",
  );
  await talk.next("delivered", ({ ref }) => ref === 99);
  expect(only()).toMatchObject({ content: "```\nexec: uname -a\napproved by Ada\n```", buttons: [] });
});

test("a press that is decided slowly is deferred in time, and answered all the same", async () => {
  await talk.send(IDS.ada, "x", { style: "preformatted", card });
  const interaction = server.press(only(), "Deny");
  const pressed = await talk.next("pressed");
  await expect.poll(() => server.answers).toEqual([{ interaction, text: "defer", alone: true }]);
  talk.tell({ type: "answer", ref: pressed.ref }, "Denied.");
  await expect.poll(() => server.answers[1]).toEqual({ interaction, text: "Denied.", alone: true });
});

test("when a channel takes no more, the message waits as long as Discord says, and the next of that place behind it", async () => {
  server.mishaps.push({
    route: WRITTEN,
    status: 429,
    headers: { "retry-after": "1", "x-ratelimit-scope": "shared" },
    body: { message: "The resource is being rate limited.", retry_after: 1, global: false },
  });
  const began = performance.now();
  const outcomes = await Promise.all([talk.send(IDS.ada, "first"), talk.send(IDS.ada, "second")]);
  expect(outcomes.map(({ type }) => type)).toEqual(["delivered", "delivered"]);
  expect(server.shown.map(({ content }) => content)).toEqual(["first", "second"]);
  expect(performance.now() - began).toBeGreaterThan(950);
});

test("a limit on the whole bot holds every place", async () => {
  server.mishaps.push({
    route: WRITTEN,
    status: 429,
    headers: { "retry-after": "1", "x-ratelimit-global": "true", "x-ratelimit-scope": "global" },
    body: { message: "You are being rate limited.", retry_after: 1, global: true },
  });
  const began = performance.now();
  const first = talk.send(IDS.ada, "first");
  await expect.poll(() => server.calls.some(({ route }) => route === WRITTEN)).toBe(true);
  await Promise.all([first, talk.send(IDS.bob, "elsewhere")]);
  expect(performance.now() - began).toBeGreaterThan(950);
  expect(server.calls.filter(({ route }) => route === WRITTEN)).toHaveLength(3);
});

test("a message is given back when Discord asks for a longer wait than anybody has", async () => {
  server.mishaps.push({
    route: WRITTEN,
    status: 429,
    headers: { "retry-after": "3600" },
    body: { retry_after: 3_600 },
  });
  expect(await talk.send(IDS.ada, "x")).toMatchObject({ type: "undelivered", reason: "rate-limited" });
  expect(server.shown).toEqual([]);
});

test.for([
  { what: "the connection is cut after it was sent", mishap: { route: WRITTEN, cut: "after" } },
  { what: "the connection is cut before an answer", mishap: { route: WRITTEN, cut: "before" } },
  { what: "a proxy answers with a page", mishap: { route: WRITTEN, status: 502, body: "<html>Bad gateway</html>" } },
] as const)(
  "a message of which nobody can tell is said again under its name, and is there once: $what",
  async ({ mishap }) => {
    server.mishaps.push(mishap);
    const outcome = await talk.send(IDS.ada, "pay 10 EUR", { key: "m_1" });
    expect(outcome).toMatchObject({ type: "delivered", ids: [only().id] });
    expect(server.calls.filter(({ route }) => route === WRITTEN)).toHaveLength(2);
  },
);

test("what stays unknown is said to be, and is found by its key where Discord shows it", async () => {
  server.mishaps.push(...Array.from({ length: 3 }, () => ({ route: WRITTEN, cut: "before" }) as const));
  const since = Date.now();
  expect(await talk.send(IDS.ada, "pay 10 EUR", { key: "m_1" })).toMatchObject({ reason: "unknown", ids: [] });
  const ask = async (key: string, place: string = IDS.ada): Promise<unknown> => {
    const ref = Math.floor(Math.random() * 1e9) + 1_000;
    talk.tell({ type: "look-up", ref, place, thread: null, key, since });
    return await talk.next("looked-up", (frame) => frame.ref === ref);
  };
  expect(await ask("m_1")).toMatchObject({ outcome: "absent", ids: [] });
  const { ids } = await talk.send(IDS.ada, "word ".repeat(700), { key: "m_2" });
  expect(ids).toHaveLength(2);
  expect(await ask("m_2")).toMatchObject({ outcome: "sent", ids });
  expect(await ask("m_1")).toMatchObject({ outcome: "absent", ids: [] });
  // A history names no keys: a message of ours that this process knows nothing of may be anything.
  server.messages.push({ ...only0(), id: server.id(), nonce: null });
  expect(await ask("m_1")).toMatchObject({ outcome: "unknown", ids: [] });
  expect(await ask("m_1", "499999999999999999")).toMatchObject({ outcome: "unknown" });
});

test("a no of Discord's is told in its own words, and a channel that is gone is said to be", async () => {
  server.mishaps.push({ route: WRITTEN, status: 403, body: { message: "Missing Permissions", code: 50_013 } });
  expect(await talk.send(IDS.channel, "x")).toMatchObject({
    reason: "refused",
    text: "Discord answered 403 (50013): Missing Permissions",
  });
  server.mention("hello");
  talk.acknowledge(await talk.next("inbound"));
  server.channels.delete(IDS.channel);
  expect(await talk.send(IDS.channel, "x")).toMatchObject({ reason: "refused" });
  expect(await talk.next("notice")).toMatchObject({ about: "removed", place: IDS.channel });
});

test.for(["", "general", "4 ", "99999999999999999999"])(
  "%j is not the id of a channel, and nothing is sent",
  async (place) => {
    expect(await talk.send(place, "x")).toMatchObject({ reason: "refused" });
    expect(server.calls.some(({ route }) => route === WRITTEN)).toBe(false);
  },
);

test("a server that the bot was taken from, and a channel that was deleted, are told; an outage is not", async () => {
  server.mention("hello");
  talk.acknowledge(await talk.next("inbound"));
  server.gateway.dispatch("GUILD_DELETE", { id: IDS.guild, unavailable: true });
  server.gateway.dispatch("CHANNEL_DELETE", { id: IDS.other, guild_id: IDS.guild, type: 0 });
  server.gateway.dispatch("GUILD_DELETE", { id: IDS.guild });
  expect(await talk.next("notice")).toMatchObject({ about: "removed", place: IDS.channel });
  expect(talk.said.filter(({ type }) => type === "notice")).toHaveLength(1);
});

test("what somebody changes or deletes is told, of messages that were told", async () => {
  const direct = server.direct("frist");
  const called = server.mention("look");
  const other = server.write(IDS.channel, "between others");
  for (let i = 0; i < 2; i++) talk.acknowledge(await talk.next("inbound"));
  server.edit(other, "between others, again");
  server.edit(direct, "first");
  const edited = await talk.next("changed");
  expect(edited).toMatchObject({ place: IDS.ada, sender: ADA.id, message: direct, change: "edited", text: "first" });
  talk.acknowledge(edited);
  server.remove(other);
  server.remove(called);
  const deleted = await talk.next("changed");
  expect(deleted).toMatchObject({ place: IDS.channel, sender: ADA.id, message: called, change: "deleted", text: "" });
});

test("a file is asked for when it is wanted, however old its address; one that is too large, or gone, is said to be", async () => {
  const bytes = Buffer.from("hello, file");
  const id = server.send("notes.txt", "text/plain", bytes);
  const inbound = await talk.next("inbound");
  expect(inbound).toMatchObject({
    text: "[file notes.txt]",
    files: [{ name: "notes.txt", type: "text/plain", bytes: 11, what: "file" }],
  });
  const handle = inbound.files?.[0]?.handle ?? "";
  talk.tell({ type: "get-file", ref: 1, handle, limit: 100 });
  expect((await talk.next("file")).text).toBe("hello, file");
  talk.tell({ type: "get-file", ref: 2, handle, limit: 10 });
  expect(await talk.next("file.failed")).toMatchObject({ ref: 2, reason: "too-large" });
  server.messages.splice(
    server.messages.findIndex((one) => one.id === id),
    1,
  );
  talk.tell({ type: "get-file", ref: 3, handle, limit: 100 });
  expect(await talk.next("file.failed")).toMatchObject({ ref: 3, reason: "gone" });
  talk.tell({ type: "get-file", ref: 4, handle: "https://elsewhere.example/x", limit: 100 });
  expect(await talk.next("file.failed")).toMatchObject({ ref: 4, reason: "refused" });
});

test("files go with a message, in the order they were named", async () => {
  talk.tell({ type: "attach", ref: 500, index: 1, name: "b.png", mime: "image/png" }, "second");
  talk.tell({ type: "attach", ref: 500, index: 0, name: "a.txt", mime: "text/plain" }, "first");
  const place = { place: IDS.ada, thread: null, replyTo: null };
  talk.tell({ type: "send", ref: 500, ...place, style: "markdown", card: null, files: 2 }, "here they are");
  await talk.next("delivered", ({ ref }) => ref === 500);
  expect(only().content).toBe("here they are");
  expect(only().files.map(({ name, type, bytes }) => [name, type, bytes.toString()])).toEqual([
    ["a.txt", "text/plain", "first"],
    ["b.png", "image/png", "second"],
  ]);
});

test("a reply grows where it stands, its end takes its place, and what it no longer needs goes", async () => {
  const place = { place: IDS.ada, thread: null, replyTo: null };
  talk.tell({ type: "draft", ref: 700, ...place }, `so far ${"word ".repeat(450)}`);
  await expect.poll(() => server.shown).toHaveLength(2);
  const [id] = server.shown.map((one) => one.id);
  talk.tell({ type: "send", ref: 701, ...place, style: "markdown", card: null, draft: 700, key: "m_9" }, "the **end**");
  expect(await talk.next("delivered", ({ ref }) => ref === 701)).toMatchObject({ ids: [id] });
  expect(only()).toMatchObject({ id, content: "the **end**" });
});

test("typing is shown once in eight seconds, and our marks take each other's place", async () => {
  for (let i = 0; i < 3; i++) talk.tell({ type: "typing", place: IDS.channel, thread: IDS.thread });
  await expect.poll(() => server.typed).toEqual([IDS.thread]);
  const message = server.direct("hello");
  const react = (mark: "waiting" | "working" | null): void =>
    talk.tell({ type: "react", place: IDS.ada, thread: null, message, mark });
  react("waiting");
  await expect.poll(() => [...server.reactions]).toEqual([`${message} 👀`]);
  react("working");
  await expect.poll(() => [...server.reactions]).toEqual([`${message} ✍️`]);
  react(null);
  await expect.poll(() => [...server.reactions]).toEqual([]);
});

test("somebody is reached alone by their id", async () => {
  talk.tell({ type: "open-direct", ref: 1, user: BOB.id });
  expect(await talk.next("direct")).toMatchObject({ ref: 1, place: IDS.bob });
  talk.tell({ type: "open-direct", ref: 2, user: "200000000000000009" });
  expect(await talk.next("direct")).toMatchObject({ ref: 2, place: null, text: expect.stringContaining("50007") });
});

test("the token stands in no frame, whatever a server quotes", async () => {
  const message = `no such token ${server.token} ${Buffer.from(server.token).toString("base64")}`;
  server.mishaps.push({ route: WRITTEN, status: 400, body: { code: 50_035, message } });
  expect((await talk.send(IDS.ada, "x")).text).toContain("[token]");
  expect(JSON.stringify(talk.said)).not.toContain(server.token.slice(30));
});
