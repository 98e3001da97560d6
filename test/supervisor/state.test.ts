import { expect, test } from "vitest";
import { mint } from "../../src/ipc/ids.ts";
import { newWorld, type World } from "./world.ts";

/** One message from arrival to the end of its turn; the tool and model rows in between are the broker's tests. */
async function converse(world: World): Promise<{ session: string; conversation: string }> {
  const { log, people } = world;
  const owner = await people.ensureOwner("account");
  const conversation = mint("conversation");
  const session = mint("session");
  await log.append(
    { kind: "conversation.opened", conversation, channel: "telegram", talk: "direct" },
    { cause: null, content: { place: "42\n" } },
  );
  await log.append(
    { kind: "session.opened", session, conversation, channel: "telegram", agent: "default" },
    { cause: null, seal: session },
  );
  await receive(world, session, conversation, owner.principal, "1", true);
  await receive(world, session, conversation, owner.principal, "2", false);
  return { session, conversation };
}

async function receive(
  world: World,
  session: string,
  conversation: string,
  principal: string,
  dedupe: string,
  answered: boolean,
): Promise<void> {
  const { log } = world;
  const message = mint("message");
  const received = await log.append(
    { kind: "message.received", message, session, conversation, channel: "telegram", principal },
    { cause: null, seal: session, content: { text: `text ${dedupe}`, platform: dedupe } },
  );
  if (!answered) return;
  const turn = mint("turn");
  const digest = "0".repeat(64);
  const started = await log.append(
    { kind: "turn.started", turn, session, agent: "default", principal, message, policy: digest, settings: digest },
    { cause: received.seq, seal: session },
  );
  await log.append(
    { kind: "turn.ended", turn, session, reason: "done", rounds: 0 },
    { cause: started.seq, seal: session },
  );
}

/** Everything that the projection knows, as a value. */
function knowledge({ state }: World, known: { session: string; conversation: string }): object {
  return {
    people: state.people(),
    at: state.conversationAt("telegram", "42", null),
    conversation: state.conversation(known.conversation),
    session: state.openSession(known.conversation, "default"),
    waiting: state.waiting(),
    turns: state.openTurns(),
    said: state.said(known.session, 100),
    seen: ["1", "2", "3"].map((dedupe) => state.wasSeen("telegram", dedupe)),
    applied: state.applied,
  };
}

test("the projection follows from the rows alone: made anew it is the same", async () => {
  const world = await newWorld();
  const known = await converse(world);
  const before = knowledge(world, known);
  expect(before).toMatchObject({ seen: [true, true, false], waiting: [{ session: known.session }] });
  await world.log.checkpoint("stop");
  const applied = world.state.applied;
  const again = knowledge(world, known);
  await world.close();
  await world.open("another.db");
  // The log wrote its last rows at the close: they say nothing of conversations.
  expect({ ...knowledge(world, known), applied }).toEqual(again);
});

test("a message that was received and not answered waits for the next start", async () => {
  const world = await newWorld();
  await converse(world);
  await world.close();
  await world.open();
  const [waiting, ...more] = world.state.waiting();
  expect(more).toEqual([]);
  expect(world.log.row(waiting?.seq ?? -1)?.content("text")).toBe("text 2");
});

test("a row that was taken in already changes nothing", async () => {
  const world = await newWorld();
  await world.people.ensureOwner("account");
  const row = world.log.row(world.state.applied);
  expect(row).not.toBeNull();
  if (row !== null) world.state.apply(row);
  expect(world.state.people()).toHaveLength(1);
});

test("a cursor that is saved twice is the newer one", async () => {
  const { state } = await newWorld();
  state.saveCursor("telegram", "10");
  state.saveCursor("telegram", "11");
  expect(state.cursor("telegram")).toBe("11");
  expect(state.cursor("slack")).toBeNull();
});
