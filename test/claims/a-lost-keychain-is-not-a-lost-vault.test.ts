import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { rowsOf } from "../support/claims-log.ts";
import { cleanEnvironment, newHome, run, TestDaemon } from "../support/daemon.ts";
import { SecretScan } from "../support/secret-scan.ts";
import { Terminal } from "../support/terminal.ts";

const PASSPHRASE = "corridor lantern mackerel 71";
const NEXT = "marble thunder anchovy 20";
const BACKUP = "orchard violin pebble thursday";
const KEY = "sk-ant-api03-nobody-has-this-key-0123456789";

const Listed = z.object({ credentials: z.array(z.object({ scope: z.string(), version: z.number() })) });
const Status = z.object({ state: z.string(), protector: z.string(), recovery: z.boolean().nullable() });

/** The first machine: a vault behind a passphrase, a credential, a recovery phrase, two backups. */
const home = newHome();
let phrase = "";

const given = { WIRKEN_VAULT_PASSPHRASE: PASSPHRASE };

beforeAll(async () => {
  await using daemon = await TestDaemon.start({ home, environment: given });
  await daemon.wirken(["vault", "add", "anthropic", "--no-check", "--stdin"], { stdin: `${KEY}\n` });
  await daemon.wirken(["vault", "backup", "--out", join(home, "by-passphrase"), "--stdin"], { stdin: `${BACKUP}\n` });
  phrase = await createPhrase(daemon.environment);
  const made = await daemon.wirken(["vault", "backup", "--out", join(home, "by-phrase")]);
  if (made.status !== 0) throw new Error(`no backup was made: ${made.stderr}`);
}, 120_000);
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** Makes a phrase as a person does. @returns its words. */
async function createPhrase(environment: Record<string, string>): Promise<string> {
  await using terminal = new Terminal(`'${join(import.meta.dirname, "../../dist/wirken")}' vault recovery create`, {
    ...environment,
    TERM: "xterm",
  });
  await terminal.shows("written them down: ");
  const words = [...terminal.screen.matchAll(/\d+\. ([a-z]{3,8})/g)].map(([, word = ""]) => word);
  terminal.type("\r");
  for (let left = 4; left > 0; left--) {
    await terminal.shows(" of the phrase (not shown): ");
    const [, at = "0"] = /word (\d+) of the phrase \(not shown\): $/.exec(terminal.screen) ?? [];
    terminal.type(`${words[Number(at) - 1] ?? ""}\r`);
  }
  if ((await terminal.status()) !== 0) throw new Error(`no phrase was made:\n${terminal.screen}`);
  return words.join(" ");
}

/** Another machine, with a copy of the data directory or with nothing. */
function machine(what: "copy" | "nothing"): { home: string; environment: Record<string, string> } {
  const other = newHome();
  if (what === "copy") cpSync(join(home, "data"), join(other, "data"), { recursive: true });
  else mkdirSync(join(other, "data"), { mode: 0o700 });
  const file = join(other, "passphrase");
  writeFileSync(file, `${NEXT}\n`, { mode: 0o600 });
  return { home: other, environment: cleanEnvironment(other, { WIRKEN_VAULT_PASSPHRASE_FILE: file }) };
}

async function listed(environment: Record<string, string>): Promise<string[]> {
  const { stdout, stderr } = await run(["vault", "list", "--json"], { environment });
  expect(stdout, stderr).not.toBe("");
  return Listed.parse(JSON.parse(stdout)).credentials.map(({ scope }) => scope);
}

function kinds(at: string): string[] {
  return rowsOf(join(at, "data", "audit.db")).map((row) => row.$kind);
}

