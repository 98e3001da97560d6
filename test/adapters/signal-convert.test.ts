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
  ["an edit", { ...ENVELOPE, editMessage: { targetSentTimestamp: 1, dataMessage: { timestamp: 5, message: "no" } } }],
  ["a story", { ...ENVELOPE, storyMessage: { allowsReplies: true } }],
  ["a read mark of another device", { ...ENVELOPE, sourceUuid: IDS.own, syncMessage: { readMessages: [] } }],
  ["somebody without an id", { ...ENVELOPE, sourceUuid: null, dataMessage: { timestamp: 5, message: "hello" } }],
  ["what is no envelope", null],
] as const)("%s is no message", ([, envelope]) => {
  expect(convert(envelope, ACCOUNT, () => false)).toEqual({ kind: "nothing" });
});

test.for([
  ["a deleted message", { message: null, remoteDelete: { timestamp: 1 } }],
  ["an answer to a story", { message: "nice", storyContext: { authorUuid: IDS.own, sentTimestamp: 1 } }],
  ["a change of a group", { message: null, groupInfo: { groupId: "Z3JvdXBpZA==", type: "UPDATE" } }],
  ["an empty one", { message: "   " }],
] as const)("%s is no message", ([, data]) => {
  expect(of(data)).toEqual({ kind: "nothing" });
});

test.for([
  ["a voice message", { attachments: [{ contentType: "audio/aac", filename: null }] }, "[voice message]"],
  ["a photo with words", { message: "look", attachments: [{ contentType: "image/jpeg" }] }, "[photo]\nlook"],
  ["a file", { attachments: [{ contentType: "application/pdf", filename: "a]\n[b.pdf" }] }, "[document a b.pdf]"],
  ["a sticker", { sticker: { packId: "x", stickerId: 1 } }, "[sticker]"],
  ["a poll", { pollCreate: { question: "?" } }, "[poll]"],
] as const)("%s is told by a word", ([, data, text]) => {
  expect(textOf(data)?.replaceAll(/ +/g, " ")).toBe(text);
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
        expect(["nothing", "inbound", "reaction"]).toContain(convert(given, ACCOUNT, () => false).kind);
    }),
    { numRuns: 300 },
  );
});
