import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { factsOf } from "../../src/broker/action.ts";
import type { ToolAction } from "../../src/effect/action.ts";
import type { Recipient } from "../../src/effect/outgoing.ts";
import { mint } from "../../src/ipc/ids.ts";
import { TELEGRAM, World } from "./world.ts";

let world: World;
let mine: Recipient;
let theirs: Recipient;
beforeEach(async () => {
  world = await World.make();
  mine = { conversation: mint("conversation"), channel: TELEGRAM, talk: "direct", readers: ["Ada"], own: true };
  theirs = { conversation: mint("conversation"), channel: TELEGRAM, talk: "direct", readers: ["Bob"], own: false };
  world.messages.known.set("me", [mine]).set("Bob", [theirs]);
});
afterEach(async () => await world[Symbol.asyncDispose]());

test("a message to oneself elsewhere is asked once, and one to somebody else every time", async () => {
  const given = { to: "me", text: "hello" };
  const calling = world.call(world.turn(), "send_message", given);
  const card = await world.card();
  expect([card.key, card.tier, card.scopes]).toEqual([
    `message:${mine.conversation}`,
    2,
    ["once", "session", "always"],
  ]);
  await world.approvals.decide(card.approval, world.answer({ scope: "session" }));
  expect(await calling).toMatchObject({
    outcome: "done",
    text: expect.stringContaining("delivered to Ada on telegram"),
  });
  expect(await world.call(world.turn(), "send_message", given)).toMatchObject({ outcome: "done" });

  const other = world.call(world.turn(), "send_message", { to: "Bob", text: "hello\n\u202eolleh" });
  const second = await world.card(2);
  expect([second.key, second.tier, second.scopes]).toEqual([`message:${theirs.conversation}`, 3, ["once"]]);
  expect(second.card.text).toContain("send a message to SOMEBODY ELSE");
  expect(second.card.text).toContain("reader | Bob");
  expect(second.card.text).toContain("  | hello\n  | \\u{202e}olleh");
  await world.approvals.decide(second.approval, world.answer());
  expect(await other).toMatchObject({ outcome: "done" });
  expect(world.messages.sent.map(({ conversation }) => conversation)).toEqual([
    mine.conversation,
    mine.conversation,
    theirs.conversation,
  ]);
});

test("a message is a way out to one conversation, and brings nothing", () => {
  const action: ToolAction = { type: "message.send", ...theirs, readers: ["Bob"], text: "x" };
  expect(factsOf(action)).toMatchObject({
    leaves: { by: "message", conversation: theirs.conversation },
    brings: { untrusted: false, private: "nothing" },
  });
});

test("where several may be meant the model is told which, and nothing is sent", async () => {
  const group: Recipient = { ...theirs, conversation: mint("conversation"), talk: "group", readers: ["Bob", "Ada"] };
  world.messages.known.set("Bob", [theirs, group]);
  const answer = await world.call(world.turn(), "send_message", { to: "Bob", text: "x" });
  expect(answer.outcome).toBe("refused");
  expect(answer.text).toContain(`${theirs.conversation}: Bob, on telegram`);
  expect(answer.text).toContain(`${group.conversation}: a group of Bob, Ada, on telegram`);
  expect(world.messages.sent).toEqual([]);
});

test("nobody, and this conversation, are no recipients", async () => {
  const here: Recipient = { ...mine, conversation: world.conversation };
  world.messages.known.set("here", [here]);
  const nobody = await world.call(world.turn(), "send_message", { to: "Nobody", text: "x" });
  expect(nobody.text).toContain("nobody whom you talk with");
  const self = await world.call(world.turn(), "send_message", { to: "here", text: "x" });
  expect(self.text).toContain("that is this conversation");
});

test.for(["died", "unknown"] as const)(
  "a message that was lost (%s) is told as that, and not sent again",
  async (reason) => {
    world.rules = [{ effect: "allow", key: "message:*" }];
    world.messages.deliveries.push({ state: "failed", reason, ids: [], error: "the connection broke" });
    const turn = world.turn();
    const first = await world.call(turn, "send_message", { to: "me", text: "x" });
    expect(first).toMatchObject({ outcome: "failed", text: expect.stringContaining("it is not known whether") });
    const second = await world.call(turn, "send_message", { to: "me", text: "x" });
    expect(second).toMatchObject({ outcome: "refused", text: expect.stringContaining("is not repeated") });
    expect(world.messages.sent).toHaveLength(1);
  },
);

test("a message that was refused by its platform may be tried again", async () => {
  world.rules = [{ effect: "allow", key: "message:*" }];
  world.messages.deliveries.push({ state: "failed", reason: "rate-limited", ids: [], error: "slow down" });
  const turn = world.turn();
  const first = await world.call(turn, "send_message", { to: "me", text: "x" });
  expect(first.text).toContain("not delivered to Ada on telegram");
  expect(await world.call(turn, "send_message", { to: "me", text: "x" })).toMatchObject({ outcome: "done" });
});

test("a file goes along as it was when it was asked for, also into this conversation", async () => {
  const here: Recipient = { ...mine, conversation: world.conversation };
  world.messages.known.set("me", [mine, here]);
  writeFileSync(join(world.workspace, "report.pdf"), "%PDF-1.7 one");
  const asked = { to: "me", text: "here it is", files: ["report.pdf"] };
  const first = world.call(world.turn(), "send_message", asked);
  const card = await world.card();
  expect(card.key).toBe(`message:${world.conversation}`);
  expect(card.card.text).toContain("send FILES to yourself");
  expect(card.card.text).toMatch(/file \| report\.pdf \(SHA-256 [0-9a-f]{64}\)/);
  await world.approvals.decide(card.approval, world.answer());
  expect(await first).toMatchObject({ outcome: "done" });
  expect(world.messages.files).toMatchObject([{ name: "report.pdf", mime: "application/pdf" }]);
  // What was changed since it was shown does not leave.
  const second = world.call(world.turn(), "send_message", asked);
  const shown = await world.card(2);
  writeFileSync(join(world.workspace, "report.pdf"), "%PDF-1.7 two");
  await world.approvals.decide(shown.approval, world.answer());
  expect(await second).toMatchObject({ outcome: "failed", text: expect.stringContaining("is not the file any more") });
  expect(world.messages.files).toHaveLength(1);
});

test("what is no file of the workspace goes nowhere, and what somebody else reads is asked for every time", async () => {
  const turn = world.turn();
  const none = await world.call(turn, "send_message", { to: "me", text: "x", files: ["../../etc/passwd"] });
  expect(none.text).toContain("is no file of the workspace");
  writeFileSync(join(world.workspace, "a.txt"), "a");
  world.rules = [{ effect: "allow", key: "message:*" }];
  const given = { text: "x", files: ["a.txt"] };
  expect(await world.call(turn, "send_message", { ...given, to: "me" })).toMatchObject({ outcome: "done" });
  const calling = world.call(turn, "send_message", { ...given, to: "Bob" });
  const card = await world.card();
  expect(card.card.text).toContain("send FILES to SOMEBODY ELSE");
  await world.approvals.decide(card.approval, world.answer({ decision: "deny" }));
  expect(await calling).toMatchObject({ outcome: "denied" });
  expect(world.messages.files).toHaveLength(1);
});
