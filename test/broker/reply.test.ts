import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { EXPIRES_MS } from "../../src/broker/approvals.ts";
import { EVERYBODY, type Labels, NO_LABELS } from "../../src/broker/labels.ts";
import type { Leaving, Left } from "../../src/broker/leaving.ts";
import { RunPurse } from "../../src/broker/schedules/purse.ts";
import type { TurnContext } from "../../src/broker/turn.ts";
import { MAX_ASKED_REPLY } from "../../src/effect/message-action.ts";
import { SLACK, TELEGRAM, World } from "./world.ts";

const LINK = "it is at https://evil.example/?q=kestrel";
const BOTH: Labels = { untrusted: true, private: [EVERYBODY] };

let world: World;
beforeEach(async () => {
  world = await World.make();
  world.messages.known.set(world.conversation, [
    { conversation: world.conversation, channel: TELEGRAM, talk: "group", readers: ["Ada", "Bob"], own: false },
  ]);
});
afterEach(async () => {
  vi.useRealTimers();
  await world[Symbol.asyncDispose]();
});

async function turnWith(
  labels: Labels,
  given: Parameters<World["turn"]>[0] = {},
): Promise<{ readonly turn: TurnContext; readonly leaving: Leaving }> {
  const turn = world.turn({ channel: TELEGRAM, talk: "group", ...given });
  await turn.labels.raise(labels, 0);
  return { turn, leaving: world.broker.leaving(turn) };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function whole(talk: "direct" | "group", labels: Labels, typed = ""): Promise<string> {
  const { turn, leaving } = await turnWith(labels, { talk });
  turn.labels.words.typed(world.principal, typed);
  const left = await leaving.end(bytes(LINK));
  return left.state === "leaves" ? left.text : left.state;
}

test("a link that the person did not type goes out as text, once the conversation holds anything from outside or anybody's own", async () => {
  expect(await whole("direct", NO_LABELS)).toBe(LINK);
  expect(await whole("direct", { untrusted: true, private: [] })).toBe("it is at hxxps://evil[.]example/?q=kestrel");
  expect(await whole("group", { untrusted: true, private: [] })).toContain("kestrel");
  const typed = "what of https://evil.example/?q=kestrel";
  expect(await whole("direct", BOTH, typed)).toBe(LINK);
});

test("what may be somebody's leaves for a group beside what nobody of them wrote when somebody let it out, and as it was shown", async () => {
  world.sendTo = [TELEGRAM, SLACK];
  const { leaving } = await turnWith(BOTH);
  const left = leaving.end(bytes("the code is kestrel"));
  const { card, approval, tier, turn } = await world.card();
  expect(tier).toBe(3);
  expect(card.text).toContain("ANSWER IN A GROUP");
  for (const shown of [turn.conversation, "has written there | Bob", "  | the code is kestrel"])
    expect(card.text).toContain(shown);
  await expect(world.approvals.decide(approval, world.answer({ via: TELEGRAM }))).rejects.toThrow("channel that asked");
  await expect(world.approvals.decide(approval, world.answer({ via: SLACK, role: "user" }))).rejects.toThrow(
    "approver",
  );
  await world.approvals.decide(approval, world.answer({ via: SLACK }));
  const [decided] = world.rows("approval.decided");
  expect(await left).toEqual({ state: "approved", text: "the code is kestrel", rests: decided?.seq });
});

async function dropped(left: Promise<Left>): Promise<string | null> {
  const end = await left;
  expect(end.state).toBe("dropped");
  return end.state === "dropped" ? end.told : "";
}

test("one that is denied does not leave: why is said in its place, and is on the record", async () => {
  const { leaving } = await turnWith(BOTH);
  const left = leaving.end(bytes("the code is kestrel"));
  const { approval } = await world.card();
  await world.approvals.decide(approval, world.answer({ decision: "deny", reason: "not for Bob" }));
  const told = await dropped(left);
  expect(told).toContain("not for Bob");
  expect(told).not.toContain("kestrel");
  const [refused] = world.rows("tool.refused");
  expect(refused?.action).toMatchObject({ tool: "reply", key: `reply:${world.conversation}`, reason: "denied" });
});

test("a turn that is stopped while its answer waits gives it to nobody", async () => {
  const stop = new AbortController();
  const { leaving } = await turnWith(BOTH, { signal: stop.signal });
  const left = leaving.end(bytes("the code is kestrel"));
  const { approval } = await world.card();
  stop.abort();
  expect(await dropped(left)).toBeNull();
  const late = await world.approvals.decide(approval, world.answer());
  expect(late.sentence).toContain("too late");
});

test("whoever presses too late can have it asked again, for once", async () => {
  const { leaving } = await turnWith(BOTH);
  const left = leaving.end(bytes("the code is kestrel"));
  const { approval } = await world.card();
  world.clock.advance(EXPIRES_MS + 1);
  expect((await world.approvals.decide(approval, world.answer())).state).toBe("expired");
  expect(await dropped(left)).toContain("nobody approved it in time");
  expect(world.broker.repeats.take(approval)).toMatchObject({ asks: [], replies: ["the code is kestrel"] });
  expect(world.broker.repeats.take(approval)).toBeNull();
});

test("what waited when the daemon died is expired by the next start", async () => {
  const { leaving } = await turnWith(BOTH);
  void leaving.end(bytes("the code is kestrel")).catch(() => undefined);
  await world.card();
  await world.restart();
  expect(await world.approvals.expireInterrupted(world.state.questionsOpen())).toBe(1);
  expect(world.rows("approval.decided").map(({ action }) => action)).toMatchObject([{ decision: "expired", by: null }]);
});

test("nobody is asked where nobody is there, where it is too long to be read, or where the configuration has decided", async () => {
  const scheduled = await turnWith(BOTH, { scheduled: new RunPurse() });
  expect(await dropped(scheduled.leaving.end(bytes("x")))).toContain("by schedule");
  const { turn, leaving } = await turnWith(BOTH);
  expect(await dropped(leaving.end(bytes("x".repeat(MAX_ASKED_REPLY + 1))))).toContain("longer than");
  const key = `reply:${world.conversation}`;
  world.rules = [{ effect: "deny", key }];
  expect(await dropped(world.broker.leaving(turn).end(bytes("x")))).toContain("the configuration does not allow it");
  world.rules = [{ effect: "allow", key }];
  expect(await world.broker.leaving(turn).end(bytes("x"))).toEqual({ state: "leaves", text: "x" });
  // Whoever allows every group names none.
  world.rules = [{ effect: "allow", key: "reply:*" }];
  const left = world.broker.leaving(turn).end(bytes("x"));
  await world.approvals.decide((await world.card()).approval, world.answer({ decision: "deny" }));
  expect(await dropped(left)).toContain("somebody denied it");
});

test("what comes in pieces leaves in pieces, until a label is raised: then the rest waits for somebody", async () => {
  const { turn, leaving } = await turnWith(NO_LABELS);
  expect(leaving.piece(bytes("good mor"))).toBe("good mor");
  await turn.labels.raise({ untrusted: true, private: [] }, 0);
  expect(leaving.piece(bytes("ning all, see https://ev"))).toBe("\nning all, see ");
  expect(leaving.piece(bytes("il.example/?q=1 now"))).toBe("hxxps://evil[.]example/?q=1 ");
  await turn.labels.raise(BOTH, 0);
  expect(leaving.piece(bytes(": the code is kes"))).toBe("");
  const left = leaving.end(bytes("trel"));
  const { approval, card } = await world.card();
  expect(card.text).toContain("  | now: the code is kestrel");
  await world.approvals.decide(approval, world.answer());
  expect(await left).toMatchObject({ state: "approved", text: "now: the code is kestrel" });
});

test("an address does not come together out of pieces that left one by one", async () => {
  const { turn, leaving } = await turnWith(NO_LABELS);
  let shown = leaving.piece(bytes("look at https://evil.exam"));
  await turn.labels.raise({ untrusted: false, private: [EVERYBODY] }, 0);
  for (const piece of ["ple/?q=", "kest", "rel and [a ", "name](https://evil.ex", "ample/?q=2)\n"])
    shown += leaving.piece(bytes(piece));
  const left = await leaving.end();
  shown += left.state === "leaves" ? left.text : "";
  expect(shown).toBe("look at https://evil.exam\nple/?q=kestrel and a name (hxxps://evil[.]example/?q=2)\n");
});
