import { expect, test } from "vitest";
import { check as checkSlack } from "../../adapters/slack/check.ts";
import { SlackConnection } from "../../adapters/slack/connection.ts";
import { check as checkTelegram } from "../../adapters/telegram/check.ts";
import { TelegramConnection } from "../../adapters/telegram/connection.ts";
import { AdapterTalk } from "../support/adapter-talk.ts";
import { SlackServer } from "../support/slack-server/slack-server.ts";
import { TelegramServer } from "../support/telegram-server.ts";

const telegram = {
  check: checkTelegram,
  connect: (...given: ConstructorParameters<typeof TelegramConnection>) => new TelegramConnection(...given),
};
const slack = {
  check: checkSlack,
  connect: (...given: ConstructorParameters<typeof SlackConnection>) => new SlackConnection(...given),
};
const NEXT = "700100:AAEnextTokenvJ5uYB-f9L2dKxPq7wR8sT1u3V";

test("telegram: with new credentials it connects anew, goes on where it was, and what was not on the log comes again", async () => {
  await using server = await TelegramServer.start();
  server.refuses = (token) => (token === server.token || token === NEXT ? null : 401);
  await using talk = AdapterTalk.local(telegram);
  talk.start({ "bot-token": server.token }, { apiRoot: server.apiRoot });
  await talk.next("state", ({ state }) => state === "connected");
  server.direct("on the log");
  talk.acknowledge(await talk.next("inbound"));
  await talk.next("cursor");
  server.direct("not yet");
  const waiting = await talk.next("inbound");
  talk.tell({ type: "secret", name: "bot-token" }, NEXT);
  talk.tell({ type: "reconnect", ref: 7 });
  // It is not acknowledged for longer than is waited.
  expect(await talk.next("switched")).toMatchObject({ ref: 7 });
  await talk.next("state", ({ state }) => state === "connected");
  talk.acknowledge(waiting);
  const again = await talk.next("inbound");
  expect(again).toMatchObject({ dedupe: waiting.dedupe, text: "not yet" });
  talk.acknowledge(again, true);
  await expect.poll(() => server.pending).toBe(0);
  server.refuses = (token) => (token === NEXT ? null : 401);
  expect(await talk.send(waiting.place, "with the new one")).toMatchObject({ type: "delivered" });
  expect(talk.said.filter(({ type }) => type === "inbound")).toHaveLength(3);
});

test("telegram: what is acknowledged in time is not told twice, and what is refused is said of the new credentials", async () => {
  await using server = await TelegramServer.start();
  await using talk = AdapterTalk.local(telegram);
  talk.start({ "bot-token": server.token }, { apiRoot: server.apiRoot });
  await talk.next("state", ({ state }) => state === "connected");
  server.direct("under way");
  const inbound = await talk.next("inbound");
  talk.tell({ type: "secret", name: "bot-token" }, NEXT);
  talk.tell({ type: "reconnect", ref: 1 });
  talk.acknowledge(inbound);
  await talk.next("switched");
  expect((await talk.next("state")).state).toBe("refused");
  talk.tell({ type: "secret", name: "bot-token" }, server.token);
  talk.tell({ type: "reconnect", ref: 2 });
  await talk.next("switched");
  await talk.next("state", ({ state }) => state === "connected");
  server.direct("after");
  expect((await talk.next("inbound")).text).toBe("after");
  expect(JSON.stringify(talk.said)).not.toContain(NEXT.slice(8));
});

test("slack: with new credentials it opens another line, and what was not acknowledged comes again on it", async () => {
  await using server = await SlackServer.start({ retryMs: 2_000 });
  await using talk = AdapterTalk.local(slack);
  talk.start(server.tokens, { apiRoot: server.apiRoot });
  await talk.next("state", ({ state }) => state === "connected");
  server.direct("hello", { user: "U0ADA", channel: "D0ADA" });
  const first = await talk.next("inbound");
  for (const [name, value] of Object.entries(server.tokens)) talk.tell({ type: "secret", name }, value);
  talk.tell({ type: "reconnect", ref: 1 });
  await talk.next("switched");
  await talk.next("state", ({ state }) => state === "connected");
  // The line that it came on is gone: this is not told to Slack any more.
  talk.acknowledge(first);
  const again = await talk.next("inbound");
  expect(again.dedupe).toBe(first.dedupe);
});
