import { expect, test } from "vitest";
import { decodeCursor, encodeCursor } from "../../adapters/telegram/cursor.ts";
import { AdapterTalk } from "../support/adapter-talk.ts";
import { telegram } from "../support/platforms.ts";
import { TelegramServer } from "../support/telegram-server.ts";

async function connected(server: TelegramServer, cursor: string | null = null): Promise<AdapterTalk> {
  const talk = AdapterTalk.local(telegram);
  talk.start({ "bot-token": server.token }, { apiRoot: server.apiRoot, cursor });
  await talk.next("state", (frame) => frame.state === "connected");
  return talk;
}

const HOUR = 3_600_000;
const ADA = { id: 42, is_bot: false, first_name: "Ada" };
const CONFLICT = {
  method: "getUpdates",
  status: 409,
  body: { description: "Conflict: terminated by other getUpdates request" },
} as const;

test("an edit of a message is told behind the message, and confirmed when it is on the log", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  const id = server.direct("delete A");
  server.update({
    edited_message: {
      message_id: id,
      date: 1,
      edit_date: 2,
      from: ADA,
      chat: { id: 42, type: "private" },
      text: "delete B",
    },
  });
  const inbound = await talk.next("inbound");
  expect(talk.said.some(({ type }) => type === "changed")).toBe(false);
  talk.acknowledge(inbound);
  const changed = await talk.next("changed");
  expect(changed).toMatchObject({ message: inbound.dedupe, change: "edited", sender: "42", text: "delete B" });
  expect(server.pending).toBe(2);
  talk.acknowledge(changed);
  await expect.poll(() => server.pending).toBe(0);
});

test("group talk that somebody edits is not told, unless it was for us", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  const chat = { id: -5, type: "group" };
  const mention = { text: "@wirken_bot go", entities: [{ type: "mention", offset: 0, length: 11 }] };
  const id = server.message({ from: ADA, chat, ...mention });
  talk.acknowledge(await talk.next("inbound"));
  server.update({ edited_message: { message_id: 900, date: 1, from: ADA, chat, text: "lunch!" } });
  server.update({ edited_message: { message_id: id, date: 1, from: ADA, chat, text: "never mind" } });
  const changed = await talk.next("changed");
  expect(changed).toMatchObject({ message: `-5:${id}`, text: "never mind" });
  talk.acknowledge(changed);
  await expect.poll(() => server.pending).toBe(0);
  expect(talk.said.filter(({ type }) => type === "changed")).toHaveLength(1);
});

const inSuper = (text: string): object => ({
  from: ADA,
  chat: { id: -100_500, type: "supergroup" },
  text: `@wirken_bot ${text}`,
  entities: [{ type: "mention", offset: 0, length: 11 }],
});

test("a group that becomes a supergroup stays the same conversation, after a restart too", async () => {
  await using server = await TelegramServer.start();
  let cursor: string;
  {
    await using talk = await connected(server);
    server.message({ chat: { id: -5, type: "group" }, migrate_to_chat_id: -100_500 });
    server.moved.set(-5, -100_500);
    const id = server.message(inSuper("hello"));
    const inbound = await talk.next("inbound");
    expect(inbound).toMatchObject({ place: "-5", dedupe: `-100500:${id}`, text: "hello" });
    talk.acknowledge(inbound);
    ({ cursor } = await talk.next("cursor"));
    await expect.poll(() => server.pending).toBe(0);
    expect(await talk.send("-5", "hi", { replyTo: inbound.dedupe })).toMatchObject({ type: "delivered" });
    expect(server.shown).toMatchObject([{ chat: -100_500, text: "hi", replyTo: id }]);
    // A number of the group that was is none of this one.
    await talk.send("-5", "hm", { replyTo: "-5:3" });
    expect(server.shown.at(-1)).toMatchObject({ replyTo: null });
  }
  await using talk = await connected(server, cursor);
  server.message(inSuper("again"));
  expect(await talk.next("inbound")).toMatchObject({ place: "-5", text: "again" });
});

test("that the bot was thrown out is told, by Telegram or by what it refuses, once", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  server.update({ my_chat_member: { chat: { id: -7, type: "supergroup" }, new_chat_member: { status: "kicked" } } });
  expect(await talk.next("notice")).toMatchObject({ about: "removed", place: "-7" });
  server.kicked.add(-8);
  expect(await talk.send("-8", "x")).toMatchObject({ type: "undelivered", reason: "refused" });
  await talk.send("-8", "x");
  expect(await talk.next("notice")).toMatchObject({
    about: "removed",
    place: "-8",
    text: expect.stringContaining("kicked"),
  });
  expect(talk.said.filter(({ type }) => type === "notice")).toHaveLength(2);
});

test("another program that reads the bot's messages is told of the second time it is met, not of our own poll before", async () => {
  await using server = await TelegramServer.start();
  server.mishaps.push(CONFLICT);
  await using talk = AdapterTalk.local(telegram);
  talk.start({ "bot-token": server.token }, { apiRoot: server.apiRoot });
  // It waits for a while, or until the machine wakes.
  await talk.next("state", ({ state }) => state === "reconnecting");
  talk.tell({ type: "wake" });
  await talk.next("state", ({ state }) => state === "connected");
  expect(talk.said.some(({ type }) => type === "notice")).toBe(false);
  server.mishaps.push(CONFLICT);
  talk.tell({ type: "wake" });
  const notice = await talk.next("notice");
  expect(notice).toMatchObject({ about: "foreign-use", place: null });
  expect(notice.text).toContain("another program reads this bot's messages");
});

