import fc from "fast-check";
import { expect, test } from "vitest";
import { convert, decisionOf } from "../../adapters/signal/convert.ts";
import { IDS } from "../support/signal-server.ts";

const ACCOUNT = { number: "+491701234567", uuid: IDS.own };
const ENVELOPE = { sourceUuid: IDS.ada, sourceName: "Ada", sourceDevice: 1, timestamp: 5 };
const of = (dataMessage: object) =>
  convert({ ...ENVELOPE, dataMessage: { timestamp: 5, ...dataMessage } }, ACCOUNT, () => false);
const textOf = (dataMessage: object): string | null => {
  const heard = of(dataMessage);
  return heard.kind === "inbound" ? heard.text : null;
};

test.for([
  ["a receipt", { ...ENVELOPE, receiptMessage: { when: 5, isDelivery: true, timestamps: [1] } }],
  ["typing", { ...ENVELOPE, typingMessage: { action: "STARTED", timestamp: 5 } }],
  ["a call", { ...ENVELOPE, callMessage: { offerMessage: {} } }],
  ["an edit of nothing", { ...ENVELOPE, editMessage: { dataMessage: { timestamp: 5, message: "no" } } }],
  ["a story", { ...ENVELOPE, storyMessage: { allowsReplies: true } }],
  ["a read mark of another device", { ...ENVELOPE, sourceUuid: IDS.own, syncMessage: { readMessages: [] } }],
  ["somebody without an id", { ...ENVELOPE, sourceUuid: null, dataMessage: { timestamp: 5, message: "hello" } }],
  ["what is no envelope", null],
] as const)("%s is no message", ([, envelope]) => {
  expect(convert(envelope, ACCOUNT, () => false)).toEqual({ kind: "nothing" });
});

test.for([
  ["an answer to a story", { message: "nice", storyContext: { authorUuid: IDS.own, sentTimestamp: 1 } }],
  ["a change of a group", { message: null, groupInfo: { groupId: "Z3JvdXBpZA==", type: "UPDATE" } }],
  ["an empty one", { message: "   " }],
] as const)("%s is no message", ([, data]) => {
  expect(of(data)).toEqual({ kind: "nothing" });
});

test.for([
  ["a sticker", { sticker: { packId: "x", stickerId: 1 } }, "[sticker]"],
  ["a poll", { pollCreate: { question: "?" } }, "[poll]"],
] as const)("%s is told by a word", ([, data, text]) => {
  expect(textOf(data)?.replaceAll(/ +/g, " ")).toBe(text);
});

test.for([
  [
    "a voice",
    { contentType: "audio/aac", filename: null, id: "x.m4a", size: 9 },
    { what: "voice", name: "", bytes: 9 },
  ],
  ["a picture", { contentType: "image/jpeg", id: "x.jpg" }, { what: "image", bytes: null }],
  [
    "a file",
    { contentType: "application/pdf", filename: "b.pdf", id: "x.pdf", size: -3 },
    { what: "file", name: "b.pdf", bytes: null },
  ],
  [
    "the rest of a long text",
    { contentType: "text/x-signal-plain", id: "x" },
    { what: "file", name: "rest-of-the-message.txt" },
  ],
] as const)("%s is told as what it is, and fetched by signal-cli's own name", ([, attachment, file]) => {
  expect(of({ message: "look", attachments: [attachment] })).toMatchObject({
    text: "look",
    message: { files: [{ ...file, handle: `${IDS.ada}\n${attachment.id}` }], filesLeft: 0 },
  });
});

test("a change and a deletion name the message by its author and when it was sent", () => {
  const edit = { targetSentTimestamp: 3, dataMessage: { timestamp: 5, message: "list my files" } };
  expect(convert({ ...ENVELOPE, editMessage: edit }, ACCOUNT, () => false)).toMatchObject({
    kind: "changed",
    change: { message: `${IDS.ada}:3`, change: "edited", place: IDS.ada },
    text: "list my files",
  });
  expect(of({ message: null, remoteDelete: { timestamp: 3 } })).toMatchObject({
    kind: "changed",
    change: { message: `${IDS.ada}:3`, change: "deleted" },
  });
});

test.for([
  [IDS.ada, "sender"],
  [IDS.own, "us"],
  [IDS.bob, "other"],
] as const)("what is quoted of %s is %s's", ([authorUuid, by]) => {
  const quote = { id: 3, authorUuid, text: "the first" };
  expect(of({ message: "and this?", quote })).toMatchObject({ message: { quote: { by, text: "the first" } } });
});

const mention = (uuid: string, start: number) => ({ uuid, start, length: 1 });

test("only a mention of the account itself is taken off, and only from the beginning", () => {
  const groupInfo = { groupId: "Z3JvdXBpZA==" };
  const mentions = [mention(IDS.own, 0)];
  expect(textOf({ message: "\ufffc, do it", mentions, groupInfo })).toBe("do it");
  expect(textOf({ message: "do it \ufffc", mentions: [mention(IDS.own, 6)], groupInfo })).toBe("do it \ufffc");
  expect(textOf({ message: "\ufffc do it", mentions: [mention(IDS.bob, 0)], groupInfo })).toBeNull();
});

test("a reaction decides by a thumb, a tick or a cross, in whatever skin", () => {
  expect(["👍", "👍🏿", "✅", "✔️"].map(decisionOf)).toEqual(["approve", "approve", "approve", "approve"]);
  expect(["👎", "👎🏻", "❌", "✖️"].map(decisionOf)).toEqual(["deny", "deny", "deny", "deny"]);
  expect(["", "👍👎", "🙂", "approve"].map(decisionOf)).toEqual([null, null, null, null]);
});

test("whatever comes, it is converted or is none, in no time", () => {
  const json = fc.jsonValue({ maxDepth: 4 });
  fc.assert(
    fc.property(json, json, (one, other) => {
      const envelope = { ...ENVELOPE, dataMessage: { timestamp: 5, message: "x", quote: one, mentions: other } };
      for (const given of [one, envelope, { ...ENVELOPE, syncMessage: one }, { ...ENVELOPE, dataMessage: other }])
        expect(["nothing", "inbound", "reaction", "changed"]).toContain(convert(given, ACCOUNT, () => false).kind);
    }),
    { numRuns: 300 },
  );
});
