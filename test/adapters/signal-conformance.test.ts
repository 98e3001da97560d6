import { check } from "../../adapters/signal/check.ts";
import { SignalConnection } from "../../adapters/signal/connection.ts";
import { IDS, SignalServer } from "../support/signal-server.ts";
import { conformance, type Rig } from "./conformance.ts";

const platform = {
  check,
  connect: (...given: ConstructorParameters<typeof SignalConnection>) => new SignalConnection(...given),
};
const GROUP = "Z3JvdXBpZA==";
const groupInfo = { groupId: GROUP, groupName: "Team", revision: 3, type: "DELIVER" };

async function rig(): Promise<Rig> {
  let server = await SignalServer.start();
  const { port } = server;
  let wrote = 0;
  return {
    platform,
    secrets: { account: server.account, daemon: `127.0.0.1:${port}` },
    apiRoot: server.apiRoot,
    ada: { place: IDS.ada, sender: IDS.ada },
    bob: { place: IDS.bob, sender: IDS.bob },
    group: `group:${GROUP}`,
    redelivers: false,
    direct: (text, from = "ada") => {
      wrote = server.direct(text, IDS[from], from === "ada" ? "Ada" : "Bob");
    },
    mention: (text) =>
      void server.direct(`\ufffc ${text}`, IDS.ada, "Ada", {
        groupInfo,
        mentions: [{ name: server.account, number: server.account, uuid: IDS.own, start: 0, length: 1 }],
      }),
    waiting: () => server.pending,
    shown: () => server.shown.filter(({ to }) => to === IDS.ada).map(({ text }) => text),
    cut: () => server.cut(),
    asked: () => server.calls.length,
    slow: (seconds) => {
      const data = {
        response: { timestamp: 1, results: [{ type: "RATE_LIMIT_FAILURE", retryAfterSeconds: seconds }] },
      };
      server.mishaps.push({ method: "send", error: { code: -5, message: "rate", data } });
    },
    vanish: () => void server.people.delete(IDS.ada),
    kick: () => void server.groups.delete(GROUP),
    revoke: () => {
      server.registered = false;
    },
    loseAnswer: () => void server.mishaps.push({ method: "send", cut: "after" }),
    down: async () => await server[Symbol.asyncDispose](),
    up: async () => {
      server = await SignalServer.start(port);
    },
    strange: () => {
      const envelope = server.envelope(IDS.ada, "Ada");
      const { timestamp } = envelope;
      for (const more of [
        { receiptMessage: { when: timestamp, isDelivery: true, isRead: false, timestamps: [timestamp] } },
        { typingMessage: { action: "STARTED", timestamp } },
        { storyMessage: { allowsReplies: true, textAttachment: { text: "a story" } } },
        { callMessage: { offerMessage: { id: 1, type: "AUDIO_CALL" } } },
        { messageOfTomorrow: { text: "hello" } },
        { syncMessage: { readMessages: [{ sender: IDS.bob, timestamp }] } },
        { dataMessage: { timestamp, message: null, expiresInSeconds: 60, isExpirationUpdate: true } },
      ])
        server.deliver({ ...envelope, ...more });
      server.deliver({ ...server.envelope(IDS.own, "Me", 1), dataMessage: { timestamp, message: "our own" } });
      server.deliver({});
    },
    hostile: () => {
      const envelope = server.envelope(IDS.ada, "Ada");
      const { timestamp } = envelope;
      const data = { timestamp, message: "look", expiresInSeconds: 0, viewOnce: false };
      const attachment = {
        contentType: "image/png",
        filename: "\u202e".repeat(5_000),
        id: "x".repeat(3_000),
        size: -1,
      };
      server.deliver({
        ...envelope,
        dataMessage: { ...data, attachments: Array.from({ length: 10_000 }, () => attachment) },
      });
      server.deliver({ ...envelope, sourceName: "A".repeat(1_000_000), dataMessage: data });
      server.deliver({ ...envelope, dataMessage: { ...data, message: { text: "no text" } } });
      server.deliver({ ...envelope, dataMessage: { ...data, timestamp: "soon" } });
      server.deliver({ ...envelope, sourceUuid: "../../etc/passwd", dataMessage: data });
      server.deliver({
        ...envelope,
        dataMessage: { ...data, groupInfo: { groupId: "g".repeat(100_000), type: "DELIVER" } },
      });
      server.deliver({ ...envelope, dataMessage: { ...data, mentions: [{ uuid: IDS.own, start: 99, length: -7 }] } });
      server.deliver({
        ...envelope,
        dataMessage: { ...data, quote: { id: 1, authorUuid: IDS.own, text: "q".repeat(500_000) } },
      });
    },
    file: (text, name, bytes) => {
      server.stored.set("stored-1.bin", bytes);
      const attachment = { contentType: "text/csv", filename: name, id: "stored-1.bin", size: bytes.length };
      server.direct(text, IDS.ada, "Ada", { attachments: [attachment] });
    },
    voice: () =>
      void server.direct("", IDS.ada, "Ada", {
        message: null,
        attachments: [{ contentType: "audio/aac", filename: null, id: "voice-1.m4a", size: 9 }],
      }),
    received: () => server.shown.flatMap(({ files }) => files.map(({ name, bytes }) => ({ name, bytes }))),
    edit: (text) => server.edit(text, wrote),
    remove: () => server.remove(wrote),
    reply: (text, to) => void server.direct(text, IDS.ada, "Ada", { quote: { id: 1, authorUuid: IDS.ada, text: to } }),
    [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
  };
}

conformance("signal", rig, {
  repeat: "signal-cli hands each message over once",
  refuseFormatting: "styles stand beside the text, and signal-cli passes on any",
  rival: "another who receives is waited for: it is our own process of before",
  previews:
    "signal-cli makes a preview only of an address that it is given for that, in a parameter that the server refuses",
});
