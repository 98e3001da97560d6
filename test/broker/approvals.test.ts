import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { AuditError } from "../../audit/error.ts";
import { ApprovalError } from "../../src/broker/approval-error.ts";
import type { ToolAnswer } from "../../src/broker/call.ts";
import { type PendingApproval, viewOf } from "../../src/broker/pending.ts";
import { AdapterChannel, type Channel } from "../../src/ipc/channel.ts";
import type { Role } from "../../src/ipc/operator.ts";
import { SLACK, TELEGRAM, World } from "./world.ts";
import { soon } from "../support/soon.ts";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(async () => {
  vi.useRealTimers();
  await world[Symbol.asyncDispose]();
});

const WORK = AdapterChannel.parse("slack:work");

/** Asks for a file to be written, on a channel. */
async function ask(
  channel: Channel,
  given: { readonly protected?: boolean; readonly role?: Role } = {},
): Promise<{ answer: Promise<ToolAnswer>; card: PendingApproval }> {
  const path = given.protected === true ? "AGENTS.md" : "a.txt";
  const answer = world.call(world.turn({ channel, role: given.role ?? "owner" }), "write_file", { path, content: "x" });
  return { answer, card: await world.card(world.cards.length + 1) };
}

function codeOf(error: unknown): string {
  if (error instanceof ApprovalError) return error.code;
  throw error;
}

async function end(card: PendingApproval, answer: Promise<ToolAnswer>): Promise<void> {
  await world.approvals.decide(card.approval, world.answer({ decision: "deny" }));
  await answer;
}

test.for<[tier: number, asked: Channel, via: Channel, role: Role, taken: "approved" | "elsewhere" | "not-allowed"]>([
  [2, TELEGRAM, TELEGRAM, "owner", "approved"],
  [2, TELEGRAM, TELEGRAM, "approver", "approved"],
  [2, TELEGRAM, TELEGRAM, "user", "not-allowed"],
  [2, TELEGRAM, SLACK, "approver", "approved"],
  [2, "web", "web", "owner", "approved"],
  [2, "terminal", "terminal", "owner", "approved"],
  [3, TELEGRAM, TELEGRAM, "owner", "elsewhere"],
  [3, TELEGRAM, SLACK, "owner", "approved"],
  [3, TELEGRAM, SLACK, "user", "not-allowed"],
  [3, SLACK, WORK, "approver", "approved"],
  [3, TELEGRAM, "web", "owner", "approved"],
  [3, TELEGRAM, "terminal", "owner", "approved"],
  [3, "web", "web", "owner", "elsewhere"],
  [3, "web", TELEGRAM, "owner", "elsewhere"],
  [3, "web", "terminal", "owner", "approved"],
  [3, "terminal", "terminal", "owner", "approved"],
  [3, "terminal", "web", "owner", "approved"],
])("tier %i, asked on %s, pressed on %s by %s: %s", async ([tier, asked, via, role, taken]) => {
  world.sendTo = [TELEGRAM, SLACK, WORK];
  const { answer, card } = await ask(asked, { protected: tier === 3 });
  const state = await world.approvals
    .decide(card.approval, world.answer({ via, role, by: "p_00000000000000000000000000" }))
    .then((decided) => decided.state, codeOf);
  expect(state).toBe(taken);
  const view = viewOf(card, via, role);
  expect(view.decidable).toBe(taken === "approved");
  expect(view.elsewhere === null).toBe(taken === "approved");
  // A card that was not decided waits on.
  expect(world.approvals.get(card.approval) === null).toBe(taken === "approved");
  await end(card, answer);
  expect((await answer).outcome).toBe(taken === "approved" ? "done" : "denied");
});

test("who has one channel only may be allowed to decide there, and nobody else is; the decision says what allowed it", async () => {
  world.sendTo = [TELEGRAM];
  world.sameChannel = 7;
  const { answer, card } = await ask(TELEGRAM, { protected: true });
  const bob = world.answer({ via: TELEGRAM, role: "approver", by: "p_00000000000000000000000000" });
  await expect(world.approvals.decide(card.approval, bob)).rejects.toMatchObject({ code: "elsewhere" });
  expect(await world.approvals.decide(card.approval, world.answer({ via: TELEGRAM }))).toMatchObject({
    state: "approved",
  });
  expect(await answer).toMatchObject({ outcome: "done" });
  expect(world.rows("approval.decided")[0]?.action).toMatchObject({ via: "telegram", under: 7 });
  // Where it would have been decided anyway, it says nothing.
  const other = await ask(TELEGRAM);
  await world.approvals.decide(other.card.approval, world.answer({ via: TELEGRAM }));
  await other.answer;
  const under = world.rows("approval.decided").map(({ action }) => Object.hasOwn(action, "under"));
  expect(new Set(under)).toEqual(new Set([true, false]));
});

test("a press on a channel that the card was not sent to is none, and is told", async () => {
  world.sendTo = [TELEGRAM];
  const { answer, card } = await ask(TELEGRAM);
  await expect(world.approvals.decide(card.approval, world.answer({ via: SLACK }))).rejects.toMatchObject({
    code: "foreign",
  });
  await expect(
    world.approvals.decide(card.approval, world.answer({ via: SLACK, decision: "deny" })),
  ).rejects.toMatchObject({ code: "foreign" });
  expect(world.foreign).toEqual([`slack ${world.principal}`, `slack ${world.principal}`]);
  await end(card, answer);
  // Nor when it is over: what became of it is not told there either.
  for (const name of [card.approval, card.code])
    await expect(world.approvals.decide(name, world.answer({ via: SLACK }))).rejects.toMatchObject({ code: "foreign" });
  expect(world.foreign).toHaveLength(4);
});

