import { expect, test } from "vitest";
import { check } from "../../adapters/slack/check.ts";
import { SlackConnection } from "../../adapters/slack/connection.ts";
import { AdapterTalk } from "../support/adapter-talk.ts";
import { SlackServer } from "../support/slack-server/slack-server.ts";

const platform = {
  check,
  connect: (...given: ConstructorParameters<typeof SlackConnection>) => new SlackConnection(...given),
};

async function connected(server: SlackServer): Promise<AdapterTalk> {
  const talk = AdapterTalk.local(platform);
  talk.start(server.tokens, { apiRoot: server.apiRoot });
  await talk.next("state", (frame) => frame.state === "connected");
  return talk;
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

test("a direct message is told with who wrote it, and acknowledged to Slack only when it is on the log", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  const ts = server.direct("list my files");
  const inbound = await talk.next("inbound");
  expect(inbound).toMatchObject({
    place: "D0ADA",
    thread: null,
    sender: "U0ADA",
    senderName: "Ada",
    dedupe: `D0ADA:${ts}`,
    talk: "direct",
    text: "list my files",
  });
  await pause(300);
  expect(server.acknowledgements).toEqual([]);
  talk.acknowledge(inbound);
  await expect.poll(() => server.acknowledgements.length).toBe(1);
  expect(server.strays).toEqual([]);
});

test("a mention in a channel comes as two events and is told once", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  server.mention("who is on call?");
  const inbound = await talk.next("inbound");
  expect(inbound).toMatchObject({ place: "C0OPS", talk: "group", text: "who is on call?" });
  talk.acknowledge(inbound);
  await expect.poll(() => server.pending).toBe(0);
  expect(talk.said.filter((frame) => frame.type === "inbound")).toHaveLength(1);
});

test("what is no message for us is acknowledged and not told", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  server.deliver({ type: "reaction_added", user: "U0ADA", reaction: "+1", item: {}, event_ts: "1.000001" });
  server.direct("of a bot", { bot_id: "B0OTHER", subtype: "bot_message" });
  server.direct("our own", { user: server.workspace.bot.user });
  await expect.poll(() => server.pending).toBe(0);
  expect(talk.said.some((frame) => frame.type === "inbound")).toBe(false);
});

test("what was not acknowledged comes again, and is told once while it is on its way to the log", async () => {
  await using server = await SlackServer.start({ retryMs: 300 });
  await using talk = await connected(server);
  server.direct("slow");
  const inbound = await talk.next("inbound");
  await pause(700);
  talk.acknowledge(inbound);
  await expect.poll(() => server.pending).toBe(0);
  expect(talk.said.filter((frame) => frame.type === "inbound")).toHaveLength(1);
});

test("when Slack recycles a line, the next one is open before, and an acknowledgement under way is not lost", async () => {
  await using server = await SlackServer.start({ retryMs: 60_000, graceMs: 1_500 });
  await using talk = await connected(server);
  server.direct("across");
  const inbound = await talk.next("inbound");
  const recycled = server.recycle("refresh_requested");
  await expect.poll(() => server.opened).toBe(2);
  server.direct("on the new line", { channel: "D0BOB", user: "U0BOB" });
  talk.acknowledge(await talk.next("inbound", (frame) => frame.text === "on the new line"));
  talk.acknowledge(inbound);
  await expect.poll(() => server.pending).toBe(0);
  await recycled;
  expect(talk.said.filter((frame) => frame.type === "state")).toHaveLength(1);
});

test("when the line is cut, it is opened again, and what was not acknowledged comes again", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  server.direct("cut off");
  const inbound = await talk.next("inbound");
  server.cut();
  expect((await talk.next("state", (frame) => frame.state !== "connected")).state).toBe("reconnecting");
  talk.acknowledge(inbound);
  await talk.next("state", (frame) => frame.state === "connected" && server.opened === 2);
  await expect.poll(() => server.pending).toBe(0);
});

test("when Slack is away for a while, the adapter lives on and comes back", async () => {
  const server = await SlackServer.start();
  await using talk = await connected(server);
  const { port } = server;
  await server[Symbol.asyncDispose]();
  const lost = await talk.next("state", (frame) => frame.text.includes("cannot be reached"));
  expect(lost.state).toBe("reconnecting");
  await using again = await SlackServer.start({ port });
  await expect.poll(() => again.lines, { timeout: 10_000 }).toBe(1);
  again.direct("meanwhile");
  expect((await talk.next("inbound")).text).toBe("meanwhile");
});

