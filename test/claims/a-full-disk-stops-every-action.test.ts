import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LLMock } from "@copilotkit/aimock";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod/mini";
import { rowsOf, vkeyOf } from "../support/claims-log.ts";
import { TinyDisk } from "../support/claims-tiny-disk.ts";
import { approveNext, ask, connected, enrolTelegram, PASSPHRASE, until } from "../support/claims-world.ts";
import { TestDaemon } from "../support/daemon.ts";
import { TelegramServer } from "../support/telegram-server.ts";
import { ownWorkspace } from "../support/own-workspace.ts";

const model = new LLMock({ port: 0 });
let telegram: TelegramServer;
let disk: TinyDisk;
let data: { readonly path: string; readonly view: string };
let daemon: TestDaemon;

async function start(): Promise<void> {
  daemon = await TestDaemon.start({
    environment: { WIRKEN_HOME: data.path, WIRKEN_VAULT_PASSPHRASE: PASSPHRASE },
    inside: disk.inside,
  });
}

beforeAll(async () => {
  await model.start();
  model.onMessage(/./, { content: "Good morning." });
  telegram = await TelegramServer.start();
  disk = await TinyDisk.make(40);
  data = disk.folder("data");
  writeFileSync(
    join(data.view, "config.json"),
    JSON.stringify({
      web: { port: 0 },
      agents: { remote: { model: "mock/some-model" } },
      providers: { mock: { baseUrl: `${model.url}/v1` } },
      channels: { telegram: { apiRoot: telegram.apiRoot } },
    }),
  );
  await start();
  await enrolTelegram(daemon, telegram);
  for (const words of ["write first.txt: x", "run with write access touch first"])
    await Promise.all([ask(daemon, words), approveNext(daemon, "always")]);
});

afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await disk[Symbol.asyncDispose]();
  await telegram[Symbol.asyncDispose]();
  await model.stop();
});

const inWorkspace = (name: string): boolean => existsSync(join(ownWorkspace(data.view), name));

/** Tries every kind of effect. @returns the names of those that happened, within some time after it was told to do all of them. */
async function attemptAll(mark: string): Promise<string[]> {
  const requests = model.getRequests().length;
  telegram.direct(`read ${mark}`);
  // Each is refused, or done: either is an answer.
  await daemon.wirken(["ask", "--agent", "remote", "good morning"]);
  await daemon.wirken(["ask", `write ${mark}.txt: x`]);
  await daemon.wirken(["ask", `run with write access touch ${mark}`]);
  const done = {
    "a model was called": () => model.getRequests().length > requests,
    "a file was written": () => inWorkspace(`${mark}.txt`),
    "a command ran": () => inWorkspace(mark),
    "a message left": () => telegram.shown.some(({ text }) => text.includes(mark)),
  };
  await until(() => Object.values(done).every((one) => one()), "all of it", 1_000).catch(() => undefined);
  return Object.entries(done).flatMap(([name, one]) => (one() ? [name] : []));
}

const ALL = ["a model was called", "a file was written", "a command ran", "a message left"];
const Status = z.object({ log: z.object({ stopped: z.nullable(z.string()) }) });
const stored = (kind: string): number => rowsOf(join(data.view, "audit.db")).filter((row) => row.$kind === kind).length;
const stopped = async (): Promise<string | null> => Status.parse(await daemon.json("status")).log.stopped;

test("the detector detects: while there is room, all of it is done", async () => {
  expect(await attemptAll("before"), disk.kind).toEqual(ALL);
  expect(await stopped()).toBeNull();
});

test("on a full disk nothing of it is done, and what a person wrote is left with the platform", async () => {
  disk.fill(daemon.pid);
  const rows = rowsOf(join(data.view, "audit.db")).length;
  expect(await attemptAll("meanwhile"), disk.kind).toEqual([]);
  expect(await stopped()).toContain("nothing was recorded, so nothing runs");
  const since = rowsOf(join(data.view, "audit.db")).slice(rows);
  // What ended may still be on the log, from the reserve; nothing began.
  expect(since.filter(({ $kind }) => /\.(called|sent|used|received|changing|started)$/.test($kind))).toEqual([]);
  expect(telegram.pending).toBeGreaterThan(0);
});