test("an answer to another card than the one that is pending is not taken", async () => {
  const { answer, card } = await ask("terminal");
  await expect(world.approvals.decide(card.approval, world.answer({ card: "0".repeat(64) }))).rejects.toMatchObject({
    code: "other-card",
  });
  expect(await world.approvals.decide(card.approval, world.answer({ card: card.card.digest }))).toMatchObject({
    state: "approved",
  });
  await answer;
});

test("tier 3 cannot be approved for longer than once", async () => {
  const { answer, card } = await ask("terminal", { protected: true });
  for (const scope of ["session", "always"] as const) {
    await expect(world.approvals.decide(card.approval, world.answer({ scope }))).rejects.toMatchObject({
      code: "scope",
    });
  }
  await end(card, answer);
});

test("of two presses at once one counts", async () => {
  const { answer, card } = await ask("terminal");
  const states = await Promise.all([
    world.approvals.decide(card.approval, world.answer()),
    world.approvals.decide(card.approval, world.answer({ decision: "deny" })),
  ]);
  expect(states[0].state).toBe("approved");
  expect(["approved", "gone"]).toContain(states[1].state);
  await answer;
  expect(world.rows("approval.decided")).toHaveLength(1);
});

test("whoever asked may take it back, whatever their role; another user may not", async () => {
  const { answer, card } = await ask("terminal", { role: "user" });
  const other = world.answer({ role: "user", by: "p_00000000000000000000000000", decision: "deny" });
  await expect(world.approvals.decide(card.approval, other)).rejects.toMatchObject({ code: "not-allowed" });
  expect(await world.approvals.decide(card.approval, world.answer({ role: "user", decision: "deny" }))).toMatchObject({
    state: "denied",
  });
  expect(await answer).toMatchObject({ outcome: "denied" });
});

test("a card that nobody answers expires after five minutes, and a late press says so", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const answer = world.call(world.turn(), "write_file", { path: "a.txt", content: "x" });
  await vi.advanceTimersByTimeAsync(30);
  await soon(() => expect(world.cards).toHaveLength(1));
  const [card] = world.cards;
  await vi.advanceTimersByTimeAsync(5 * 60_000);
  vi.useRealTimers();
  expect(await answer).toMatchObject({ outcome: "refused" });
  expect(world.rows("tool.refused")[0]?.action).toMatchObject({ reason: "expired" });
  expect(world.closed).toMatchObject([{ state: "expired" }]);
  for (const name of [card?.approval ?? "", card?.code.toLowerCase() ?? ""]) {
    expect(await world.approvals.decide(name, world.answer())).toEqual({
      state: "expired",
      sentence: "too late: this has expired, and nothing ran",
      approval: card?.approval,
    });
  }
  expect(world.rows("approval.decided")[0]?.action).toMatchObject({ decision: "expired", by: null });
});

test("a press after its time is late even if the timer has not run", async () => {
  const { answer, card } = await ask("terminal");
  world.clock.advance(6 * 60_000);
  expect(await world.approvals.decide(card.approval, world.answer())).toMatchObject({ state: "expired" });
  expect(await answer).toMatchObject({ outcome: "refused" });
});

test("a card expires by the clock on the wall, which goes on while the machine sleeps", async () => {
  const { answer, card } = await ask("terminal");
  world.clock.advance(8 * 3_600_000);
  // The timer of five minutes has not run: it stood still as well.
  await soon(() => expect(world.approvals.list()).toEqual([]));
  expect(await answer).toMatchObject({ outcome: "refused" });
  expect(world.closed).toMatchObject([{ state: "expired" }]);
  expect(world.approvals.get(card.approval)).toBeNull();
});

test("what was pending at a crash expires at the next start", async () => {
  const { card } = await ask("terminal");
  await world.restart();
  expect(world.approvals.list()).toHaveLength(0);
  expect(await world.approvals.expireInterrupted(world.state.questionsOpen())).toBe(1);
  const [decided] = world.rows("approval.decided");
  expect(decided?.action).toMatchObject({ decision: "expired" });
  expect(decided?.cause).toBe(card.row);
  expect(await world.approvals.decide(card.approval, world.answer())).toMatchObject({ state: "expired" });
  expect(await world.approvals.expireInterrupted(world.state.questionsOpen())).toBe(0);
});

test("a denial counts even when it cannot be recorded; an approval does not", async () => {
  const one = await ask("terminal");
  await world.log.close();
  await expect(world.approvals.decide(one.card.approval, world.answer())).rejects.toThrow(AuditError);
  expect(world.approvals.list()).toHaveLength(1);
  await expect(world.approvals.decide(one.card.approval, world.answer({ decision: "deny" }))).rejects.toThrow(
    AuditError,
  );
  expect(world.approvals.list()).toHaveLength(0);
  expect((await one.answer).outcome).not.toBe("done");
  await world.restart();
});

test("a code is found in whatever case it is typed", async () => {
  const { answer, card } = await ask("terminal");
  expect(world.approvals.byCode(card.code.toLowerCase())?.approval).toBe(card.approval);
  await end(card, answer);
});
