import { expect, test } from "vitest";
import { check } from "../../adapters/signal/check.ts";
import { SignalConnection } from "../../adapters/signal/connection.ts";
import { MAX_PART } from "../../adapters/signal/format.ts";
import { AdapterTalk } from "../support/adapter-talk.ts";
import { IDS, type Shown, SignalServer } from "../support/signal-server.ts";

const platform = {
  check,
  connect: (...given: ConstructorParameters<typeof SignalConnection>) => new SignalConnection(...given),
};
const GROUP = "Z3JvdXBpZA==";

function begun(server: SignalServer, before?: AdapterTalk): AdapterTalk {
  const talk = AdapterTalk.local(platform);
  const cursor = before?.said.findLast((frame) => frame.type === "cursor")?.cursor ?? null;
  talk.start({ account: server.account, daemon: `127.0.0.1:${server.port}` }, { apiRoot: server.apiRoot, cursor });
  return talk;
}

async function connected(server: SignalServer, before?: AdapterTalk): Promise<AdapterTalk> {
  const talk = begun(server, before);
  await talk.next("state", (frame) => frame.state === "connected");
  return talk;
}

/** The next message, taken in. */
async function heard(talk: AdapterTalk): Promise<string> {
  const inbound = await talk.next("inbound");
  talk.acknowledge(inbound);
  return inbound.text;
}

function only(server: SignalServer): Shown {
  const [shown] = server.shown;
  if (shown === undefined || server.shown.length !== 1) throw new Error(`${server.shown.length} messages are shown`);
  return shown;
}

test("a message is told with who wrote it, and the next is not even fetched before it is on the log", async () => {
  await using server = await SignalServer.start();
  await using talk = await connected(server);
  const at = server.direct("list my files");
  server.direct("and then this", IDS.bob, "Bob");
  const inbound = await talk.next("inbound");
  expect(inbound).toMatchObject({
    place: IDS.ada,
    thread: null,
    sender: IDS.ada,
    senderName: "Ada",
    dedupe: `${IDS.ada}:1:${at}`,
    talk: "direct",
    text: "list my files",
  });
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(server.pending).toBe(1);
  talk.acknowledge(inbound);
  expect(await heard(talk)).toBe("and then this");
  expect(server.pending).toBe(0);
});

test("the owner talks with it by writing to themselves, and what it answers there is no message", async () => {
  await using server = await SignalServer.start();
  await using talk = await connected(server);
  server.note("list my files");
  const inbound = await talk.next("inbound");
  expect(inbound).toMatchObject({ place: IDS.own, sender: IDS.own, talk: "direct", text: "list my files" });
  talk.acknowledge(inbound);
  const outcome = await talk.send(IDS.own, "There are two.");
  expect(only(server)).toMatchObject({ to: "self", text: "There are two." });
  // What this device sent comes back to no device of its own; were it to, it is known.
  const envelope = server.envelope(IDS.own, "Me", 2);
  const id = "ids" in outcome ? Number(outcome.ids[0]) : 0;
  server.deliver({
    ...envelope,
    syncMessage: { sentMessage: { destinationUuid: IDS.own, timestamp: id, message: "There are two." } },
  });
  server.note("thanks");
  expect(await heard(talk)).toBe("thanks");
});

test("what the owner writes to others from their telephone is not heard", async () => {
  await using server = await SignalServer.start();
  await using talk = await connected(server);
  server.note("see you at eight", { destinationUuid: IDS.ada });
  server.note("now to you");
  expect(await heard(talk)).toBe("now to you");
});

