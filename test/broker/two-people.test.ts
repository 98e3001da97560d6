import { afterEach, beforeEach, expect, test } from "vitest";
import { ApprovalError } from "../../src/broker/approval-error.ts";
import { mint } from "../../src/ipc/ids.ts";
import { SLACK, TELEGRAM, World } from "./world.ts";

let world: World;
beforeEach(async () => {
  world = await World.make();
  world.several = [{ key: "file.write:*", requesterCounts: false }];
  world.sendTo = [TELEGRAM, SLACK];
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const BOB = { by: mint("principal"), name: "Bob", role: "approver", via: SLACK } as const;
const CAT = { by: mint("principal"), name: "Cat", role: "approver", via: TELEGRAM } as const;

async function asked() {
  const answer = world.call(world.turn(), "write_file", { path: "a.txt", content: "x" });
  return { answer, card: await world.card() };
}
async function refusal(press: Promise<unknown>): Promise<string> {
  return await press.then(
    () => "taken",
    (error: unknown) => (error instanceof ApprovalError ? error.message : "another error"),
  );
}

test("what takes two people runs after the second of them, and the card says how far it is", async () => {
  const { answer, card } = await asked();
  expect(card.card.text).toContain(
    "it needs 2 different people, none of them whoever asks: 0 of 2, nobody has approved it yet",
  );
  expect(card.scopes).toEqual(["once"]);
  expect(await world.approvals.decide(card.approval, world.answer(BOB))).toMatchObject({
    state: "counted",
    sentence: "1 of 2: another person has to approve it too",
  });
  expect(world.rows("tool.called")).toEqual([]);
  const second = await world.card(2);
  expect(second.card.text).toContain("1 of 2, approved by Bob on slack");
  expect(world.rows("approval.counted")[0]?.content("card")).toBe(second.card.text);
  // Whoever saw the card of before has not seen this one.
  expect(
    await refusal(world.approvals.decide(card.approval, world.answer({ ...CAT, card: card.card.digest }))),
  ).toContain("this is not the request that you were shown");
  expect(await world.approvals.decide(card.approval, world.answer({ ...CAT, card: second.card.digest }))).toMatchObject(
    {
      state: "approved",
    },
  );
  expect(await answer).toMatchObject({ outcome: "done" });
  // From what ran, both are found.
  const [called] = world.rows("tool.called");
  const [counted] = world.rows("approval.counted");
  const [decided] = world.rows("approval.decided");
  expect(called?.action).toMatchObject({ authority: "approval", rests: decided?.seq });
  expect([decided?.cause, counted?.cause]).toEqual([counted?.seq, card.row]);
});

test("the same person does not count twice, and whoever asks does not count", async () => {
  const { answer, card } = await asked();
  expect(await refusal(world.approvals.decide(card.approval, world.answer()))).toContain("you asked for this");
  await world.approvals.decide(card.approval, world.answer(BOB));
  expect(await refusal(world.approvals.decide(card.approval, world.answer({ ...BOB, via: TELEGRAM })))).toContain(
    "another person has to as well",
  );
  expect(world.rows("tool.called")).toEqual([]);
  // One of them who denies it is enough.
  await world.approvals.decide(card.approval, world.answer({ ...CAT, decision: "deny" }));
  expect(await answer).toMatchObject({ outcome: "denied" });
});

test("the press of somebody who was removed before the second one does not count", async () => {
  const { answer, card } = await asked();
  await world.approvals.decide(card.approval, world.answer(BOB));
  world.removed.add(BOB.by);
  expect(await world.approvals.decide(card.approval, world.answer(CAT))).toMatchObject({ state: "counted" });
  expect((await world.card(3)).card.text).toContain("1 of 2, approved by Cat on telegram");
  expect(world.rows("tool.called")).toEqual([]);
  const dan = { ...BOB, by: mint("principal"), name: "Dan" } as const;
  expect(await world.approvals.decide(card.approval, world.answer(dan))).toMatchObject({ state: "approved" });
  expect(await answer).toMatchObject({ outcome: "done" });
});

test("two presses of one person at once count once", async () => {
  const { answer, card } = await asked();
  const states = await Promise.all([
    world.approvals.decide(card.approval, world.answer(BOB)).then(({ state }) => state),
    refusal(world.approvals.decide(card.approval, world.answer(BOB))),
  ]);
  expect(states).toEqual(["counted", "you approved this already: another person has to as well"]);
  await world.approvals.decide(card.approval, world.answer({ decision: "deny" }));
  await answer;
});

test("where the rule says so, whoever asks is one of the two", async () => {
  world.several = [{ key: "file.write:workspace", requesterCounts: true }];
  const { answer, card } = await asked();
  expect(await world.approvals.decide(card.approval, world.answer())).toMatchObject({ state: "counted" });
  expect(await world.approvals.decide(card.approval, world.answer(BOB))).toMatchObject({ state: "approved" });
  expect(await answer).toMatchObject({ outcome: "done" });
});

test("what was remembered for one person, or is free, does not open what takes two", async () => {
  await world.grants.give(world.turn(), "file.write:workspace", "always", {
    by: world.principal,
    via: "terminal",
    cause: 0,
  });
  const { answer, card } = await asked();
  await world.approvals.decide(card.approval, world.answer({ decision: "deny" }));
  expect(await answer).toMatchObject({ outcome: "denied" });
  world.several = [{ key: "file.list:*", requesterCounts: false }];
  const listing = world.call(world.turn(), "list_files", { path: "." });
  const second = await world.card(2);
  expect(second.card.text).toContain("the configuration has this approved by two people");
  await world.approvals.decide(second.approval, world.answer({ decision: "deny" }));
  expect(await listing).toMatchObject({ outcome: "denied" });
});
