import { GatewayDispatchEvents as On } from "discord-api-types/v10";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { convert, type Us } from "../../adapters/discord/convert.ts";
import {
  decodeCursor,
  encodeCursor,
  idAt,
  type Kept,
  MAX_CONVERSATIONS,
  timeOf,
} from "../../adapters/discord/cursor.ts";
import { lineAddress } from "../../adapters/discord/gateway.ts";
import { nonceOf } from "../../adapters/discord/journal.ts";
import { pressOf } from "../../adapters/discord/press.ts";
import { Sequence } from "../../adapters/discord/sequence.ts";
import { FromAdapter, MAX_CURSOR } from "../../src/ipc/adapter-frames.ts";

/** What Discord documents, as the supervisor is told of it. */

const US: Us = {
  id: "100000000000000001",
  name: "wirken",
  role: (guild) => (guild === GUILD ? "600000000000000001" : null),
};
const GUILD = "290926798626357999";
const ADA = { id: "53908232506183680", username: "mason", discriminator: "0", global_name: "Mason", avatar: null };
const BOB = { id: "80351110224678912", username: "nelly", discriminator: "0", global_name: null, avatar: null };
const BOT = { id: US.id, username: "wirken", discriminator: "0", global_name: null, bot: true };

/** As in Discord's reference, with a content of ours. */
const MESSAGE = {
  id: "334385199974967042",
  type: 0,
  channel_id: "290926798999357250",
  channel_type: 1,
  author: ADA,
  content: "Supa Hot",
  timestamp: "2017-07-11T17:27:07.299000+00:00",
  edited_timestamp: null,
  tts: false,
  mention_everyone: false,
  mentions: [],
  mention_roles: [],
  attachments: [],
  embeds: [],
  reactions: [],
  pinned: false,
};
const IN_GUILD = { ...MESSAGE, guild_id: GUILD, channel_type: 0, member: { nick: null, roles: [] } };

const told = (more: object, name: On = On.MessageCreate): unknown => convert(name, more, US)[0] ?? null;
const text = (more: object): string | null => {
  const [heard] = convert(On.MessageCreate, more, US);
  return heard?.kind === "message" ? heard.text : null;
};

test("a direct message is told with its writer, its time and its place", () => {
  expect(told(MESSAGE)).toEqual({
    kind: "message",
    spot: { channel: MESSAGE.channel_id, guild: null, type: 1, parent: null },
    message: { sender: ADA.id, dedupe: MESSAGE.id, talk: "direct", sentAt: timeOf(MESSAGE.id) },
    senderName: "Mason",
    text: "Supa Hot",
  });
});

test.for([
  ["nobody in particular", { content: "hello" }, null],
  ["by name", { content: `<@${US.id}> hello`, mentions: [BOT] }, "hello"],
  ["by name, with an old client", { content: `<@!${US.id}>: hello`, mentions: [BOT] }, "hello"],
  ["by name inside", { content: `hello <@${US.id}>`, mentions: [BOT] }, "hello @wirken"],
  ["by our role", { content: "<@&600000000000000001> hello", mention_roles: ["600000000000000001"] }, "hello"],
  ["another role", { content: "<@&600000000000000002> hello", mention_roles: ["600000000000000002"] }, null],
  ["everyone", { content: "@everyone hello", mention_everyone: true }, null],
  ["by a reply", { type: 19, content: "hello", referenced_message: { author: BOT, content: "hi" } }, "hello"],
  [
    "somebody else by a reply",
    { type: 19, content: "hello", referenced_message: { author: BOB, content: "hi" } },
    null,
  ],
  ["a name typed by hand", { content: `<@${US.id}> hello` }, null],
] as const)("in a server who calls %s is heard so", ([, more, heard]) => {
  expect(text({ ...IN_GUILD, ...more })).toBe(heard);
});

