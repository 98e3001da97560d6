import { beforeEach, expect, test } from "vitest";
import { type ConversationId, mint, type PrincipalId } from "../../src/ipc/ids.ts";
import { Recipients } from "../../src/supervisor/recipients.ts";
import { newWorld, type World } from "./world.ts";

let world: World;
let ada: PrincipalId;
let bob: PrincipalId;
const places = new Map<string, ConversationId>();

beforeEach(async () => {
  world = await newWorld();
  ada = (await world.people.ensureOwner("Ada")).principal;
  bob = await person("Bob");
  places.clear();
  await talk("ada at home", "telegram", "direct", [ada]);
  await talk("ada at work", "slack", "direct", [ada]);
  await talk("bob", "telegram", "direct", [bob]);
  await talk("team", "slack", "group", [ada, bob]);
  await talk("bob with another agent", "slack", "direct", [bob], "other");
});

async function person(name: string): Promise<PrincipalId> {
  const principal = mint("principal");
  await world.log.append(
    { kind: "person.added", principal, role: "user", by: ada, via: "terminal" },
    { cause: null, seal: principal, content: { name } },
  );
  return principal;
}

async function talk(
  place: string,
  channel: string,
  kind: "direct" | "group",
  writers: readonly PrincipalId[],
  agent = "default",
): Promise<void> {
  const { log } = world;
  const [conversation, session] = [mint("conversation"), mint("session")];
  places.set(place, conversation);
  await log.append(
    { kind: "conversation.opened", conversation, channel, talk: kind },
    { cause: null, content: { place: `${place}\n` } },
  );
  await log.append({ kind: "session.opened", session, conversation, channel, agent }, { cause: null, seal: session });
  for (const principal of writers)
    await log.append(
      { kind: "message.received", message: mint("message"), session, conversation, channel, principal },
      { cause: null, seal: session, content: { text: "x", platform: mint("message") } },
    );
}

function meant(to: string): string[] {
  const asking = { agent: "default", principal: ada, conversation: places.get("ada at home") ?? "" };
  const found = new Set(new Recipients(world.state).meant(to, asking).map(({ conversation }) => conversation));
  return [...places].filter(([, id]) => found.has(id)).map(([place]) => place);
}

test("a name means every direct talk of whoever has it, with this agent, whatever its capitals", () => {
  expect(meant("Bob")).toEqual(["bob"]);
  expect(meant(" bOB ")).toEqual(["bob"]);
  expect(meant("Ada")).toEqual(["ada at home", "ada at work"]);
});

test("me means the talks of the person whose turn it is", () => {
  expect(meant("me")).toEqual(["ada at home", "ada at work"]);
});

test("two people of one name are both meant, so that nobody is taken for the other", async () => {
  const another = await person("bob");
  await talk("another bob", "telegram", "direct", [another]);
  expect(meant("Bob")).toEqual(["bob", "another bob"]);
});

test("a group goes by its id, and so does anything that this agent talks in", () => {
  expect(meant(places.get("team") ?? "")).toEqual(["team"]);
  expect(meant(places.get("bob") ?? "")).toEqual(["bob"]);
});

test("nobody else is known: no part of a name, no other agent's talk, no stranger", () => {
  for (const to of ["Bo", "bob with another agent", places.get("bob with another agent") ?? "", "", "Carol", "c_0"])
    expect([to, meant(to)]).toEqual([to, []]);
});

test("whose a conversation is follows from who has written there", () => {
  const asking = { agent: "default", principal: ada, conversation: "" };
  const recipients = new Recipients(world.state);
  const own = (to: string): boolean[] => recipients.meant(to, asking).map((one) => one.own);
  expect(own("me")).toEqual([true, true]);
  expect(own("Bob")).toEqual([false]);
  expect(own(places.get("team") ?? "")).toEqual([false]);
});

test("who was removed is nobody to write to", async () => {
  await world.log.append({ kind: "person.revoked", principal: bob, by: ada, via: "terminal" }, { cause: null });
  expect(meant("Bob")).toEqual([]);
  expect(meant(places.get("bob") ?? "")).toEqual([]);
});
