import { expect, test } from "vitest";
import { AdapterTalk } from "../support/adapter-talk.ts";
import { TelegramServer } from "../support/telegram-server.ts";
import { telegram } from "../support/platforms.ts";

async function connected(server: TelegramServer): Promise<AdapterTalk> {
  const talk = AdapterTalk.local(telegram);
  talk.start({ "bot-token": server.token }, { apiRoot: server.apiRoot });
  await talk.next("state", (frame) => frame.state === "connected");
  return talk;
}

const ADA = { from: { id: 42, is_bot: false, first_name: "Ada" }, chat: { id: 42, type: "private" } };
const PNG = Buffer.from("\x89PNG\r\n\x1a\n and a cat", "latin1");

test("of a file nothing is fetched before it is asked for, and then all of it", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  const document = server.file(Buffer.from("the plan"), { file_name: "plan.txt", mime_type: "text/plain" });
  server.message({ ...ADA, document, caption: "read it" });
  const { files = [], text } = await talk.next("inbound");
  expect(text).toBe("read it");
  expect(files).toMatchObject([{ name: "plan.txt", type: "text/plain", bytes: 8, what: "file" }]);
  expect(server.calls.some(({ method }) => method === "getFile")).toBe(false);
  talk.tell({ type: "get-file", ref: 9, handle: files[0]?.handle ?? "", limit: 8 });
  expect(await talk.next("file")).toMatchObject({ ref: 9, text: "the plan" });
  expect(server.files.get(document.file_id)?.fetched).toBe(1);
});

test.for([
  { what: "has more bytes than are wanted", handle: null, limit: 7, mishap: null, reason: "too-large", fetched: 0 },
  { what: "Telegram does not know", handle: "BQACnobody", limit: 99, mishap: null, reason: "gone", fetched: 0 },
  {
    what: "Telegram is too large for it",
    handle: null,
    limit: 99,
    mishap: { status: 400, body: { description: "Bad Request: file is too big" } },
    reason: "too-large",
    fetched: 0,
  },
  {
    what: "Telegram says is smaller than it is",
    handle: null,
    limit: 7,
    mishap: {
      status: 200,
      body: { ok: true, result: { file_id: "x", file_path: "documents/file_BQACAgIAAx2", file_size: 1 } },
    },
    reason: "too-large",
    fetched: 1,
  },
  {
    what: "Telegram says lies outside of its files",
    handle: null,
    limit: 99,
    mishap: { status: 200, body: { ok: true, result: { file_id: "x", file_path: "../../getMe" } } },
    reason: "refused",
    fetched: 0,
  },
  {
    what: "cannot be asked for just now",
    handle: null,
    limit: 99,
    mishap: { status: 429, body: { description: "Too Many Requests: retry after 5", parameters: { retry_after: 5 } } },
    reason: "unreachable",
    fetched: 0,
  },
] as const)("a file that $what is not had, and why is said", async ({ handle, limit, mishap, reason, fetched }) => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  const file = server.file(Buffer.from("the plan"));
  if (mishap !== null) server.mishaps.push({ method: "getFile", ...mishap });
  talk.tell({ type: "get-file", ref: 1, handle: handle ?? file.file_id, limit });
  const failed = await talk.next("file.failed");
  expect(failed).toMatchObject({ ref: 1, reason });
  expect(server.files.get(file.file_id)?.fetched).toBe(fetched);
  expect(JSON.stringify(talk.said)).not.toContain(server.token);
});

test("pictures sent together are told as one message, even where the last of them comes a moment later", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  const picture = (): object => ({ ...ADA, media_group_id: "7", photo: [server.file(PNG)] });
  const first = server.message({ ...picture(), caption: "which?" });
  server.message(picture());
  setTimeout(() => server.message(picture()), 200);
  const told = await talk.next("inbound");
  expect(told).toMatchObject({ dedupe: `42:${first}`, text: "which?" });
  expect(told.files).toHaveLength(3);
  talk.acknowledge(told);
  await expect.poll(() => server.pending).toBe(0);
  expect(talk.said.filter(({ type }) => type === "inbound")).toHaveLength(1);
});

test("a picture goes out as a picture, any other file as a file, behind the words", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  talk.tell({ type: "attach", ref: 1, index: 1, name: 'a";name="chat_id".pdf', mime: "application/pdf" }, "%PDF");
  talk.tell({ type: "attach", ref: 1, index: 0, name: "cat.png", mime: "image/png" }, PNG);
  const outcome = await talk.send("42", "here", { files: 2, thread: "9", replyTo: "42:7" });
  expect(outcome).toMatchObject({ type: "delivered", ids: server.shown.map(({ id }) => String(id)) });
  expect(server.shown.map(({ text, file, thread }) => [text, file?.kind, file?.name, thread])).toEqual([
    ["here", undefined, undefined, 9],
    ["", "photo", "cat.png", 9],
    ["", "document", "a__name=_chat_id_.pdf", 9],
  ]);
  expect(server.shown[1]?.file?.bytes.equals(PNG)).toBe(true);
  expect(server.shown.map(({ replyTo }) => replyTo)).toEqual([7, null, null]);
});

test("a picture that Telegram will not show goes out as a file", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  talk.tell({ type: "attach", ref: 1, index: 0, name: "odd.png", mime: "image/png" }, "no picture");
  expect(await talk.send("42", "", { files: 1, replyTo: "42:7" })).toMatchObject({ type: "delivered" });
  expect(server.shown).toMatchObject([{ file: { kind: "document", name: "odd.png" }, replyTo: 7 }]);
});

test("a card stands under the file that must be read to decide on it", async () => {
  await using server = await TelegramServer.start();
  await using talk = await connected(server);
  talk.tell({ type: "attach", ref: 1, index: 0, name: "command.txt", mime: "text/plain" }, "rm -r build");
  const card = { id: "ap_1", code: "7F3K", mayRemember: false };
  await talk.send("42", "exec: see command.txt", { style: "preformatted", card, files: 1 });
  expect(server.shown.map(({ file, keyboard }) => [file?.name, keyboard.length])).toEqual([
    ["command.txt", 0],
    [undefined, 2],
  ]);
});
