import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod/mini";
import { ensureSystemPackages } from "./test/system-packages.ts";

/** Everything that must hold, in one run. The last line is `N passed, N failed`; the status is 0 only if nothing failed. */

const root = join(import.meta.dirname, "..");
const { values, positionals } = parseArgs({
  options: { long: { type: "boolean", default: false } },
  allowPositionals: true,
});

const bin = join(root, "node_modules/.bin");
const environment: NodeJS.ProcessEnv = {
  ...process.env,
  PATH: `${bin}${delimiter}${process.env["PATH"] ?? ""}`,
  // Many tests start programs of ours a hundred times, from their sources: they are made ready to run once. What is tested itself has an environment of its own.
  NODE_COMPILE_CACHE: join(root, "node_modules/.cache/compiled"),
  ...(values.long ? { WIRKEN_TEST_ROUNDS: "long" } : {}),
};
const SOURCES = ["src", "adapters", "vault", "audit", "skills", "scripts", "test"];

interface Check {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}

/** One check each; with a filter only the build and the tests run. */
const CHECKS: readonly Check[] = [
  { name: "build", command: ["node", "scripts/build.ts"] },
  { name: "types", command: ["tsc", "-b"] },
  { name: "lint", command: ["oxlint", "--type-aware", "--deny-warnings", ...SOURCES] },
  { name: "format", command: ["biome", "format", "."] },
  { name: "dead code", command: ["knip", "--no-progress"] },
];

let passed = 0;
let failed = 0;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function note(ok: boolean, name: string, since: number): void {
  if (ok) passed++;
  else failed++;
  say(`${ok ? "✓" : "✗"} ${name} (${((performance.now() - since) / 1000).toFixed(1)} s)`);
}

function check({ name, command: [program, ...words] }: Check): void {
  const since = performance.now();
  const run = spawnSync(program, words, { cwd: root, env: environment, encoding: "utf8", maxBuffer: 1 << 28 });
  if (run.status !== 0) say(`${run.stdout}${run.stderr}${run.error?.message ?? ""}`);
  note(run.status === 0, name, since);
}

const Report = z.object({
  numPassedTests: z.int(),
  numFailedTests: z.int(),
  numPendingTests: z.int(),
  numTodoTests: z.int(),
  numFailedTestSuites: z.int(),
});

/** Runs the tests; a test that is skipped or left to do counts as failed: it shows nothing. */
function runTests(filters: readonly string[]): void {
  const folder = mkdtempSync(join(tmpdir(), "wirken-report-"));
  try {
    const file = join(folder, "report.json");
    const run = spawnSync(
      "vitest",
      ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${file}`, ...filters],
      {
        cwd: root,
        env: environment,
        stdio: ["ignore", "inherit", "inherit"],
      },
    );
    const report = Report.parse(JSON.parse(readFileSync(file, "utf8")));
    const unrun = report.numPendingTests + report.numTodoTests;
    if (unrun > 0) say(`✗ ${unrun} tests did not run: remove them or make them run`);
    passed += report.numPassedTests;
    failed += report.numFailedTests + unrun;
    // A file that does not load, or an error outside every test, fails the run without failing a test.
    if (run.status !== 0 && report.numFailedTests === 0) failed += Math.max(1, report.numFailedTestSuites);
  } catch (error) {
    say(`✗ the tests left no report: ${error instanceof Error ? error.message : String(error)}`);
    failed++;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const since = performance.now();
if (ensureSystemPackages(say)) {
  for (const one of positionals.length === 0 ? CHECKS : CHECKS.slice(0, 1)) check(one);
  runTests(positionals);
} else {
  failed++;
}
say(`in ${Math.round((performance.now() - since) / 1000)} s`);
say(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
