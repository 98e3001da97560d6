import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { unifiedDiff } from "../../src/broker/diff.ts";

const directory = mkdtempSync(join(tmpdir(), "wirken-diff-"));
afterAll(() => rmSync(directory, { recursive: true }));

test("a change is shown with three lines around it", () => {
  const before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
  expect(unifiedDiff(before, before.replace("5\n", "five\n"))).toBe(
    "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n",
  );
});

test("a missing last line break shows", () => {
  expect(unifiedDiff("a\n", "a")).toBe("@@ -1,1 +1,1 @@\n-a\n+a\n\\ No newline at end of file\n");
});

test("texts that are the same have no difference", () => {
  expect(unifiedDiff("a\nb", "a\nb")).toBe("");
});

/** git applies what we show, strictly: it refuses a hunk that does not stand exactly where it says. */
function applied(before: string, diff: string): string {
  writeFileSync(join(directory, "file"), before);
  writeFileSync(join(directory, "patch"), `--- a/file\n+++ b/file\n${diff}`);
  execFileSync("git", ["apply", "--unidiff-zero", "--whitespace=nowarn", "patch"], { cwd: directory });
  return readFileSync(join(directory, "file"), "utf8");
}

test("git makes the second text of the first from what is shown", () => {
  const text = fc
    .array(fc.constantFrom("a", "b", "c", "", "dd"), { minLength: 1, maxLength: 25 })
    .chain((lines) => fc.constantFrom("", "\n").map((end) => lines.join("\n") + end))
    .filter((made) => made !== "");
  fc.assert(
    fc.property(text, text, (before, after) => {
      if (before === after) return;
      expect(applied(before, unifiedDiff(before, after))).toBe(after);
    }),
    { numRuns: 60 },
  );
});

const lines = (prefix: string): string => Array.from({ length: 20_000 }, (_, n) => `${prefix}${n}\n`).join("");

test("two large texts that share nothing are shown as replaced, before anybody gives up", () => {
  const diff = unifiedDiff(lines("a"), lines("b"));
  expect(diff.split("\n")).toHaveLength(40_002);
});
