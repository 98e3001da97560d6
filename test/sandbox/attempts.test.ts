import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { knownMachine } from "../../src/confine/syscalls.ts";
import { attempted, attempting } from "../../src/sandbox/attempts.ts";

const root = mkdtempSync(join(tmpdir(), "wirken-attempts-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

test("what is tried in a command is let through where nothing holds it", () => {
  const program = join(root, "attempts");
  const machine = knownMachine(process.arch) ?? "x64";
  writeFileSync(program, attempting(machine, program, process.pid), { mode: 0o755 });
  const { stdout, status } = spawnSync(program, { env: {} });
  expect(status).toBe(0);
  const refused = attempted(stdout).flatMap(({ reach, by }) => (by === null ? [] : [reach]));
  // Whoever is not root may write to no folder of the system, opens no raw socket, traces nobody in some distributions, and is nobody else.
  const rootsOwn = ["write a file", "open other kinds of socket", "trace another process", "become another user"];
  expect(process.getuid?.() === 0 ? [] : rootsOwn).toEqual(expect.arrayContaining(refused));
});

test("a try that came to no end is not taken for one that was refused", () => {
  expect(() => attempted(new Uint8Array(8))).toThrow("came to no end");
});
