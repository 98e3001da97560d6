import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

/** Packages that the SDKs look for at run time, and some that anything might. */
const PLANTED = [
  "bufferutil",
  "utf-8-validate",
  "zlib-sync",
  "supports-color",
  "pino-pretty",
  "better-sqlite3",
  "keytar",
  "commander",
];
const ROLES = [
  ["--version"],
  ["--help"],
  ["status"],
  ["adapter", "telegram"],
  ["adapter", "slack"],
  ["model"],
  ["agent"],
  ["ingress"],
  ["web"],
  ["keychain"],
  ["anchor"],
  ["fetch"],
  ["unpack"],
  ["mcp"],
] as const;

const folder = mkdtempSync(join(tmpdir(), "wirken-planted-"));
const executable = join(folder, "wirken");
const marker = join(folder, "marker");
const planted = join(folder, "planted.cjs");

beforeAll(() => {
  cpSync(join(import.meta.dirname, "../../dist/wirken"), executable);
  const code = `require("node:fs").appendFileSync(${JSON.stringify(marker)}, __filename + "\\n");`;
  writeFileSync(planted, code);
  for (const name of PLANTED) {
    const place = join(folder, "node_modules", name);
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, "package.json"), JSON.stringify({ name, main: "index.js" }));
    writeFileSync(join(place, "index.js"), code);
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the detector detects: an ordinary Node in that folder loads what was planted", () => {
  const script = join(folder, "ordinary.cjs");
  writeFileSync(script, `for (const name of ${JSON.stringify(PLANTED)}) require(name);`);
  spawnSync(process.execPath, [script], { env: { NODE_OPTIONS: `--require=${planted}` } });
  expect(existsSync(marker)).toBe(true);
  rmSync(marker);
});

/** Every way that Node knows of being told to load something. */
const HOSTILE: NodeJS.ProcessEnv = {
  WIRKEN_HOME: join(folder, "data"),
  NODE_OPTIONS: `--require=${planted} --import=${planted}`,
  NODE_PATH: join(folder, "node_modules"),
};

test.for(ROLES)("%s %s loads nothing but itself", async ([role, detail]) => {
  const words = [role, ...(detail === undefined ? [] : [detail])];
  const hostile = [...words, `--node-options=--require=${planted}`, `--require=${planted}`];
  for (const given of [words, hostile]) {
    const child = spawn(executable, given, {
      cwd: folder,
      env: HOSTILE,
      stdio: ["ignore", "ignore", "ignore", "pipe"],
    });
    child.stdio[3]?.on("error", () => undefined);
    const late = setTimeout(() => child.kill("SIGKILL"), 1_000);
    await once(child, "exit");
    clearTimeout(late);
  }
  expect(existsSync(marker)).toBe(false);
});
