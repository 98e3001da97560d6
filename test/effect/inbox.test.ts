import { existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { typeOf } from "../../src/effect/file-type.ts";
import { fileName, putInInbox } from "../../src/effect/inbox.ts";
import { ownFolder } from "../support/folder.ts";

function world() {
  const root = ownFolder();
  const workspace = join(root, "workspaces", "default");
  mkdirSync(workspace, { recursive: true });
  const ours = { home: root, executable: process.execPath };
  const put = (name: string, text = "x"): string =>
    putInInbox(ours, { workspace, folders: [] }, name, Buffer.from(text));
  return { root, workspace, put };
}

test("a file lies under its own name, and nothing is written over", () => {
  const { workspace, put } = world();
  expect(put("table.csv", "one")).toBe("inbox/table.csv");
  expect(put("table.csv", "two")).toBe("inbox/table-2.csv");
  expect(readFileSync(join(workspace, "inbox/table.csv"), "utf8")).toBe("one");
  expect(readFileSync(join(workspace, "inbox/table-2.csv"), "utf8")).toBe("two");
});

test.for([
  ["../../etc/passwd", "passwd"],
  ["C:\\Users\\a\\report.pdf", "report.pdf"],
  [".bashrc", "bashrc"],
  ["a b\u202ecod.exe", "a_b_cod.exe"],
  ["", "file"],
  ["...", "file"],
  ["\u0000\n", "file"],
  [`${"n".repeat(300)}.png`, `${"n".repeat(76)}.png`],
  ["Übersicht 2026.md", "Übersicht_2026.md"],
] as const)("the name %j becomes %j", ([name, plain]) => {
  expect(fileName(name)).toBe(plain);
});

test("a name that other programs obey is another one here", () => {
  const { put } = world();
  expect(put("AGENTS.md")).toBe("inbox/received-AGENTS.md");
});

test("an inbox that leads elsewhere is not followed", () => {
  const { root, workspace, put } = world();
  mkdirSync(join(root, "elsewhere"));
  symlinkSync(join(root, "elsewhere"), join(workspace, "inbox"));
  expect(() => put("a.txt")).toThrow("workspace");
  expect(existsSync(join(root, "elsewhere", "a.txt"))).toBe(false);
});

test.for([
  ["89504e470d0a1a0a0000", "image/png"],
  ["ffd8ffe0", "image/jpeg"],
  ["255044462d312e37", "application/pdf"],
  ["524946460000000057454250", "image/webp"],
  ["504b0304", "application/zip"],
  ["7f454c46", "application/x-executable"],
  ["68656c6c6f20c3a4", "text/plain"],
  ["68656c6c6f20c3", "text/plain"],
  ["00010203", "application/octet-stream"],
  ["", "text/plain"],
] as const)("bytes %s are %s, whatever their name says", ([hex, type]) => {
  expect(typeOf(Buffer.from(hex, "hex"))).toBe(type);
});