test("a group is heard where it mentions the account or replies to it, and nowhere else", async () => {
  await using server = await SignalServer.start();
  await using talk = await connected(server);
  const groupInfo = { groupId: GROUP, groupName: "Team", revision: 3, type: "DELIVER" };
  server.direct("nothing for us", IDS.ada, "Ada", { groupInfo });
  server.direct("\ufffc list my files", IDS.ada, "Ada", {
    groupInfo,
    mentions: [{ name: server.account, number: server.account, uuid: IDS.own, start: 0, length: 1 }],
  });
  const inbound = await talk.next("inbound");
  expect(inbound).toMatchObject({ place: `group:${GROUP}`, sender: IDS.ada, talk: "group", text: "list my files" });
  talk.acknowledge(inbound);
  server.direct("and the other folder?", IDS.ada, "Ada", {
    groupInfo,
    quote: { id: 1, authorUuid: IDS.own, text: "There are two.", attachments: [] },
  });
  expect(await heard(talk)).toBe("and the other folder?");
  await talk.send(`group:${GROUP}`, "One.");
  expect(only(server).to).toBe(GROUP);
});

test("Markdown is shown with its looks, and a long text goes out in parts, in order", async () => {
  await using server = await SignalServer.start();
  await using talk = await connected(server);
  await talk.send(IDS.ada, "**bold** and `code`");
  expect(only(server)).toMatchObject({ text: "bold and code", styles: ["0:4:BOLD", "9:4:MONOSPACE"] });
  const text = Array.from({ length: 120 }, (_, i) => `line ${i} ${"ä".repeat(30)}`).join("\n");
  const outcome = await talk.send(IDS.ada, text, { style: "plain" });
  const parts = server.shown.slice(1);
  expect(outcome).toMatchObject({ type: "delivered", ids: parts.map(({ id }) => String(id)) });
  expect(parts.length).toBeGreaterThan(3);
  expect(Math.max(...parts.map((one) => Buffer.byteLength(one.text)))).toBeLessThanOrEqual(MAX_PART);
  expect(parts.map((one) => one.text).join("\n")).toBe(text);
});

test("an answer quotes what it answers, but to oneself", async () => {
  await using server = await SignalServer.start();
  await using talk = await connected(server);
  const at = server.direct("list my files");
  const inbound = await talk.next("inbound");
  talk.acknowledge(inbound);
  await talk.send(IDS.ada, "There are two.", { replyTo: inbound.dedupe });
  expect(only(server).quote).toEqual({ timestamp: at, author: IDS.ada });
  await talk.send(IDS.own, "Done.", { replyTo: `${IDS.own}:1:5` });
  expect(server.shown[1]?.quote).toBeNull();
});

test("a card says how it is decided; a thumb on it is a press, and other reactions are none", async () => {
  await using server = await SignalServer.start();
  await using talk = await connected(server);
  const card = { id: "ap_00000000000000000000000000", code: "7F3K2A", mayRemember: true };
  await talk.send(IDS.ada, "Ada asks: run a command", { style: "preformatted", card });
  const [request, how] = server.shown;
  expect(how?.text).toContain("approve 7F3K2A session");
  const react = (emoji: string, isRemove = false): void => {
    const reaction = {
      emoji,
      targetAuthor: server.account,
      targetAuthorUuid: IDS.own,
      targetSentTimestamp: request?.id ?? 0,
      isRemove,
    };
    server.direct("", IDS.ada, "Ada", { message: null, reaction });
  };
  react("😀");
  react("👍", true);
  react("👍🏽");
  const pressed = await talk.next("pressed");
  expect(pressed).toMatchObject({ card: card.id, decision: "approve", sender: IDS.ada, place: IDS.ada });
  talk.tell({ type: "answer", ref: pressed.ref }, "approved");
  talk.acknowledge(pressed);
  await expect.poll(() => server.shown.at(-1)?.text).toBe("approved");
  // It is decided: what stood there says so, and presses no more.
  const ids = [String(request?.id), String(how?.id)];
  await talk.edit(IDS.ada, ids, "approved by Ada");
  expect(request).toMatchObject({ text: "approved by Ada", edits: 1 });
  react("👎");
  server.direct("still there?");
  expect(await heard(talk)).toBe("still there?");
  expect(talk.said.filter(({ type }) => type === "pressed")).toHaveLength(1);
});

