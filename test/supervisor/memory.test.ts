import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { TurnContext } from "../../src/broker/turn.ts";
import { MAX_MEMORY_TEXT } from "../../src/effect/action.ts";
import { mint } from "../../src/ipc/ids.ts";
import { MAX_MEMORY_BYTES } from "../../src/supervisor/memory.ts";
import { TELEGRAM, World } from "../broker/world.ts";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => world[Symbol.asyncDispose]());

const who = () => ({ by: world.principal, via: "terminal" });
async function keep(text: string, turn: TurnContext = world.turn(), replaces?: string): Promise<string> {
  const { outcome, text: said } = await world.call(
    turn,
    "memory_write",
    replaces === undefined ? { text } : { text, replaces },
  );
  expect(outcome, said).toBe("done");
  return said.replace("kept as ", "");
}
const read = async (query: string | undefined, turn: TurnContext = world.turn()): Promise<string> =>
  (await world.call(turn, "memory_read", query === undefined ? {} : { query })).text;

test("what was kept is found by words, their beginnings and without accents, the best first", async () => {
  const id = await keep("The café near the office opens at eight; coffee coffee coffee");
  await keep("Coffee is bought on Fridays");
  await keep("The car is blue");
  const found = await read("COFFEE cafe");
  expect(found.indexOf(id)).toBe(0);
  expect(found).toContain("Fridays");
  expect(found).not.toContain("blue");
  expect(await read("offi")).toContain("The café");
  expect(await read("nothing-like-this")).toContain("nothing like that was kept");
  // Without words the newest come first.
  expect((await read(undefined)).indexOf("The car")).toBeLessThan((await read(undefined)).indexOf("Fridays"));
});

test.for(['" OR 1=1 --', "text:secret", "NEAR(a b)", "*", "^a", "a AND NOT b", "''", "\u0000"])(
  "a query is words and never a language: %s",
  async (query) => {
    await keep("plain words");
    const { outcome } = await world.call(world.turn(), "memory_read", { query });
    expect(outcome).toBe("done");
  },
);

test("it says where it comes from, and what was kept while strangers' words were there is untrusted when it is read", async () => {
  await keep("mine alone");
  const turn = world.turn();
  await turn.labels.raise({ untrusted: true, private: [world.principal] }, 0);
  await keep("from a page", turn);
  const [, second] = world.rows("memory.written");
  expect(second?.action).toMatchObject({ untrusted: "yes", session: turn.session, principal: world.principal });
  // Another conversation: its labels are its own, until it reads.
  const later = { ...world.turn(), session: mint("session") };
  const fresh = world.turn({ labels: world.labels.of(later.session) });
  expect(fresh.labels.now).toEqual({ untrusted: false, private: [] });
  expect(await read("alone", fresh)).not.toContain("UNTRUSTED");
  expect(fresh.labels.now).toEqual({ untrusted: false, private: [world.principal] });
  expect(await read("page", fresh)).toContain("UNTRUSTED");
  expect(fresh.labels.now.untrusted).toBe(true);
});

test("another person, and another agent, find nothing of it; another channel finds it once somebody says yes", async () => {
  await keep("said on the terminal");
  const other = { ...world.turn(), principal: mint("principal") };
  expect(await read("terminal", other)).toContain("nothing like that");
  expect(await read("terminal", { ...world.turn(), agent: "work" })).toContain("nothing like that");
  const elsewhere = world.turn({ channel: TELEGRAM });
  expect(await read("terminal", elsewhere)).toContain("nothing like that");
  const asked = world.call(elsewhere, "memory_read", { query: "terminal", other_channels: true });
  const card = await world.card();
  expect(card).toMatchObject({ tier: 3 });
  expect(card.card.text).toContain("FROM OTHER CHANNELS TOO");
  await world.approvals.decide(card.approval, world.answer());
  expect((await asked).text).toContain("said on the terminal");
});

test("in group talk nobody's memory is read", async () => {
  await keep("in confidence");
  expect(await world.call(world.turn({ talk: "group" }), "memory_read", { query: "confidence" })).toMatchObject({
    outcome: "refused",
  });
});

test("an entry takes another's place, and the text of before is in no file any more", async () => {
  const old = await keep("the code word is marmalade");
  await keep("the code word is changed", world.turn(), old);
  expect(await read("code word")).not.toContain("marmalade");
  expect(await world.call(world.turn(), "memory_write", { text: "x", replaces: old })).toMatchObject({
    outcome: "failed",
  });
  // That of a stranger is not to be had.
  const other = { ...world.turn(), principal: mint("principal") };
  const mine = await keep("mine");
  expect((await world.call(other, "memory_write", { text: "theirs", replaces: mine })).text).toContain(
    "there is no entry",
  );
});

test("it is known after a restart, without what was removed, and no file holds a word of it in the clear", async () => {
  const gone = await keep("forget rutabaga");
  await keep("remember kohlrabi");
  expect(
    world.memory.list({ call: "memory.list", agent: null, principal: null, query: "kohl", limit: 10 }).entries,
  ).toHaveLength(1);
  await world.memory.remove(gone, who());
  await world.restart();
  expect(await read("kohlrabi rutabaga")).toContain("remember kohlrabi");
  expect(
    world.memory.list({ call: "memory.list", agent: null, principal: null, query: null, limit: 10 }),
  ).toMatchObject({
    entries: [{ text: "remember kohlrabi", person: "Ada", channel: "terminal", untrusted: false }],
    more: 0,
    unread: 0,
  });
  await expect(world.memory.remove(gone, who())).rejects.toThrow("nothing is kept as");
  const files = readdirSync(world.home, { withFileTypes: true }).filter((entry) => entry.isFile());
  expect(files.length).toBeGreaterThan(1);
  for (const { name } of files)
    expect(readFileSync(join(world.home, name), "latin1"), name).not.toMatch(/kohlrabi|rutabaga/);
});

test("its limits are named: of one entry, and of all that is kept for a person", async () => {
  expect((await world.call(world.turn(), "memory_write", { text: "x".repeat(MAX_MEMORY_TEXT + 1) })).text).toContain(
    `at most ${MAX_MEMORY_TEXT} are kept as one entry`,
  );
  const entry = "word ".repeat(MAX_MEMORY_TEXT / 5 - 1);
  const whole = Math.floor(MAX_MEMORY_BYTES / Buffer.byteLength(entry));
  for (let count = 0; count < whole; count += 1) await keep(entry);
  expect((await world.call(world.turn(), "memory_write", { text: entry })).text).toContain(
    `at most ${MAX_MEMORY_BYTES}`,
  );
  // Another person has room of their own.
  await keep("mine", { ...world.turn(), principal: mint("principal") });
});
