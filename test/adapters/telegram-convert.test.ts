import * as fc from "fast-check";
import { expect, test } from "vitest";
import { FromAdapter } from "../../src/ipc/adapter-frames.ts";
import { type Heard, convert, pressData } from "../../adapters/telegram/convert.ts";

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
    message: { place: "42", thread: null, sender: "42", dedupe: "42:7", talk: "direct", sentAt: 1_000 },
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

test.for([
  null,
  7,
  "x",
  {},
  { message: null },
  { edited_message: { text: "x" } },
  { callback_query: {} },
  { my_chat_member: {} },
  { my_chat_member: { chat: GROUP, new_chat_member: { status: "administrator" } } },
  { chat_boost: { chat: GROUP } },
])("%j is no update for us", (update) => {
  expect(convert(update, BOT)).toEqual({ kind: "nothing" });
});

test.for([
  { given: { photo: [{}] }, text: "[photo]" },
  { given: { voice: {} }, text: "[voice message]" },
  { given: { video: {}, caption: "see" }, text: "[video]\nsee" },
  { given: { document: {} }, text: "[document]" },
  { given: { sticker: { emoji: "👍" } }, text: "[sticker 👍]" },
  { given: { sticker: { emoji: "]\n[" } }, text: "[sticker]" },
  { given: { venue: {}, location: {} }, text: "[venue]" },
  { given: { animation: {}, document: { file_name: "a.mp4" } }, text: "[animation]" },
  { given: { text: "look", forward_origin: { type: "user" } }, text: "[forwarded message]\nlook" },
])("what is no file, or of no form that we know, is named: $text", ({ given, text }) => {
  expect(textOf(given)).toBe(text);
});

function inbound(given: object, ...rest: object[]): Extract<Heard, { kind: "inbound" }> {
  const heard = convert(message(given), BOT, rest.map(message));
  if (heard.kind !== "inbound") throw new Error("it is no message for us");
  return heard;
}

const sized = (file_id: string, more: object = {}): object => ({ file_id, file_size: 9, ...more });
test.for([
  {
    given: { photo: [sized("small"), sized("large", { file_size: 99 })] },
    file: { handle: "large", name: "photo.jpg", type: "image/jpeg", bytes: 99, what: "image" },
  },
  {
    given: { voice: sized("v", { mime_type: "audio/ogg" }) },
    file: { handle: "v", name: "voice.ogg", type: "audio/ogg", bytes: 9, what: "voice" },
  },
  {
    given: { document: sized("d", { file_name: "a/b\u202e\nplan.pdf", mime_type: "application/PDF" }) },
    file: { handle: "d", name: "a/b  plan.pdf", type: "application/pdf", bytes: 9, what: "file" },
  },
  {
    given: { document: sized("d", { file_name: "x.png", mime_type: "image/png" }) },
    file: { handle: "d", name: "x.png", type: "image/png", bytes: 9, what: "image" },
  },
  {
    given: { document: { file_id: "d", mime_type: "no type at all" } },
    file: { handle: "d", name: "document", type: "", bytes: null, what: "file" },
  },
  {
    given: { video_note: sized("n") },
    file: { handle: "n", name: "video.mp4", type: "video/mp4", bytes: 9, what: "video" },
  },
  {
    given: { audio: sized("a", { file_name: "song.mp3", mime_type: "audio/mpeg" }) },
    file: { handle: "a", name: "song.mp3", type: "audio/mpeg", bytes: 9, what: "audio" },
  },
])("a file is told with its handle: $file.what $file.name", ({ given, file }) => {
  const { message: told, text } = inbound({ ...given, caption: "look" });
  expect(told.files).toEqual([file]);
  expect(text).toBe("look");
});

const picture = (n: number, more: object = {}): object => ({
  chat: GROUP,
  message_id: n,
  media_group_id: "13",
  photo: [sized(`p${n}`)],
  ...more,
});