test.for([
  "not json",
  "{}",
  '{"type":"events_api"}',
  '{"type":"events_api","payload":{}}',
  '{"type":"disconnect"',
  "[]",
  "null",
])("a line of garbage hurts nobody: %s", async (garbage) => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  server.raw(garbage);
  server.direct("still here");
  expect((await talk.next("inbound")).text).toBe("still here");
});

test("Markdown is shown as rich text, in the thread, without unfurling", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  const outcome = await talk.send("C0OPS", "**bold** & `code`\n```sh\nls -l\n```", { thread: "17.000100" });
  expect(server.posted).toHaveLength(1);
  const [posted] = server.posted;
  expect(outcome).toMatchObject({ type: "delivered", ids: [posted?.ts] });
  expect(posted).toMatchObject({
    channel: "C0OPS",
    thread: "17.000100",
    text: "bold &amp; code\nls -l",
    blocks: [
      {
        type: "rich_text",
        elements: [
          {
            type: "rich_text_section",
            elements: [
              { type: "text", text: "bold", style: { bold: true } },
              { type: "text", text: " & " },
              { type: "text", text: "code", style: { code: true } },
            ],
          },
          { type: "rich_text_preformatted", elements: [{ type: "text", text: "ls -l" }] },
        ],
      },
    ],
  });
});

test("a card has its buttons, says how to decide on it by its code, and is replaced when it is decided", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  const card = { id: "ap_1", code: "7F3K", mayRemember: true };
  const sent = await talk.send("D0ADA", "exec: uname -a", { style: "preformatted", card });
  expect(server.posted[0]).toMatchObject({
    text: "exec: uname -a\nTo decide, reply approve 7F3K or deny 7F3K.",
    blocks: [
      { elements: [{ type: "rich_text_preformatted", elements: [{ type: "text", text: "exec: uname -a" }] }, {}] },
      {
        type: "actions",
        elements: [
          { text: { text: "Approve" }, value: "ap_1" },
          { text: { text: "Approve for this session" }, value: "ap_1" },
          { text: { text: "Deny" }, value: "ap_1" },
        ],
      },
    ],
  });
  expect(await talk.edit("D0ADA", sent.ids, "exec: uname -a\napproved by *Ada*")).toMatchObject({ type: "delivered" });
  expect(server.posted).toHaveLength(1);
  expect(server.posted[0]).toMatchObject({
    text: "exec: uname -a\napproved by *Ada*",
    blocks: [{ elements: [{ elements: [{ type: "text", text: "exec: uname -a\napproved by *Ada*" }] }] }],
  });
});

test("a card in a channel says that the bot must be called", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  const card = { id: "ap_1", code: "7F3K", mayRemember: false };
  await talk.send("C0OPS", "exec", { style: "preformatted", card });
  expect(server.posted[0]?.text).toBe("exec\nTo decide, reply @wirken approve 7F3K or @wirken deny 7F3K.");
});

test("a long text goes out in parts of at most 4,000 as they are sent, in order", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  const text = Array.from({ length: 300 }, (_, i) => `${i} & <tag>`).join("\n");
  const outcome = await talk.send("D0ADA", text, { style: "plain" });
  expect(outcome).toMatchObject({ type: "delivered", ids: server.posted.map(({ ts }) => ts) });
  expect(server.posted.length).toBeGreaterThan(1);
  expect(server.posted.map((one) => one.text).join("")).toBe(
    text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;"),
  );
});

test("when Slack refuses the blocks, the text goes out plain", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  server.mishaps.push({ method: "chat.postMessage", error: "invalid_blocks" });
  expect(await talk.send("D0ADA", "**bold**")).toMatchObject({ type: "delivered" });
  expect(server.posted).toMatchObject([{ text: "bold", blocks: [] }]);
  const tries = server.calls.filter((call) => call.method === "chat.postMessage");
  expect(tries.map((call) => call.given["mrkdwn"])).toEqual(["false", "false"]);
});

