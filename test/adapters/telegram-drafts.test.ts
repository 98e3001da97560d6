import { expect, test } from "vitest";
import { AdapterTalk } from "../support/adapter-talk.ts";
import { telegram } from "../support/platforms.ts";
import { TelegramServer } from "../support/telegram-server.ts";
import { Canary } from "../support/unfurler.ts";

async function connected(server: TelegramServer): Promise<AdapterTalk> {
  const talk = AdapterTalk.local(telegram);
  talk.start({ "bot-token": server.token }, { apiRoot: server.apiRoot });
  await talk.next("state", (frame) => frame.state === "connected");
  return talk;
}

function draft(talk: AdapterTalk, place: string, text: string, thread: string | null = null): void {
  talk.tell({ type: "draft", ref: 70, place, thread, replyTo: null }, text);
}

test("in a private chat an answer is shown while it grows, and is then sent once", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  draft(talk, "42", "**The** an", "9");
  await expect.poll(() => server.drafts).toEqual([{ chat: 42, draft: 70, text: "The an", thread: 9 }]);
  expect(server.shown).toEqual([]);
  expect(await talk.send("42", "**The** answer", { draft: 70, thread: "9" })).toMatchObject({ type: "delivered" });
  expect(server.shown).toMatchObject([{ text: "The answer", thread: 9 }]);
});

test("in a group it is a message that grows, and the whole answer is its last state", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  draft(talk, "-5", "The");
  await expect.poll(() => server.shown.map(({ text }) => text)).toEqual(["The"]);
  // Sooner than a group takes another edit: it may be left out.
  draft(talk, "-5", "The ans");
  const sent = await talk.send("-5", "The *answer*", { draft: 70 });
  expect(sent).toMatchObject({ type: "delivered", ids: [String(server.shown[0]?.id)] });
  expect(server.shown).toMatchObject([{ text: "The answer", entities: [{ type: "italic", offset: 4, length: 6 }] }]);
});

test("a server that does not know drafts gets a message that grows, in a private chat too", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  server.mishaps.push({ method: "sendMessageDraft", status: 404, body: { description: "Not Found" } });
  draft(talk, "42", "The");
  await expect.poll(() => server.shown.map(({ text }) => text)).toEqual(["The"]);
  await talk.send("42", "The answer", { draft: 70 });
  expect(server.shown.map(({ text }) => text)).toEqual(["The answer"]);
});

test("a person who blocked the bot gets no message that grows, and the others are shown theirs as before", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  server.strangers.add(43);
  draft(talk, "43", "The");
  await expect.poll(() => server.calls.some(({ method }) => method === "sendMessageDraft")).toBe(true);
  talk.tell({ type: "draft", ref: 71, place: "42", thread: null, replyTo: null }, "The");
  await expect.poll(() => server.drafts.map(({ chat }) => chat)).toEqual([42]);
  expect(server.shown).toEqual([]);
});

test("an answer that became longer than one message, or shorter than what was shown, is whole and alone in the end", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  const long = Array.from({ length: 900 }, (_, i) => `word ${i}`).join("\n");
  draft(talk, "-5", long);
  await expect.poll(() => server.shown.length).toBe(2);
  const [first] = server.shown;
  expect(await talk.send("-5", "It was stopped.", { draft: 70 })).toMatchObject({ ids: [String(first?.id)] });
  expect(server.shown.map(({ text }) => text)).toEqual(["It was stopped."]);
  draft(talk, "-6", "begin");
  await expect.poll(() => server.shown.length).toBe(2);
  await talk.send("-6", long, { draft: 70 });
  expect(
    server.shown
      .slice(1)
      .map(({ text }) => text)
      .join("\n"),
  ).toBe(long);
});

test("what was shown and deleted by somebody is sent anew", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  draft(talk, "-5", "The");
  await expect.poll(() => server.shown.length).toBe(1);
  server.shown.length = 0;
  expect(await talk.send("-5", "The answer", { draft: 70 })).toMatchObject({ type: "delivered" });
  expect(server.shown.map(({ text }) => text)).toEqual(["The answer"]);
});

test("the last edit of an answer is tried again when its answer is lost: done twice it is the same", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  draft(talk, "-5", "The");
  await expect.poll(() => server.shown.length).toBe(1);
  server.mishaps.push({ method: "editMessageText", cut: "after" });
  expect(await talk.send("-5", "The answer", { draft: 70 })).toMatchObject({ type: "delivered" });
  expect(server.shown.map(({ text }) => text)).toEqual(["The answer"]);
});

test("a mark is set, changed and taken away", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  const react = (mark: "waiting" | "working" | "refused" | null): void =>
    talk.tell({ type: "react", place: "42", thread: null, message: "42:7", mark });
  react("waiting");
  await expect.poll(() => server.marks.get("42:7")).toBe("👀");
  react("working");
  await expect.poll(() => server.marks.get("42:7")).toBe("✍");
  react("refused");
  await expect.poll(() => server.marks.get("42:7")).toBe("🤷");
  react(null);
  await expect.poll(() => server.marks.size).toBe(0);
});

test("no link in anything that is sent is looked at by Telegram", async () => {
  await using canary = await Canary.start();
  await using server = await TelegramServer.start();
  // The detector detects: without the option, a link is fetched.
  const plain = { method: "POST", headers: { "content-type": "application/json" } };
  const body = JSON.stringify({ chat_id: 42, text: `see ${canary.url}/detected` });
  await fetch(`${server.apiRoot}/bot${server.token}/sendMessage`, { ...plain, body });
  await expect.poll(() => canary.visits).toEqual(["/detected"]);
  await using talk = await connected(server);
  const link = `[here](${canary.url}/secret) and ${canary.url}/bare`;
  const card = { id: "ap_1", code: "7F3K", mayRemember: true };
  for (const style of ["markdown", "plain", "preformatted"] as const) await talk.send("42", link, { style });
  const { ids } = await talk.send("42", link, { style: "preformatted", card });
  await talk.edit("42", ids, `${link} approved`);
  draft(talk, "42", link);
  await expect.poll(() => server.drafts.length).toBe(1);
  draft(talk, "-5", link);
  await expect.poll(() => server.shown.some(({ chat }) => chat === -5)).toBe(true);
  await talk.send("-5", `${link} whole`, { draft: 70 });
  talk.tell(
    { type: "attach", ref: 20, index: 0, name: `${canary.url}/name`.replaceAll("/", ""), mime: "text/plain" },
    link,
  );
  server.mishaps.push({
    method: "sendMessage",
    status: 400,
    body: { description: "Bad Request: can't parse entities" },
  });
  await talk.send("42", `**${link}**`);
  await server.unfurler.settled();
  expect(canary.visits).toEqual(["/detected"]);
});