test("the owner is told where there is no room and what of ours takes it, and the log says so once, from the reserve", async () => {
  const status = await daemon.wirken(["status"]);
  expect(status.status, status.stdout).toBe(3);
  expect(status.stdout).toMatch(/the disk is full, \S+ \(\w+\) has .* free; the largest folders of ours: /);
  expect(status.stdout).toContain(`${data.path} (`);
  // Where a limit stands in there is no reserve to write from.
  if (disk.kind !== "limit") await until(() => stored("storage.exhausted") === 1, "the log says so");
  await daemon.wirken(["ask", "list my files"]);
  expect(stored("storage.exhausted")).toBe(disk.kind === "limit" ? 0 : 1);
});

test("with room again, all of it is done again, and the message that waited is answered", async () => {
  disk.free(daemon.pid);
  await until(async () => (await ask(daemon, "list my files").catch(() => null))?.end === "done", "a turn is done");
  await connected(daemon);
  expect(await attemptAll("after"), disk.kind).toEqual(ALL);
  await until(() => telegram.shown.some(({ text }) => text.includes("meanwhile")), "the message that waited");
  expect(await stopped()).toBeNull();
  await until(() => stored("storage.recovered") === 1, "it goes on by itself");
  expect((await daemon.wirken(["status"])).status).toBe(0);
});

test("a start on a full disk says so and changes nothing, and the log of all this verifies", async () => {
  await daemon.end();
  const path = join(data.view, "audit.db");
  const rows = rowsOf(path).length;
  disk.fill(null);
  const refused = TestDaemon.spawn({
    environment: { WIRKEN_HOME: data.path, WIRKEN_VAULT_PASSPHRASE: PASSPHRASE },
    inside: disk.inside,
    through: disk.whileFull,
  });
  await until(() => refused.ended, "it ends");
  expect(refused.child.exitCode, refused.stderr).toBe(3);
  expect(refused.stderr).toMatch(/the disk .*\nhint: make .* free; the largest folders of ours: /);
  disk.free(null);
  expect(rowsOf(path).length).toBe(rows);
  await start();
  const verified = await daemon.wirken(["audit", "verify", join(data.path, "audit.db"), "--vkey", vkeyOf(path)]);
  expect(verified.status, verified.stdout).toBe(0);
});

test("on a full disk, and with no daemon, old rows can be pruned out of the reserve, which the log says once; a start then goes on", async () => {
  await daemon.end();
  const path = join(data.view, "audit.db");
  const exhausted = stored("storage.exhausted");
  // Something large to prune.
  await start();
  for (const mark of ["a", "b", "c", "d"])
    expect((await ask(daemon, `write first.txt: ${mark.repeat(250_000)}`)).end).toBe("done");
  await daemon.end();
  disk.fill(null);
  if (disk.kind !== "limit") {
    // The detector detects: a command that makes no room does not get the reserve.
    const refused = await daemon.wirken(["audit", "checkpoint"]);
    expect(refused.status, refused.stderr).toBe(3);
    const pruned = await daemon.wirken(["audit", "prune", "--before", "1s"]);
    expect(pruned.stdout, pruned.stderr).toMatch(/^pruned: [1-9]\d* rows keep only their hash/);
  }
  disk.free(null);
  expect(stored("storage.exhausted")).toBe(disk.kind === "limit" ? exhausted : exhausted + 1);
  await start();
  const verified = await daemon.wirken(["audit", "verify", join(data.path, "audit.db"), "--vkey", vkeyOf(path)]);
  expect(verified.status, verified.stdout).toBe(0);
});

test("on a full disk old rows can be pruned, out of the reserve, and the log still verifies", async () => {
  disk.fill(daemon.pid);
  expect((await daemon.wirken(["ask", "list my files"])).status).not.toBe(0);
  const pruned = await daemon.wirken(["audit", "prune", "--before", "1s"]);
  if (disk.kind !== "limit")
    expect(pruned.stdout, pruned.stderr).toMatch(/^pruned: [1-9]\d* rows keep only their hash/);
  disk.free(daemon.pid);
  const path = join(data.path, "audit.db");
  const verified = await daemon.wirken(["audit", "verify", path, "--vkey", vkeyOf(join(data.view, "audit.db"))]);
  expect(verified.status, verified.stdout).toBe(0);
  await until(async () => (await ask(daemon, "list my files").catch(() => null))?.end === "done", "a turn is done");
});