test("when Slack asks to slow down, the message waits as long as it says, and the next behind it", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  const slow = { status: 429, headers: { "retry-after": "1" }, body: { ok: false, error: "ratelimited" } };
  server.mishaps.push({ method: "chat.postMessage", ...slow });
  const began = performance.now();
  const outcomes = await Promise.all([talk.send("D0ADA", "first"), talk.send("D0ADA", "second")]);
  expect(outcomes.map((outcome) => outcome.type)).toEqual(["delivered", "delivered"]);
  expect(server.posted.map((one) => one.text)).toEqual(["first", "second"]);
  expect(performance.now() - began).toBeGreaterThan(950);
});

test.for([
  { what: "the connection is cut after it was posted", mishap: { cut: "after" } },
  { what: "the connection is cut before an answer", mishap: { cut: "before" } },
  { what: "a proxy answers with a page", mishap: { status: 502, body: "<html>" } },
  { what: "a proxy answers with a page and says OK", mishap: { status: 200, body: "<html>" } },
  { what: "Slack's own servers fail", mishap: { error: "internal_error" } },
] as const)("a message of which nobody can tell is never sent again: $what", async ({ mishap }) => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  server.mishaps.push({ method: "chat.postMessage", ...mishap });
  expect(await talk.send("D0ADA", "pay 10 EUR")).toMatchObject({ type: "undelivered", reason: "unknown", ids: [] });
  expect(server.calls.filter((call) => call.method === "chat.postMessage")).toHaveLength(1);
});

test.for([
  { place: "D0NOBODY", error: null, reason: "refused", text: "Slack answered channel_not_found" },
  { place: "D0ADA", error: "is_archived", reason: "refused", text: "Slack answered is_archived" },
  { place: "D0ADA", error: "msg_too_long", reason: "too-large", text: "Slack answered msg_too_long" },
])("$text is told as $reason", async ({ place, error, reason, text }) => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  if (error !== null) server.mishaps.push({ method: "chat.postMessage", error });
  expect(await talk.send(place, "x")).toMatchObject({ type: "undelivered", reason, text });
});

test("thinking is shown in a thread, and never asked for again where the app may not", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  talk.tell({ type: "typing", place: "D0ADA", thread: null });
  talk.tell({ type: "typing", place: "D0ADA", thread: "17.000100" });
  await expect
    .poll(() => server.workspace.statuses)
    .toEqual([{ channel: "D0ADA", thread: "17.000100", status: "is thinking…" }]);
  server.mishaps.push({ method: "assistant.threads.setStatus", error: "missing_scope" });
  const asked = () => server.calls.filter((call) => call.method === "assistant.threads.setStatus").length;
  talk.tell({ type: "typing", place: "D0ADA", thread: "17.000100" });
  await expect.poll(asked).toBe(2);
  await pause(200);
  talk.tell({ type: "typing", place: "D0ADA", thread: "17.000100" });
  await pause(200);
  expect(asked()).toBe(2);
});

test("where Slack shows no thinking, the message that is worked on carries a mark until something is answered", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  const { marks } = server.workspace;
  server.direct("list my files");
  const inbound = await talk.next("inbound");
  talk.acknowledge(inbound);
  await expect.poll(() => server.pending).toBe(0);
  const { place, thread } = inbound;
  talk.tell({ type: "typing", place, thread });
  talk.tell({ type: "typing", place, thread });
  await expect.poll(() => [...marks]).toEqual([expect.stringContaining("eyes")]);
  await talk.send(place, "There are two.");
  await expect.poll(() => marks.size).toBe(0);
  // Nobody wrote since: what is shown then is nobody's.
  talk.tell({ type: "typing", place, thread });
  await pause(200);
  expect(marks.size).toBe(0);
});

test("a sender whose name Slack does not tell is shown by their id", async () => {
  await using server = await SlackServer.start({ scopes: ["app_mentions:read", "chat:write", "im:history"] });
  await using talk = await connected(server);
  server.direct("hi");
  const inbound = await talk.next("inbound");
  expect(inbound.senderName).toBe("U0ADA");
  talk.acknowledge(inbound);
  server.direct("again");
  await talk.next("inbound");
  expect(server.calls.filter((call) => call.method === "users.info")).toHaveLength(1);
});

test("messages of one conversation are told in the order they came, however long a name takes", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  for (let i = 0; i < 5; i++) server.direct(`message ${i}`);
  const told: string[] = [];
  for (let i = 0; i < 5; i++) {
    const inbound = await talk.next("inbound");
    told.push(inbound.text);
    talk.acknowledge(inbound);
  }
  expect(told).toEqual([0, 1, 2, 3, 4].map((i) => `message ${i}`));
});

