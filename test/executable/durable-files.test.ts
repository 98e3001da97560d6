import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { NODE_FLAGS } from "../../src/confine/flags.ts";

const folder = mkdtempSync(join(tmpdir(), "wirken-durable-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const module = join(import.meta.dirname, "../../src/executable/durable-files.ts");

/** Runs a script under the flags of the executable; `fs` is Node's own, as a bundle sees it. */
function underPermissions(script: string): { status: number | null; out: string } {
  const code = `import fs from "node:fs";\nimport { restoreDurability } from ${JSON.stringify(module)};\n${script}`;
  const run = spawnSync(process.execPath, [...NODE_FLAGS, "--input-type=module", "-e", code], { encoding: "utf8" });
  return { status: run.status, out: `${run.stdout}${run.stderr}` };
}

test("Node itself refuses fsync under the permission model: that is why this is here", () => {
  const { out } = underPermissions(`fs.fsyncSync(fs.openSync(${JSON.stringify(join(folder, "a"))}, "w"))`);
  expect(out).toContain("fsync API is disabled");
});

test("a file, its folder and its mode reach the disk again", () => {
  const path = join(folder, "b");
  const { status, out } = underPermissions(`restoreDurability();
    const file = fs.openSync(${JSON.stringify(path)}, "w", 0o600);
    fs.writeSync(file, "x"); fs.fsyncSync(file); fs.fdatasyncSync(file); fs.fchmodSync(file, 0o640);
    fs.fchownSync(file, process.getuid(), process.getgid());
    fs.fsyncSync(fs.openSync(${JSON.stringify(folder)}, "r"));
    const handle = await fs.promises.open(${JSON.stringify(path)}, "r+");
    await handle.sync(); await handle.datasync(); await handle.close();
    fs.writeFileSync(${JSON.stringify(path)}, "y", { flush: true });`);
  expect(out).toBe("");
  expect(status).toBe(0);
  expect(statSync(path).mode & 0o777).toBe(0o640);
});

test("what cannot be synced is an error, never silence", () => {
  const { out } = underPermissions("restoreDurability(); fs.fsyncSync(999);");
  expect(out).toContain("EIO: fsync failed");
});
