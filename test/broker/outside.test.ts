import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { World } from "./world.ts";

let world: World;
let elsewhere = "";
beforeEach(async () => {
  world = await World.make();
  elsewhere = realpathSync(mkdtempSync(join(tmpdir(), "wirken-elsewhere-")));
  writeFileSync(join(elsewhere, "list.txt"), "one\n");
  mkdirSync(join(elsewhere, ".ssh"));
  writeFileSync(join(elsewhere, ".ssh", "id_ed25519"), "a key");
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  rmSync(elsewhere, { recursive: true, force: true });
});

async function approved(name: string, given: object, meanwhile: () => void = () => undefined) {
  const asked = world.call(world.turn(), name, given);
  const card = await world.card(world.cards.length + 1);
  meanwhile();
  await world.approvals.decide(card.approval, world.answer());
  return { card, answer: await asked };
}

test("a file outside the workspace is read and written by its exact path, asked for each time, shown as what it is", async () => {
  const path = join(elsewhere, "list.txt");
  const read = await approved("read_file", { path });
  expect(read.answer).toMatchObject({ outcome: "done", text: "one" });
  expect(read.card).toMatchObject({ tier: 3 });
  expect(read.card.card.text).toContain("OUTSIDE THE WORKSPACE");
  expect(read.card.card.text).toContain(path.slice(1));
  const written = await approved("edit_file", { path, old: "one", new: "two" });
  expect(written.answer).toMatchObject({ outcome: "done" });
  expect(readFileSync(path, "utf8")).toBe("two\n");
  expect((await approved("read_file", { path })).card.tier).toBe(3);
});

test("what was shown is the file itself: a link is resolved before, and one that comes to stand on the way is not followed", async () => {
  mkdirSync(join(elsewhere, "real"));
  writeFileSync(join(elsewhere, "real", "a"), "shown");
  mkdirSync(join(elsewhere, "other"));
  writeFileSync(join(elsewhere, "other", "a"), "another");
  const { answer } = await approved("read_file", { path: join(elsewhere, "real", "a") }, () => {
    rmSync(join(elsewhere, "real"), { recursive: true });
    symlinkSync("other", join(elsewhere, "real"));
  });
  expect(answer.outcome).not.toBe("done");
  expect(answer.text).not.toContain("another");
});

test.for([
  ["the data directory", (): string => join(world.home, "audit.db")],
  ["our own executable", (): string => realpathSync(process.execPath)],
  ["a place of credentials", (): string => join(elsewhere, ".ssh", "id_ed25519")],
  [
    "a link to one",
    (): string => {
      symlinkSync(join(elsewhere, ".ssh", "id_ed25519"), join(elsewhere, "innocent"));
      return join(elsewhere, "innocent");
    },
  ],
  ["the system's own", (): string => "/proc/self/environ"],
] as const)("%s is refused and never asked", async ([, path]) => {
  const given = { path: path() };
  expect(await world.call(world.turn(), "read_file", given)).toMatchObject({ outcome: "refused" });
  expect(await world.call(world.turn(), "write_file", { ...given, content: "x" })).toMatchObject({
    outcome: "refused",
  });
  expect(world.cards).toEqual([]);
});
