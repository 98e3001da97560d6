import { spawn } from "node:child_process";
import { cpSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod/mini";
import { rowsOf } from "../support/claims-log.ts";
import { ask, auditOf, childrenOf, until } from "../support/claims-world.ts";
import { cleanEnvironment, newHome, type Ran, run, type StartOptions, TestDaemon } from "../support/daemon.ts";
import { Desktop } from "../support/keyring.ts";

const PASSPHRASE = "corridor lantern mackerel 71";
const OTHER_PASSPHRASE = "marble thunder anchovy 20";
const KEY = "sk-ant-api03-nobody-has-this-key-0123456789";

const Status = z.object({ state: z.string(), protector: z.string(), keychain: z.string(), sentence: z.string() });
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

/** A daemon on the test's own home, in the desktop's session. */
async function start(environment: Record<string, string> = desktop.environment): Promise<TestDaemon> {
  return await TestDaemon.start({ home, environment });
}

async function protectorOf(daemon: TestDaemon): Promise<string> {
  return Status.parse(await daemon.json("vault", "status")).protector;
}

async function enrol(daemon: TestDaemon): Promise<Ran> {
  return await daemon.wirken(["vault", "add", "anthropic", "--no-check", "--stdin"], { stdin: `${KEY}\n` });
}

async function verdict(daemon: TestDaemon): Promise<z.infer<typeof Verdict>> {
  return Verdict.parse(await daemon.json("audit", "verify"));
}

/** Starts one whose vault does not open, and waits until it says so. */
async function startLocked(options: StartOptions): Promise<TestDaemon> {
  const daemon = TestDaemon.spawn({ home, ...options });
  await daemon.until(() => daemon.stderr.includes("the vault is locked"), 20_000, "waiting for its vault");
  return daemon;
}

async function isReady(daemon: TestDaemon, within = 20_000): Promise<void> {
  await daemon.until(() => daemon.stdout.includes("ready in "), within, "ready");
}

function kinds(): string[] {
  return rowsOf(join(home, "data", "audit.db")).map((row) => row.$kind);
}

test("where a keychain works, the first start puts the master key there, and pins the log there", async () => {
  await desktop.unlocked();
  await using daemon = await start();
  expect(await protectorOf(daemon)).toBe("keychain");
  expect(existsSync(join(daemon.data, "provisional.key"))).toBe(false);
  await until(
    async () => (await verdict(daemon)).sentences.some((line) => line.includes("pin in the keychain: agrees")),
    "pinned",
    20_000,
    250, // each look is a command
  );
  expect(await verdict(daemon)).toMatchObject({ state: "good" });
  const added = await enrol(daemon);
  expect(added).toMatchObject({ status: 0 });
  expect(`${added.stdout}${added.stderr}`).not.toContain("protected by the keychain"); // it was so before
});

test("without a keychain a passphrase from the environment or a file is taken, and no child inherits it", async () => {
  const file = join(home, "passphrase");
  writeFileSync(file, `${PASSPHRASE}\n`, { mode: 0o600 });
  {
    await using daemon = await start({ WIRKEN_VAULT_PASSPHRASE: PASSPHRASE });
    expect(await protectorOf(daemon)).toBe("passphrase");
    await ask(daemon, "list my files");
    const holds = (pid: number): boolean => readFileSync(`/proc/${pid}/environ`).includes(PASSPHRASE);
    const control = spawn("sleep", ["60"], { env: { WIRKEN_VAULT_PASSPHRASE: PASSPHRASE } });
    await until(() => holds(control.pid ?? 0), "the detector detects");
    control.kill("SIGKILL");
    expect(holds(daemon.pid)).toBe(false); // not even in the kernel's copy of what it was started with
    const children = [...childrenOf(daemon.pid)];
    expect(children.length).toBeGreaterThan(2);
    expect(children.filter(holds)).toEqual([]);
    expect(daemon.stderr).not.toContain(PASSPHRASE);
  }
  await using daemon = await start({ WIRKEN_VAULT_PASSPHRASE_FILE: file });
  expect(await protectorOf(daemon)).toBe("passphrase");
  expect(await verdict(daemon)).toMatchObject({ state: "good" });
});

test("with neither, the vault is provisional and everything says so; the first credential moves it behind the keychain", async () => {
  await using daemon = await start();
  expect(await protectorOf(daemon)).toBe("none");
  expect(daemon.stdout).toContain("provisional: whoever reads this user's files can forge this log");
  const before = await verdict(daemon);
  expect(before.sentences.join("\n")).toContain("provisional");
  const [genesis] = rowsOf(auditOf(daemon));
  expect(genesis).toMatchObject({ $kind: "log.opened", protector: "none" });
  expect(existsSync(join(daemon.data, "provisional.key"))).toBe(true);

  await desktop.unlocked();
  const added = await enrol(daemon);
  expect(added).toMatchObject({ status: 0 });
  expect(added.stdout).toContain("the vault is now protected by the keychain of the operating system");
  expect(existsSync(join(daemon.data, "provisional.key"))).toBe(false);
  expect(await protectorOf(daemon)).toBe("keychain");
  const rows = rowsOf(auditOf(daemon));
  const rotated = rows.find((row) => row.$kind === "key.rotated");
  expect(rotated).toMatchObject({ protector: "keychain" });
  expect(rotated?.["vkey"]).not.toBe(genesis?.["vkey"]);
  expect(rows.some((row) => row.$kind === "vault.protected" && row["protector"] === "keychain")).toBe(true);
  const after = await verdict(daemon);
  expect(after.state).toBe("good");
  expect(after.sentences.join("\n")).toMatch(/2 (keys|epochs)/);
  await daemon.end();

  await using again = await start();
  expect(await verdict(again)).toMatchObject({ state: "good" });
  expect((await again.wirken(["vault", "list"])).stdout).toContain("anthropic");
});

test("where there is no keychain, adding a credential asks for a passphrase first, and then works", async () => {
  await using daemon = await start();
  const refused = await enrol(daemon);
  expect(refused.status).toBe(3);
  expect(refused.stderr).toContain("wirken vault protect passphrase");
  const short = await daemon.wirken(["vault", "protect", "passphrase", "--stdin"], { stdin: "short\n" });
  expect(short).toMatchObject({ status: 2, stdout: "" });
  const moved = await daemon.wirken(["vault", "protect", "passphrase", "--stdin"], { stdin: `${PASSPHRASE}\n` });
  expect(moved).toMatchObject({ status: 0 });
  expect(moved.stdout).toContain("open, protected by a passphrase");
  expect(existsSync(join(daemon.data, "provisional.key"))).toBe(false);
  expect(await enrol(daemon)).toMatchObject({ status: 0 });
  expect(await verdict(daemon)).toMatchObject({ state: "good" });
});

test("behind a passphrase a start waits for it; a wrong one is refused, and the right one opens without a restart", async () => {
  {
    await using first = await start({ WIRKEN_VAULT_PASSPHRASE: PASSPHRASE });
    expect(await enrol(first)).toMatchObject({ status: 0 });
  }
  await using daemon = await startLocked({});
  expect(daemon.stderr).toContain("wirken vault unlock");
  expect(await daemon.wirken(["vault", "status"])).toMatchObject({ status: 3 });
  const held = await daemon.wirken(["ask", "list my files"]);
  expect(held.status).toBe(3);
  expect(held.stderr).toContain("wirken vault unlock");
  const wrong = await daemon.wirken(["vault", "unlock", "--stdin"], { stdin: `${OTHER_PASSPHRASE}\n` });
  expect(wrong.status).toBe(3);
  expect(wrong.stderr).toMatch(/passphrase/i);
  const right = await daemon.wirken(["vault", "unlock", "--stdin"], { stdin: `${PASSPHRASE}\n` });
  expect(right).toMatchObject({ status: 0 });
  expect(right.stdout).toContain("open");
  await isReady(daemon);
  expect((await daemon.wirken(["vault", "list"])).stdout).toContain("anthropic");
  expect(kinds().at(-1)).not.toBe("vault.refused");
});

/** It is tried again after half a minute of the clock: that is for whoever has the time. */
const LONG = process.env["WIRKEN_TEST_ROUNDS"] === "long";

test.for(["until somebody types a command", ...(LONG ? ["by itself"] : [])])(
  "a keychain that is locked at the start is waited for, %s, and never replaced by anything weaker",
  async (how) => {
    await desktop.unlocked();
    {
      await using first = await start();
      expect(await enrol(first)).toMatchObject({ status: 0 });
    }
    await desktop.locked();
    await using daemon = await startLocked({ environment: desktop.environment });
    if (how === "by itself") {
      await desktop.unlocked();
      await isReady(daemon, 45_000);
    } else {
      const status = await daemon.wirken(["vault", "status"]);
      expect(status.status).toBe(3);
      expect(status.stdout).toContain("locked");
      expect(existsSync(join(daemon.data, "provisional.key"))).toBe(false);
      expect(await daemon.wirken(["vault", "unlock"])).toMatchObject({ status: 3 }); // still locked
      await desktop.unlocked();
      expect(await daemon.wirken(["vault", "unlock"])).toMatchObject({ status: 0 });
      await isReady(daemon);
    }
    expect((await daemon.wirken(["vault", "list"])).stdout).toContain("anthropic");
    expect(await verdict(daemon)).toMatchObject({ state: "good" });
  },
);

test("an older copy of the vault alone is refused, with what to do", async () => {
  await desktop.unlocked();
  {
    await using first = await start();
    await first.end();
  }
  const vault = join(home, "data", "vault.db");
  cpSync(vault, `${vault}.older`);
  {
    await using second = await start();
    expect(await enrol(second)).toMatchObject({ status: 0 });
  }
  renameSync(`${vault}.older`, vault);
  await using refused = TestDaemon.spawn({ home, environment: desktop.environment });
  await until(() => refused.ended, "it gave up");
  expect(refused.child.exitCode).toBe(3);
  expect(refused.stderr).toMatch(/older/);
  expect(refused.stderr).toContain("restore vault.db and audit.db from the same one");
  expect(kinds().at(-1)).toBe("vault.refused");
});

test("an older copy of the whole data directory is found by the pin, and nothing is done until the owner has said why", async () => {
  await desktop.unlocked();
  const data = join(home, "data");
  {
    await using first = await start();
    await first.end();
  }
  cpSync(data, join(home, "older"), { recursive: true });
  {
    await using second = await start();
    await ask(second, "list my files");
  }
  rmSync(data, { recursive: true });
  renameSync(join(home, "older"), data);

  // Looked at or not, a start does not make it go away.
  for (const time of ["first", "second"]) {
    await using refused = TestDaemon.spawn({ home, environment: desktop.environment });
    await until(() => refused.ended, "it gave up");
    expect(refused.child.exitCode, time).toBe(3);
    expect(refused.stderr).toContain("nothing runs: ");
    expect(refused.stderr).toContain("A restored backup");
    expect(refused.stderr).toContain("audit restore");
  }
  const environment = cleanEnvironment(home, desktop.environment);
  const added = await run(["vault", "add", "anthropic", "--no-check", "--stdin"], { environment, stdin: `${KEY}\n` });
  expect(added).toMatchObject({ status: 3 });
  expect(added.stderr).toContain("nothing runs: ");
  expect((await run(["status"], { environment })).stdout).toContain("ALARM");
  expect(kinds()).not.toContain("tool.called");
  expect(kinds().filter((kind) => kind === "finding.raised")).toHaveLength(1);

  // To go on behind the pin would be a second history.
  const acknowledged = await run(["audit", "acknowledge", "--reason", "a backup was restored"], { environment });
  expect(acknowledged).toMatchObject({ status: 4 });
  expect(acknowledged.stderr).toContain("audit restore");
  expect(kinds()).not.toContain("finding.acknowledged");

  const restored = await run(["audit", "restore", "--reason", "a backup was restored"], { environment });
  expect(restored, restored.stderr).toMatchObject({ status: 0 });
  expect(restored.stdout).toMatch(/^ahead of it +a checkpoint of \d+ rows, kept elsewhere$/m);
  await using daemon = await start();
  expect(await ask(daemon, "list my files")).toMatchObject({ end: "done" });
  expect(await verdict(daemon)).toMatchObject({ state: "good" });
  // The pin is the new log's now: a start with it finds nothing.
  await daemon.end();
  await using after = await start();
  expect(await verdict(after)).toMatchObject({ state: "good" });
});

test("a command without the daemon finds the keychain too", async () => {
  await desktop.unlocked();
  {
    await using first = await start();
    await first.end();
  }
  const environment = cleanEnvironment(home, desktop.environment);
  const added = await run(["vault", "add", "anthropic", "--no-check", "--stdin"], { environment, stdin: `${KEY}\n` });
  expect(added).toMatchObject({ status: 0 });
  expect((await run(["vault", "list"], { environment })).stdout).toContain("anthropic");
});