test("typing is shown at most every ten seconds, and not to oneself", async () => {
  await using server = await SignalServer.start();
  await using talk = await connected(server);
  for (const place of [IDS.ada, IDS.ada, IDS.own]) talk.tell({ type: "typing", place, thread: null });
  await expect.poll(() => server.typings).toEqual([IDS.ada]);
});

test.for([
  ["the recipient left", -1, [{ type: "UNREGISTERED_FAILURE" }], "refused"],
  ["their safety number changed", -4, [{ type: "IDENTITY_FAILURE" }], "refused"],
  ["the network was lost on the way", -1, [{ type: "NETWORK_FAILURE" }], "unknown"],
  ["signal-cli failed", -32_603, [], "unknown"],
] as const)("where %s, the message is not sent again, and no number is repeated", async ([, code, results, reason]) => {
  await using server = await SignalServer.start();
  await using talk = await connected(server);
  const data = { response: { timestamp: 1, results } };
  server.mishaps.push({ method: "send", error: { code, message: `Failed: "${server.account}"`, data } });
  const outcome = await talk.send(IDS.ada, "hello");
  expect(outcome).toMatchObject({ type: "undelivered", reason });
  expect(outcome.text).not.toContain(server.account);
  expect(server.calls.filter((method) => method === "send")).toHaveLength(1);
});

test("a message that came too soon is sent again after as long as Signal wants", async () => {
  await using server = await SignalServer.start();
  await using talk = await connected(server);
  const data = { response: { timestamp: 1, results: [{ type: "RATE_LIMIT_FAILURE", retryAfterSeconds: 1 }] } };
  server.mishaps.push({ method: "send", error: { code: -5, message: "rate", data } });
  const began = performance.now();
  expect(await talk.send(IDS.ada, "hello")).toMatchObject({ type: "delivered" });
  expect(performance.now() - began).toBeGreaterThan(950);
  expect(only(server).text).toBe("hello");
});

test("a connection that is lost after a message left leaves it open whether it arrived: it is not sent twice", async () => {
  await using server = await SignalServer.start();
  await using talk = await connected(server);
  server.mishaps.push({ method: "send", cut: "after" });
  expect(await talk.send(IDS.ada, "hello")).toMatchObject({ type: "undelivered", reason: "unknown" });
  expect(only(server).text).toBe("hello");
});

test("a lost connection is taken up again, and what came meanwhile is heard", async () => {
  await using server = await SignalServer.start();
  await using talk = await connected(server);
  server.cut();
  await talk.next("state", (frame) => frame.state === "reconnecting");
  server.direct("while you were away");
  await talk.next("state", (frame) => frame.state === "connected");
  expect(await heard(talk)).toBe("while you were away");
});

test("another who receives is waited for", async () => {
  await using server = await SignalServer.start();
  server.mishaps.push({
    method: "receive",
    error: { code: -1, message: "Receive command cannot be used if messages are already being received." },
  });
  await using talk = await connected(server);
  server.direct("hello");
  expect(await heard(talk)).toBe("hello");
  expect(talk.said.filter((frame) => frame.type === "state")).toHaveLength(1);
});

test("an account that Signal does not know any more is refused, and not asked about again", async () => {
  await using server = await SignalServer.start();
  server.registered = false;
  await using talk = begun(server);
  expect((await talk.next("state")).text).toContain("signal-cli link");
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(server.calls).toEqual(["listAccounts", "getUserStatus"]);
});

test("a daemon that hands out messages by itself is not taken: one that nobody hears would be gone", async () => {
  await using server = await SignalServer.start();
  const notification = { jsonrpc: "2.0", method: "receive", params: { envelope: server.envelope(IDS.ada, "Ada") } };
  server.mishaps.push({ method: "listAccounts", line: JSON.stringify(notification) });
  await using talk = begun(server);
  expect((await talk.next("state", (frame) => frame.state === "reconnecting")).text).toContain("--receive-mode=manual");
});