test("what is older than Telegram keeps is told as a gap, and a quiet day while it ran is none", async () => {
  await using server = await TelegramServer.start();
  const now = Date.now();
  const away = (askedAt: number): string => encodeCursor({ next: 5, nextAt: now - 70 * HOUR, askedAt, moved: [] });
  {
    await using talk = await connected(server, away(now - 30 * HOUR));
    const gap = await talk.next("notice");
    expect(gap).toMatchObject({ about: "gap", place: null });
    expect(Math.round(((gap.to ?? 0) - (gap.from ?? 0)) / HOUR)).toBe(6);
  }
  await using talk = await connected(server, away(now - 2 * HOUR));
  server.direct("hi");
  talk.acknowledge(await talk.next("inbound"));
  const { cursor } = await talk.next("cursor");
  expect(decodeCursor(cursor, now).askedAt).toBeGreaterThan(now - 2_000);
  expect(talk.said.some(({ type }) => type === "notice")).toBe(false);
});

test("a poll that may be dead is ended when the machine wakes, and another is made at once", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  const polls = (): { timeout?: number }[] =>
    server.calls.filter(({ method }) => method === "getUpdates").map(({ parameters }) => Object(parameters));
  await expect.poll(() => polls().at(-1)?.timeout).toBe(30);
  const before = polls().length;
  talk.tell({ type: "wake" });
  await expect
    .poll(() =>
      polls()
        .slice(before)
        .map(({ timeout }) => timeout),
    )
    .toEqual([0, 30]);
  server.direct("awake");
  expect((await talk.next("inbound")).text).toBe("awake");
  expect(talk.said.filter(({ type }) => type === "state")).toHaveLength(1);
});

test("a machine that wakes does not wait out the time before the next try", async () => {
  const server = await TelegramServer.start();
  await using talk = await connected(server);
  const { port } = server;
  await server[Symbol.asyncDispose]();
  for (let i = 0; i < 3; i++) await talk.next("state", ({ state }) => state === "reconnecting");
  await using again = await TelegramServer.start(port);
  const began = performance.now();
  talk.tell({ type: "wake" });
  await talk.next("state", ({ state }) => state === "connected");
  // It would have waited for four seconds.
  expect(performance.now() - began).toBeLessThan(3_500);
  expect(again.calls.length).toBeGreaterThan(0);
});

test("a chat in which Telegram asks to slow down is left alone by everything, and the others are not", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  server.mishaps.push({
    method: "sendMessage",
    status: 429,
    // Long enough for all that is tried meanwhile, on a busy machine too.
    body: { description: "Too Many Requests: retry after 3", parameters: { retry_after: 3 } },
  });
  const slow = talk.send("42", "one");
  await expect.poll(() => server.calls.some(({ method }) => method === "sendMessage")).toBe(true);
  // By the time that this is answered, so is the one before.
  expect(await talk.send("43", "two")).toMatchObject({ type: "delivered" });
  const edit = talk.edit("42", ["11"], "x");
  talk.tell({ type: "typing", place: "42", thread: null });
  talk.tell({ type: "draft", ref: 3, place: "42", thread: null, replyTo: null }, "hm");
  expect(await talk.send("43", "three")).toMatchObject({ type: "delivered" });
  const methods = server.calls.map(({ method }) => method).filter((method) => method !== "getUpdates");
  expect(methods.slice(2)).toEqual(["sendMessage", "sendMessage", "sendMessage"]);
  expect(await slow).toMatchObject({ type: "delivered" });
  expect(await edit).toMatchObject({ type: "undelivered", reason: "refused" });
});

test("a token that is revoked while it runs is said once, and nothing is asked of Telegram any more", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  server.refuses = () => 401;
  expect(await talk.send("42", "x")).toMatchObject({ type: "undelivered", reason: "refused" });
  const refused = await talk.next("state", ({ state }) => state === "refused");
  expect(refused.text).toContain("wirken vault add telegram");
  const calls = server.calls.length;
  for (let i = 0; i < 3; i++)
    expect(await talk.send("42", "x")).toMatchObject({ reason: "refused", text: refused.text });
  talk.tell({ type: "wake" });
  expect(server.calls).toHaveLength(calls);
  expect(talk.said.filter((frame) => frame.type === "state" && frame.state === "refused")).toHaveLength(1);
});

test("somebody is written to first only if they wrote before", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  server.strangers.add(99);
  const open = (ref: number, user: string): void => talk.tell({ type: "open-direct", ref, user });
  open(1, "42");
  open(2, "99");
  open(3, "-100500");
  expect(await talk.next("direct", ({ ref }) => ref === 1)).toMatchObject({ place: "42" });
  expect(await talk.next("direct", ({ ref }) => ref === 2)).toMatchObject({ place: null });
  expect(await talk.next("direct", ({ ref }) => ref === 3)).toMatchObject({ place: null });
  expect(talk.said.some(({ type }) => type === "notice")).toBe(false);
});

test("what became of a message Telegram cannot tell", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  talk.tell({ type: "look-up", ref: 1, place: "42", thread: null, key: "k", since: 0 });
  expect(await talk.next("looked-up")).toMatchObject({ outcome: "unknown", ids: [] });
});
