import { readFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { mint } from "../../src/ipc/ids.ts";
import { catchUp } from "../../src/supervisor/catch-up.ts";
import { State } from "../../src/supervisor/state.ts";
import { newKeys } from "../broker/real-log.ts";
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
    said: state.lastSaid(known.session, 100),
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

const PERSONAL = [
  "Berta Muster",
  "U0BERTA42",
  "-100777",
  "thread-888",
  "platform-message-31",
  "cursor-5544",
  "card-9911",
];

/** Somebody asks, is let in, writes in a group, and is shown a card: everything of theirs that the projection keeps. */
async function letIn(world: World): Promise<void> {
  const { people, state, log } = world;
  const [name = "", id = "", place = "", thread = "", dedupe = "", cursor = "", card = ""] = PERSONAL;
  const owner = await people.ensureOwner("account");
  await people.request("slack", "U0STRANGER", "A stranger");
  await people.request("slack", id, name);
  const code = people.pending().find((one) => one.id === id)?.code ?? "";
  const { person } = await people.approve(code, "user", null, { by: owner.principal, via: "terminal" });
  const [conversation, session] = [mint("conversation"), mint("session")];
  await log.append(
    { kind: "conversation.opened", conversation, channel: "slack", talk: "group" },
    { cause: null, content: { place: `${place}\n${thread}` } },
  );
  await log.append(
    { kind: "session.opened", session, conversation, channel: "slack", agent: "default" },
    { cause: null, seal: session },
  );
  await receive(world, session, conversation, person.principal, dedupe, true);
  state.saveCursor("slack", cursor);
  state.saveCard(mint("approval"), "slack", conversation, [card]);
}

/** What of it lies in the bytes of the projection's files. */
function foundIn(folder: string): string[] {
  const bytes = ["state.db", "state.db-wal"].map((name) => readFileSync(join(folder, name), "latin1")).join("\n");
  return [...PERSONAL, "U0STRANGER", "A stranger"].filter((text) => bytes.includes(text));
}

test("whoever reads the file of the projection learns nobody's name, id, place or message number", async () => {
  const world = await newWorld();
  await letIn(world);
  const [name, id, place, thread, dedupe, cursor] = PERSONAL;
  const person = world.state.personOf("slack", id ?? "");
  expect(person?.name).toBe(name);
  expect(world.state.identities(person?.principal ?? "")).toEqual([{ channel: "slack", id, name }]);
  expect(world.state.conversationAt("slack", place ?? "", thread ?? "")).toMatchObject({ place, thread });
  expect(world.state.wasSeen("telegram", dedupe ?? "")).toBe(true);
  expect(world.state.cursor("slack")).toBe(cursor);
  expect(world.state.pairingOf("slack", "U0STRANGER")?.name).toBe("A stranger");
  expect(foundIn(world.folder)).toEqual([]);
  // The scanner finds what is there: of a name in the clear, it says so.
  const database = new Database(join(world.folder, "state.db"));
  database.exec("CREATE TABLE clear (name TEXT); INSERT INTO clear VALUES ('Berta Muster')");
  expect(foundIn(world.folder)).toEqual(["Berta Muster"]);
  database.close();
});

test("a file that lay in the clear is made anew from the log, keeps cursors and cards, and nothing of it stays to be read", async () => {
  const world = await newWorld();
  await letIn(world);
  const [, id] = PERSONAL;
  const people = world.state.people();
  await world.close();
  const path = join(world.folder, "state.db");
  const old = new Database(path);
  old.exec(`DROP TABLE cursor; DROP TABLE card; DROP TABLE sealing; DROP TABLE identity; PRAGMA user_version = 3;
    CREATE TABLE cursor (channel TEXT PRIMARY KEY, cursor TEXT NOT NULL) STRICT;
    CREATE TABLE card (approval TEXT NOT NULL, channel TEXT NOT NULL, conversation TEXT NOT NULL, ids TEXT NOT NULL) STRICT;
    CREATE TABLE identity (channel TEXT NOT NULL, sender TEXT NOT NULL, name TEXT NOT NULL) STRICT;
    INSERT INTO cursor VALUES ('slack', 'cursor-5544');
    INSERT INTO card VALUES ('a_1', 'slack', 'c_1', 'card-9911');
    INSERT INTO identity VALUES ('slack', 'U0BERTA42', 'Berta Muster');`);
  old.close();
  await world.open();
  expect(world.state.people()).toEqual(people);
  expect(world.state.personOf("slack", id ?? "")?.principal).toBe(people.at(-1)?.principal);
  expect(world.state.cursor("slack")).toBe("cursor-5544");
  expect(world.state.cards("a_1")).toEqual([{ channel: "slack", conversation: "c_1", ids: ["card-9911"] }]);
  expect(foundIn(world.folder)).toEqual([]);
});

test("a file that another vault sealed is made anew from the log", async () => {
  const world = await newWorld();
  await letIn(world);
  const people = world.state.people();
  await world.close();
  Object.assign(world.keys, { state: newKeys().state });
  await world.open();
  expect(world.state.people()).toEqual(people);
  expect(world.state.cursor("slack")).toBeNull();
});

test("a name that was put in another's place is not read as theirs", async () => {
  const world = await newWorld();
  await letIn(world);
  await world.close();
  const path = join(world.folder, "state.db");
  const database = new Database(path);
  database.exec("UPDATE person SET name = (SELECT name FROM person WHERE role = 'user')");
  database.close();
  const state = State.open(path, world.keys.state);
  expect(() => state.people()).toThrow("state.db was changed by another program");
  state.close();
});

test("a start that reads many rows says so, how far it is, and how long it took; one that reads few says nothing", async () => {
  const world = await newWorld();
  await letIn(world);
  const before = world.state.people();
  const state = State.open(join(world.folder, "anew.db"), world.keys.state);
  const said: string[] = [];
  let now = 0;
  const clock = (): number => (now += 3_000);
  const say = (line: string): void => void said.push(line);
  catchUp(state, world.log, say, 2, clock);
  expect(state.people()).toEqual(before);
  const { size } = world.log;
  expect(said).toEqual([
    expect.stringMatching(`^${size} rows of the log are read`),
    `read up to row ${size - 1} of ${size - 1}`,
    expect.stringMatching(/^they were read in \d+\.0 s$/),
  ]);
  // What comes from now on is taken in as before.
  await world.people.request("telegram", "sender-77", "Ada");
  expect(state.pairingOf("telegram", "sender-77")?.name).toBe("Ada");
  state.close();
  const few = State.open(join(world.folder, "anew.db"), world.keys.state);
  catchUp(few, world.log, say, 2, clock);
  expect(said).toHaveLength(3);
  few.close();
});

test("a crash while rows are read leaves all that a transaction took in, or none: the next start reads the rest", async () => {
  const world = await newWorld();
  await letIn(world);
  const before = world.state.people();
  const path = join(world.folder, "anew.db");
  const state = State.open(path, world.keys.state);
  expect(() =>
    state.follow(world.log, () => {
      throw new Error("the power went");
    }),
  ).toThrow("the power went");
  expect(state.applied).toBe(-1);
  expect(state.people()).toEqual([]);
  state.close();
  const again = State.open(path, world.keys.state);
  again.follow(world.log);
  expect(again.people()).toEqual(before);
  expect(again.applied).toBe(world.log.size - 1);
  again.close();
});
