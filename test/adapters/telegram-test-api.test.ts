import { createServer } from "node:net";
import { TelegramServer } from "telegram-test-api/lib/telegramServer.js";
import { expect, test } from "vitest";
import { check } from "../../adapters/telegram/check.ts";
import { TelegramConnection } from "../../adapters/telegram/connection.ts";
import { AdapterTalk } from "../support/adapter-talk.ts";

/** Against a Bot API server that we did not write. */

const platform = {
  check,
  connect: (...given: ConstructorParameters<typeof TelegramConnection>) => new TelegramConnection(...given),
};
const TOKEN = "700100:AAEzTqbz4vJ5uYB-f9L2dKxPq7wR8sT1u3V";

/** It takes no port 0. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port is free");
  return address.port;
}

async function started(): Promise<{ server: TelegramServer } & AsyncDisposable> {
  const server = new TelegramServer({ port: await freePort(), host: "127.0.0.1" });
  await server.start();
  return { server, [Symbol.asyncDispose]: async () => void (await server.stop()) };
}

test("a whole conversation: a message in, an answer out, a card pressed, answered and edited", async () => {
  await using own = await started();
  const { server } = own;
  const client = server.getClient(TOKEN, { userId: 42, chatId: 42, firstName: "Ada" });
  await using talk = AdapterTalk.local(platform);
  talk.start({ "bot-token": TOKEN }, { apiRoot: server.config.apiURL });
  expect(await talk.next("state")).toMatchObject({ state: "connected", account: "@TestNameBot" });

  await client.sendMessage(client.makeMessage("list my files"));
  const inbound = await talk.next("inbound");
  expect(inbound).toMatchObject({
    place: "42",
    sender: "42",
    senderName: "Ada",
    text: "list my files",
    talk: "direct",
  });
  talk.acknowledge(inbound);
  await talk.next("cursor");

  const answered = await talk.send("42", "**two** files", { replyTo: inbound.dedupe });
  expect(answered).toMatchObject({ type: "delivered", ids: [expect.stringMatching(/^\d+$/)] });
  const updates = await client.getUpdates();
  expect(updates.result).toMatchObject([
    { message: { text: "two files", entities: [{ type: "bold", offset: 0, length: 3 }] } },
  ]);

  const card = { id: "ap_00000000000000000000000000", code: "7F3K", mayRemember: false };
  const sent = await talk.send("42", "exec: uname -a", { style: "preformatted", card });
  const history = await client.getUpdatesHistory();
  const shown: unknown = messageOf(history.find((one) => String(one.messageId) === sent.ids[0]));
  expect(shown).toMatchObject({
    reply_markup: { inline_keyboard: [[{ text: "Approve", callback_data: `d:a:${card.id}` }], [{ text: "Deny" }]] },
  });

  const query = client.makeCallbackQuery(`d:a:${card.id}`, { message: { message_id: Number(sent.ids[0]) } });
  await client.sendCallback(query);
  const pressed = await talk.next("pressed");
  expect(pressed).toMatchObject({ place: "42", sender: "42", card: card.id, decision: "approve" });
  talk.acknowledge(pressed);
  talk.tell({ type: "answer", ref: pressed.ref }, "Approved.");
  expect(await talk.edit("42", sent.ids, "exec: uname -a\napproved")).toMatchObject({
    type: "delivered",
    ids: sent.ids,
  });
  const edited: unknown = messageOf(
    (await client.getUpdatesHistory()).find((one) => String(one.messageId) === sent.ids[0]),
  );
  expect(edited).toMatchObject({ text: "exec: uname -a\napproved", reply_markup: { inline_keyboard: [] } });
});

/** A stored update of the kinds that hold a message. */
function messageOf(update: object | undefined): unknown {
  return update !== undefined && "message" in update ? update.message : undefined;
}
