import { afterAll, beforeAll, expect, test } from "vitest";
import { AdapterTalk, programOf } from "../support/adapter-talk.ts";
import { MatrixServer } from "../support/matrix-server.ts";
import { NioPeer } from "../support/nio-peer.ts";
import { SlackServer } from "../support/slack-server/slack-server.ts";
import { IDS, SignalServer } from "../support/signal-server.ts";
import { TelegramServer } from "../support/telegram-server.ts";

/** The adapters as processes of their own, confined, with a pipe as their only way to anybody but their platform. */

const made: (Awaited<ReturnType<typeof programOf>> & { readonly platform: string })[] = [];
beforeAll(async () => {
  for (const platform of ["telegram", "slack", "signal", "matrix"] as const)
    made.push({ platform, ...(await programOf(platform)) });
});
afterAll(() => {
  for (const program of made) program[Symbol.dispose]();
});

function started(platform: "telegram" | "slack" | "signal" | "matrix"): ReturnType<typeof AdapterTalk.process> {
  return AdapterTalk.process(platform, made.find((program) => program.platform === platform)?.code ?? "");
}

test("telegram: a message that the adapter died with comes again, and one that is on the log does not", async () => {
  await using server = await TelegramServer.start();
  const secrets = { "bot-token": server.token };
  let cursor: string;
  {
    await using talk = started("telegram");
    expect(await talk.next("ready")).toMatchObject({ protocol: 1 });
    talk.start(secrets, { apiRoot: server.apiRoot });
    server.direct("first");
    talk.acknowledge(await talk.next("inbound"));
    ({ cursor } = await talk.next("cursor"));
    server.direct("second");
    await talk.next("inbound");
    // Long enough for a poll or an acknowledgement that should not be.
    await new Promise((resolve) => setTimeout(resolve, 500));
    process.kill(talk.child.pid ?? 0, "SIGKILL");
    expect(await talk.exited).toMatchObject({ signal: "SIGKILL" });
    expect(talk.printed).toEqual([]);
  }
  await using talk = started("telegram");
  talk.start(secrets, { apiRoot: server.apiRoot, cursor });
  const again = await talk.next("inbound");
  expect(again.text).toBe("second");
  talk.acknowledge(again, true);
  await expect.poll(() => server.pending).toBe(0);
  expect(talk.said.filter((frame) => frame.type === "inbound")).toHaveLength(1);
});

test("telegram: without a cursor, all that is not confirmed comes again", async () => {
  await using server = await TelegramServer.start();
  server.direct("first");
  server.direct("second");
  await using talk = started("telegram");
  talk.start({ "bot-token": server.token }, { apiRoot: server.apiRoot });
  talk.acknowledge(await talk.next("inbound", (frame) => frame.text === "first"));
  expect((await talk.next("inbound")).text).toBe("second");
});

test("slack: a message that the adapter died with comes again, and one that is on the log does not", async () => {
  await using server = await SlackServer.start();
  {
    await using talk = started("slack");
    expect(await talk.next("ready")).toMatchObject({ protocol: 1 });
    talk.start(server.tokens, { apiRoot: server.apiRoot });
    await talk.next("state", (frame) => frame.state === "connected");
    server.direct("first");
    talk.acknowledge(await talk.next("inbound"));
    await expect.poll(() => server.pending).toBe(0);
    server.direct("second");
    await talk.next("inbound");
    // Long enough for a poll or an acknowledgement that should not be.
    await new Promise((resolve) => setTimeout(resolve, 500));
    process.kill(talk.child.pid ?? 0, "SIGKILL");
    expect(await talk.exited).toMatchObject({ signal: "SIGKILL" });
    expect(talk.printed).toEqual([]);
  }
  await using talk = started("slack");
  talk.start(server.tokens, { apiRoot: server.apiRoot });
  const again = await talk.next("inbound");
  expect(again.text).toBe("second");
  talk.acknowledge(again, true);
  await expect.poll(() => server.pending).toBe(0);
  expect(talk.said.filter((frame) => frame.type === "inbound")).toHaveLength(1);
});

test.for(["telegram", "slack"] as const)(
  "%s: an answer goes out, and stop ends the process with what was said",
  async (platform) => {
    await using telegram = await TelegramServer.start();
    await using slack = await SlackServer.start();
    await using talk = started(platform);
    if (platform === "telegram") talk.start({ "bot-token": telegram.token }, { apiRoot: telegram.apiRoot });
    else talk.start(slack.tokens, { apiRoot: slack.apiRoot });
    await talk.next("state", (frame) => frame.state === "connected");
    expect(await talk.send(platform === "telegram" ? "42" : "D0ADA", "**hello**")).toMatchObject({ type: "delivered" });
    const began = performance.now();
    const sending = talk.send(platform === "telegram" ? "42" : "D0ADA", "goodbye");
    expect(await talk.child.stop()).toMatchObject({ status: 0, signal: null });
    expect(performance.now() - began).toBeLessThan(5_000);
    // Sent, or said not to be: never silence.
    expect(["delivered", "undelivered"]).toContain((await sending).type);
    expect(talk.printed).toEqual([]);
  },
);

