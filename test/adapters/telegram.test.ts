import { expect, test } from "vitest";
import { check } from "../../adapters/telegram/check.ts";
import { TelegramConnection } from "../../adapters/telegram/connection.ts";
import { AdapterTalk } from "../support/adapter-talk.ts";
import { type Shown, TelegramServer } from "../support/telegram-server.ts";

const platform = {
  check,
  connect: (...given: ConstructorParameters<typeof TelegramConnection>) => new TelegramConnection(...given),
};

async function connected(server: TelegramServer, cursor: string | null = null): Promise<AdapterTalk> {
  const talk = AdapterTalk.local(platform);
  talk.start({ "bot-token": server.token }, { apiRoot: server.apiRoot, cursor });
  await talk.next("state", (frame) => frame.state === "connected");
  return talk;
}

function only(server: TelegramServer): Shown {
  const [shown] = server.shown;
  if (shown === undefined || server.shown.length !== 1) throw new Error(`${server.shown.length} messages are shown`);
  return shown;
}

test("a message in a direct chat is told with who wrote it, and confirmed to Telegram only when it is on the log", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  const id = server.direct("list my files", 42, "Ada");
  const inbound = await talk.next("inbound");
  expect(inbound).toMatchObject({
    place: "42",
    thread: null,
    sender: "42",
    senderName: "Ada",
    dedupe: `42:${id}`,
    talk: "direct",
    text: "list my files",
  });
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(server.pending).toBe(1);
  expect(talk.said.some((frame) => frame.type === "cursor")).toBe(false);
  talk.acknowledge(inbound);
  const { cursor } = await talk.next("cursor");
  await expect.poll(() => server.pending).toBe(0);
  expect(cursor).toMatch(/^1002@\d+\/\d+$/);
});

test("a message that was not on the log is delivered again after a restart, and one that was is not", async () => {
  await using server = await TelegramServer.start();
  let cursor: string;
  {
    await using talk = await connected(server);
    server.direct("first");
    talk.acknowledge(await talk.next("inbound", (frame) => frame.text === "first"));
    ({ cursor } = await talk.next("cursor"));
    server.direct("second");
    await talk.next("inbound", (frame) => frame.text === "second");
  }
  await using talk = await connected(server, cursor);
  await talk.next("inbound", (frame) => frame.text === "second");
  expect(talk.said.filter((frame) => frame.type === "inbound")).toHaveLength(1);
});

test("messages of one chat are told one after the other, those of several side by side", async () => {
  await using server = await TelegramServer.start();
  for (const text of ["one", "two"]) server.direct(text, 42);
  server.direct("three", 43, "Bob");
  await using talk = await connected(server);
  const one = await talk.next("inbound", (frame) => frame.text === "one");
  await talk.next("inbound", (frame) => frame.text === "three");
  expect(talk.said.some((frame) => frame.type === "inbound" && frame.text === "two")).toBe(false);
  talk.acknowledge(one);
  await talk.next("inbound", (frame) => frame.text === "two");
});

test("Markdown is shown with its looks, without a link preview", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  const outcome = await talk.send("42", "**bold** and `code`\n```sh\nls -l\n```\n[here](https://example.org/a)");
  const shown = only(server);
  expect(outcome).toMatchObject({ type: "delivered", ids: [String(shown.id)] });
  expect(shown.text).toBe("bold and code\nls -l\nhere (https://example.org/a)");
  expect(shown.entities).toEqual([
    { type: "bold", offset: 0, length: 4 },
    { type: "code", offset: 9, length: 4 },
    { type: "pre", offset: 14, length: 5, language: "sh" },
  ]);
});

test("preformatted text is shown to the letter", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  const text = "rm -rf **/*  # <b>`x`</b>\n  _y_";
  await talk.send("42", text, { style: "preformatted" });
  expect(only(server)).toMatchObject({ text, entities: [{ type: "pre", offset: 0, length: text.length }] });
});

test("a long text goes out in parts, in order, and its buttons are under the last", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  const text = Array.from({ length: 300 }, (_, i) => `line ${i} ${"x".repeat(30)}`).join("\n");
  const card = { id: "ap_00000000000000000000000000", code: "7F3K", mayRemember: false };
  const outcome = await talk.send("42", text, { style: "preformatted", card, replyTo: "42:7" });
  expect(outcome).toMatchObject({ type: "delivered", ids: server.shown.map(({ id }) => String(id)) });
  expect(server.shown.map((one) => one.text).join("\n")).toBe(text);
  expect(server.shown.map((one) => one.keyboard.length)).toEqual([...server.shown.slice(1).map(() => 0), 2]);
  expect(server.shown.map((one) => one.replyTo)).toEqual([7, ...server.shown.slice(1).map(() => null)]);
});

