import { appendFileSync, copyFileSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { addressesIn, Words } from "../../src/broker/words.ts";
import { NO_LABELS, type SessionLabels } from "../../src/broker/labels.ts";
import type { TurnContext } from "../../src/broker/turn.ts";
import { mint } from "../../src/ipc/ids.ts";
import { World } from "./world.ts";

let world: World;
beforeEach(async () => {
  world = await World.make();
  await world.sandbox.probe();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const WRITES = { effect: "allow", key: "*" } as const;

/** A turn in a session of its own. */
function another(): TurnContext {
  return { ...world.turn(), session: mint("session"), labels: labelsOf() };
}
function labelsOf(): SessionLabels {
  return world.labels.of(mint("session"));
}
/** A turn in which something untrusted was read. */
async function tainted(): Promise<TurnContext> {
  const turn = world.turn();
  await turn.labels.raise({ untrusted: true, private: [] }, 0);
  return turn;
}
const at = (name: string): string => join(world.workspace, name);
async function read(path: string, turn = another()): Promise<boolean> {
  const answer = await world.call(turn, "read_file", { path });
  expect(answer.outcome).toBe("done");
  return turn.labels.now.untrusted;
}

describe("a session", () => {
  test("is private to the person once a file of theirs was read, which is on the log before it is", async () => {
    writeFileSync(at("a"), "a");
    const turn = world.turn();
    expect(turn.labels.now).toEqual(NO_LABELS);
    await world.call(turn, "read_file", { path: "a" });
    await world.call(turn, "read_file", { path: "a" });
    expect(turn.labels.now).toEqual({ untrusted: false, private: [world.principal] });
    const [raised, ...more] = world.rows("label.raised");
    expect(raised?.action).toMatchObject({ label: "private", person: world.principal, session: world.session });
    expect(more).toEqual([]);
    const [finished] = world.rows("tool.finished");
    expect(raised?.cause).toBe(finished?.cause);
    expect(raised?.seq).toBeLessThan(finished?.seq ?? 0);
  });

  test("keeps its labels over a restart, and loses them when it ends", async () => {
    await tainted();
    await world.restart();
    expect(world.labels.of(world.session).now.untrusted).toBe(true);
    await world.log.append({ kind: "session.closed", session: world.session, reason: "new" }, { cause: null });
    await world.restart();
    expect(world.labels.of(world.session).now).toEqual(NO_LABELS);
  });

  test("gets nothing whose label cannot be recorded", async () => {
    writeFileSync(at("a"), "the secret");
    const turn = world.turn();
    await world.log.close();
    const answer = await world.call(turn, "read_file", { path: "a" });
    expect(answer.text).not.toContain("the secret");
    await world.restart();
  });
});

describe("a file", () => {
  beforeEach(() => {
    world.rules = [WRITES];
  });

  test("that lay there is its owner's, and trusted", async () => {
    writeFileSync(at("mine"), "mine");
    expect(await read("mine")).toBe(false);
  });

  test("that a turn wrote which had read something untrusted is untrusted to whoever reads it, over a restart too", async () => {
    await world.call(await tainted(), "write_file", { path: "page", content: "from a page" });
    expect(await read("page")).toBe(true);
    await world.restart();
    expect(await read("page")).toBe(true);
  });

  test("that a command of such a turn wrote, or moved, is so too", async () => {
    const turn = await tainted();
    const made = "mkdir d; echo x > d/made; echo y > late";
    expect((await world.call(turn, "exec", { argv: ["sh", "-c", made], write: true })).outcome).toBe("done");
    expect(await read("d/made")).toBe(true);
    expect((await world.call(turn, "exec", { argv: ["mv", "d", "e"], write: true })).outcome).toBe("done");
    expect(await read("e/made")).toBe(true);
    writeFileSync(at("mine"), "mine");
    expect(await read("mine")).toBe(false);
  });

  test("is known again by what it holds, and one that was changed since counts as untrusted", async () => {
    await world.call(await tainted(), "write_file", { path: "page", content: "from a page" });
    copyFileSync(at("page"), at("copy"));
    expect(await read("copy")).toBe(true);
    renameSync(at("page"), at("elsewhere"));
    appendFileSync(at("elsewhere"), " and more");
    expect(await read("elsewhere")).toBe(true);
  });

  test("that a turn without such a thing wrote anew is trusted again; one that it only edited is not", async () => {
    await world.call(await tainted(), "write_file", { path: "page", content: "from a page" });
    await world.call(await tainted(), "write_file", { path: "other", content: "from a page too" });
    await world.call(another(), "write_file", { path: "page", content: "mine" });
    expect(await read("page")).toBe(false);
    await world.call(another(), "edit_file", { path: "other", old: "too", new: "as well" });
    expect(await read("other")).toBe(true);
  });

  test("makes every command untrusted that runs beside it, because it may have read it", async () => {
    const before = another();
    await world.call(before, "exec", { argv: ["true"] });
    expect(before.labels.now.untrusted).toBe(false);
    await world.call(await tainted(), "write_file", { path: "page", content: "from a page" });
    for (const [tool, given] of [
      ["exec", { argv: ["true"] }],
      ["search_files", { pattern: "x" }],
      ["list_files", {}],
    ] as const) {
      const turn = another();
      await world.call(turn, tool, given);
      expect(turn.labels.now.untrusted).toBe(true);
    }
  });

  test("that is written while a command still runs in the background is untrusted as well", async () => {
    mkdirSync(at("kept"));
    writeFileSync(at("kept/before"), "before");
    await new Promise((resolve) => setTimeout(resolve, 50));
    const since = Date.now();
    const labels = { untrusted: true, private: [] };
    const open = { path: world.workspace, inode: null, digest: null, since, labels };
    await world.files.file({ turn: mint("turn"), session: world.session }, 0, { files: [open], gone: [] });
    await new Promise((resolve) => setTimeout(resolve, 50));
    writeFileSync(at("kept/after"), "after");
    expect(await read("kept/after")).toBe(true);
    expect(await read("kept/before")).toBe(false);
  });

  test("is of no account any more once the owner says so, over a restart too", async () => {
    await world.call(await tainted(), "write_file", { path: "page", content: "from a page" });
    const row = { kind: "label.cleared", session: null, by: world.principal, via: "terminal" } as const;
    await world.log.append(row, { cause: null, content: { path: at("page") } });
    world.files.clear(at("page"));
    expect(await read("page")).toBe(false);
    await world.restart();
    expect(await read("page")).toBe(false);
  });
});

describe("words", () => {
  const ADA = "p_a";
  test.for([
    ["see https://a.example/b?c=d", "https://a.example/b?c=d"],
    ["see https://a.example/b, and then", "https://a.example/b"],
    ["(https://a.example/b).", "https://a.example/b"],
    ["[x](https://a.example/b)", "https://a.example/b"],
    ["<a href='https://a.example/b'>", "https://a.example/b"],
    ["https://en.example/Foo_(bar)", "https://en.example/Foo_(bar)"],
    ["https://a.example", "https://a.example/"],
  ] as const)("in %j stands %j", ([text, url]) => {
    expect(addressesIn(text)).toContain(url);
  });

  test("no part of an address stands anywhere", () => {
    const words = new Words();
    words.resulted("https://a.example/?q=abcdef", "");
    expect(words.addressIn("https://a.example/?q=abcdef", ADA)).toBe("result");
    for (const part of ["https://a.example/?q=abc", "https://a.example/?q=", "https://a.example/", "https://a.example"])
      expect(words.addressIn(part, ADA)).toBeNull();
  });

  test("what was asked for and comes back was not found", () => {
    const words = new Words();
    words.resulted(
      "nothing at https://a.example/?q=abcdef, but see https://b.example/",
      '{"url":"https://a.example/?q=abcdef"}',
    );
    expect(words.addressIn("https://a.example/?q=abcdef", ADA)).toBeNull();
    expect(words.addressIn("https://b.example/", ADA)).toBe("result");
  });

  test("what one person typed is no other person's", () => {
    const words = new Words();
    words.typed(ADA, "fetch docs.example/page and tell Bob");
    expect(words.addressIn("https://docs.example/page", ADA)).toBe("typed");
    expect(words.addressIn("https://docs.example/page", "p_b")).toBeNull();
    expect(words.hasTyped("Bob", ADA)).toBe(true);
    expect(words.hasTyped("Bo", ADA)).toBe(false);
    expect(words.hasTyped("", ADA)).toBe(false);
    expect(words.hasTyped("Bob", "p_b")).toBe(false);
  });

  test("a long hostile text is read in linear time", () => {
    const before = performance.now();
    for (const piece of ["https://", "a.", "(https://a", "..", "[", "https://a.b/" + "a".repeat(50)])
      addressesIn(piece.repeat(Math.ceil(200_000 / piece.length)));
    new Words().typed(ADA, "a.".repeat(100_000));
    expect(performance.now() - before).toBeLessThan(3000);
  });
});
