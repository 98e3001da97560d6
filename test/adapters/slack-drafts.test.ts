import { expect, test } from "vitest";
import { AdapterTalk } from "../support/adapter-talk.ts";
import { slack } from "../support/platforms.ts";
import { SlackServer } from "../support/slack-server/slack-server.ts";
import { Canary } from "../support/unfurler.ts";

async function connected(server: SlackServer): Promise<AdapterTalk> {
  const talk = AdapterTalk.local(slack);
  talk.start(server.tokens, { apiRoot: server.apiRoot });
  await talk.next("state", (frame) => frame.state === "connected");
  return talk;
}

function draft(talk: AdapterTalk, place: string, text: string, thread: string | null = null): void {
  talk.tell({ type: "draft", ref: 70, place, thread, replyTo: null }, text);
}
const texts = (server: SlackServer): string[] => server.posted.map(({ text }) => text);

test("an answer is a message that grows in its thread, and the whole of it is its last state", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  draft(talk, "C0OPS", "The", "17.000100");
  await expect.poll(() => texts(server)).toEqual(["The"]);
  // Sooner than Slack takes another edit: it may be left out.
  draft(talk, "C0OPS", "The ans", "17.000100");
  const sent = await talk.send("C0OPS", "The **answer**", { draft: 70, thread: "17.000100", key: "k1" });
  expect(sent).toMatchObject({ type: "delivered", ids: [server.posted[0]?.ts] });
  expect(server.posted).toMatchObject([
    { text: "The answer", thread: "17.000100", metadata: { event_payload: { key: "k1", part: 0, parts: 1 } } },
  ]);
});

test("an answer that became shorter than what was shown, or longer, is whole and alone in the end", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  const long = Array.from({ length: 900 }, (_, i) => `word ${i}`).join("\n");
  draft(talk, "D0ADA", long);
  await expect.poll(() => server.posted.length).toBe(2);
  await talk.send("D0ADA", "It was stopped.", { draft: 70 });
  expect(texts(server)).toEqual(["It was stopped."]);
  await talk.send("D0ADA", long, { draft: 71 });
  expect(texts(server).slice(1).join("")).toBe(long);
});

test("what was shown and deleted by somebody is sent anew; an edit whose answer is lost is made again", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  draft(talk, "D0ADA", "The");
  await expect.poll(() => server.posted.length).toBe(1);
  server.workspace.posted.length = 0;
  server.mishaps.push({ method: "chat.update", cut: "before" });
  expect(await talk.send("D0ADA", "The answer", { draft: 70 })).toMatchObject({ type: "delivered" });
  expect(texts(server)).toEqual(["The answer"]);
});

test("a mark is set, changed and taken away", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  const react = (mark: "waiting" | "working" | null): void =>
    talk.tell({ type: "react", place: "D0ADA", thread: null, message: "D0ADA:17.000100", mark });
  const marks = (): string[] => [...server.workspace.marks];
  react("waiting");
  await expect.poll(marks).toEqual(["D0ADA:17.000100:hourglass_flowing_sand"]);
  react("working");
  await expect.poll(marks).toEqual(["D0ADA:17.000100:eyes"]);
  react(null);
  await expect.poll(marks).toEqual([]);
  // Of a run before this one it is not known which mark it was.
  server.workspace.marks.add("D0ADA:18.000100:eyes");
  talk.tell({ type: "react", place: "D0ADA", thread: null, message: "D0ADA:18.000100", mark: null });
  await expect.poll(marks).toEqual([]);
});

test("no link in anything that is sent is looked at by Slack", async () => {
  await using canary = await Canary.start();
  await using server = await SlackServer.start();
  // The detector detects: without the flags, a link is fetched.
  const headers = { authorization: `Bearer ${server.tokens["bot-token"]}` };
  const body = new URLSearchParams({ channel: "D0ADA", text: `see ${canary.url}/detected` });
  await fetch(`${server.apiRoot}chat.postMessage`, { method: "POST", headers, body });
  await expect.poll(() => canary.visits).toEqual(["/detected"]);
  await using talk = await connected(server);
  const link = `[here](${canary.url}/secret) and ${canary.url}/bare`;
  const card = { id: "ap_1", code: "7F3K", mayRemember: true };
  for (const style of ["markdown", "plain", "preformatted"] as const) await talk.send("D0ADA", link, { style });
  server.mishaps.push({ method: "chat.postMessage", error: "invalid_blocks" });
  await talk.send("D0ADA", link);
  const { ids } = await talk.send("D0ADA", link, { style: "preformatted", card });
  await talk.edit("D0ADA", ids, `${link} approved`);
  const before = server.posted.length;
  draft(talk, "D0ADA", link);
  await expect.poll(() => server.posted.length).toBe(before + 1);
  talk.tell({ type: "attach", ref: 6, index: 0, name: "a.txt", mime: "text/plain" }, link);
  expect(await talk.send("D0ADA", `${link} whole`, { draft: 70 })).toMatchObject({ type: "delivered" });
  await server.workspace.unfurler.settled();
  expect(canary.visits).toEqual(["/detected"]);
});

test("a button is pressed: it is told, acknowledged when it is on the log, and answered to the presser alone", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  const card = { id: "ap_1", code: "7F3K", mayRemember: true };
  const sent = await talk.send("C0OPS", "exec: uname -a", { style: "preformatted", card, thread: "17.000100" });
  const [posted] = server.posted;
  if (posted === undefined) throw new Error("there is no card");
  server.press(posted, "Approve for this session", "U0BOB");
  const pressed = await talk.next("pressed");
  expect(pressed).toMatchObject({
    place: "C0OPS",
    thread: "17.000100",
    sender: "U0BOB",
    senderName: "Bob",
    card: "ap_1",
    decision: "approve-session",
  });
  expect(server.acknowledgements).toEqual([]);
  talk.tell({ type: "answer", ref: pressed.ref }, "This is not yours to decide: <https://evil.example>");
  talk.acknowledge(pressed);
  await expect.poll(() => server.pending).toBe(0);
  await expect
    .poll(() => server.workspace.whispered)
    .toEqual([
      {
        channel: "C0OPS",
        user: "U0BOB",
        thread: "17.000100",
        text: "This is not yours to decide: &lt;https://evil.example&gt;",
      },
    ]);
  await talk.edit("C0OPS", sent.ids, "exec: uname -a\napproved by Ada");
  expect(server.posted[0]?.blocks.map(({ type }) => type)).toEqual(["rich_text"]);
});

test("a press that is delivered twice is told once", async () => {
  await using server = await SlackServer.start({ retryMs: 200 });
  await using talk = await connected(server);
  await talk.send("D0ADA", "exec", { style: "preformatted", card: { id: "ap_1", code: "7F3K", mayRemember: false } });
  const [posted] = server.posted;
  if (posted === undefined) throw new Error("there is no card");
  server.press(posted, "Deny");
  const pressed = await talk.next("pressed");
  await new Promise((resolve) => setTimeout(resolve, 500));
  talk.acknowledge(pressed);
  await expect.poll(() => server.pending).toBe(0);
  expect(talk.said.filter(({ type }) => type === "pressed")).toHaveLength(1);
});
