import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { TurnContext } from "../../src/broker/turn.ts";
import { MAX_KEPT_FILE } from "../../src/sandbox/snapshot.ts";
import { identityOf } from "../../src/sandbox/folder.ts";
import { Undo } from "../../src/supervisor/undo.ts";
import { World } from "../broker/world.ts";

let world: World;
let undo: Undo;
let turn: TurnContext;

beforeEach(async () => {
  world = await World.make();
  await world.sandbox.probe();
  undo = new Undo({ log: world.log, sandbox: world.sandbox });
  turn = await begin();
});
afterEach(() => world[Symbol.asyncDispose]());

const at = (name: string): string => join(world.workspace, name);
const put = (name: string, text: string): void => {
  mkdirSync(join(at(name), ".."), { recursive: true });
  writeFileSync(at(name), text);
};
const get = (name: string): string => readFileSync(at(name), "utf8");

async function begin(given: Parameters<World["turn"]>[0] = {}): Promise<TurnContext> {
  const made = world.turn(given);
  const { turn: id, session, agent, principal, policy, settings } = made;
  await world.log.append(
    {
      kind: "turn.started",
      turn: id,
      session,
      agent,
      principal,
      message: "m_00000000000000000000000000",
      policy,
      settings,
    },
    { cause: null, seal: session },
  );
  return made;
}

async function end(ended = turn): Promise<void> {
  await world.log.append(
    { kind: "turn.ended", turn: ended.turn, session: ended.session, reason: "done", rounds: 1 },
    { cause: null, seal: ended.session },
  );
}

/** What a person approves once, in this turn. */
async function does(name: string, given: object, now = turn): Promise<string> {
  const cards = world.cards.length;
  const asked = world.call(now, name, given);
  const card = await world.card(cards + 1);
  await world.approvals.decide(card.approval, world.answer());
  const { outcome, text } = await asked;
  expect(outcome, text).toBe("done");
  return text;
}

/** A command's user owns what it changes. */
const runs = async (script: string, given: object = {}, now = turn): Promise<string> => {
  if (process.getuid?.() === 0) {
    chmodSync(world.home, 0o755);
    execFileSync("chown", ["-R", "65534", world.workspace]);
  }
  return await does("exec", { script, write: true, ...given }, now);
};

const takeBack = async (given: { force?: boolean; preview?: boolean } = {}, of = turn) =>
  await undo.undo(
    { call: "undo", turn: of.turn, force: given.force ?? false, preview: given.preview ?? false },
    { by: world.principal, via: "terminal" },
  );
const states = async (given: { force?: boolean; preview?: boolean } = {}): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await takeBack(given)).files.map(({ path, state }) => [path.slice(world.workspace.length + 1), state]),
  );

test("what file tools wrote in a turn is put back as it was before the turn, and what they made is gone", async () => {
  put("a.txt", "one\n");
  chmodSync(at("a.txt"), 0o640);
  await does("edit_file", { path: "a.txt", old: "one", new: "two" });
  await does("edit_file", { path: "a.txt", old: "two", new: "three" });
  await does("write_file", { path: "new/b.txt", content: "b" });
  await end();
  expect(await states()).toEqual({ "a.txt": "restored", "new/b.txt": "restored" });
  expect(get("a.txt")).toBe("one\n");
  expect(statSync(at("a.txt")).mode & 0o777).toBe(0o640);
  expect(existsSync(at("new/b.txt"))).toBe(false);
  // Once more changes nothing, and says so.
  expect((await takeBack()).before).toBe(1);
  expect(await states()).toEqual({ "a.txt": "as it was", "new/b.txt": "as it was" });
});

