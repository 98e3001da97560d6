import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { digestOfTree } from "../../src/supervisor/mcp-tree.ts";

let root: string;
let before: string;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "tree-"));
  mkdirSync(join(root, "lib/deep"), { recursive: true });
  writeFileSync(join(root, "package.json"), "{}");
  writeFileSync(join(root, "lib/deep/main.js"), "x".repeat(600_000));
  symlinkSync("deep/main.js", join(root, "lib/main.js"));
  before = await digestOfTree(root);
});
afterEach(() => rmSync(root, { recursive: true }));

test("a tree that nobody touched has the digest that it had", async () => {
  utimesSync(join(root, "package.json"), 1, 1);
  expect(await digestOfTree(root)).toBe(before);
});

test.for([
  ["one byte", () => writeFileSync(join(root, "lib/deep/main.js"), `${"x".repeat(599_999)}y`)],
  ["a mode", () => chmodSync(join(root, "package.json"), 0o755)],
  ["a folder's mode", () => chmodSync(join(root, "lib"), 0o700)],
  ["a name", () => renameSync(join(root, "package.json"), join(root, "Package.json"))],
  ["one file more", () => writeFileSync(join(root, "lib/.npmrc"), "")],
  ["one file less", () => rmSync(join(root, "package.json"))],
  ["one folder more", () => mkdirSync(join(root, "lib/empty"))],
  [
    "where a link leads",
    () => {
      rmSync(join(root, "lib/main.js"));
      symlinkSync("deep/other.js", join(root, "lib/main.js"));
    },
  ],
  [
    "a link in place of its file",
    () => {
      renameSync(join(root, "package.json"), join(root, "lib/deep/package.json"));
      symlinkSync("lib/deep/package.json", join(root, "package.json"));
    },
  ],
] as const)("%s is noticed", async ([, change]) => {
  change();
  expect(await digestOfTree(root)).not.toBe(before);
});

test.for(["/etc/passwd", "../../outside", "deep/../../.."])("a link to %s is refused", async (target) => {
  symlinkSync(target, join(root, "lib/out"));
  await expect(digestOfTree(root)).rejects.toThrow("lib/out is a link that leads out of it");
});

test("what is neither file, folder nor link is refused, and not waited for", async () => {
  execFileSync("mkfifo", [join(root, "pipe")]);
  await expect(digestOfTree(root)).rejects.toThrow("pipe is neither a file, a folder nor a link");
});

test("a tree that is not there is said to be unreadable", async () => {
  await expect(digestOfTree(join(root, "nowhere"))).rejects.toThrow("it cannot be read (ENOENT)");
});
