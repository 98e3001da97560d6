import { readlinkSync } from "node:fs";
import { createServer } from "node:net";
import { TelegramServer as ForeignTelegram } from "telegram-test-api/lib/telegramServer.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod/mini";
import { OWNER, PATIENCE_MS, SLACK_OWNER, Spine } from "../support/spine.ts";

let spine: Spine;

beforeAll(async () => {
  spine = await Spine.start({ channels: ["telegram", "slack"] });
});
afterAll(async () => {
  await spine[Symbol.asyncDispose]();
});

/** A command that says where it is: its own network, and nothing of ours. */
function look() {
  const script = `echo looked; readlink /proc/self/ns/net; ls '${spine.daemon.data}' 2>&1; touch here 2>&1; true`;
  return { calls: [{ name: "exec", arguments: { argv: ["sh", "-c", script] } }] };
}

/** What one person on Telegram was sent after what they had been sent already. */
function shownAfter(count: number): string[] {
  return spine
    .shownTo()
    .slice(count)
    .map(({ text }) => text);
}
async function processOf(wanted: string, of: string): Promise<number> {
  const { processes } = await spine.status();
  const found = processes.find(({ role, subject }) => role === wanted && subject === of);
  if (found === undefined) throw new Error(`no ${wanted} of ${of} runs`);
  return found.pid;
}

test.for([
  ["Telegram", "telegram"],
  ["Slack", "slack"],
] as const)("a message on %s becomes a command in the sandbox and a reply", async ([, channel]) => {
  spine.model.script(`look around, ${channel}`, look(), { text: `I looked, ${channel}.` });
  if (channel === "telegram") {
    spine.write(`look around, ${channel}`);
    await spine.shown(`I looked, ${channel}.`);
  } else {
    spine.slack.direct(`look around, ${channel}`, SLACK_OWNER);
    await spine.posted(`I looked, ${channel}.`);
  }
  const { row } = (await spine.lastCall()) ?? { row: null };
  expect(row?.fields).toMatchObject({ tool: "exec", key: "exec:ro", authority: "free" });
  const finished = (await spine.rows("tool.finished")).find(({ cause }) => cause === row?.seq);
  const result = finished?.content["result"] ?? "";
  expect(result).toContain("looked");
  expect(result).toMatch(/net:\[\d+\]/);
  expect(result).not.toContain(readlinkSync("/proc/self/ns/net"));
  expect(result).toMatch(/No such file|cannot access/);
  expect(result).toContain("Read-only file system");
  expect(spine.model.heard).toContain("Read-only file system");
});

test("a long reply is cut at the platform's limit and loses nothing", async () => {
  const long = Array.from({ length: 1_200 }, (_, at) => `word${at}`).join(" ");
  spine.model.script("at length", { text: long });
  const shown = spine.shownTo().length;
  spine.write("at length");
  await spine.shown("word1199");
  const parts = shownAfter(shown);
  expect(parts.length).toBeGreaterThan(1);
  expect(parts.every((part) => part.length <= 4_096)).toBe(true);
  expect(parts.join(" ").split(/\s+/)).toEqual(long.split(" "));

  const posted = spine.slack.posted.length;
  spine.slack.direct("at length", SLACK_OWNER);
  await spine.posted("word1199");
  const pieces = spine.slack.posted.slice(posted).map(({ text }) => text);
  expect(pieces.length).toBeGreaterThan(1);
  expect(pieces.join(" ").split(/\s+/)).toEqual(long.split(" "));
});

test("a reply whose formatting is refused goes out plain, once", async () => {
  spine.model.script("in bold", { text: "this is **bold** indeed" });
  const shown = spine.shownTo().length;
  spine.write("in bold");
  const formatted = await spine.shown("this is bold indeed");
  expect(formatted.entities).toMatchObject([{ type: "bold" }]);
  spine.telegram.mishaps.push({
    method: "sendMessage",
    status: 400,
    body: { description: "Bad Request: can't parse entities: not today" },
  });
  spine.write("in bold");
  await spine.eventually("the second reply", () => shownAfter(shown).length === 2);
  expect(spine.shownTo().at(-1)).toMatchObject({ text: "this is bold indeed", entities: [] });
});

test("a platform that asks to wait is waited for, and what was to be said is said once", async () => {
  const shown = spine.shownTo().length;
  const wait = { description: "Too Many Requests: retry after 1", parameters: { retry_after: 1 } };
  spine.telegram.mishaps.push({ method: "sendMessage", status: 429, body: wait });
  const asked = performance.now();
  spine.write("slowly, please");
  await spine.shown("you said: slowly, please");
  expect(performance.now() - asked).toBeGreaterThan(1_000);
  expect(shownAfter(shown)).toEqual(["you said: slowly, please"]);
});

test("an adapter that is killed is started again; nothing is lost, and nothing is done twice", async () => {
  const shown = spine.shownTo().length;
  const received = (await spine.rows("message.received")).length;
  const answering = Promise.withResolvers<void>();
  spine.model.script("a slow question", { text: "a slow answer", after: answering.promise });
  const { begun } = spine.model;
  spine.write("a slow question");
  await spine.eventually("the model asked", () => spine.model.begun > begun);
  const before = await processOf("adapter", "telegram");
  process.kill(before, "SIGKILL");
  await spine.eventually(
    "its death noticed",
    async () => !(await spine.status()).processes.some(({ pid }) => pid === before),
  );
  spine.write("said while nobody listened");
  answering.resolve();
  await spine.shown("a slow answer");
  await spine.shown("you said: said while nobody listened");
  spine.write("and now?");
  await spine.shown("you said: and now?");
  expect(shownAfter(shown)).toEqual(["a slow answer", "you said: said while nobody listened", "you said: and now?"]);
  expect((await spine.rows("message.received")).slice(received)).toHaveLength(3);
  expect(await processOf("adapter", "telegram")).not.toBe(before);
  expect((await spine.rows("process.ended")).at(-1)?.fields).toMatchObject({ reason: "signal" });
});

