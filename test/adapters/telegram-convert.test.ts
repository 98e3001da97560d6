import { expect, test } from "vitest";
import { convert, pressData } from "../../adapters/telegram/convert.ts";

const BOT = { id: 700, username: "wirken_bot" };
const ADA = { id: 42, is_bot: false, first_name: "Ada", last_name: "L." };
const PRIVATE = { id: 42, type: "private" };
const GROUP = { id: -100_5, type: "supergroup", title: "Ops" };

function message(given: object): object {
  return { update_id: 1, message: { message_id: 7, date: 1, from: ADA, chat: PRIVATE, ...given } };
}

function textOf(given: object): string | null {
  const heard = convert(message(given), BOT);
  return heard.kind === "inbound" ? heard.text : null;
}

test("a direct message is told with its place, its sender and its number", () => {
  expect(convert(message({ text: "hi" }), BOT)).toEqual({
    kind: "inbound",
    message: { place: "42", thread: null, sender: "42", dedupe: "42:7", talk: "direct" },
    senderName: "Ada L.",
    text: "hi",
  });
});

const own = (text: string, at = text.indexOf("@")): object => ({
  text,
  entities: [{ type: "mention", offset: at, length: "@wirken_bot".length }],
});

test.for([
  { what: "that names the bot", given: own("@wirken_bot run it"), text: "run it" },
  { what: "that names the bot in other letters", given: own("@Wirken_Bot, run it"), text: "run it" },
  { what: "that names it in the middle", given: own("please @wirken_bot run it"), text: "please @wirken_bot run it" },
  {
    what: "that means the bot by its number",
    given: { text: "Wirken run", entities: [{ type: "text_mention", offset: 0, length: 6, user: { id: 700 } }] },
    text: "Wirken run",
  },
  {
    what: "with a command to the bot",
    given: { text: "/stop@wirken_bot", entities: [{ type: "bot_command", offset: 0, length: 16 }] },
    text: "/stop",
  },
  { what: "that answers the bot", given: { text: "yes", reply_to_message: { from: { id: 700 } } }, text: "yes" },
  {
    what: "under a picture that names the bot",
    given: { photo: [{}], caption: "@wirken_bot look", caption_entities: [{ type: "mention", offset: 0, length: 11 }] },
    text: "[photo]\nlook",
  },
])("group talk $what is for us", ({ given, text }) => {
  expect(textOf({ chat: GROUP, ...given })).toBe(text);
});

test.for([
  { what: "that names nobody", given: { text: "lunch?" } },
  { what: "that writes the name without Telegram marking it", given: { text: "x@wirken_bot.example" } },
  {
    what: "that names another",
    given: { text: "@other_bot go", entities: [{ type: "mention", offset: 0, length: 10 }] },
  },
  {
    what: "with another bot's command",
    given: { text: "/stop@other_bot", entities: [{ type: "bot_command", offset: 0, length: 15 }] },
  },
  {
    what: "whose mention is longer than the text",
    given: { text: "hi", entities: [{ type: "mention", offset: 0, length: 4_000 }] },
  },
  { what: "that answers somebody else", given: { text: "yes", reply_to_message: { from: { id: 43 } } } },
])("group talk $what is not for us", ({ given }) => {
  expect(textOf({ chat: GROUP, ...given })).toBeNull();
});

test.for([
  { what: "of another bot", given: { text: "x", from: { ...ADA, is_bot: true } } },
  { what: "of our own", given: { text: "x", from: { ...ADA, id: 700 } } },
  { what: "in the name of a chat", given: { text: "x", sender_chat: GROUP } },
  { what: "of nobody", given: { text: "x", from: undefined } },
  { what: "in a channel", given: { text: "x", chat: { id: -1, type: "channel" } } },
  { what: "of Telegram itself", given: { new_chat_members: [ADA] } },
  { what: "with nothing in it", given: { text: "  " } },
  { what: "without a number", given: { text: "x", message_id: "7" } },
])("a message $what is dropped", ({ given }) => {
  expect(convert(message(given), BOT)).toEqual({ kind: "nothing" });
});

test.for([null, 7, "x", {}, { message: null }, { edited_message: { text: "x" } }, { callback_query: {} }])(
  "%j is no update for us",
  (update) => {
    expect(convert(update, BOT)).toEqual({ kind: "nothing" });
  },
);

test.for([
  { given: { photo: [{}] }, text: "[photo]" },
  { given: { voice: {} }, text: "[voice message]" },
  { given: { video: {}, caption: "see" }, text: "[video]\nsee" },
  { given: { document: { file_name: "plan.pdf" } }, text: "[document plan.pdf]" },
  { given: { document: { file_name: "a]\n[photo\u202e" } }, text: "[document a   photo]" },
  { given: { document: {} }, text: "[document]" },
  { given: { sticker: { emoji: "👍" } }, text: "[sticker 👍]" },
  { given: { venue: {}, location: {} }, text: "[venue]" },
  { given: { animation: {}, document: { file_name: "a.mp4" } }, text: "[animation]" },
  { given: { text: "look", forward_origin: { type: "user" } }, text: "[forwarded message]\nlook" },
])("what cannot be read is named: $text", ({ given, text }) => {
  expect(textOf(given)).toBe(text);
});

test("a topic is a conversation of its own, a chain of replies is not", () => {
  const threads = [true, false].map((isTopic) => {
    const heard = convert(message({ text: "x", message_thread_id: 5, is_topic_message: isTopic }), BOT);
    return heard.kind === "inbound" ? heard.message.thread : undefined;
  });
  expect(threads).toEqual(["5", null]);
});

test("a name is cut to what a frame takes, and no letter in half", () => {
  const heard = convert(
    message({ text: "x", from: { ...ADA, first_name: `${"a".repeat(199)}😀`, last_name: "" } }),
    BOT,
  );
  expect(heard.kind === "inbound" && heard.senderName).toBe(`${"a".repeat(199)}\ufffd`);
});

test.for(["approve", "approve-session", "deny"] as const)(
  "a button that says %s is read back as what it said",
  (decision) => {
    const card = "ap_00000000000000000000000000";
    const data = pressData(decision, card);
    const query = { id: "1", from: ADA, data, message: { message_id: 7, chat: PRIVATE } };
    expect(convert({ callback_query: query }, BOT)).toEqual({
      kind: "pressed",
      press: {
        place: "42",
        thread: null,
        sender: "42",
        senderName: "Ada L.",
        dedupe: "press:1",
        card,
        decision,
      },
      query: "1",
    });
  },
);

test("a card whose id does not fit into a button has none", () => {
  expect(pressData("approve", "x".repeat(60))).toHaveLength(64);
  expect(pressData("approve", "x".repeat(61))).toBeNull();
  expect(pressData("approve", "ä".repeat(31))).toBeNull();
});

test.for(["", "d:x:ap_1", "d:a:", "a:ap_1"])("a button with %j on it is none of ours", (data) => {
  const query = { id: "1", from: ADA, data, message: { message_id: 7, chat: PRIVATE } };
  expect(convert({ callback_query: query }, BOT)).toEqual({ kind: "nothing" });
});