test("a file without a word is a message without words", () => {
  expect(inbound({ voice: sized("v") })).toMatchObject({ text: "", message: { files: [{ what: "voice" }] } });
  expect(inbound({ voice: sized("v"), forward_origin: {} }).text).toBe("[forwarded message]");
});

test("pictures sent together are one message, called by what is written under one of them", () => {
  const called = picture(8, {
    caption: "@wirken_bot which is best?",
    caption_entities: [{ type: "mention", offset: 0, length: 11 }],
  });
  const { message: told, text } = inbound(picture(7), called, picture(9));
  expect(told).toMatchObject({ dedupe: "-1005:7", files: [{ handle: "p7" }, { handle: "p8" }, { handle: "p9" }] });
  expect(text).toBe("which is best?");
});

test.for([
  { from: { id: 700 }, by: "us" },
  { from: { id: 42 }, by: "sender" },
  { from: { id: 43 }, by: "other" },
  { from: { id: 700 }, sender_chat: { id: 1 }, by: "other" },
])("a reply says what it replies to, and that it is by $by", ({ by, ...replied }) => {
  const { message: told } = inbound({ text: "yes", reply_to_message: { message_id: 3, ...replied, text: "shall I?" } });
  expect(told.quote).toEqual({ by, text: "shall I?" });
});

test("of a long message that is replied to, the part that was picked is told, else its beginning", () => {
  const long = { message_id: 3, from: { id: 700 }, text: "😀".repeat(5_000) };
  expect(inbound({ text: "x", reply_to_message: long, quote: { text: "that" } }).message.quote?.text).toBe("that");
  const told = inbound({ text: "x", reply_to_message: long }).message.quote?.text ?? "";
  expect(told).toHaveLength(2_048);
  expect(told.isWellFormed()).toBe(true);
  const cat = { message_id: 3, from: { id: 43 }, photo: [sized("p")], caption: "the cat" };
  expect(inbound({ text: "x", reply_to_message: cat }).message.quote?.text).toBe("[image photo.jpg]\nthe cat");
});

test("what opened a topic is not replied to by all that is written in it", () => {
  const inTopic = { chat: GROUP, text: "lunch?", is_topic_message: true, message_thread_id: 5 };
  const root = { message_id: 5, from: { id: 700 } };
  expect(convert(message({ ...inTopic, reply_to_message: root }), BOT)).toEqual({ kind: "nothing" });
  expect(inbound({ ...inTopic, ...own("@wirken_bot go"), reply_to_message: root }).message.quote).toBeUndefined();
});

test("an edit is told with the message that it changes, each one by itself", () => {
  const edit = (update_id: number, more: object = {}): Heard =>
    convert(
      {
        update_id,
        edited_message: { message_id: 7, date: 1, edit_date: 2, from: ADA, chat: PRIVATE, text: "no", ...more },
      },
      BOT,
    );
  expect(edit(9)).toEqual({
    kind: "changed",
    change: { place: "42", thread: null, sender: "42", dedupe: "edit:42:7:9", message: "42:7", change: "edited" },
    text: "no",
    calls: true,
  });
  expect(edit(9, { chat: GROUP })).toMatchObject({ kind: "changed", calls: false });
  expect(edit(9, { chat: GROUP, ...own("@wirken_bot no") })).toMatchObject({
    kind: "changed",
    calls: true,
    text: "no",
  });
  expect(edit(9, { from: { ...ADA, is_bot: true } })).toEqual({ kind: "nothing" });
  expect(edit(9, { sender_chat: GROUP })).toEqual({ kind: "nothing" });
});

test("a group that becomes a supergroup says so from both", () => {
  const moved = { kind: "moved", from: -5, to: -100_5 };
  expect(convert(message({ chat: { id: -5, type: "group" }, migrate_to_chat_id: -100_5 }), BOT)).toEqual(moved);
  expect(convert(message({ chat: GROUP, migrate_from_chat_id: -5 }), BOT)).toEqual(moved);
});

test.for(["left", "kicked"])("that we are not in a chat any more (%s) is told", (status) => {
  expect(convert({ my_chat_member: { chat: GROUP, new_chat_member: { status } } }, BOT)).toMatchObject({
    kind: "removed",
    place: "-1005",
  });
});