test("a model process that is killed between two turns is told the whole conversation again", async () => {
  const last = (): string => JSON.stringify(spine.model.server.getLastRequest()?.body);
  spine.write("the first words");
  await spine.shown("you said: the first words");
  spine.write("more words");
  await spine.shown("you said: more words");
  // The provider is sent all of it, though the model process was told only what was new.
  expect(last()).toMatch(/the first words.*you said: the first words.*more words/);
  const before = await processOf("model", "scripted");
  process.kill(before, "SIGKILL");
  await spine.eventually(
    "its death noticed",
    async () => !(await spine.status()).processes.some(({ pid }) => pid === before),
  );
  const failed = (await spine.rows("action.failed")).length;
  spine.write("the last words");
  await spine.shown("you said: the last words");
  expect(await processOf("model", "scripted")).not.toBe(before);
  expect(last()).toMatch(/the first words.*you said: the first words.*more words.*the last words/);
  expect(await spine.rows("action.failed")).toHaveLength(failed);
});

test("a reply of which nobody can tell whether it arrived is not repeated, and the person is told", async () => {
  const shown = spine.shownTo().length;
  spine.telegram.mishaps.push({ method: "sendMessage", cut: "after" });
  spine.write("did you get this?");
  await spine.shown("I do not know whether my last answer reached you");
  expect(shownAfter(shown)).toEqual(["you said: did you get this?", expect.stringContaining("I do not know")]);
  expect((await spine.rows("message.failed")).at(-1)?.fields["reason"]).toBe("unknown");
});

test("why a tool ran is told from the person's message to the approval, in sentences", async () => {
  spine.model.script(
    "keep a note",
    { calls: [{ name: "write_file", arguments: { path: "note.txt", content: "kept\n" } }] },
    { text: "the note is kept" },
  );
  spine.write("please keep a note");
  expect(await spine.press(await spine.card(), "Approve")).toBe("approved");
  await spine.shown("the note is kept");
  const { row } = (await spine.lastCall()) ?? { row: null };
  const explained = await spine.daemon.wirken(["audit", "explain", String(row?.seq)]);
  expect(explained.status, explained.stderr).toBe(0);
  const sentences = explained.stdout.split("\n\n")[0]?.split("\n") ?? [];
  const time = String.raw`(?:on \d{4}-\d\d-\d\d )?at \d\d:\d\d`;
  const expected = [
    String.raw`\S+ \(owner\) wrote on telegram on \d{4}-\d\d-\d\d at \d\d:\d\d: “please keep a note”`,
    String.raw`agent default began a turn for \S+ \(owner\) ${time}`,
    String.raw`agent default asked the model scripted/test-model ${time}`,
    String.raw`test-model answered ${time} with \d+ tokens? \(tool-calls\)`,
    String.raw`agent default asked ${time} for an approval of file\.write:workspace \(tier 2\), for \S+ \(owner\)`,
    String.raw`\S+ \(owner\) approved this on telegram ${time} for this once`,
    String.raw`agent default ran write_file ${time} \(file\.write:workspace, tier 2\), which that approval allowed: “.*note\.txt.*”`,
    String.raw`it ended \(done\) ${time}.*`,
  ];
  expect(sentences, explained.stdout).toHaveLength(expected.length);
  for (const [index, pattern] of expected.entries())
    expect(sentences[index]).toMatch(new RegExp(String.raw`^${pattern} \(row \d+\)$`));
  const held = explained.stdout.split("\n\n")[1] ?? "";
  expect(held).toMatch(/^what held then:\n- the policy [0-9a-f]{16} was in force/);
  expect(held).toMatch(/^- agent default was scripted\/test-model with the settings [0-9a-f]{16}/m);
});

test("the same against a Bot API server that others wrote, moved to while it runs", async () => {
  const port = await freePort();
  const foreign = new ForeignTelegram({ port, host: "127.0.0.1" });
  await foreign.start();
  try {
    spine.changeConfig((config) => ({
      ...config,
      channels: { ...config.channels, telegram: { enabled: true, apiRoot: foreign.config.apiURL } },
    }));
    await spine.eventually("the bot of the other server", async () =>
      (await spine.status()).channels.some(({ account, state }) => account === "@TestNameBot" && state === "connected"),
    );
    const client = foreign.getClient(spine.telegram.token, {
      userId: OWNER.id,
      chatId: OWNER.id,
      firstName: OWNER.name,
      timeout: PATIENCE_MS,
    });
    spine.model.script("look around, again", look(), { text: "I looked **again**." });
    await client.sendMessage(client.makeMessage("look around, again"));
    const replies = z.object({
      result: z.array(z.object({ message: z.object({ text: z.string(), entities: z.array(z.unknown()) }) })),
    });
    const { result } = replies.parse(await client.getUpdates());
    expect(result).toMatchObject([
      { message: { text: "I looked again.", entities: [{ type: "bold", offset: 9, length: 5 }] } },
    ]);
  } finally {
    await spine.stop();
    await foreign.stop();
  }
});

/** The other server takes no port 0. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port is free");
  return address.port;
}