test.for([
  ["a bot's", { author: { ...BOB, bot: true } }],
  ["a webhook's", { webhook_id: "7" }],
  ["Discord's own", { author: { ...BOB, system: true } }],
  ["a notice that somebody came", { type: 7 }],
  ["a command's answer", { type: 20 }],
  ["empty", { content: "  " }],
  ["of no known form", { content: { text: "x" } }],
  ["without an author", { author: null }],
] as const)("a message that is %s is none for us", ([, more]) => {
  expect(told({ ...MESSAGE, ...more })).toBeNull();
});

test("our own is known by its nonce", () => {
  expect(told({ ...MESSAGE, author: BOT, nonce: "abc" })).toEqual({
    kind: "own",
    channel: MESSAGE.channel_id,
    id: MESSAGE.id,
    nonce: "abc",
  });
});

test("Discord's marks are read as people read them, and what is not known stays", () => {
  const content = `<@${BOB.id}> <@1> <:party:41771983429993937> <a:wave:41771983429993938> <#2> <t:1618953630:R> <@&3>`;
  expect(text({ ...MESSAGE, content, mentions: [BOB] })).toBe("@nelly <@1> :party: :wave: <#2> <t:1618953630:R> <@&3>");
});

test("a reply brings along what it answers, and whose that was", () => {
  const quoted = (author: object): unknown =>
    told({ ...MESSAGE, type: 19, referenced_message: { author, content: "before", attachments: [] } });
  expect(quoted(BOT)).toMatchObject({ message: { quote: { by: "us", text: "before" } } });
  expect(quoted(ADA)).toMatchObject({ message: { quote: { by: "sender", text: "before" } } });
  expect(quoted(BOB)).toMatchObject({ message: { quote: { by: "other", text: "before" } } });
  expect(told({ ...MESSAGE, type: 19, referenced_message: null })).not.toHaveProperty("message.quote");
});

test("files, stickers, polls and what is forwarded are named", () => {
  const file = {
    id: "41",
    filename: "cat.png",
    size: 9,
    content_type: "image/png; charset=x",
    url: "x",
    proxy_url: "x",
  };
  expect(told({ ...MESSAGE, content: "", attachments: [file] })).toMatchObject({
    text: "[image cat.png]",
    message: {
      files: [
        {
          handle: `${MESSAGE.channel_id}/${MESSAGE.id}/41`,
          name: "cat.png",
          type: "image/png",
          bytes: 9,
          what: "image",
        },
      ],
    },
  });
  const voice = {
    ...file,
    filename: "voice-message.ogg",
    content_type: "audio/ogg",
    duration_secs: 2.5,
    waveform: "AA",
  };
  expect(told({ ...MESSAGE, content: "", flags: 8_192, attachments: [voice] })).toMatchObject({
    message: { files: [{ what: "voice" }] },
  });
  const many = Array.from({ length: 12 }, () => file);
  expect(told({ ...MESSAGE, attachments: many })).toMatchObject({ text: "Supa Hot", message: { filesLeft: 2 } });
  expect(text({ ...MESSAGE, content: "", sticker_items: [{ id: "1", name: "wave] x", format_type: 1 }] })).toBe(
    "[sticker wave  x]",
  );
  expect(text({ ...MESSAGE, content: "", poll: { question: { text: "Pizza?" }, answers: [] } })).toBe("[poll Pizza?]");
  const forward = { message_reference: { type: 1, channel_id: "1", message_id: "2" } };
  const snapshot = { message: { content: "of another channel", attachments: [file], type: 0 } };
  expect(told({ ...MESSAGE, content: "", ...forward, message_snapshots: [snapshot] })).toMatchObject({
    text: "[forwarded message]\nof another channel",
    message: { files: [{ name: "cat.png" }] },
  });
});