test.for([
  ["a page of a web server", "HTTP/1.1 400 Bad Request"],
  ["JSON of another kind", "[1,2,3]"],
] as const)("what answers with %s is said not to be signal-cli", async ([, line]) => {
  await using server = await SignalServer.start();
  server.mishaps.push({ method: "listAccounts", line });
  await using talk = begun(server);
  expect((await talk.next("state", (frame) => frame.state === "reconnecting")).text).toContain("is not signal-cli");
});

test("a stop waits for what may just be handed over: it is told before the process ends", async () => {
  await using server = await SignalServer.start();
  const talk = await connected(server);
  await expect.poll(() => server.calls.at(-1)).toBe("receive");
  talk.tell({ type: "stop" });
  server.direct("at the last moment");
  const inbound = await talk.next("inbound");
  expect(inbound.text).toBe("at the last moment");
  talk.acknowledge(inbound);
  expect(await talk.exited).toMatchObject({ status: 0 });
});

test("a message of theirs is marked and unmarked, and what is no message of anybody is not", async () => {
  await using server = await SignalServer.start();
  await using talk = await connected(server);
  const at = server.direct("list my files");
  const { message = "" } = await talk.next("inbound");
  const react = (of: string, mark: "waiting" | null): void =>
    talk.tell({ type: "react", place: IDS.ada, thread: null, message: of, mark });
  react(message, "waiting");
  await expect.poll(() => server.reactions.get(`${IDS.ada}:${at}`)).toBe("⏳");
  react("nothing:1", "waiting");
  react(message, null);
  await expect.poll(() => server.reactions.size).toBe(0);
  expect(server.calls.filter((method) => method === "sendReaction")).toHaveLength(2);
});

test("what signal-cli may have handed to nobody is said at the next start, and nothing where there was nothing", async () => {
  await using server = await SignalServer.start();
  server.patienceMs = 10_000;
  const first = await connected(server);
  const died = { said: [...first.said] };
  expect(first.said.filter(({ type }) => type === "notice")).toEqual([]);
  // It leaves while signal-cli waits for a message to give it.
  await first[Symbol.asyncDispose]();
  {
    await using second = await connected(server, first);
    const notice = await second.next("notice");
    expect(notice).toMatchObject({ about: "gap", place: null });
    expect((notice.to ?? 0) - (notice.from ?? 0)).toBeLessThanOrEqual(30_000);
    expect(notice.text).toContain("half a minute");
  }
  // Of this one nothing was heard after it began.
  await using third = await connected(server, Object.assign(AdapterTalk.local(platform), died));
  expect((await third.next("notice")).text).toContain("ended without a word");
});

test("a sign on a card counts also after a restart", async () => {
  await using server = await SignalServer.start();
  const first = await connected(server);
  const card = { id: "ap_00000000000000000000000000", code: "7F3K2A", mayRemember: false };
  const outcome = await first.send(IDS.ada, "Ada asks: run a command", { style: "preformatted", card });
  await first[Symbol.asyncDispose]();
  await using talk = await connected(server, first);
  const targetSentTimestamp = Number("ids" in outcome ? outcome.ids[0] : 0);
  const target = { targetAuthor: server.account, targetAuthorUuid: IDS.own, targetSentTimestamp };
  server.direct("", IDS.ada, "Ada", { message: null, reaction: { emoji: "👍", ...target, isRemove: false } });
  expect(await talk.next("pressed")).toMatchObject({ card: card.id, decision: "approve", sender: IDS.ada });
});

test("in a note to oneself, where nobody sees anybody type, the message that is worked on carries a mark until it is answered", async () => {
  await using server = await SignalServer.start();
  await using talk = await connected(server);
  server.note("list my files");
  const inbound = await talk.next("inbound");
  talk.acknowledge(inbound);
  await expect.poll(() => talk.said.filter(({ type }) => type === "inbound").length).toBe(1);
  await expect
    .poll(() => {
      talk.tell({ type: "typing", place: inbound.place, thread: null });
      return [...server.reactions.values()];
    })
    .toEqual(["👀"]);
  await talk.send(inbound.place, "There are two.");
  await expect.poll(() => server.reactions.size).toBe(0);
});
