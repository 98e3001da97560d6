import { expect, test } from "vitest";
import { newWorld } from "./world.ts";

const TERMINAL = "terminal";

test("the first start makes the owner, and a later one finds the same", async () => {
  const world = await newWorld();
  const owner = await world.people.ensureOwner("account");
  await world.close();
  await world.open();
  expect(await world.people.ensureOwner("another name")).toEqual(owner);
  expect(world.people.list()).toHaveLength(1);
});

test("a stranger gets one code a day, and silence after it", async () => {
  const { people, clock } = await newWorld();
  await people.ensureOwner("account");
  const first = await people.request("telegram", "1001", "Test Stranger");
  expect(first?.pairing.code).toMatch(/^[0-9A-HJKMNP-TV-Z]{8}$/);
  expect(await people.request("telegram", "1001", "Test Stranger")).toBeNull();
  clock.advance(25 * 3_600_000);
  expect(await people.request("telegram", "1001", "Test Stranger")).not.toBeNull();
});

test("the twenty-first stranger who waits gets silence", async () => {
  const { people } = await newWorld();
  for (let sender = 0; sender < 20; sender++)
    expect(await people.request("telegram", String(sender), "Test Stranger")).not.toBeNull();
  expect(await people.request("telegram", "20", "Test Stranger")).toBeNull();
  expect(people.pending()).toHaveLength(20);
});

test("a code that was approved makes a person, who is known by the platform's id and nothing else", async () => {
  const { people, state } = await newWorld();
  const owner = await people.ensureOwner("account");
  const asked = await people.request("telegram", "1001", "Test Stranger");
  const { person } = await people.approve(asked?.pairing.code ?? "", "approver", "Test Person", {
    by: owner.principal,
    via: TERMINAL,
  });
  expect(state.personOf("telegram", "1001")).toEqual({ ...person, role: "approver", name: "Test Person" });
  expect(state.personOf("telegram", "Test Stranger")).toBeNull();
  expect(state.personOf("telegram:other", "1001")).toBeNull();
});

test("a code is good for an hour and once", async () => {
  const { people, clock } = await newWorld();
  const owner = await people.ensureOwner("account");
  const who = { by: owner.principal, via: TERMINAL };
  const used = await people.request("telegram", "1", "Test Stranger");
  await people.approve(used?.pairing.code ?? "", "user", null, who);
  await expect(people.approve(used?.pairing.code ?? "", "user", null, who)).rejects.toThrow(
    "no one waits with the code",
  );
  const late = await people.request("telegram", "2", "Test Stranger");
  clock.advance(61 * 60_000);
  await expect(people.approve(late?.pairing.code ?? "", "user", null, who)).rejects.toThrow(
    "no one waits with the code",
  );
});

test("an invitation links its first sender to the owner, on its own channel, once, within ten minutes", async () => {
  const { people, clock } = await newWorld();
  const owner = await people.ensureOwner("account");
  const who = { by: owner.principal, via: TERMINAL };
  const { code } = await people.invite("telegram", who);
  expect(await people.claim("slack", "U1", "Test Owner", code)).toBeNull();
  expect(await people.claim("telegram", "7", "Test Owner", "hello")).toBeNull();
  expect(await people.claim("telegram", "7", "Test Owner", `/start ${code}`)).toEqual(owner);
  expect(await people.claim("telegram", "8", "Test Stranger", `/start ${code}`)).toBeNull();
  const late = await people.invite("telegram", who);
  clock.advance(11 * 60_000);
  expect(await people.claim("telegram", "9", "Test Stranger", late.code)).toBeNull();
});
