import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod/mini";
import { PASSPHRASE, until } from "../support/claims-world.ts";
import { newHome, TestDaemon } from "../support/daemon.ts";
import { Desktop } from "../support/keyring.ts";

/** The vault is behind a passphrase: nothing but the anchor brings the keychain into it. */

const Verdict = z.object({ state: z.string(), sentences: z.array(z.string()) });

let desktop: Desktop;
let home: string;

beforeEach(async () => {
  home = newHome();
  desktop = await Desktop.start();
});
afterEach(async () => {
  await desktop[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

async function start(): Promise<TestDaemon> {
  return await TestDaemon.start({
    home,
    environment: { ...desktop.environment, WIRKEN_VAULT_PASSPHRASE: PASSPHRASE },
  });
}

/** What `audit verify` says of the pin, and whether the record is good. */
async function said(daemon: TestDaemon): Promise<{ state: string; pin: string }> {
  const { stdout, stderr } = await daemon.wirken(["audit", "verify", "--json"]);
  if (stdout === "") throw new Error(stderr);
  const { state, sentences } = Verdict.parse(JSON.parse(stdout));
  return { state, pin: sentences.find((line) => line.includes("keychain")) ?? "" };
}

async function pinned(daemon: TestDaemon): Promise<void> {
  const added = await daemon.wirken(["audit", "anchor", "add", "keychain"]);
  expect(added.status, added.stderr).toBe(0);
  await until(async () => (await said(daemon)).pin.includes("agrees"), "the pin agrees");
}

test("the record is pinned there, and one that was put back behind the pin is found at the next start", async () => {
  await desktop.unlocked();
  const data = join(home, "data");
  const older = join(home, "older");
  {
    await using daemon = await start();
    // Nobody promised a pin, so none is asked for.
    expect((await said(daemon)).pin).not.toContain("agrees");
    await pinned(daemon);
    expect((await said(daemon)).state).toBe("good");
  }
  cpSync(data, older, { recursive: true });
  {
    await using daemon = await start();
    expect((await daemon.wirken(["ask", "list my files"])).status).toBe(0);
  }
  rmSync(data, { recursive: true });
  cpSync(older, data, { recursive: true });
  const put = TestDaemon.spawn({
    home,
    environment: { ...desktop.environment, WIRKEN_VAULT_PASSPHRASE: PASSPHRASE },
  });
  await using daemon = put;
  await until(() => daemon.ended || daemon.stdout.includes("ready in "), "it starts, or does not");
  expect(daemon.stdout).not.toContain("ready in ");
  expect(daemon.child.exitCode).not.toBe(0);
  expect(daemon.stderr).toMatch(/the log has \d+ rows, and a checkpoint kept elsewhere covers \d+/);
  expect(daemon.stderr).toContain("wirken audit restore");
  // What is found wrong stops every action.
  const refused = await daemon.wirken(["ask", "list my files"]);
  expect(refused.status, refused.stderr).not.toBe(0);
});

test("a keychain that is locked is not one that has no pin", async () => {
  await desktop.locked();
  await using daemon = await start();
  const refused = await daemon.wirken(["audit", "anchor", "add", "keychain"]);
  expect(refused.status, refused.stderr).toBe(3);
  expect(refused.stderr).toMatch(/the keychain cannot be used: it is (absent|locked)/);
  await desktop.unlocked();
  await pinned(daemon);
  await desktop.locked();
  const { state, pin } = await said(daemon);
  expect(pin).toContain("the keychain could not be reached, so the pin was not compared");
  expect(state).toBe("good");
});

test("a keychain that was replaced has no pin, and that is found", async () => {
  await desktop.unlocked();
  await using daemon = await start();
  await pinned(daemon);
  expect((await said(daemon)).state).toBe("good");
  await desktop.replaced();
  const { state, pin } = await said(daemon);
  expect(state).toBe("broken");
  expect(pin).toContain("the keychain holds no pin of this log");
});
