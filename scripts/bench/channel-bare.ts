import { connect } from "node:net";
import { createInterface } from "node:readline";
import { REST } from "@discordjs/rest";
import { WebSocketManager, WebSocketShardEvents } from "@discordjs/ws";
import { App } from "@slack/bolt";
import { GatewayDispatchEvents, GatewayIntentBits, MessageFlags, Routes } from "discord-api-types/v10";
import { Api } from "grammy/web";
import { ClientEvent, createClient, MatrixEventEvent, SyncState } from "matrix-js-sdk";
import * as z from "zod/mini";

/** What an adapter is measured beside: the platform's own SDK in one plain process, which answers each message with its text and keeps nothing.
 *  `argv`: the platform, the address of its server, and its credentials as JSON. It says `ready` on its standard output once it is connected. */
const [, , platform = "", apiRoot = "", given = "{}"] = process.argv;
const secrets = z.record(z.string(), z.string()).parse(JSON.parse(given));

function ready(): void {
  process.stdout.write("ready\n");
}

async function telegram(): Promise<void> {
  const api = new Api(secrets["bot-token"] ?? "", { apiRoot });
  await api.getMe();
  ready();
  for (let offset = 0; ; ) {
    const updates = await api.getUpdates({ offset, timeout: 30, allowed_updates: ["message"] });
    for (const { update_id: id, message } of updates) {
      offset = id + 1;
      if (message?.text !== undefined)
        void api.sendMessage(message.chat.id, message.text, { link_preview_options: { is_disabled: true } });
    }
  }
}

async function slack(): Promise<void> {
  const app = new App({
    token: secrets["bot-token"] ?? "",
    appToken: secrets["app-token"] ?? "",
    socketMode: true,
    clientOptions: { slackApiUrl: apiRoot },
  });
  app.message(async ({ message }) => {
    if (message.subtype !== undefined || message.text === undefined) return;
    const { channel, text } = message;
    const { chat } = app.client;
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- it is no window's
    await chat.postMessage({ channel, text, unfurl_links: false, unfurl_media: false });
  });
  await app.start();
  ready();
}

const Received = z.object({
  id: z.string(),
  result: z.optional(z.array(z.object({ envelope: z.looseObject({}) }))),
});
const Message = z.object({ sourceUuid: z.string(), dataMessage: z.object({ message: z.string() }) });

/** signal-cli has no SDK: its JSON-RPC is spoken as it is. */
function signal(): void {
  const { hostname, port } = new URL(apiRoot);
  const socket = connect(Number(port), hostname);
  const account = secrets["account"];
  let next = 0;
  const ask = (id: string, method: string, params: object): void => {
    next += 1;
    socket.write(`${JSON.stringify({ jsonrpc: "2.0", id: `${id}${next}`, method, params: { account, ...params } })}\n`);
  };
  const receive = (): void => ask("r", "receive", { timeout: 30, maxMessages: 1 });
  createInterface({ input: socket }).on("line", (line) => {
    const answer = Received.safeParse(JSON.parse(line));
    if (!answer.success || !answer.data.id.startsWith("r")) return;
    for (const { envelope } of answer.data.result ?? []) {
      const { sourceUuid, dataMessage } = Message.parse(envelope);
      ask("s", "send", { recipient: [sourceUuid], message: dataMessage.message });
    }
    receive();
  });
  socket.on("connect", () => {
    receive();
    ready();
  });
}

async function discord(): Promise<void> {
  const token = secrets["bot-token"] ?? "";
  const rest = new REST({ api: apiRoot, version: "10" }).setToken(token);
  const manager = new WebSocketManager({ token, rest, intents: GatewayIntentBits.DirectMessages });
  manager.on(WebSocketShardEvents.Ready, ready);
  manager.on(WebSocketShardEvents.Dispatch, ({ t: name, d: data }) => {
    if (name !== GatewayDispatchEvents.MessageCreate || data.author.bot === true) return;
    const quiet = { flags: MessageFlags.SuppressEmbeds, allowed_mentions: { parse: [] } };
    const body = { content: data.content, ...quiet, nonce: data.id, enforce_nonce: true };
    void rest.post(Routes.channelMessages(data.channel_id), { body });
  });
  await manager.connect();
}

async function matrix(): Promise<void> {
  // The SDK tells all that it does, whatever logger it is given: that is not what is measured.
  for (const name of ["log", "info", "debug", "warn", "error", "trace"] as const) console[name] = () => undefined;
  const { user_id: userId, device_id: deviceId } = WhoAmI.parse(
    await createClient({ baseUrl: apiRoot, accessToken: secrets["access-token"] ?? "" }).whoami(),
  );
  const client = createClient({ baseUrl: apiRoot, accessToken: secrets["access-token"] ?? "", userId, deviceId });
  await client.initRustCrypto({ useIndexedDB: false });
  client.on(MatrixEventEvent.Decrypted, (event) => {
    const { body } = Said.parse(event.getClearContent());
    const room = event.getRoomId();
    if (event.getSender() !== userId && room !== undefined) void client.sendTextMessage(room, body);
  });
  client.on(ClientEvent.Sync, (state) => {
    if (state === SyncState.Prepared) ready();
  });
  await client.startClient();
}

const WhoAmI = z.object({ user_id: z.string(), device_id: z.string() });
const Said = z.object({ body: z.string() });

if (platform === "matrix") await matrix();
else if (platform === "discord") await discord();
else if (platform === "telegram") await telegram();
else if (platform === "slack") await slack();
else signal();
