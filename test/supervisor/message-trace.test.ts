import { expect, test } from "vitest";
import { mint } from "../../src/ipc/ids.ts";
import type { LookedUp } from "../../src/session/link.ts";
import { traceMessages } from "../../src/supervisor/message-trace.ts";
import { newTalk } from "./talk-world.ts";

/** A message that is recorded and has no outcome, and a platform that says what it has of it. */
async function crashed(
  outcome: LookedUp["outcome"],
  what: { purpose?: "reply" | "card"; text?: string; old?: number; told?: boolean } = {},
) {
  const { world, say, clock, state } = await newTalk();
  const session = await say("hello");
  const record = state.conversationsWith("default")[0];
  if (record === undefined) throw new Error("there is no conversation");
  const message = mint("message");
  const { text } = what;
  const intent = await world.log.record<"message.sent">(
    {
      kind: "message.sent",
      message,
      session,
      conversation: record.conversation,
      channel: "telegram",
      purpose: what.purpose ?? "reply",
    },
    { cause: null, seal: session, ...(text === undefined ? {} : { content: { text } }) },
  );
  const row = world.log.row(intent.seq);
  clock.advance(what.old ?? 1_000);
  const said: string[] = [];
  const asked: string[] = [];
  await traceMessages(row === null ? [] : [row], new Set(what.told === true ? [record.conversation] : []), {
    log: world.log,
    state,
    lookUp: (_, key) => {
      asked.push(key);
      return Promise.resolve({ outcome, ids: outcome === "sent" ? ["7"] : [] });
    },
    tell: (_, __, words) => {
      said.push(words);
      return Promise.resolve(null);
    },
    now: () => clock.now(),
  });
  await intent.fail(new Error("the end of the test"));
  return { said, asked, message, rows: world.rows("message.traced") };
}

test("what the platform has is known to be there, and is not sent again", async () => {
  const { said, asked, message, rows } = await crashed("sent", { text: "the answer" });
  expect(asked).toEqual([message]);
  expect(said).toEqual([]);
  expect(rows.map(({ action }) => action)).toMatchObject([{ message, outcome: "sent", parts: 1 }]);
});

test("what it has not is sent again where it is recent and its text is known, and a card is not", async () => {
  expect((await crashed("absent", { text: "the answer" })).said).toEqual(["the answer"]);
  expect((await crashed("absent")).said).toEqual([expect.stringContaining("did not reach you whole")]);
  expect((await crashed("absent", { text: "the answer", old: 3_600_000 })).said).toEqual([
    expect.stringContaining("did not reach you whole"),
  ]);
  expect((await crashed("absent", { text: "approve this?", purpose: "card" })).said).toEqual([]);
});

test("where it cannot tell, that is said, unless the interruption was told already", async () => {
  expect((await crashed("unknown", { text: "the answer" })).said).toEqual([
    expect.stringContaining("nobody can tell whether it reached you"),
  ]);
  expect((await crashed("unknown", { text: "the answer", told: true })).said).toEqual([]);
});

test("of what is a day old nothing is asked", async () => {
  const { asked, said } = await crashed("absent", { text: "the answer", old: 25 * 3_600_000 });
  expect([asked, said]).toEqual([[], []]);
});
