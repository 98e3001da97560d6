import { telegram } from "../support/platforms.ts";
import { BOT, TelegramServer } from "../support/telegram-server.ts";
import { conformance, type Rig } from "./conformance.ts";

const PEOPLE = { ada: { id: 42, first_name: "Ada" }, bob: { id: 43, first_name: "Bob" } } as const;
const GROUP = { id: -1_005, type: "supergroup", title: "Team" };
const CONFLICT = { description: "Conflict: terminated by other getUpdates request" };

function by(who: keyof typeof PEOPLE): { from: object; chat: object } {
  const { id, first_name } = PEOPLE[who];
  return { from: { id, is_bot: false, first_name }, chat: { id, type: "private", first_name } };
}
function calling(text: string): object {
  const call = `@${BOT.username}`;
  return { text: `${call} ${text}`, entities: [{ type: "mention", offset: 0, length: call.length }] };
}

async function rig(): Promise<Rig> {
  let server = await TelegramServer.start();
  const { port, token, apiRoot } = server;
  let wrote: { readonly message_id: number; readonly [field: string]: unknown } = { message_id: 0 };
  const write = (message: object): void => {
    wrote = { date: Math.floor(Date.now() / 1_000), ...message, message_id: server.message(message) };
  };
  return {
    platform: telegram,
    secrets: { "bot-token": token },
    apiRoot,
    ada: { place: "42", sender: "42" },
    bob: { place: "43", sender: "43" },
    group: String(GROUP.id),
    redelivers: true,
    direct: (text, from = "ada") => write({ ...by(from), text }),
    repeat: () => server.update({ message: wrote }),
    mention: (text) => write({ ...by("ada"), chat: GROUP, ...calling(text) }),
    waiting: () => server.pending,
    shown: () => server.shown.filter(({ chat, file }) => chat === 42 && file === null).map(({ text }) => text),
    cut: () => server.cut(),
    asked: () => server.calls.length,
    slow: (seconds) => {
      const body = { description: `Too Many Requests: retry after ${seconds}`, parameters: { retry_after: seconds } };
      server.mishaps.push({ method: "sendMessage", status: 429, body });
    },
    refuseFormatting: () => {
      const body = { description: "Bad Request: can't parse entities: unsupported start tag" };
      server.mishaps.push({ method: "sendMessage", status: 400, body });
    },
    vanish: () => void server.strangers.add(42),
    kick: () => void server.kicked.add(GROUP.id),
    revoke: () => {
      server.refuses = () => 401;
    },
    rival: () => {
      for (let i = 0; i < 3; i++) server.mishaps.push({ method: "getUpdates", status: 409, body: CONFLICT });
      server.cut();
    },
    loseAnswer: () => void server.mishaps.push({ method: "sendMessage", cut: "after" }),
    down: async () => await server[Symbol.asyncDispose](),
    up: async () => {
      server = await TelegramServer.start(port);
    },
    strange: () => {
      const { from, chat } = by("ada");
      write({ from: { ...BOT }, chat, text: "our own" });
      write({ from: { id: 9, is_bot: true, first_name: "Other" }, chat, text: "of a bot" });
      write({ from, chat: GROUP, text: "lunch?" });
      write({ from, chat: GROUP, sender_chat: GROUP, ...calling("in the name of the group") });
      write({ from, chat, new_chat_members: [from] });
      write({ from, chat, message_of_tomorrow: { text: "hello" } });
      for (const update of [
        { channel_post: { message_id: 1, chat: { id: -2, type: "channel" }, text: "news" } },
        { my_chat_member: { chat, from, new_chat_member: { status: "member" } } },
        { callback_query: { id: "1", from, data: "of another program", message: { message_id: 1, date: 1, chat } } },
        { edited_message: { message_id: 1, date: 1, from, chat: GROUP, text: "lunch!" } },
        { update_of_tomorrow: {} },
      ])
        server.update(update);
    },
    hostile: () => {
      const { from, chat } = by("ada");
      const million = "\u202e😀".repeat(300_000);
      let nested: object = {};
      for (let i = 0; i < 2_000; i++) nested = { reply_to_message: nested };
      write({ from: { ...from, first_name: million, username: million }, chat, text: "look" });
      write({ from, chat, document: { file_id: "x".repeat(5_000), file_name: million }, caption: million });
      write({ from, chat, photo: Array.from({ length: 10_000 }, () => ({ file_id: "x" })), caption: "look" });
      write({ from, chat, text: { text: "no text" } });
      write({ from, chat, text: "look", date: "soon" });
      write({ from: { id: "42", is_bot: "no" }, chat, text: "look" });
      write({ from, chat, text: "look", ...nested });
      write({
        from,
        chat,
        text: "look",
        entities: Array.from({ length: 10_000 }, () => ({ type: "mention", offset: 9e9, length: -7 })),
      });
      write({
        from,
        chat,
        text: "look",
        reply_to_message: { message_id: 1, from, text: million },
        quote: { text: million },
      });
    },
    previews: () => server.unfurler.fetched,
    file: (text, name, bytes) => {
      const document = server.file(Buffer.from(bytes), { file_name: name, mime_type: "text/csv" });
      write({ ...by("ada"), caption: text, document });
    },
    voice: () => write({ ...by("ada"), voice: server.file(Buffer.from("opus"), { mime_type: "audio/ogg" }) }),
    received: () =>
      server.shown.flatMap(({ chat, file }) =>
        chat === 42 && file !== null ? [{ name: file.name, bytes: file.bytes }] : [],
      ),
    edit: (text) => server.update({ edited_message: { ...wrote, edit_date: 1, text } }),
    reply: (text, to) =>
      write({ ...by("ada"), text, reply_to_message: { message_id: 1, date: 1, ...by("ada"), text: to } }),
    [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
  };
}

conformance("telegram", rig, { remove: "Telegram tells no bot of a message that is deleted" });