interface Check {
  readonly what: string;
  readonly options?: Parameters<typeof SlackServer.start>[0];
  readonly secrets?: (own: SlackServer["tokens"]) => Record<string, string>;
  readonly mishap?: SlackServer["mishaps"][number];
  readonly failure: string | null;
  readonly says: string;
}
const CHECKS: Check[] = [
  { what: "good tokens", failure: null, says: "" },
  {
    what: "tokens in each other's place",
    secrets: (own) => ({ "bot-token": own["app-token"], "app-token": own["bot-token"] }),
    failure: "mixed-up",
    says: "mixed up",
  },
  { what: "tokens of two apps", options: { botApp: "A0OTHER" }, failure: "mixed-up", says: "different apps" },
  {
    what: "a bot token that was revoked",
    secrets: (own) => ({ ...own, "bot-token": "xoxb-old" }),
    failure: "refused",
    says: "bot token (xoxb-…) (invalid_auth)",
  },
  {
    what: "an app token that was revoked",
    secrets: (own) => ({ ...own, "app-token": "xapp-old" }),
    failure: "refused",
    says: "app token (xapp-…) (invalid_auth)",
  },
  {
    what: "a person's token",
    mishap: { method: "auth.test", status: 200, body: { ok: true, user_id: "U0ADA", team_id: "T0ACME" } },
    failure: "mixed-up",
    says: "mixed up",
  },
  {
    what: "an app without a scope",
    options: { scopes: ["app_mentions:read", "im:history"] },
    failure: "scope-missing",
    says: "chat:write",
  },
  {
    what: "an app token without its scope",
    mishap: { method: "apps.connections.open", error: "missing_scope" },
    failure: "scope-missing",
    says: "connections:write",
  },
  {
    what: "a Slack that is away",
    mishap: { method: "auth.test", cut: "before" },
    failure: "unreachable",
    says: "cannot be reached",
  },
  { what: "nothing", secrets: () => ({}), failure: "refused", says: "no Slack token" },
];
test.for(CHECKS)("the check of $what says $failure", async ({ options, secrets, mishap, failure, says }) => {
  await using server = await SlackServer.start(options);
  if (mishap !== undefined) server.mishaps.push(mishap);
  const talk = AdapterTalk.local(platform);
  const given = secrets?.(server.tokens) ?? server.tokens;
  talk.start(given, { check: true, apiRoot: server.apiRoot });
  const checked = await talk.next("checked");
  expect(checked).toMatchObject({ failure, account: failure === null ? "@wirken in workspace Acme" : null });
  expect(checked.text).toContain(says);
  expect(await talk.exited).toMatchObject({ status: 0 });
});

test("tokens that were revoked while it ran are said with what to do, and are not tried again", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  server.mishaps.push({ method: "apps.connections.open", error: "token_revoked" });
  server.cut();
  const refused = await talk.next("state", (frame) => frame.state === "refused");
  expect(refused.text).toContain("wirken vault add slack");
});

test("Socket Mode that was turned off is said with what to do", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  await server.recycle("link_disabled");
  const refused = await talk.next("state", (frame) => frame.state === "refused");
  expect(refused.text).toContain("Socket Mode is turned off");
});

test("no token stands in any frame", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  const quoting = JSON.stringify(server.tokens);
  server.mishaps.push(
    { method: "chat.postMessage", status: 400, body: quoting },
    { method: "chat.postMessage", error: quoting },
  );
  await talk.send("D0ADA", "x");
  await talk.send("D0ADA", "y");
  for (const token of Object.values(server.tokens)) expect(JSON.stringify(talk.said)).not.toContain(token);
});

test("stop ends the line at once", async () => {
  await using server = await SlackServer.start();
  const talk = await connected(server);
  const began = performance.now();
  await talk[Symbol.asyncDispose]();
  expect(performance.now() - began).toBeLessThan(2_000);
});

test("an error that a server makes of a token is not repeated, whole or in part", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  const { "bot-token": bot } = server.tokens;
  for (const error of [bot, bot.slice(0, 20), Buffer.from(bot).toString("hex").slice(0, 80)]) {
    server.mishaps.push({ method: "chat.postMessage", error });
    const outcome = await talk.send("D0ADA", "x");
    expect(outcome).toMatchObject({ type: "undelivered" });
    expect(JSON.stringify(talk.said)).not.toContain(error.slice(0, 12));
  }
});
