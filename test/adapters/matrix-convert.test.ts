import fc from "fast-check";
import { expect, test } from "vitest";
import {
  convert,
  decisionOf,
  envelopeOf,
  type Heard,
  handleOf,
  referencesOf,
  type Setting,
} from "../../adapters/matrix/convert.ts";
import { ciphertextId } from "../../adapters/matrix/encryption.ts";
import { FromAdapter } from "../../src/ipc/adapter-frames.ts";

/** Events as the specification shows them: https://spec.matrix.org/v1.11/client-server-api/ */

const OWN = "@wirken:example.org";
const SETTING: Setting = {
  own: OWN,
  ownName: "Wirken",
  place: "!jEsUZKDJdhlrceRyVU:example.org",
  talk: "direct",
  dedupe: "$143273582443PhrSn:example.org",
  replied: null,
  ownThread: false,
};
const EVENT = {
  event_id: "$143273582443PhrSn:example.org",
  sender: "@example:example.org",
  origin_server_ts: 1_432_735_824_653,
  room_id: "!jEsUZKDJdhlrceRyVU:example.org",
  unsigned: { age: 1_234 },
};

function heard(content: object, setting: Partial<Setting> = {}, type = "m.room.message"): Heard {
  const event = envelopeOf({ ...EVENT, type, content });
  if (event === null) throw new Error("that is no event");
  return convert(event, { ...SETTING, ...setting });
}

test("a text, with formatting that is left out", () => {
  const content = {
    body: "This is an example text message",
    format: "org.matrix.custom.html",
    formatted_body: "<b>This is an example text message</b>",
    msgtype: "m.text",
  };
  expect(heard(content)).toEqual({
    kind: "inbound",
    text: "This is an example text message",
    message: {
      place: SETTING.place,
      thread: null,
      sender: EVENT.sender,
      dedupe: SETTING.dedupe,
      message: EVENT.event_id,
      talk: "direct",
      sentAt: EVENT.origin_server_ts,
    },
  });
});

test.for([
  ["an emote", { body: "thinks this is an example emote", msgtype: "m.emote" }, "* thinks this is an example emote"],
  [
    "a location",
    { body: "Big Ben, London, UK", geo_uri: "geo:51.5008,0.1247", msgtype: "m.location" },
    "Big Ben, London, UK",
  ],
  [
    "an answer of an older program, which repeats what it answers",
    {
      body: "> <@alice:example.org> This is the original body\n> of two lines\n\nThis is where the reply goes",
      msgtype: "m.text",
      "m.relates_to": { "m.in_reply_to": { event_id: "$another:example.org" } },
    },
    "This is where the reply goes",
  ],
] as const)("%s", ([, content, text]) => {
  expect(heard(content)).toMatchObject({ kind: "inbound", text });
});

test.for([
  ["what a program says by itself", { body: "a notice", msgtype: "m.notice" }, {}, "m.room.message"],
  ["our own", { body: "x", msgtype: "m.text" }, { own: EVENT.sender }, "m.room.message"],
  ["group talk that does not call us", { body: "lunch?", msgtype: "m.text" }, { talk: "group" }, "m.room.message"],
  [
    "a mention of somebody else",
    { body: "@wirken:example.org", msgtype: "m.text", "m.mentions": { user_ids: ["@alice:example.org"] } },
    { talk: "group" },
    "m.room.message",
  ],
  [
    "somebody whose name begins as ours",
    { body: "@wirken:example.org.evil hi", msgtype: "m.text" },
    { talk: "group" },
    "m.room.message",
  ],
  ["a deleted message", {}, {}, "m.room.message"],
  ["a call", { call_id: "12345", version: "1" }, {}, "m.call.invite"],
] as const)("nothing is heard of %s", ([, content, setting, type]) => {
  expect(heard(content, setting, type)).toEqual({ kind: "nothing" });
});

test.for([
  ["a list of mentions", { body: "Wirken: who is on call?", "m.mentions": { user_ids: [OWN] } }, {}],
  ["our id in the words", { body: "@wirken:example.org who is on call?" }, {}],
  ["an answer to us", { body: "who is on call?" }, { replied: { sender: OWN, text: "Nobody." } }],
  ["a thread that we began", { body: "who is on call?" }, { ownThread: true }],
] as const)("a group calls us by %s", ([, content, setting]) => {
  const found = heard({ msgtype: "m.text", ...content }, { talk: "group", ...setting });
  expect(found).toMatchObject({ kind: "inbound", text: "who is on call?" });
});

test("a thread is a conversation of its own, and what older programs show it as an answer to is no answer", () => {
  const relation = {
    rel_type: "m.thread",
    event_id: "$root",
    is_falling_back: true,
    "m.in_reply_to": { event_id: "$last" },
  };
  const event = envelopeOf({
    ...EVENT,
    type: "m.room.message",
    content: { msgtype: "m.text", body: "x", "m.relates_to": relation },
  });
  expect(event === null ? null : referencesOf(event)).toEqual({ thread: "$root", reply: null });
  expect(heard({ msgtype: "m.text", body: "x", "m.relates_to": relation })).toMatchObject({
    message: { thread: "$root" },
  });
});

