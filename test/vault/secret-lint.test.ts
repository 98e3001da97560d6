import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..", "..");

/** Lints one function of a secret with the project's own rules, as a file outside of it. */
function lint(body: string): string {
  const folder = mkdtempSync(join(tmpdir(), "wirken-lint-"));
  try {
    const secret = relative(folder, join(ROOT, "vault", "secret.ts"));
    const code = `import type { Secret } from "${secret}";\nexport function show(secret: Secret): unknown {\n  return ${body};\n}\n`;
    writeFileSync(join(folder, "show.ts"), code);
    const compilerOptions = { types: ["node"], typeRoots: [join(ROOT, "node_modules", "@types")] };
    const tsconfig = { extends: join(ROOT, "tsconfig.json"), include: ["."], compilerOptions };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(tsconfig));
    const oxlint = join(ROOT, "node_modules", ".bin", "oxlint");
    const run = spawnSync(oxlint, ["--type-aware", "-c", join(ROOT, ".oxlintrc.json"), "-f", "unix", folder], {
      encoding: "utf8",
    });
    return run.stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("the lint lets a secret be used", () => {
  expect(lint("secret.use((bytes) => bytes.length)")).not.toContain("show.ts");
});

test.for([
  ["a template", "`token ${secret}`", "restrict-template-expressions"],
  ["a spread", "{ ...secret }", "no-misused-spread"],
] as const)("the lint refuses a secret in %s", ([, body, rule]) => {
  expect(lint(body)).toContain(rule);
});