test("with the phrase, a copied data directory opens on a machine without its keychain, under the same log", async () => {
  const there = machine("copy");
  const wrong = await run(["vault", "recovery", "use", "--stdin"], {
    environment: there.environment,
    stdin: `${"abandon ".repeat(23)}art\n`,
  });
  expect(wrong).toMatchObject({ status: 3, stdout: "" });
  expect(wrong.stderr).toContain("not this vault's");
  const mistyped = await run(["vault", "recovery", "use", "--stdin"], {
    environment: there.environment,
    stdin: `${phrase.replace(/^\S+/, "wirken")}\n`,
  });
  expect(mistyped).toMatchObject({ status: 2, stdout: "" });
  expect(mistyped.stderr).toContain("Word 1 is not in the list");

  const used = await run(["vault", "recovery", "use", "--stdin", "--json"], {
    environment: there.environment,
    stdin: `${phrase.toUpperCase()}\n`,
  });
  expect(used, used.stderr).toMatchObject({ status: 0 });
  expect(Status.parse(JSON.parse(used.stdout))).toEqual({ state: "open", protector: "passphrase", recovery: true });
  expect(await listed(there.environment)).toEqual(["provider/anthropic"]);
  const old = { ...there.environment, WIRKEN_VAULT_PASSPHRASE_FILE: "", WIRKEN_VAULT_PASSPHRASE: PASSPHRASE };
  expect((await run(["vault", "list"], { environment: old })).status).toBe(3);
  expect(kinds(there.home)).toContain("vault.recovered");
  expect(kinds(there.home).filter((kind) => kind === "log.opened")).toHaveLength(1);
  // Handed over to the daemon as ever: the log of before goes on, and holds.
  await using daemon = await TestDaemon.start({ home: there.home, environment: { WIRKEN_VAULT_PASSPHRASE: NEXT } });
  expect(z.object({ state: z.string() }).parse(await daemon.json("audit", "verify")).state).toBe("good");
  rmSync(there.home, { recursive: true, force: true });
});

test.each([
  ["the recovery phrase", "by-phrase", [], (): string => phrase],
  ["its passphrase", "by-passphrase", ["--passphrase"], (): string => BACKUP],
] as const)(
  "a backup is restored on a new machine with %s, and begins a log of its own",
  async (_, file, options, secret) => {
    const there = machine("nothing");
    const restored = await run(["vault", "restore", join(home, file), ...options, "--stdin"], {
      environment: there.environment,
      stdin: `${secret()}\n`,
    });
    expect(restored, restored.stderr).toMatchObject({ status: 0 });
    expect(restored.stdout).toContain("new, with 1 credential");
    expect(await listed(there.environment)).toEqual(["provider/anthropic"]);
    expect(kinds(there.home).slice(0, 3)).toEqual(["log.opened", "log.checkpointed", "vault.restored"]);
    rmSync(there.home, { recursive: true, force: true });
  },
);

test("a backup is not restored over a vault unless that was meant, and what was there is kept", async () => {
  const there = machine("copy");
  const options = ["vault", "restore", join(home, "by-phrase"), "--stdin"];
  const refused = await run(options, { environment: there.environment, stdin: `${phrase}\n` });
  expect(refused).toMatchObject({ status: 2, stdout: "" });
  expect(refused.stderr).toContain("--confirm restore");
  const done = await run([...options, "--confirm", "restore"], {
    environment: there.environment,
    stdin: `${phrase}\n`,
  });
  expect(done, done.stderr).toMatchObject({ status: 0 });
  const files = readdirSync(join(there.home, "data"));
  expect(files.filter((name) => /^(vault|audit)-\d{4}-.*\.db$/.test(name))).toHaveLength(2);
  expect(files).not.toContain("replacing");
  rmSync(there.home, { recursive: true, force: true });
});

