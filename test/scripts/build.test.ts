import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { commitOf, digestOfInputs, inputFiles } from "../../scripts/build/inputs.ts";

const root = join(import.meta.dirname, "../..");

test("what is built from is every room, and no test, document or stamp of the type checker", () => {
  const files = inputFiles(root);
  for (const file of [
    "src/main.ts",
    "audit/action.ts",
    "vault/secret.ts",
    "adapters/slack/main.ts",
    "package-lock.json",
  ]) {
    expect(files).toContain(file);
  }
  // A skill is a document that is shipped.
  const others = files.filter((file) => !file.startsWith("skills/bundled/"));
  expect(others.filter((file) => /tsconfig|^test|^dist|\.md$/.test(file))).toEqual([]);
  expect(files).toContain("skills/bundled/calculator/SKILL.md");
});

test("the digest of the inputs is the same twice, and another with another Node", () => {
  expect(digestOfInputs(root, ["v1"])).toBe(digestOfInputs(root, ["v1"]));
  expect(digestOfInputs(root, ["v2"])).not.toBe(digestOfInputs(root, ["v1"]));
});

test("a folder that is no checkout has no commit, and is built nevertheless", () => {
  const folder = mkdtempSync(join(tmpdir(), "wirken-no-git-"));
  expect(commitOf(folder)).toBe("unknown");
  rmSync(folder, { recursive: true });
});

// Two whole builds: half a minute.
const longTest = process.env["WIRKEN_TEST_ROUNDS"] === "long" ? [["one", "two"] as const] : [];
test.for(longTest)(
  "two builds of the same inputs are the same, bit for bit (%s and %s)",
  { timeout: 120_000 },
  (names) => {
    const folder = mkdtempSync(join(tmpdir(), "wirken-build-"));
    const digests = names.map((name) => {
      const out = join(folder, name);
      execFileSync(process.execPath, [join(root, "scripts/build.ts"), "--out", out], { stdio: "ignore" });
      return createHash("sha256").update(readFileSync(out)).digest("hex");
    });
    rmSync(folder, { recursive: true });
    expect(digests[0]).toBe(digests[1]);
  },
);
