import { expect, test } from "vitest";
import { AdapterTalk } from "../support/adapter-talk.ts";
import { slack } from "../support/platforms.ts";
import { ALL_SCOPES, SlackServer } from "../support/slack-server/slack-server.ts";

async function connected(server: SlackServer): Promise<AdapterTalk> {
  const talk = AdapterTalk.local(slack);
  talk.start(server.tokens, { apiRoot: server.apiRoot });
  await talk.next("state", (frame) => frame.state === "connected");
  return talk;
}
const asked = (server: SlackServer, method: string): number =>
  server.calls.filter((call) => call.method === method).length;

test("of a file nothing is fetched before it is asked for, and then all of it", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  const file = server.file("plan.txt", "text/plain", Buffer.from("the plan"));
  server.direct("read it", { subtype: "file_share", files: [file] });
  const { files = [], text } = await talk.next("inbound");
  expect(text).toBe("read it");
  expect(files).toEqual([{ handle: file.id, name: "plan.txt", type: "text/plain", bytes: 8, what: "file" }]);
  expect(asked(server, "files.info")).toBe(0);
  talk.tell({ type: "get-file", ref: 9, handle: file.id, limit: 8 });
  expect(await talk.next("file")).toMatchObject({ ref: 9, text: "the plan" });
  expect(server.workspace.files.get(file.id)?.fetched).toBe(1);
});

test("the token is shown to no host but Slack's own of files", async () => {
  await using elsewhere = await SlackServer.start();
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  const id = server.file(
    "a.txt",
    "text/plain",
    Buffer.from("x"),
    `http://127.0.0.1:${elsewhere.port}/files-pri/F0FILE0`,
  ).id;
  elsewhere.file("a.txt", "text/plain", Buffer.from("x"));
  talk.tell({ type: "get-file", ref: 1, handle: id, limit: 99 });
  expect(await talk.next("file.failed")).toMatchObject({
    reason: "refused",
    text: expect.stringContaining("only linked"),
  });
  expect(elsewhere.workspace.files.get("F0FILE0")?.fetched).toBe(0);
});

test.for([
  { what: "has more bytes than are wanted", limit: 7, handle: null, mishap: null, reason: "too-large" },
  { what: "Slack does not know", limit: 99, handle: "F0NOBODY", mishap: null, reason: "gone" },
  { what: "has no id of Slack's", limit: 99, handle: "../x", mishap: null, reason: "gone" },
  { what: "was deleted", limit: 99, handle: null, mishap: { error: "file_deleted" }, reason: "gone" },
  {
    what: "cannot be asked for just now",
    limit: 99,
    handle: null,
    mishap: { status: 429, headers: { "retry-after": "5" }, body: { ok: false, error: "ratelimited" } },
    reason: "unreachable",
  },
  {
    what: "is asked for when Slack is away",
    limit: 99,
    handle: null,
    mishap: { cut: "before" },
    reason: "unreachable",
  },
] as const)("a file that $what is not had, and why is said", async ({ limit, handle, mishap, reason }) => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  const { id } = server.file("plan.txt", "text/plain", Buffer.from("the plan"));
  if (mishap !== null) server.mishaps.push({ method: "files.info", ...mishap });
  talk.tell({ type: "get-file", ref: 1, handle: handle ?? id, limit });
  expect(await talk.next("file.failed")).toMatchObject({ ref: 1, reason });
  expect(server.workspace.files.get(id)?.fetched).toBe(0);
});

test("a page to log in on is not taken for the file", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  const { id } = server.file("plan.txt", "text/plain", Buffer.from("the plan"));
  const held = server.workspace.files.get(id);
  if (held !== undefined) held.bytes = null;
  talk.tell({ type: "get-file", ref: 1, handle: id, limit: 99 });
  expect(await talk.next("file.failed")).toMatchObject({
    reason: "refused",
    text: expect.stringContaining("files:read"),
  });
});

test("a file goes out behind the words, in the thread", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  talk.tell({ type: "attach", ref: 1, index: 0, name: "plan.txt", mime: "text/plain" }, "the plan");
  const outcome = await talk.send("C0OPS", "here", { files: 1, thread: "17.000100", key: "k1" });
  const [[id, file] = []] = server.workspace.files;
  expect(outcome).toMatchObject({ type: "delivered", ids: [server.posted[0]?.ts, id] });
  expect(file).toMatchObject({
    name: "plan.txt",
    shown: [{ channel: "C0OPS", thread: "17.000100", title: "plan.txt" }],
  });
  expect(file?.bytes?.toString()).toBe("the plan");
});

test("a file whose bytes did not arrive is sent again, and one that may be shown is not", async () => {
  await using server = await SlackServer.start();
  await using talk = await connected(server);
  server.mishaps.push({ method: "files.getUploadURLExternal", cut: "before" });
  talk.tell({ type: "attach", ref: 1, index: 0, name: "a.txt", mime: "text/plain" }, "a");
  expect(await talk.send("D0ADA", "", { files: 1 })).toMatchObject({ type: "delivered" });
  server.mishaps.push({ method: "files.completeUploadExternal", cut: "after" });
  talk.tell({ type: "attach", ref: 2, index: 0, name: "b.txt", mime: "text/plain" }, "b");
  expect(await talk.send("D0ADA", "", { files: 1 })).toMatchObject({ type: "undelivered", reason: "unknown" });
  expect([...server.workspace.files.values()].map(({ name, shown }) => [name, shown.length])).toEqual([
    ["a.txt", 1],
    ["b.txt", 1],
  ]);
});

test("an app without the scope is told which", async () => {
  await using server = await SlackServer.start({ scopes: ALL_SCOPES.filter((scope) => scope !== "files:write") });
  await using talk = await connected(server);
  expect(await talk.next("notice")).toMatchObject({ about: "degraded", text: expect.stringContaining("files:write") });
  talk.tell({ type: "attach", ref: 1, index: 0, name: "a.txt", mime: "text/plain" }, "a");
  const outcome = await talk.send("D0ADA", "", { files: 1 });
  expect(outcome).toMatchObject({ reason: "refused", text: expect.stringContaining("lacks files:write") });
});