test("what Discord adds to a message is no change of it", () => {
  expect(told({ ...MESSAGE, embeds: [{}] }, On.MessageUpdate)).toBeNull();
  const at = "2017-07-11T17:28:07.299000+00:00";
  expect(told({ ...IN_GUILD, edited_timestamp: at, content: "new" }, On.MessageUpdate)).toMatchObject({
    kind: "changed",
    sender: ADA.id,
    change: "edited",
    message: MESSAGE.id,
    text: "new",
    forUs: false,
  });
  const { id, channel_id: channel } = MESSAGE;
  expect(told({ id, channel_id: channel }, On.MessageDelete)).toMatchObject({
    change: "deleted",
    message: id,
    sender: null,
  });
  expect(convert(On.MessageDeleteBulk, { ids: ["1", "2"], channel_id: channel }, US)).toHaveLength(2);
});

test("a press is of whoever pressed, in a server and alone", () => {
  const press = {
    id: "846462639134605312",
    application_id: "845027738276462632",
    type: 3,
    token: "unique_interaction_token",
    data: { custom_id: "d:s:ap_1", component_type: 2 },
    channel_id: "345626669114982999",
    channel: { id: "345626669114982999", type: 11, parent_id: "290926798999357250" },
    guild_id: GUILD,
    member: { user: BOB, nick: "Nell", roles: [], permissions: "0" },
    message: MESSAGE,
    version: 1,
  };
  expect(told(press, On.InteractionCreate)).toMatchObject({
    kind: "pressed",
    spot: { channel: "345626669114982999", guild: GUILD, type: 11, parent: "290926798999357250" },
    press: { sender: BOB.id, senderName: "Nell", card: "ap_1", decision: "approve-session" },
    interaction: { token: "unique_interaction_token", application: "845027738276462632" },
  });
  const { guild_id: _guild, member: _member, ...alone } = press;
  expect(told({ ...alone, user: ADA }, On.InteractionCreate)).toMatchObject({ press: { sender: ADA.id } });
  expect(told({ ...alone, user: ADA, data: { custom_id: "other" } }, On.InteractionCreate)).toBeNull();
  expect(told(alone, On.InteractionCreate)).toBeNull();
  expect(pressOf("d:x:1")).toBeNull();
});

test("a name that hides or turns what stands beside it does so no more", () => {
  const author = { ...ADA, global_name: "\u202eadA\u0000\n\u200b[owner]" };
  expect(told({ ...MESSAGE, author })).toMatchObject({
    senderName: expect.not.stringMatching(/[\p{C}\n]/u),
  });
});

const ODD = fc.anything({ maxDepth: 1, maxKeys: 3 });

test("whatever Discord dispatches becomes a frame that the supervisor takes, or nothing", () => {
  const id = fc.oneof(fc.constantFrom("1", "9".repeat(30), "../x", ""), ODD);
  const anyText = fc.oneof(fc.string({ unit: "binary", maxLength: 200 }), fc.constantFrom(`<@${US.id}> x`, "\ud800"));
  const user = fc.record(
    { id: fc.oneof(fc.constant(ADA.id), id), username: anyText, global_name: anyText },
    { requiredKeys: [] },
  );
  const file = fc.record({
    id: fc.oneof(fc.constant("1"), id),
    filename: anyText,
    size: ODD,
    content_type: anyText,
  });
  const odd = fc.record(
    {
      content: anyText,
      author: fc.oneof(user, ODD),
      mentions: fc.oneof(fc.array(user, { maxLength: 3 }), ODD),
      attachments: fc.oneof(fc.array(file, { maxLength: 12 }), ODD),
      referenced_message: fc.oneof(fc.record({ author: user, content: anyText }), ODD),
      guild_id: fc.oneof(fc.constant(GUILD), id),
      type: fc.oneof(fc.constantFrom(0, 19), ODD),
      id: fc.oneof(fc.constant("334385199974967042"), id),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.constantFrom(On.MessageCreate, On.MessageUpdate), odd, (name, more) => {
      for (const heard of convert(name, { ...MESSAGE, ...more }, US)) {
        if (heard.kind !== "message") continue;
        const frame = {
          type: "inbound",
          ref: 1,
          place: heard.spot.channel,
          thread: null,
          senderName: heard.senderName,
        };
        expect(FromAdapter.safeParse({ ...frame, ...heard.message }).success).toBe(true);
        expect(heard.text.isWellFormed() || heard.text === more.content).toBe(true);
      }
    }),
  );
  fc.assert(
    fc.property(fc.constantFrom(...Object.values(On)), ODD, (name, data) => {
      expect(() => convert(name, data, US)).not.toThrow();
    }),
  );
});