test("an encrypted file is told with what opens it, and a voice message as one", () => {
  const file = {
    url: "mxc://example.org/FHyPlCeYUSFFxlgbQYZmoEoe",
    v: "v2",
    key: {
      alg: "A256CTR",
      ext: true,
      k: "aWF6-32KGYaC3A_FEUCk1Bt0JA37zP0wrStgmdCaW-0",
      key_ops: ["encrypt", "decrypt"],
      kty: "oct",
    },
    iv: "w+sE15fzSc0AAAAAAAAAAA",
    hashes: { sha256: "fdSLu/YkRx3Wyh3KQabP3rd6+SFiKg5lsJZQHtkSAYA" },
  };
  const found = heard({
    body: "something-important.jpg",
    file,
    info: { mimetype: "image/jpeg", size: 31_037 },
    msgtype: "m.image",
  });
  expect(found).toMatchObject({
    text: "[image something-important.jpg]",
    message: { files: [{ name: "something-important.jpg", type: "image/jpeg", bytes: 31_037, what: "image" }] },
  });
  const [told] = found.kind === "inbound" ? (found.message.files ?? []) : [];
  expect(handleOf(told?.handle ?? "")).toEqual(file);
  const voice = {
    body: "Voice message",
    msgtype: "m.audio",
    url: "mxc://example.org/abc",
    "org.matrix.msc3245.voice": {},
  };
  expect(heard(voice)).toMatchObject({ text: "[voice message]", message: { files: [{ what: "voice" }] } });
});

test.for([
  "",
  "{}",
  "https://example.org/x",
  '{"url":"https://example.org/x"}',
  '{"url":"mxc://a/../b"}',
  '{"url":"mxc://a/b","more":1}',
])("%s is no handle of a file", (handle) => {
  expect(handleOf(handle)).toBeNull();
});

test("an edit and a redaction name the message that they are about", () => {
  const relation = { rel_type: "m.replace", event_id: "$some_event_id" };
  const edit = {
    body: "* Hello! My name is bar",
    msgtype: "m.text",
    "m.new_content": { body: "Hello! My name is bar", msgtype: "m.text" },
    "m.relates_to": relation,
  };
  expect(heard(edit)).toMatchObject({
    kind: "changed",
    text: "Hello! My name is bar",
    change: { message: "$some_event_id", change: "edited" },
  });
  expect(heard({ redacts: "$fukweghifu23:localhost", reason: "Spamming" }, {}, "m.room.redaction")).toMatchObject({
    kind: "changed",
    change: { message: "$fukweghifu23:localhost", change: "deleted" },
  });
});

test.for([
  ["✅", "approve"],
  ["👍🏽", "approve"],
  ["❌", "deny"],
  ["👎", "deny"],
  ["✅✅", null],
  ["🎉", null],
  ["approve", null],
] as const)("%s decides %s", ([sign, decision]) => {
  expect(decisionOf(sign)).toBe(decision);
});

/** A message of Megolm's form, at a place of its session. */
function placed(index: readonly number[]): string {
  return Buffer.from([3, 8, ...index, 18, 1, 0]).toString("base64");
}

function encrypted(ciphertext: string, session = "s"): object {
  const content = { algorithm: "m.megolm.v1.aes-sha2", ciphertext, session_id: session };
  return { sender: "@a:b", content };
}

test("a ciphertext has one name, whatever event it comes in, and another at each place of its session", () => {
  const name = ciphertextId("!r", encrypted(placed([1])));
  expect(ciphertextId("!r", { ...encrypted(placed([1])), event_id: "$other" })).toBe(name);
  const others = [
    ciphertextId("!r", encrypted(placed([2]))),
    ciphertextId("!r", encrypted(placed([129, 1]))),
    ciphertextId("!other", encrypted(placed([1]))),
    ciphertextId("!r", encrypted(placed([1]), "t")),
  ];
  expect(new Set([name, ...others]).size).toBe(5);
  expect(ciphertextId("!r", encrypted("AAAA"))).toBeNull();
});

test("whatever comes, what is told is a frame within its limits", () => {
  const words = fc.string({ unit: "binary", maxLength: 400 });
  const content = fc.record(
    {
      msgtype: fc.constantFrom("m.text", "m.image", "m.file", "m.audio", "m.emote", "m.location", "m.notice"),
      body: fc.oneof(words, fc.constant("A".repeat(100_000))),
      filename: words,
      url: fc.oneof(words, fc.constant("mxc://a/b")),
      info: fc.oneof(fc.anything(), fc.constant({ mimetype: "x".repeat(500), size: 5 })),
      "m.mentions": fc.oneof(fc.anything(), fc.constant({ user_ids: [OWN] })),
      "m.relates_to": fc.oneof(
        fc.anything(),
        fc.record({ rel_type: fc.constantFrom("m.thread", "m.replace", "m.annotation"), event_id: words, key: words }),
      ),
      "m.new_content": fc.anything(),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(
      content,
      fc.constantFrom("m.room.message", "m.sticker", "m.reaction", "m.room.redaction"),
      words,
      (what, type, said) => {
        const found = heard(what, { replied: { sender: EVENT.sender, text: said } }, type);
        if (found.kind === "inbound") FromAdapter.parse({ type: "inbound", ref: 1, ...found.message, senderName: "" });
        if (found.kind === "changed") FromAdapter.parse({ type: "changed", ref: 1, ...found.change });
        if (found.kind === "reaction")
          FromAdapter.parse({ type: "pressed", ref: 1, ...found.press, senderName: "", card: "c", decision: "deny" });
      },
    ),
  );
});
