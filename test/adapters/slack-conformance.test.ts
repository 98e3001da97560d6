import type { Platform } from "../../adapters/adapter.ts";
import { check } from "../../adapters/slack/check.ts";
import { SlackConnection } from "../../adapters/slack/connection.ts";
import { SlackServer } from "../support/slack-server/slack-server.ts";
import { conformance, type Rig } from "./conformance.ts";

/** Another line of the app is taken for somebody else's sooner than it is where people wait for nothing. */
const RECHECK_MS = 300;
const platform: Platform = {
  check,
  connect: (credentials, start, host) => new SlackConnection(credentials, start, host, [], RECHECK_MS),
};
const PEOPLE = { ada: { user: "U0ADA", channel: "D0ADA" }, bob: { user: "U0BOB", channel: "D0BOB" } } as const;

async function rig(): Promise<Rig> {
  let server = await SlackServer.start({ retryMs: 60_000 });
  const { port, tokens, apiRoot } = server;
  let wrote = { type: "message", user: "U0ADA", text: "", ts: "" };
  const direct = (text: string, more: object = {}): void => {
    wrote = { type: "message", user: "U0ADA", text, ts: server.direct(text, more) };
  };
  const change = (subtype: string, more: object): void => {
    const common = { type: "message", channel: "D0ADA", channel_type: "im", hidden: true, event_ts: "18.000001" };
    server.deliver({ ...common, subtype, previous_message: wrote, ...more });
  };
  return {
    platform,
    secrets: tokens,
    apiRoot,
    ada: { place: "D0ADA", sender: "U0ADA" },
    bob: { place: "D0BOB", sender: "U0BOB" },
    group: "C0OPS",
    redelivers: true,
    direct: (text, from = "ada") => direct(text, PEOPLE[from]),
    repeat: () => void server.deliver({ ...wrote, channel: "D0ADA", channel_type: "im", event_ts: wrote.ts }),
    mention: (text) => void server.mention(text),
    waiting: () => server.pending,
    shown: () => server.posted.filter(({ channel }) => channel === "D0ADA").map(({ text }) => text),
    cut: () => server.cut(),
    asked: () => server.calls.length,
    slow: (seconds) => {
      const headers = { "retry-after": String(seconds) };
      server.mishaps.push({
        method: "chat.postMessage",
        status: 429,
        headers,
        body: { ok: false, error: "ratelimited" },
      });
    },
    refuseFormatting: () => void server.mishaps.push({ method: "chat.postMessage", error: "invalid_blocks" }),
    vanish: () => void server.workspace.channels.delete("D0ADA"),
    kick: () => void server.workspace.channels.delete("C0OPS"),
    revoke: () => {
      server.revoked = true;
    },
    rival: () => {
      server.foreign = 1;
      server.cut();
    },
    loseAnswer: () => void server.mishaps.push({ method: "chat.postMessage", cut: "after" }),
    down: async () => await server[Symbol.asyncDispose](),
    up: async () => {
      server = await SlackServer.start({ port, retryMs: 60_000 });
    },
    strange: () => {
      server.direct("our own", { user: "U0WIRKEN", bot_id: "B0WIRKEN" });
      server.direct("of a bot", { bot_id: "B0OTHER", subtype: "bot_message" });
      server.direct("of a webhook", { user: undefined, bot_id: "B0HOOK", subtype: "bot_message" });
      server.direct("Ada joined", { subtype: "channel_join" });
      server.direct("of tomorrow", { subtype: "message_of_tomorrow" });
      server.deliver({
        type: "message",
        channel: "C0OPS",
        channel_type: "channel",
        user: "U0ADA",
        text: "lunch?",
        ts: "1.000001",
      });
      server.deliver({ type: "event_of_tomorrow", text: "hello" });
      server.deliver({ type: "reaction_added", user: "U0ADA", reaction: "+1", item: {}, event_ts: "1.000001" });
      change("message_changed", { message: { ...wrote, attachments: [{ title: "a preview" }] } });
      server.deliver({});
    },
    hostile: () => {
      const million = "\u202e<😀|&lt;".repeat(100_000);
      let nested: object = {};
      for (let i = 0; i < 2_000; i++) nested = { type: "rich_text_section", elements: [nested] };
      const file = { id: "F0X", name: million, mimetype: million, size: -1, url_private: "file:///etc/passwd" };
      server.direct(million);
      server.direct("look", {
        files: [file, ...Array.from({ length: 10_000 }, () => ({ id: "F0X", name: "\u202e" }))],
        blocks: [nested],
      });
      server.direct("look", {
        attachments: Array.from({ length: 10_000 }, () => ({ is_share: true, text: million.slice(0, 100) })),
      });
      server.direct("look", { user: "../../etc/passwd" });
      server.direct("look", { user: "U".repeat(100_000) });
      server.direct("look", { thread_ts: "now" });
      server.deliver({
        type: "message",
        channel: "D0ADA",
        channel_type: "im",
        user: "U0ADA",
        text: { text: "no text" },
        ts: "1.000001",
      });
      server.deliver({ type: "message", channel: "D0ADA", channel_type: "im", user: "U0ADA", text: "look", ts: 17 });
    },
    previews: () => server.workspace.unfurler.fetched,
    file: (text, name, bytes) =>
      direct(text, { subtype: "file_share", files: [server.file(name, "text/csv", Buffer.from(bytes))] }),
    voice: () => {
      const clip = { ...server.file("audio_message.webm", "audio/webm", Buffer.from("opus")), subtype: "slack_audio" };
      direct("", { subtype: "file_share", files: [clip] });
    },
    received: () =>
      [...server.workspace.files.values()].flatMap(({ name, bytes, shown }) =>
        bytes !== null && shown.some(({ channel }) => channel === "D0ADA") ? [{ name, bytes }] : [],
      ),
    edit: (text) => change("message_changed", { message: { ...wrote, text, edited: { user: "U0ADA", ts: "18.0" } } }),
    remove: () => change("message_deleted", { deleted_ts: wrote.ts }),
    reply: (text, to) => direct(text, { thread_ts: server.missed("D0ADA", to) }),
    [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
  };
}

conformance("slack", rig, {});
