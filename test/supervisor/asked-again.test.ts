import { expect, test } from "vitest";
import type { ToolAsk } from "../../src/broker/call.ts";
import { AdapterChannel } from "../../src/ipc/channel.ts";
import { mint } from "../../src/ipc/ids.ts";
import { soon } from "../support/soon.ts";
import { newDesk } from "./desk-world.ts";

const TELEGRAM = AdapterChannel.parse("telegram");
const SLACK = AdapterChannel.parse("slack");

const ASK: ToolAsk = {
  group: 1,
  name: "write_file",
  call: "call-1",
  arguments: new TextEncoder().encode(JSON.stringify({ path: "a.txt", content: "x" })),
};

/** Asks, and lets five minutes pass. @returns the code of what nobody answered. */
async function unanswered({ world, desk, broker, context }: Awaited<ReturnType<typeof newDesk>>): Promise<string> {
  const answer = broker.tool(context, ASK);
  await soon(() => expect(desk.approvals.list()).toHaveLength(1));
  const code = desk.approvals.list()[0]?.code ?? "";
  world.clock.advance(5 * 60_000);
  expect(await answer).toMatchObject({ outcome: "refused" });
  return code;
}

test("whoever asked is told that nobody answered, and how to be asked again; so is whoever presses too late", async () => {
  const made = await newDesk();
  const code = await unanswered(made);
  await soon(() => expect(made.told.at(-1)).toContain(`nothing ran; to be asked again: again ${code}`));
  const late = await made.desk.decide({
    code,
    decision: "approve",
    scope: "once",
    reason: null,
    person: made.owner,
    via: TELEGRAM,
  });
  expect(late).toEqual({
    state: "expired",
    sentence: `too late: this has expired, and nothing ran; to be asked again: again ${code}`,
  });
});

test("what is asked again is the same call, for the same person, once, and is decided anew", async () => {
  const made = await newDesk();
  const { world, desk, broker, owner, repeated, context, message, started } = made;
  const code = await unanswered(made);
  expect(await desk.again({ which: code, person: owner, via: TELEGRAM })).toEqual({
    again: true,
    sentence: "asked again",
  });
  expect(await desk.again({ which: code, person: owner, via: TELEGRAM })).toMatchObject({ again: false });
  const [row] = world.rows("approval.repeated");
  expect(row).toMatchObject({ cause: started, action: { by: owner.principal, via: "telegram" } });
  expect(repeated).toMatchObject([
    { message, seq: row?.seq, principal: owner.principal, asks: [{ name: "write_file", arguments: ASK.arguments }] },
  ]);
  const [ask] = repeated[0]?.asks ?? [];
  if (ask === undefined) throw new Error("nothing is asked");
  const answer = broker.tool({ ...context, counters: world.turn().counters }, ask);
  await soon(() => expect(desk.approvals.list()).toHaveLength(1));
  const [anew] = desk.approvals.list();
  expect(anew?.code).not.toBe(code);
  await desk.decide({
    code: anew?.code ?? "",
    decision: "approve",
    scope: "once",
    reason: null,
    person: owner,
    via: TELEGRAM,
  });
  expect(await answer).toMatchObject({ outcome: "done" });
});

test("neither somebody who may not decide nor another channel has it asked again", async () => {
  const made = await newDesk();
  const { desk, owner, repeated } = made;
  const code = await unanswered(made);
  const guest = { ...owner, principal: mint("principal"), role: "user" } as const;
  expect(await desk.again({ which: code, person: guest, via: TELEGRAM })).toMatchObject({ again: false });
  expect(await desk.again({ which: code, person: owner, via: SLACK })).toMatchObject({ again: false });
  expect(await desk.again({ which: "000000", person: owner, via: "terminal" })).toMatchObject({ again: false });
  expect(repeated).toEqual([]);
  // From the terminal everything can be.
  expect(await desk.again({ which: code, person: owner, via: "terminal" })).toMatchObject({ again: true });
});
