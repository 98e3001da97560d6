import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { World } from "./world.ts";

let world: World;

const put = (path: string, content: string | Uint8Array): void => writeFileSync(join(world.workspace, path), content);
/** Does a search for that pattern run on this machine? */
const grepping = (): boolean =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .some((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, "utf8");
        return words.startsWith("grep\0") && words.includes("./long.txt");
      } catch {
        return false;
      }
    });
const search = async (given: object): Promise<string> => (await world.call(world.turn(), "search_files", given)).text;

beforeAll(async () => {
  world = await World.make();
  await world.sandbox.probe();
  mkdirSync(join(world.workspace, "src/deep"), { recursive: true });
  mkdirSync(join(world.workspace, ".git"));
  put("b.txt", "one\ntwo (needle)\nNeedle again: needle\n");
  put("a.txt", "needle\n");
  put("src/deep/c.ts", `${"x".repeat(400)} needle\n`);
  put("src/n\nl.txt", "needle\n");
  put("-e", "needle\n");
  put("binary", new Uint8Array([0, 1, 2, ...Buffer.from("needle"), 0]));
  put(".git/config", "needle\n");
  writeFileSync(join(world.home, "secret.txt"), "needle outside\n");
  symlinkSync(join(world.home, "secret.txt"), join(world.workspace, "way-out"));
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

test("a text is found in every text file of the workspace and nowhere else, in order of path and line", async () => {
  const lines = (await search({ pattern: "needle" })).split("\n");
  expect(lines.map((line) => line.slice(0, 40))).toEqual([
    "-e:1: needle",
    "a.txt:1: needle",
    "b.txt:2: two (needle)",
    "b.txt:3: Needle again: needle",
    `src/deep/c.ts:1: ${"x".repeat(23)}`,
    String.raw`"src/n\nl.txt":1: needle`,
  ]);
  expect(lines[4]).toHaveLength("src/deep/c.ts:1: ".length + 301);
});

test.for([
  [{ pattern: "(needle)" }, "b.txt:2: two (needle)"],
  [{ pattern: "^(one|two) ", regexp: true }, "b.txt:2: two (needle)"],
  [{ pattern: "NEEDLE A", ignore_case: true }, "b.txt:3: Needle again: needle"],
  [{ pattern: "needle", files: "a.*" }, "a.txt:1: needle"],
  [{ pattern: "needle", path: "a.txt" }, "a.txt:1: needle"],
  [{ pattern: "needle", path: "-e" }, "-e:1: needle"],
  [{ pattern: "-e" }, "[nothing like that stands in these files]"],
  [
    { pattern: "needle", path: "b.txt", limit: 1 },
    "b.txt:2: two (needle)\n[1 of 2 matches: look in fewer files, or raise the limit]",
  ],
] as const)("%j finds %s", async ([given, found]) => {
  expect(await search(given)).toBe(found);
});

test("a pattern that is none, a path that is not there and one that leads out are said to be that", async () => {
  const bad = await world.call(world.turn(), "search_files", { pattern: "(", regexp: true });
  expect(bad).toMatchObject({ outcome: "failed" });
  expect(bad.text).toContain("Unmatched (");
  expect(await search({ pattern: "a", path: "nowhere" })).toContain("nowhere");
  expect(await search({ pattern: "a", path: "../.." })).toContain("leads out of the workspace");
  expect(await search({ pattern: "a", path: "way-out" })).toContain("leads out of the workspace");
});

test("a pattern that takes for ever is ended with its turn", async () => {
  put("long.txt", `${"a".repeat(601)}c\n`);
  const stop = new AbortController();
  const turn = world.turn({ signal: stop.signal });
  const slow = world.call(turn, "search_files", {
    pattern: String.raw`^(a+)(a+)(a+)(a+)\1\2\3\4c$`,
    path: "long.txt",
    regexp: true,
  });
  await expect.poll(() => grepping()).toBe(true);
  stop.abort();
  expect(await slow).toMatchObject({ outcome: "failed", text: expect.stringContaining("stopped") });
  await expect.poll(() => grepping()).toBe(false);
});