test("a vault that nothing opens is reset by its word: the log is kept, and what has to be enrolled again is named", async () => {
  const there = machine("copy");
  const refused = await run(["vault", "reset", "--confirm", "yes"], { environment: there.environment });
  expect(refused).toMatchObject({ status: 1 });
  const reset = await run(["vault", "reset", "--confirm", "reset"], { environment: there.environment });
  expect(reset, reset.stderr).toMatchObject({ status: 0 });
  expect(reset.stdout).toContain("enrol again: wirken vault add anthropic");
  expect(await listed(there.environment)).toEqual([]);
  const rows = rowsOf(join(there.home, "data", "audit.db"));
  expect(rows[0]).toMatchObject({ $kind: "log.opened", predecessor: expect.stringContaining("wirken.local/audit/") });
  expect(rows[2]).toMatchObject({ $kind: "vault.reset", credentials: 1 });
  const kept = readdirSync(join(there.home, "data")).find((name) => /^audit-.*\.db$/.test(name)) ?? "";
  const verified = await run(["audit", "verify", join(there.home, "data", kept)], { environment: there.environment });
  expect(verified.stdout, verified.stderr).toContain("are whole and in order");
  rmSync(there.home, { recursive: true, force: true });
});

test("locked while it runs, the vault gives no credential and the rest goes on; unlocked, all of it does", async () => {
  const there = machine("copy");
  await using daemon = await TestDaemon.start({ home: there.home, environment: given });
  expect(await daemon.wirken(["ask", "list my files"])).toMatchObject({ status: 1 }); // its model's provider is out of reach here
  const locked = await daemon.wirken(["vault", "lock"]);
  expect(locked, locked.stderr).toMatchObject({ status: 0 });
  const status = await daemon.wirken(["vault", "status"]);
  expect(status).toMatchObject({ status: 3 });
  expect((await daemon.wirken(["status"])).stdout).toContain("locked by its owner");
  const asked = await daemon.wirken(["ask", "list my files"]);
  expect(`${asked.stdout}${asked.stderr}`).toContain("wirken vault unlock");
  const added = await daemon.wirken(["vault", "add", "openai", "--no-check", "--stdin"], { stdin: "sk-nobody-0123\n" });
  expect(added).toMatchObject({ status: 3 });
  const none = await daemon.wirken(["vault", "unlock", "--stdin"], { stdin: `${NEXT}\n` });
  expect(none.status).toBe(3);
  const back = await daemon.wirken(["vault", "unlock", "--stdin"], { stdin: `${PASSPHRASE}\n` });
  expect(back, back.stderr).toMatchObject({ status: 0 });
  expect(
    await daemon.wirken(["vault", "add", "openai", "--no-check", "--stdin"], { stdin: "sk-nobody-0123\n" }),
  ).toMatchObject({ status: 0 });
  expect(kinds(there.home).filter((kind) => kind === "vault.locked")).toHaveLength(1);
  await daemon.end();
  rmSync(there.home, { recursive: true, force: true });
});

test("commands at once on one vault, without a daemon, wait for each other, and what each enrolled is there", async () => {
  const there = machine("copy");
  const environment = { ...there.environment, WIRKEN_VAULT_PASSPHRASE_FILE: "", WIRKEN_VAULT_PASSPHRASE: PASSPHRASE };
  const names = ["one", "two", "three"];
  const done = await Promise.all(
    names.map((name) =>
      run(["vault", "add", `secret/${name}`, "--stdin"], { environment, stdin: `value-of-${name}\n` }),
    ),
  );
  expect(done.map(({ status, stderr }) => (status === 0 ? "done" : stderr))).toEqual(names.map(() => "done"));
  expect(await listed(environment)).toEqual(["provider/anthropic", "secret/one", "secret/three", "secret/two"]);
  rmSync(there.home, { recursive: true, force: true });
});

test("neither phrase nor passphrase nor credential is in any file of the data directory or in a backup", () => {
  const scan = new SecretScan([phrase, KEY, PASSPHRASE, BACKUP]);
  expect(scan.in(`${phrase} ${KEY}`)).toHaveLength(2);
  expect(scan.below(home)).toEqual([]);
  expect(existsSync(join(home, "by-phrase"))).toBe(true);
});
