import { beforeEach, expect, test } from "vitest";
import { Grants } from "../../src/broker/grants.ts";
import { AdapterChannel } from "../../src/ipc/channel.ts";
import { mint, type PrincipalId } from "../../src/ipc/ids.ts";
import { heldAt } from "../../src/supervisor/held.ts";
import type { By } from "../../src/supervisor/people.ts";
import { PersonChanges } from "../../src/supervisor/person-changes.ts";
import { newWorld, type World } from "./world.ts";

const TELEGRAM = AdapterChannel.parse("telegram");
const SLACK = AdapterChannel.parse("slack:acme");

let world: World;
let grants: Grants;
let changes: PersonChanges;
let owner: PrincipalId;
let ann: PrincipalId;
let who: By;
const cut: string[] = [];

beforeEach(async () => {
  world = await newWorld();
  grants = new Grants(world.log, world.clock, []);
  cut.length = 0;
  changes = new PersonChanges({
    ...world,
    grants,
    cut: (principal, _, channel) => {
      cut.push(`${principal} on ${channel}`);
      return [];
    },
    contentKey: async () => await Promise.resolve(),
  });
  owner = (await world.people.ensureOwner("account")).principal;
  who = { by: owner, via: "terminal" };
  const asked = await world.people.request("telegram", "1001", "Ann");
  ann = (await world.people.approve(asked?.pairing.code ?? "", "user", null, who)).person.principal;
});

test("a role holds from then on, and a report of before says what held before", async () => {
  const before = world.log.size - 1;
  expect(await changes.role(ann, "approver", who)).toMatchObject({ name: "Ann", role: "approver" });
  expect(world.state.personOf("telegram", "1001")?.role).toBe("approver");
  const roleAt = async (seq: number) =>
    (await heldAt(world.log, seq, "")).people.find(({ principal }) => principal === ann)?.role;
  expect(await roleAt(before)).toBe("user");
  expect(await roleAt(world.log.size - 1)).toBe("approver");
  await world.close();
  await world.open("another.db");
  expect(world.state.person(ann)?.role).toBe("approver");
});

test("the last owner stays the owner, and one of two need not", async () => {
  await expect(changes.role(owner, "user", who)).rejects.toThrow("account is the only owner, and cannot be made user");
  await changes.role(ann, "owner", who);
  await changes.role(owner, "user", who);
  expect(world.people.owner().principal).toBe(ann);
  await expect(changes.role(ann, "approver", { by: ann, via: "terminal" })).rejects.toThrow("the only owner");
});

test("one person has several channels, each by the platform's own id", async () => {
  await changes.link(ann, { way: "id", channel: SLACK, id: "U0ANN" }, who);
  expect(world.state.personOf("slack:acme", "U0ANN")?.principal).toBe(ann);
  expect(world.state.personOf("slack", "U0ANN")).toBeNull();
  expect(world.state.identities(ann).map(({ channel }) => channel)).toEqual(["telegram", "slack:acme"]);
  await expect(changes.link(owner, { way: "id", channel: SLACK, id: "U0ANN" }, who)).rejects.toThrow(
    "that is Ann there, and nobody is two people",
  );
  await expect(changes.link(ann, { way: "id", channel: SLACK, id: "U0ANN" }, who)).rejects.toThrow(
    "Ann is known there already",
  );
});

test("a stranger who waits can be somebody who is let in already", async () => {
  const asked = await world.people.request("slack:acme", "U0ANN", "Ann on Slack");
  await changes.link(ann, { way: "code", code: asked?.pairing.code ?? "" }, who);
  expect(world.state.personOf("slack:acme", "U0ANN")?.principal).toBe(ann);
  expect(world.people.pending()).toEqual([]);
  await expect(changes.link(ann, { way: "code", code: "00000000" }, who)).rejects.toThrow("no one waits");
});

test("a code that was made for somebody links its first sender to them, and to nobody once they are out", async () => {
  const { code } = await changes.link(ann, { way: "invite", channel: SLACK }, who);
  expect(await world.people.claim("slack:acme", "U0ANN", "Ann", code?.code ?? "")).toMatchObject({ principal: ann });
  expect(world.state.personOf("slack:acme", "U0ANN")?.principal).toBe(ann);
  const later = await changes.link(ann, { way: "invite", channel: SLACK }, who);
  await world.log.append({ kind: "person.revoked", principal: ann, ...who }, { cause: null });
  expect(await world.people.claim("slack:acme", "U1", "Somebody", later.code?.code ?? "")).toBeNull();
  expect(world.state.personOf("slack:acme", "U1")).toBeNull();
});

test("an unlinked id is a stranger's; what was remembered there is void, and what runs there ends", async () => {
  await changes.link(ann, { way: "id", channel: SLACK, id: "U0ANN" }, who);
  const turn = { agent: "default", principal: ann, session: mint("session") };
  const by = { ...who, cause: 0 };
  await grants.give({ ...turn, channel: TELEGRAM }, "exec:rw", "always", by);
  const there = await grants.give({ ...turn, channel: SLACK }, "exec:rw", "always", by);
  const during = world.log.size - 1;
  await changes.unlink(ann, TELEGRAM, null, who);
  expect(world.state.personOf("telegram", "1001")).toBeNull();
  expect(world.state.personOf("slack:acme", "U0ANN")?.principal).toBe(ann);
  expect(cut).toEqual([`${ann} on telegram`]);
  expect(grants.list()).toEqual([there]);
  const channels = async (seq: number) =>
    (await heldAt(world.log, seq, "")).people.find(({ principal }) => principal === ann)?.channels;
  expect(await channels(during)).toEqual(["telegram", "slack:acme"]);
  expect(await channels(world.log.size - 1)).toEqual(["slack:acme"]);
  await expect(changes.unlink(ann, TELEGRAM, null, who)).rejects.toThrow("Ann is not known on telegram");
});

test("of several ids on one channel it has to be said which", async () => {
  await changes.link(ann, { way: "id", channel: TELEGRAM, id: "1002" }, who);
  await expect(changes.unlink(ann, TELEGRAM, null, who)).rejects.toThrow("Ann is known on telegram by 2 ids");
  await changes.unlink(ann, TELEGRAM, "1002", who);
  expect(world.state.identities(ann).map(({ id }) => id)).toEqual(["1001"]);
});