test("a session goes on behind the last of those before which nothing is missing", () => {
  const sequence = new Sequence(1);
  const mark = { channel: "c", message: "30" };
  expect([2, 3, 4].map((number) => sequence.begin(number))).toEqual([true, true, true]);
  expect(sequence.begin(3)).toBe(false);
  expect(sequence.done(3, mark)).toEqual([]);
  expect(sequence.durable).toBe(1);
  expect(sequence.done(2, null)).toEqual([mark]);
  expect(sequence.durable).toBe(3);
  expect(sequence.begin(3)).toBe(false);
  expect(sequence.done(4, null)).toEqual([]);
  expect(sequence.durable).toBe(4);
});

const kept: Kept = {
  bot: US.id,
  session: { id: "s".repeat(32), seq: 7, url: "wss://gateway-us-east1-b.discord.gg" },
  starts: { left: 998, until: 1 },
  at: 1_700_000_000_000,
  conversations: new Map(
    Array.from({ length: MAX_CONVERSATIONS + 50 }, (_, i) => [
      String(10n ** 18n + BigInt(i)),
      { last: String(10n ** 18n), guild: String(10n ** 18n), parent: String(10n ** 18n) },
    ]),
  ),
};

test("a cursor holds the newest two hundred conversations within its limit, and is read as it was written", () => {
  const cursor = encodeCursor(kept);
  expect(cursor.length).toBeLessThanOrEqual(MAX_CURSOR);
  const read = decodeCursor(cursor);
  expect(read).toEqual({ ...kept, conversations: new Map([...kept.conversations].slice(-MAX_CONVERSATIONS)) });
});

test.for([null, "", "7@8", "[]", "{}", '{"v":2}', encodeCursor(kept).replace("gateway", "\\u0000").slice(1)])(
  "a cursor that is %j is none",
  (cursor) => {
    expect(decodeCursor(cursor)).toBeNull();
  },
);

test("an id says when it came to be, and a time what ids come after it", () => {
  expect(timeOf("175928847299117063")).toBe(Date.parse("2016-04-30T11:18:25.796Z"));
  expect(timeOf(idAt(1_700_000_000_000))).toBe(1_700_000_000_000);
  expect(idAt(0)).toBe("0");
});

test("each part of a message has a nonce of its own that Discord takes", () => {
  const nonces = Array.from({ length: 64 }, (_, i) => nonceOf("m_01", i, 64));
  expect(new Set([...nonces, nonceOf("m_02", 0, 64)]).size).toBe(65);
  for (const nonce of nonces) expect(nonce).toMatch(/^.{24}$/);
});

test.for([
  ["wss://gateway.discord.gg", null, "wss://gateway.discord.gg/"],
  ["wss://gateway-us-east1-b.discord.gg/", null, "wss://gateway-us-east1-b.discord.gg/"],
  ["wss://gateway.discord.gg.evil.example", null, null],
  ["wss://evildiscord.gg", null, null],
  ["wss://gateway.discord.gg:8443", null, null],
  ["ws://gateway.discord.gg", null, null],
  ["wss://user@evil.example", null, null],
  ["file:///etc/passwd", null, null],
  ["", null, null],
  ["ws://127.0.0.1:99", "http://127.0.0.1:99/api", "ws://127.0.0.1:99/"],
  ["ws://127.0.0.1:98", "http://127.0.0.1:99/api", null],
  ["wss://gateway.discord.gg", "http://127.0.0.1:99/api", null],
] as const)("a line at %j, with the operator's server %j, is followed to %j", ([said, apiRoot, url]) => {
  expect(lineAddress(said, { check: false, cursor: null, apiRoot })).toBe(url);
});