test("what Telegram cannot format goes out as plain text", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  server.mishaps.push({
    method: "sendMessage",
    status: 400,
    body: { description: "Bad Request: can't parse entities: unsupported start tag" },
  });
  expect(await talk.send("42", "**bold**")).toMatchObject({ type: "delivered" });
  expect(only(server)).toMatchObject({ text: "bold", entities: [] });
});

test("when Telegram asks to slow down, the message waits as long as it says, and the next of that chat behind it", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  server.mishaps.push({
    method: "sendMessage",
    status: 429,
    body: { description: "Too Many Requests: retry after 1", parameters: { retry_after: 1 } },
  });
  const began = performance.now();
  const outcomes = await Promise.all([talk.send("42", "first"), talk.send("42", "second")]);
  expect(outcomes.map((outcome) => outcome.type)).toEqual(["delivered", "delivered"]);
  expect(server.shown.map((one) => one.text)).toEqual(["first", "second"]);
  expect(performance.now() - began).toBeGreaterThan(950);
});

test("a message is given back when Telegram asks for a longer wait than anybody has", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  server.mishaps.push({
    method: "sendMessage",
    status: 429,
    body: { description: "Too Many Requests: retry after 3600", parameters: { retry_after: 3_600 } },
  });
  expect(await talk.send("42", "x")).toMatchObject({ type: "undelivered", reason: "rate-limited" });
  expect(server.shown).toEqual([]);
});

test.for([
  { what: "the connection is cut after it was sent", mishap: { method: "sendMessage", cut: "after" } },
  { what: "the connection is cut before an answer", mishap: { method: "sendMessage", cut: "before" } },
  {
    what: "a proxy answers with a page",
    mishap: { method: "sendMessage", status: 502, body: "<html>Bad gateway</html>" },
  },
  {
    what: "Telegram's own server fails",
    mishap: { method: "sendMessage", status: 500, body: { description: "Internal Server Error" } },
  },
] as const)("a message of which nobody can tell is never sent again: $what", async ({ mishap }) => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  server.mishaps.push(mishap);
  expect(await talk.send("42", "pay 10 EUR")).toMatchObject({ type: "undelivered", reason: "unknown", ids: [] });
  expect(server.calls.filter((call) => call.method === "sendMessage")).toHaveLength(1);
});

test("what was sent before a failure is named", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  server.mishaps.push({ method: "sendMessage", cut: "never" }, { method: "sendMessage", cut: "before" });
  const outcome = await talk.send("42", "x".repeat(10_000));
  expect(outcome).toMatchObject({ type: "undelivered", reason: "unknown", ids: [String(only(server).id)] });
});

test("a no of Telegram's is told in its own words", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  const description = "Forbidden: bot was blocked by the user";
  server.mishaps.push({ method: "sendMessage", status: 403, body: { description } });
  const outcome = await talk.send("42", "x");
  expect(outcome).toMatchObject({ reason: "refused", ids: [], text: `Telegram answered 403: ${description}` });
});

test.for(["", "chat", "42 ", "99999999999999999999"])(
  "%j is not the number of a chat, and nothing is sent",
  async (place) => {
    await using server = await TelegramServer.start();
    await using talk = await connected(server);
    expect(await talk.send(place, "x")).toMatchObject({ reason: "refused" });
    expect(server.calls.some((call) => call.method === "sendMessage")).toBe(false);
  },
);

test("a message in more parts than a frame can name is not begun", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  expect(await talk.send("42", "x".repeat(4_096 * 64 + 1), { style: "plain" })).toMatchObject({ reason: "too-large" });
  expect(server.shown).toEqual([]);
});

test("a group that became a supergroup is written to under its new number", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  server.moved.set(-5, -100_500);
  await talk.send("-5", "hello");
  await talk.send("-5", "again");
  expect(server.shown.map((one) => [one.chat, one.text])).toEqual([
    [-100_500, "hello"],
    [-100_500, "again"],
  ]);
});