test("a topic is a conversation of its own, a chain of replies is not", () => {
  const threads = [true, false].map((isTopic) => {
    const heard = convert(message({ text: "x", message_thread_id: 5, is_topic_message: isTopic }), BOT);
    return heard.kind === "inbound" ? heard.message.thread : undefined;
  });
  expect(threads).toEqual(["5", null]);
});

test("a name shows what it is: nothing in it turns round, hides or breaks the line", () => {
  const from = { ...ADA, first_name: "A\u202eda\u0000\n", last_name: "👨\u200d👩 \u{e0041}L" };
  expect(inbound({ text: "x", from }).senderName).toBe("A da   👨\u200d👩  L");
});

test("what a hostile client sends is told within bounds, or not at all", () => {
  const million = "\u202e[x](y)😀".repeat(100_000);
  const nested: { next?: object } = {};
  for (let at = nested, i = 0; i < 5_000; i++) at = at.next = {};
  const hostile = {
    from: { ...ADA, first_name: million, last_name: million, username: million },
    document: { file_id: "d", file_name: million, mime_type: million },
    caption: million,
    caption_entities: Array.from({ length: 10_000 }, () => ({ type: "mention", offset: 0, length: 1_000_000 })),
    reply_to_message: { message_id: 1, from: { id: 43 }, text: million },
    quote: { text: million },
    poll: nested,
  };
  const began = process.cpuUsage();
  for (const chat of [PRIVATE, GROUP]) convert(message({ ...hostile, chat }), BOT);
  const { message: told, senderName, text } = inbound(hostile);
  // Of the processor, not of the clock: the machine may be busy.
  expect(process.cpuUsage(began).user).toBeLessThan(3_000_000);
  expect(Buffer.byteLength(text)).toBeLessThan(1_048_576);
  expect(senderName.length).toBeLessThanOrEqual(200);
  expect(FromAdapter.safeParse({ type: "inbound", ref: 1, ...told, senderName }).error).toBeUndefined();
});

test("whatever an update holds, what is told of it is a frame", () => {
  const text = fc.string({ unit: "binary", maxLength: 300 });
  const file = fc.record(
    { file_id: text, file_size: fc.nat(), file_name: text, mime_type: text },
    { requiredKeys: [] },
  );
  const chat = fc.record({ id: fc.integer(), type: fc.constantFrom("private", "group", "supergroup", "channel") });
  const any = fc.record(
    {
      message_id: fc.nat(),
      date: fc.nat(),
      from: fc.record({ id: fc.nat(), is_bot: fc.boolean(), first_name: text }, { requiredKeys: ["id", "is_bot"] }),
      chat,
      text,
      caption: text,
      entities: fc.array(
        fc.record({ type: fc.constantFrom("mention", "bot_command"), offset: fc.nat(400), length: fc.nat(400) }),
      ),
      document: file,
      photo: fc.array(file, { maxLength: 4 }),
      voice: fc.oneof(file, text, fc.constant(null)),
      reply_to_message: fc.record(
        { message_id: fc.nat(), from: fc.record({ id: fc.nat() }), text },
        { requiredKeys: [] },
      ),
      quote: fc.record({ text }),
      is_topic_message: fc.boolean(),
      message_thread_id: fc.nat(),
    },
    { requiredKeys: ["message_id", "chat", "from"] },
  );
  fc.assert(
    fc.property(any, fc.constantFrom("message", "edited_message"), (given, kind) => {
      const heard = convert({ update_id: 3, [kind]: given }, BOT);
      if (heard.kind === "inbound")
        expect(
          FromAdapter.safeParse({ type: "inbound", ref: 1, ...heard.message, senderName: heard.senderName }).error,
        ).toBeUndefined();
      if (heard.kind === "changed")
        expect(FromAdapter.safeParse({ type: "changed", ref: 1, ...heard.change }).error).toBeUndefined();
    }),
    { numRuns: 100 },
  );
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
