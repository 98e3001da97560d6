import { expect, test } from "vitest";
import { verifySync } from "../../audit/verify.ts";
import type { AskedRequest, RecordedItems } from "../../src/effect/request.ts";
import type { ChatMessage } from "../../src/ipc/completion.ts";
import { packRequest } from "../../src/ipc/items.ts";
import { Conversation } from "../../src/supervisor/conversation.ts";
import { A_DIGEST, anId, beginLog, type TestLog } from "../support/audit-fixture.ts";
import { ownFolder } from "../support/folder.ts";

const session = anId("s");
const said: ChatMessage[] = [
  { role: "user", text: "how much disk is free?" },
  { role: "assistant", text: "12 GB.", calls: [] },
  { role: "user", text: "and memory?" },
];
const packed = (messages: number, from = 0) =>
  packRequest({ instructions: "Answer briefly.", tools: [], messages: said.slice(0, messages) }, from);

async function received({ log }: TestLog, text: string): Promise<number> {
  const principal = anId("p");
  const row = await log.append(
    { kind: "message.received", message: anId("m"), session, conversation: anId("c"), channel: "slack", principal },
    { cause: null, seal: session, content: { text, platform: "1" } },
  );
  return row.seq;
}

async function called({ log }: TestLog, request: AskedRequest, changed: (json: string) => string): Promise<number> {
  const under = { policy: A_DIGEST, settings: A_DIGEST, agent: "default", principal: anId("p") };
  const row = await log.record(
    { kind: "model.called", turn: anId("t"), session, provider: "local", model: "m", ...under },
    { cause: null, seal: session, content: { items: changed(request.recordable()) } },
  );
  request.recordedAs(row.seq);
  row.redeem();
  await row.finish(
    { kind: "model.answered", model: "m", inputTokens: 1, outputTokens: 1, microDollars: null, stop: "stop" },
    { answer: '{"text":"12 GB.","calls":[]}' },
  );
  return row.seq;
}

/** Two requests of one conversation, as they are recorded; what is told of the second is changed before it is.
 *  @returns the verdict, and the row of the second. */
async function verified(changed: (json: string) => string = (json) => json) {
  const made = await beginLog(ownFolder());
  const conversation = new Conversation(() => Promise.resolve(null));
  conversation.from(Buffer.from("how much disk is free?"), {
    row: await received(made, "how much disk is free?"),
    part: "text",
  });
  const first = await called(made, conversation.ask(1, 0, packed(1)), (json) => json);
  conversation.from(Buffer.from('{"text":"12 GB.","calls":[]}'), { row: first + 1, part: "answer" });
  conversation.from(Buffer.from("and memory?"), { row: await received(made, "and memory?"), part: "text" });
  const second = await called(made, conversation.ask(2, 2, packed(3, 2)), changed);
  await made.log.close();
  const { vkey } = made.signer;
  return { second, verdict: verifySync(made.path, { vkey, sealer: made.sealer, scratch: ownFolder() }) };
}

test("requests that are made of what their rows say verify", async () => {
  const { verdict } = await verified();
  expect(verdict).toMatchObject({ state: "good" });
});

const edited = (change: (items: RecordedItems) => object) => (json: string) => {
  // What a recorder of ours wrote.
  const { version, root, after, kept, items }: RecordedItems = JSON.parse(json);
  return JSON.stringify(change({ version, root, after, kept, items }));
};

test.for<[string, (json: string) => string, string]>([
  ["another root", edited((told) => ({ ...told, root: "0".repeat(64) })), "is not made of the items"],
  ["another order", edited((told) => ({ ...told, items: told.items.toReversed() })), "is not made of the items"],
  ["one item less", edited((told) => ({ ...told, items: told.items.slice(1) })), "is not made of the items"],
  ["fewer kept", edited((told) => ({ ...told, kept: 1 })), "is not made of the items"],
  ["more kept than there were", edited((told) => ({ ...told, kept: 9 })), "is not made of the items"],
  ["going on from nothing", edited((told) => ({ ...told, after: null, kept: 0 })), "is not made of the items"],
  [
    "another row",
    edited((told) => ({ ...told, items: told.items.map((item) => ({ ...item, row: 2, part: "text" })) })),
    "has an item that is not the text of row 2",
  ],
  [
    "another text",
    edited((told) => ({ ...told, items: told.items.map((item) => ({ ...item, row: undefined, text: "x" })) })),
    "has an item that is another",
  ],
  ["a row behind it", edited((told) => ({ ...told, after: 9_999 })), "in the form that is agreed"],
  ["a newer form", edited((told) => ({ ...told, version: 3 })), "in the form that is agreed"],
  ["no JSON", () => "{", "in the form that is agreed"],
])("a request that is told with %s is found", async ([, changed, sentence]) => {
  const { verdict, second } = await verified(changed);
  expect(verdict.state).toBe("broken");
  expect(verdict.findings[0]).toMatchObject({ code: "content-changed", seq: second });
  expect(verdict.findings[0]?.sentence).toContain(sentence);
});