test("a card has its buttons, a press is told and answered, and the decided card loses them", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  const card = { id: "ap_00000000000000000000000000", code: "7F3K", mayRemember: true };
  const sent = await talk.send("42", "exec: uname -a", { style: "preformatted", card, thread: "9" });
  const shown = only(server);
  expect(shown.keyboard.map((button) => button.text)).toEqual(["Approve", "Approve for this session", "Deny"]);
  expect(shown.thread).toBe(9);
  const query = server.press(shown, "Approve for this session", 42);
  const pressed = await talk.next("pressed");
  expect(pressed).toMatchObject({ place: "42", sender: "42", card: card.id, decision: "approve-session" });
  talk.acknowledge(pressed);
  talk.tell({ type: "answer", ref: pressed.ref }, "Approved for this session.");
  await expect.poll(() => server.answers).toEqual([{ query, text: "Approved for this session.", alert: false }]);
  const ids = sent.ids;
  expect(await talk.edit("42", ids, "exec: uname -a\napproved by Ada")).toMatchObject({ type: "delivered", ids });
  expect(only(server)).toMatchObject({ text: "exec: uname -a\napproved by Ada", keyboard: [] });
  // Said twice it is the same.
  expect(await talk.edit("42", ids, "exec: uname -a\napproved by Ada")).toMatchObject({ type: "delivered", ids });
});

test("a long answer to a press is shown in a window, cut where Telegram takes no more", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  const card = { id: "ap_1", code: "7F3K", mayRemember: false };
  await talk.send("42", "x", { style: "preformatted", card });
  server.press(only(server), "Deny");
  const pressed = await talk.next("pressed");
  talk.tell({ type: "answer", ref: pressed.ref }, "ä".repeat(300));
  await expect.poll(() => server.answers.map(({ text, alert }) => [text.length, alert])).toEqual([[200, true]]);
});

test("typing is shown once in four seconds, in its topic", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  for (let i = 0; i < 3; i++) talk.tell({ type: "typing", place: "42", thread: "3" });
  talk.tell({ type: "typing", place: "43", thread: null });
  const typed = () => server.calls.filter((call) => call.method === "sendChatAction").map((call) => call.parameters);
  await expect.poll(typed).toEqual([
    { chat_id: 42, action: "typing", message_thread_id: 3 },
    { chat_id: 43, action: "typing" },
  ]);
});

test("a webhook that was set before is taken away, and no message is lost by that", async () => {
  await using server = await TelegramServer.start();
  server.webhook = "https://elsewhere.example/hook";
  server.direct("while it was set");
  await using talk = await connected(server);
  expect(server.webhook).toBe("");
  expect((await talk.next("inbound")).text).toBe("while it was set");
});

test("another program that reads the bot's messages is named, and the bot comes back when that is gone", async () => {
  await using server = await TelegramServer.start();
  server.mishaps.push({
    method: "getUpdates",
    status: 409,
    body: { description: "Conflict: terminated by other getUpdates request" },
  });
  await using talk = AdapterTalk.local(platform);
  talk.start({ "bot-token": server.token }, { apiRoot: server.apiRoot });
  const lost = await talk.next("state");
  expect(lost).toMatchObject({ state: "reconnecting", account: "@wirken_bot" });
  expect(lost.text).toContain("another program reads this bot's messages");
  expect((await talk.next("state")).state).toBe("connected");
});

test("a token that Telegram does not accept is said with what to do, and is not tried again", async () => {
  await using server = await TelegramServer.start();
  await using talk = AdapterTalk.local(platform);
  talk.start({ "bot-token": "700100:wrong-token-wrong-token-wrong-token" }, { apiRoot: server.apiRoot });
  const refused = await talk.next("state");
  expect(refused).toMatchObject({ state: "refused", account: null });
  expect(refused.text).toContain("@BotFather");
  expect(server.calls).toHaveLength(1);
});

test("what is no token is not sent anywhere", async () => {
  await using server = await TelegramServer.start();
  await using talk = AdapterTalk.local(platform);
  talk.start({ "bot-token": "../../700100:AAA" }, { apiRoot: server.apiRoot });
  expect((await talk.next("state")).state).toBe("refused");
  expect(server.calls).toEqual([]);
});

