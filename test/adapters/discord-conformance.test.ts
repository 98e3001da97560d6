import { check } from "../../adapters/discord/check.ts";
import { DiscordConnection } from "../../adapters/discord/connection.ts";
import { DiscordServer, WRITTEN } from "../support/discord-server/discord-server.ts";
import { ADA, BOB, BOT, IDS } from "../support/discord-server/people.ts";
import { conformance, type Rig } from "./conformance.ts";

const platform = {
  check,
  connect: (...given: ConstructorParameters<typeof DiscordConnection>) => new DiscordConnection(...given),
};

/** What Discord's programs show of a message: without the backslashes and the marks of a block. */
function read(content: string): string {
  return content
    .replace(/^```\n([^]*)\n```$/, "$1")
    .replaceAll(/\\(?=[\\*_~|`<[@#>+.-])/g, "")
    .replaceAll(/<(https?:[^>]*)>/g, "$1");
}

async function rig(): Promise<Rig> {
  const server = await DiscordServer.start({ heartbeatMs: 500 });
  let last = "";
  return {
    platform,
    secrets: { "bot-token": server.token },
    apiRoot: server.apiRoot,
    ada: { place: IDS.ada, sender: ADA.id },
    bob: { place: IDS.bob, sender: BOB.id },
    group: IDS.channel,
    redelivers: true,
    direct: (text, from = "ada") => {
      last = server.direct(text, {}, from === "ada" ? ADA : BOB);
    },
    mention: (text) => void server.mention(text),
    waiting: () => server.gateway.waiting,
    shown: () => server.shown.filter(({ channel }) => channel === IDS.ada).map(({ content }) => read(content)),
    cut: () => server.gateway.cut(),
    asked: () => server.calls.length + server.gateway.asked.filter((what) => what !== "heartbeat").length,
    repeat: () => server.gateway.repeat(),
    slow: (seconds) =>
      void server.mishaps.push({
        route: WRITTEN,
        status: 429,
        headers: { "retry-after": String(seconds), "x-ratelimit-scope": "shared" },
        body: { message: "The resource is being rate limited.", retry_after: seconds, global: false },
      }),
    vanish: () => void server.channels.delete(IDS.ada),
    kick: () => {
      for (const id of [IDS.channel, IDS.other, IDS.thread]) server.channels.delete(id);
      server.gateway.dispatch("GUILD_DELETE", { id: IDS.guild });
    },
    revoke: () => {
      server.refuses = () => true;
    },
    rival: () => {
      server.gateway.elsewhere();
      server.gateway.cut();
    },
    loseAnswer: () => void server.mishaps.push({ route: WRITTEN, cut: "after" }),
    down: async () => {
      server.deaf(true);
      server.gateway.cut();
    },
    up: async () => server.deaf(false),
    strange: () => {
      server.direct("from a bot", { author: { ...BOB, bot: true } });
      server.direct("from a webhook", { webhook_id: "700000000000000001" });
      server.direct("from ourselves", { author: BOT });
      server.direct("a notice of Discord's", { type: 7 });
      server.write(IDS.channel, "between others");
      server.gateway.dispatch("MESSAGE_UPDATE", {
        id: "1",
        channel_id: IDS.ada,
        embeds: [{ url: "https://a.example" }],
      });
      server.gateway.dispatch("MESSAGE_REACTION_ADD", { user_id: ADA.id, channel_id: IDS.ada, message_id: "1" });
      server.gateway.dispatch("PRESENCE_UPDATE", { user: ADA, status: "online" });
      server.gateway.dispatch("THE_DAY_AFTER_TOMORROW", { message: { content: "hello" } });
      server.gateway.dispatch("INTERACTION_CREATE", { id: "1", type: 2, data: { name: "help" } });
    },
    hostile: () => {
      const nested = (depth: number): object => (depth === 0 ? {} : { components: [nested(depth - 1)] });
      const file = {
        id: "1",
        filename: "\u202e".repeat(300),
        size: 9e15,
        content_type: "x".repeat(200),
        url: "x",
      };
      server.direct("names", { author: { ...ADA, global_name: "A".repeat(1_000_000) } });
      server.direct("files", { attachments: Array.from({ length: 10_000 }, () => file) });
      server.direct("blocks", { components: [nested(200)] });
      server.direct("numbers", { content: 5 });
      server.direct("ids", { id: "../../etc/passwd" });
      server.direct("huge ids", { id: "9".repeat(400) });
      server.direct("a quote", { referenced_message: { author: ADA, content: "q".repeat(500_000) } });
      server.direct("x".repeat(900_000));
      server.gateway.dispatch("MESSAGE_DELETE_BULK", {
        ids: Array.from({ length: 9_999 }, () => "1"),
        channel_id: IDS.ada,
      });
      server.gateway.dispatch("GUILD_CREATE", { id: IDS.guild, roles: "all of them" });
      server.gateway.dispatch("INTERACTION_CREATE", {
        id: "1",
        application_id: "2",
        type: 3,
        token: "t",
        data: { custom_id: "d:a:".padEnd(100, "\u202e") },
        channel_id: "../..",
        user: ADA,
      });
    },
    previews: () => server.previewed,
    file: (text, name, bytes) =>
      void server.send(name, "text/csv; charset=utf-8", Buffer.from(bytes), { content: text }),
    voice: () => void server.send("voice-message.ogg", "audio/ogg", Buffer.from("OggS"), { flags: 1 << 13 }),
    received: () => server.shown.flatMap(({ files }) => files.map(({ name, bytes }) => ({ name, bytes }))),
    edit: (text) => server.edit(last, text),
    remove: () => server.remove(last),
    reply: (text, to) =>
      void server.direct(text, { type: 19, referenced_message: { id: server.id(), author: ADA, content: to } }),
    [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
  };
}

conformance("discord", rig, { refuseFormatting: "what is sent is text with marks in it, and Discord shows any" });
