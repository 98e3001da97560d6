import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { vkeyOf } from "../support/claims-log.ts";
import { TinyDisk } from "../support/claims-tiny-disk.ts";
import { ask } from "../support/claims-world.ts";
import { cleanEnvironment, type Ran, run, TestDaemon } from "../support/daemon.ts";

let disk: TinyDisk;
let vkey: string;
let data: { readonly path: string; readonly view: string };

async function wirken(...words: readonly string[]): Promise<Ran> {
  return await run(words, {
    environment: cleanEnvironment(data.path, { WIRKEN_HOME: data.path }),
    inside: disk.inside,
    timeoutMs: 20_000,
  });
}

/** Every file of the data directory with its bytes. */
function everything(): Record<string, string> {
  const files = readdirSync(data.view, { withFileTypes: true }).filter((file) => file.isFile());
  return Object.fromEntries(files.map(({ name }) => [name, readFileSync(join(data.view, name), "base64")]));
}

beforeAll(async () => {
  disk = await TinyDisk.make(60);
  if (disk.kind === "limit")
    throw new Error("this needs a file system that can be mounted again: root, or a user namespace");
  data = disk.folder("data");
  await using daemon = await TestDaemon.start({ environment: { WIRKEN_HOME: data.path }, inside: disk.inside });
  await ask(daemon, "list my files");
  await daemon.end();
  // Reading it as SQLite does would write beside it.
  vkey = vkeyOf(join(data.view, "audit.db"));
  disk.remount("ro");
});
afterAll(async () => {
  await disk[Symbol.asyncDispose]();
});

test("the log is verified there, and nothing is written beside it", async () => {
  const before = everything();
  const { status, stdout, stderr } = await wirken("audit", "verify", "--vkey", vkey);
  expect(status, stdout + stderr).toBe(0);
  expect(stdout).toMatch(/rows of the log .* are whole and in order/);
  expect(everything()).toEqual(before);
});

test.for(["start --port 0", "audit log", "vault list", "ask hello"])(
  "wirken %s says why it cannot work, and ends with 3",
  async (words) => {
    const { status, stderr } = await wirken(...words.split(" "));
    expect(status, stderr).toBe(3);
    expect(stderr).toMatch(/read-only|not running/);
    expect(stderr).toMatch(/^hint: /m);
  },
);

test("mounted for writing again, it goes on where it was", async () => {
  disk.remount("rw");
  await using daemon = await TestDaemon.start({ environment: { WIRKEN_HOME: data.path }, inside: disk.inside });
  expect((await ask(daemon, "list my files")).end).toBe("done");
});