test("the check says whose token it is", async () => {
  await using server = await TelegramServer.start();
  const good = AdapterTalk.local(platform);
  good.start({ "bot-token": server.token }, { check: true, apiRoot: server.apiRoot });
  expect(await good.next("checked")).toMatchObject({ failure: null, account: "@wirken_bot" });
  expect(await good.exited).toMatchObject({ status: 0 });
  const bad = AdapterTalk.local(platform);
  bad.start({ "bot-token": `${server.token}x` }, { check: true, apiRoot: server.apiRoot });
  expect(await bad.next("checked")).toMatchObject({ failure: "refused", account: null });
  const nobody = AdapterTalk.local(platform);
  const { apiRoot } = server;
  await server[Symbol.asyncDispose]();
  nobody.start({ "bot-token": server.token }, { check: true, apiRoot });
  expect(await nobody.next("checked")).toMatchObject({
    failure: "unreachable",
    text: expect.stringMatching(/^Telegram cannot be reached \((ECONNREFUSED|UND_ERR_SOCKET)\)$/),
  });
});

test("the token stands in no frame, whatever a server quotes", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  const quoting = { description: `Bad Request: no such path /bot${server.token}/sendMessage` };
  server.mishaps.push(
    { method: "sendMessage", status: 400, body: quoting },
    { method: "getUpdates", status: 418, body: quoting },
  );
  const outcome = await talk.send("42", "x");
  expect(outcome.text).toContain("[token]");
  server.direct("wake");
  await talk.next("inbound");
  expect(JSON.stringify(talk.said)).not.toContain(server.token.slice(10));
});

test.for([
  ["in base64", (token: string) => Buffer.from(`bot${token}`).toString("base64")],
  ["percent-encoded", (token: string) => encodeURIComponent(token)],
  ["in hex", (token: string) => Buffer.from(token).toString("hex")],
  ["cut in half", (token: string) => token.slice(0, token.length / 2)],
  ["where our own quote of it is cut", (token: string) => token, 470],
] as const)("a token that is quoted %s stands in no frame", async ([, quote, before = 0]) => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  const quoted = quote(server.token);
  server.mishaps.push({ method: "sendMessage", status: 400, body: { description: "x".repeat(before) + quoted } });
  const outcome = await talk.send("42", "x");
  expect(outcome.text).toContain("[token]");
  const said = JSON.stringify(talk.said);
  const half = quoted.length / 2;
  for (const piece of [quoted.slice(0, half), quoted.slice(half), server.token.slice(10, 20)])
    expect(said).not.toContain(piece);
});

test("a bot that a server names after its token is not called so", async () => {
  await using server = await TelegramServer.start();
  server.mishaps.push({
    method: "getMe",
    status: 200,
    body: { ok: true, result: { id: 1, is_bot: true, first_name: "x", username: server.token } },
  });
  await using talk = AdapterTalk.local(platform);
  talk.start({ "bot-token": server.token }, { check: true, apiRoot: server.apiRoot });
  expect(await talk.next("checked")).toMatchObject({ failure: null, account: "@[token]" });
});

test("when the server is away and comes back, what is waiting goes out and what came meanwhile comes in", async () => {
  const server = await TelegramServer.start();
  await using talk = await connected(server);
  const { port } = server;
  await server[Symbol.asyncDispose]();
  await talk.next("state", (frame) => frame.state === "reconnecting");
  const sending = talk.send("42", "patience");
  await new Promise((resolve) => setTimeout(resolve, 500));
  await using again = await TelegramServer.start(port);
  again.direct("meanwhile");
  expect((await sending).type).toBe("delivered");
  expect((await talk.next("inbound")).text).toBe("meanwhile");
  await talk.next("state", (frame) => frame.state === "connected");
});

test("a server that does not hold polls back is not asked without end", async () => {
  await using server = await TelegramServer.start();
  server.holds = false;
  await using talk = await connected(server);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const polls = server.calls.filter((call) => call.method === "getUpdates").length;
  expect(polls).toBeLessThanOrEqual(6);
  expect(talk.said.some((frame) => frame.type === "state" && frame.state !== "connected")).toBe(false);
});

test("stop ends a long poll at once and gives back what waits to be sent", async () => {
  await using server = await TelegramServer.start();
  const talk = await connected(server);
  server.mishaps.push({
    method: "sendMessage",
    status: 429,
    body: { description: "Too Many Requests", parameters: { retry_after: 30 } },
  });
  const sending = talk.send("42", "later");
  await expect.poll(() => server.calls.some((call) => call.method === "sendMessage")).toBe(true);
  const began = performance.now();
  await talk[Symbol.asyncDispose]();
  expect(performance.now() - began).toBeLessThan(2_000);
  expect(await sending).toMatchObject({ type: "undelivered", reason: "rate-limited" });
});