test.for(["telegram", "slack"] as const)("%s: files come and go by its lane, and in no other way", async (platform) => {
  await using telegram = await TelegramServer.start();
  await using slack = await SlackServer.start();
  await using talk = started(platform);
  const sent = Buffer.from("the plan");
  const onSlack = platform === "slack";
  const handle = onSlack ? slack.file("plan.txt", "text/plain", sent).id : telegram.file(sent).file_id;
  if (onSlack) talk.start(slack.tokens, { apiRoot: slack.apiRoot });
  else talk.start({ "bot-token": telegram.token }, { apiRoot: telegram.apiRoot });
  await talk.next("state", (frame) => frame.state === "connected");
  talk.tell({ type: "get-file", ref: 1, handle, limit: 99 });
  expect(await talk.next("file")).toMatchObject({ ref: 1, text: "the plan" });
  // More than one piece of a stream.
  const bytes = Buffer.alloc(3_000_000, "0123456789");
  talk.tell({ type: "attach", ref: 1, index: 0, name: "numbers.bin", mime: "application/octet-stream" }, bytes);
  expect(await talk.send(onSlack ? "D0ADA" : "42", "", { files: 1 })).toMatchObject({ type: "delivered" });
  const held = onSlack
    ? [...slack.workspace.files.values()].find(({ shown }) => shown.length > 0)?.bytes
    : telegram.shown.at(-1)?.file?.bytes;
  expect(held?.equals(bytes)).toBe(true);
  expect(talk.printed).toEqual([]);
});

test("signal: its only way to signal-cli is its lane, and by that it hears and answers", async () => {
  await using server = await SignalServer.start();
  await using talk = started("signal");
  talk.start({ account: server.account, daemon: `127.0.0.1:${server.port}` });
  await talk.next("state", (frame) => frame.state === "connected");
  server.note("hello");
  talk.acknowledge(await talk.next("inbound", (frame) => frame.text === "hello"));
  expect(await talk.send(IDS.own, "**hello**")).toMatchObject({ type: "delivered" });
  expect(server.shown).toMatchObject([{ to: "self", text: "hello" }]);
  expect(await talk.child.stop()).toMatchObject({ status: 0, signal: null });
  expect(talk.printed).toEqual([]);
});

test("matrix: a process that was killed has its keys again, and answers in an encrypted room what came meanwhile", async () => {
  await using server = await MatrixServer.start();
  await using ada = await NioPeer.start(server, "@ada:matrix.example");
  const { homeserver, "access-token": token } = server.login;
  const room = server.home.room("@ada:matrix.example", [server.user], { encrypted: true, direct: true });
  let kept: Uint8Array[];
  let cursor: string;
  {
    await using talk = started("matrix");
    talk.start({ homeserver, "access-token": token }, { apiRoot: server.root });
    await expect.poll(() => server.home.membership(room, server.user)).toBe("join");
    await ada.send(room, "first");
    talk.acknowledge(await talk.next("inbound", (frame) => frame.text === "first"));
    expect(await talk.send(room, "**hello**")).toMatchObject({ type: "delivered" });
    ({ cursor } = await talk.next("cursor", (frame) => frame.cursor.includes("since")));
    process.kill(talk.child.pid ?? 0, "SIGKILL");
    await talk.exited;
    ({ kept } = talk);
    expect(talk.printed).toEqual([]);
  }
  await ada.heard("hello");
  await ada.send(room, "second");
  await using talk = started("matrix");
  talk.kept = kept;
  talk.start({ homeserver, "access-token": token }, { apiRoot: server.root, cursor });
  // Where it went on from may have been saved before the first was taken: that comes again then, by the same name.
  for (let text = ""; text !== "second"; ) {
    const inbound = await talk.next("inbound");
    talk.acknowledge(inbound);
    ({ text } = inbound);
  }
  await talk.send(room, "and again");
  expect(await ada.heard("and again")).toMatchObject({ encrypted: true });
  const began = performance.now();
  expect(await talk.child.stop()).toMatchObject({ status: 0, signal: null });
  expect(performance.now() - began).toBeLessThan(5_000);
  expect(talk.printed).toEqual([]);
});

test.for(["telegram", "slack"] as const)("%s: a check of credentials answers and ends", async (platform) => {
  await using telegram = await TelegramServer.start();
  await using slack = await SlackServer.start();
  await using talk = started(platform);
  if (platform === "telegram") talk.start({ "bot-token": telegram.token }, { check: true, apiRoot: telegram.apiRoot });
  else talk.start(slack.tokens, { check: true, apiRoot: slack.apiRoot });
  const account = platform === "telegram" ? "@wirken_bot" : "@wirken in workspace Acme";
  expect(await talk.next("checked")).toMatchObject({ failure: null, account });
  expect(await talk.exited).toMatchObject({ status: 0 });
});

test.for(["telegram", "slack"] as const)("%s: when the supervisor is gone, so is the adapter", async (platform) => {
  await using talk = started(platform);
  await talk.next("ready");
  talk.child.pipe.close();
  expect(await talk.exited).toMatchObject({ status: 0 });
});