test("everything that a command did is put back: changed, made, removed, renamed, links, modes and directories", async () => {
  put("changed.txt", "before");
  put("same-size.txt", "aaaa");
  put("removed.bin", Buffer.from([0, 255, 1]).toString("latin1"));
  put("moved/deep/file", "moved");
  put("mode.sh", "#!/bin/sh");
  put("untouched", "untouched");
  symlinkSync("changed.txt", at("link"));
  const before = readFileSync(at("removed.bin"));
  await runs(
    "echo after >changed.txt; printf bbbb >same-size.txt; rm removed.bin; mv moved elsewhere; chmod +x mode.sh; rm link; ln -s /etc link; mkdir -p made/deep; echo x >made/deep/x; touch untouched",
  );
  expect(get("changed.txt")).toBe("after\n");
  await end();
  const done = await states();
  expect(done["untouched"]).toBeUndefined();
  expect(new Set(Object.values(done))).toEqual(new Set(["restored"]));
  expect(get("changed.txt")).toBe("before");
  expect(get("same-size.txt")).toBe("aaaa");
  expect(readFileSync(at("removed.bin"))).toEqual(before);
  expect(get("moved/deep/file")).toBe("moved");
  expect(statSync(at("mode.sh")).mode & 0o111).toBe(0);
  expect(readlinkSync(at("link"))).toBe("changed.txt");
  for (const name of ["made", "elsewhere"]) expect(existsSync(at(name))).toBe(false);
  expect(world.rows("undo.begun")).toHaveLength(1);
  expect(world.rows("undo.done")).toMatchObject([{ action: { conflicts: 0, failed: 0 } }]);
});

test("what somebody changed since is named and stays, unless it is forced", async () => {
  put("a.txt", "one");
  put("b.txt", "one");
  await runs("echo two >a.txt; echo two >b.txt");
  await end();
  put("a.txt", "mine");
  expect(await states({ preview: true })).toEqual({ "a.txt": "conflict", "b.txt": "restored" });
  expect(get("b.txt")).toBe("two\n");
  expect(await states()).toEqual({ "a.txt": "conflict", "b.txt": "restored" });
  expect([get("a.txt"), get("b.txt")]).toEqual(["mine", "one"]);
  expect(await states({ force: true })).toEqual({ "a.txt": "restored", "b.txt": "as it was" });
  expect(get("a.txt")).toBe("one");
});

test("a file too large to be kept is named on the card before the command runs, and as what cannot be taken back", async () => {
  writeFileSync(at("large.bin"), Buffer.alloc(MAX_KEPT_FILE + 1));
  await runs("echo x >>large.bin; echo y >small");
  expect(world.cards[0]?.card.text).toMatch(/cannot be taken back.*large\.bin/);
  await end();
  const answer = await takeBack();
  expect(answer.beyond).toContainEqual(expect.stringContaining("large.bin was changed, and was too large"));
  expect(answer.files).toMatchObject([{ path: at("small"), state: "restored" }]);
});

test("a folder that a command may change is put back too, and a link on the way leads nowhere else", async () => {
  const docs = join(world.home, "..", `${world.home.split("/").at(-1) ?? ""}-docs`);
  mkdirSync(docs);
  try {
    writeFileSync(join(docs, "a.txt"), "one");
    if (process.getuid?.() === 0) execFileSync("chown", ["-R", "65534", docs]);
    const folders = [{ name: "docs", path: docs, write: true, identity: identityOf(docs) ?? "" }];
    turn = await begin({ folders });
    await runs("echo two >docs/a.txt; mkdir docs/d; echo x >docs/d/x", { write_to: ["docs"] });
    await end();
    rmSync(join(docs, "d"), { recursive: true });
    symlinkSync(world.home, join(docs, "d"));
    writeFileSync(join(world.home, "x"), "ours");
    const answer = await takeBack({ force: true });
    expect(readFileSync(join(docs, "a.txt"), "utf8")).toBe("one");
    expect(readFileSync(join(world.home, "x"), "utf8")).toBe("ours");
    expect(answer.files.map(({ path }) => path)).toContain(join(docs, "a.txt"));
  } finally {
    rmSync(docs, { recursive: true });
  }
});

test("a turn that runs, and one that there is not, are refused", async () => {
  await does("write_file", { path: "a", content: "a" });
  await expect(takeBack()).rejects.toThrow("has not ended");
  await expect(takeBack({}, world.turn())).rejects.toThrow("there is no turn");
  await end();
  expect((await undo.list()).turns.map(({ turn: id }) => id)).toEqual([turn.turn]);
});

test("a directory that has files of somebody else's in it stays", async () => {
  await runs("mkdir d; echo x >d/x");
  await end();
  put("d/mine", "mine");
  expect(await states()).toMatchObject({ "d/x": "restored", d: "failed" });
  expect(get("d/mine")).toBe("mine");
  expect(lstatSync(at("d")).isDirectory()).toBe(true);
});
