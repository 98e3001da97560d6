import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeEach, expect, test } from "vitest";
import { beside } from "../../audit/beside.ts";
import { type Pin, verify } from "../../audit/verify.ts";
import type { Keepers } from "../../vault/protector.ts";
import { ensureHome, type Home, homeFrom } from "../../src/config/home.ts";
import { type Booted, boot } from "../../src/supervisor/boot.ts";
import { People } from "../../src/supervisor/people.ts";
import { HelperKeychain, KEYCHAIN_MS } from "../../src/supervisor/protector.ts";
import { finishRestore, type Restored, restoreLog } from "../../src/supervisor/restore.ts";
import { State } from "../../src/supervisor/state.ts";
import { VaultKeeper } from "../../src/supervisor/vault-keeper.ts";

/** A data directory with its real log and vault, behind a provisional key; what stands in for the keychain is what a test says it holds. */

const folder = mkdtempSync(join(tmpdir(), "wirken-restore-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let home: Home;
let pin: Pin;

function keepersOf(at: Home): Keepers {
  return {
    keychain: new HelperKeychain({ timeout: KEYCHAIN_MS.daemon, log: () => undefined }),
    provisional: at.provisionalKey,
  };
}

async function booted(at: Home = home): Promise<Booted> {
  return await boot({
    home: at,
    keepers: keepersOf(at),
    probe: () => Promise.resolve("absent"),
    passphrase: () => Promise.resolve(null),
    locked: (error) => {
      throw error;
    },
    makesRoomIn: null,
    readPin: () => Promise.resolve(pin),
    events: () => ({}),
  });
}

async function closed({ log, vault }: Booted): Promise<void> {
  await log.checkpoint("start");
  await log.close();
  vault.close();
}

async function restore(at: Home = home): Promise<Restored> {
  return await restoreLog({
    home: at,
    keepers: keepersOf(at),
    readPin: () => Promise.resolve(pin),
    passphrase: () => Promise.reject(new Error("nobody is asked")),
    reason: "the disk failed",
    via: "terminal",
  });
}

/** Makes the keys that a day needs, as the daemon does. */
function contentKeysOf({ vault, log }: Booted): (scope: string) => Promise<void> {
  return async (scope) => {
    if (!vault.hasContentKey(scope))
      await vault.change({ change: "content-key", session: scope }, (row) => log.record(row, { cause: null }));
  };
}

/** As a day of the daemon leaves it: an owner, somebody who was let in, a session with a key of its own. */
beforeEach(async () => {
  pin = { state: "absent" };
  home = homeFrom({ WIRKEN_HOME: join(mkdtempSync(join(folder, "home-")), "data") });
  ensureHome(home);
  const day = await booted();
  const { log, vault } = day;
  const state = State.open(home.state, vault.stateSealer());
  state.follow(log);
  const people = new People(log, state, () => Date.now(), contentKeysOf(day));
  const owner = await people.ensureOwner("ada");
  await people.request("telegram", "42", "Ben");
  const [code] = people.pending().map((one) => one.code);
  await people.approve(code ?? "", "approver", null, { by: owner.principal, via: "terminal" });
  const keeper = new VaultKeeper({
    vault,
    keepers: keepersOf(home),
    log,
    probe: () => Promise.resolve("absent"),
    locking: () => Promise.resolve(),
    unlocked: () => Promise.resolve(),
  });
  await keeper.contentKey("s_00000000000000000000000000");
  await log.checkpoint("demand");
  await closed(day);
  state.close();
});

/** At its end, so that it cannot be continued. */
function damage(at: Home = home): void {
  const database = new Database(at.audit);
  database.exec(
    `UPDATE entry SET body = replace(body, '"reason":"stop"', '"reason":"step"') WHERE seq = (SELECT max(seq) FROM entry)`,
  );
  database.close();
}

test("a log that can go on is not replaced", async () => {
  await expect(restore()).rejects.toMatchObject({ code: "refused" });
  expect(readdirSync(home.root)).not.toContain("restoring");
});

test("the damaged file is kept read-only, and the new log names it, how far it went, who began it and why", async () => {
  const before = await verify(home.audit, { live: true });
  damage();
  await expect(booted()).rejects.toMatchObject({ code: "AUDIT_BROKEN" });
  const bytes = readFileSync(home.audit);
  const restored = await restore();
  expect(restored).toMatchObject({ rows: before.size, predecessor: before.origin, ahead: null });
  expect(restored.people).toEqual([{ name: "Ben", role: "approver" }]);
  expect(readFileSync(restored.kept).equals(bytes)).toBe(true);
  expect(statSync(restored.kept).mode & 0o777).toBe(0o400);
  expect(existsSync(restored.kept.replace(/\.db$/, ".checkpoint"))).toBe(true);
  expect(await verify(restored.kept)).toMatchObject({ state: "broken", origin: before.origin, size: before.size });

  const day = await booted();
  expect(day.findings).toEqual([]);
  const first = day.log.row(0);
  expect(first?.action).toMatchObject({
    kind: "log.opened",
    origin: restored.origin,
    predecessor: before.origin,
    kept: before.size,
    keptRoot: before.root,
    ahead: null,
    via: "terminal",
  });
  expect(first?.content("reason")).toBe("the disk failed");
  await closed(day);
  const { state, findings } = await verify(home.audit, { live: true, vkey: restored.vkey });
  expect({ state, findings }).toEqual({ state: "good", findings: [] });
});

test("nobody is let in but the owner, who is the one that began the log; the keys to what was kept stay", async () => {
  damage();
  await restore();
  expect(existsSync(home.state)).toBe(false);
  const day = await booted();
  const state = State.open(home.state, day.vault.stateSealer());
  state.follow(day.log);
  expect(state.people()).toEqual([]);
  const owner = await new People(day.log, state, () => Date.now(), contentKeysOf(day)).ensureOwner(
    "ada",
    day.log.genesis.by ?? null,
  );
  expect(owner.principal).toBe(day.log.genesis.by);
  expect(state.people()).toHaveLength(1);
  expect(state.personOf("telegram", "42")).toBeNull();
  expect(day.log.rows({ kind: "grant." })).toEqual([]);
  expect(day.vault.hasContentKey("s_00000000000000000000000000")).toBe(true);
  await closed(day);
  state.close();
});

test("the old log's key is destroyed: nobody adds to it any more, and the vault signs the new one only", async () => {
  const before = (await verify(home.audit, { live: true })).vkey;
  damage();
  const { origin } = await restore();
  const day = await booted();
  expect(day.vault.logEpochs()).toHaveLength(1);
  expect(day.vault.origin).toBe(origin);
  expect(day.vault.signer().vkey).not.toBe(before);
  await closed(day);
});

test("a log that is behind its pin is replaced, and the new one says how far the pin was ahead", async () => {
  const older = readFileSync(home.audit);
  const checkpoint = readFileSync(beside(home.audit).checkpoint);
  const vault = readFileSync(home.vault);
  await closed(await booted());
  const ahead = await verify(home.audit, { live: true });
  pin = { state: "found", note: readFileSync(beside(home.audit).checkpoint, "utf8") };
  writeFileSync(home.audit, older);
  writeFileSync(beside(home.audit).checkpoint, checkpoint);
  writeFileSync(home.vault, vault);
  const behind = await booted();
  expect(behind.findings).toMatchObject([{ code: "PIN_BEHIND" }]);
  await behind.log.close();
  behind.vault.close();
  const restored = await restore();
  expect(restored.ahead).toBe(ahead.size);
  // The pin is still that of the log before, until the new one is pinned.
  const day = await booted();
  expect(day.findings).toEqual([]);
  expect(day.log.genesis).toMatchObject({ ahead: ahead.size });
  await closed(day);
});

test("a vault that is older than its log, and has no newer copy, goes on with a new log", async () => {
  const older = readFileSync(home.vault);
  const day = await booted();
  const keeper = new VaultKeeper({
    vault: day.vault,
    keepers: keepersOf(home),
    log: day.log,
    probe: () => Promise.resolve("absent"),
    locking: () => Promise.resolve(),
    unlocked: () => Promise.resolve(),
  });
  await keeper.contentKey("s_11111111111111111111111111");
  await closed(day);
  writeFileSync(home.vault, older);
  await expect(booted()).rejects.toMatchObject({ code: "VAULT_ROLLED_BACK" });
  await restore();
  const after = await booted();
  expect(after.findings).toEqual([]);
  await closed(after);
});

test("a pin of a log that is neither this one nor the one it follows is a finding", async () => {
  damage();
  await restore();
  pin = { state: "found", note: `wirken.local/audit/${"0".repeat(32)}\n9\n${"A".repeat(43)}=\n\n— x AAAA\n` };
  const day = await booted();
  expect(day.findings).toMatchObject([{ code: "PIN_FOREIGN" }]);
  await closed(day);
});

test("a file that is no database at all is kept too", async () => {
  writeFileSync(home.audit, "this was an audit log\n".repeat(500));
  const restored = await restore();
  expect(restored).toMatchObject({ rows: 0 });
  expect(readFileSync(restored.kept, "utf8")).toContain("this was an audit log");
  await closed(await booted());
});

/** The data directory as a crash leaves it, made from one before and one after a restore. */
function crashed(after: Home, step: "before the vault" | "after the vault" | "cleared" | "checkpoint moved"): Home {
  const at = homeFrom({ WIRKEN_HOME: join(mkdtempSync(join(folder, "crash-")), "data") });
  cpSync(home.root, at.root, { recursive: true });
  const staging = join(at.root, "restoring");
  mkdirSync(staging, { mode: 0o700 });
  cpSync(after.audit, join(staging, "audit.db"));
  cpSync(beside(after.audit).checkpoint, join(staging, "audit.checkpoint"));
  writeFileSync(join(staging, "stem"), "audit-kept");
  if (step === "before the vault") return at;
  cpSync(after.vault, at.vault);
  if (step === "after the vault") return at;
  renameSync(at.audit, join(at.root, "audit-kept.db"));
  renameSync(beside(at.audit).checkpoint, join(at.root, "audit-kept.checkpoint"));
  rmSync(at.state);
  writeFileSync(join(staging, "cleared"), "");
  if (step === "checkpoint moved") renameSync(join(staging, "audit.checkpoint"), beside(at.audit).checkpoint);
  return at;
}

async function restoredCopy(): Promise<Home> {
  damage();
  const at = homeFrom({ WIRKEN_HOME: join(mkdtempSync(join(folder, "after-")), "data") });
  cpSync(home.root, at.root, { recursive: true });
  await restore(at);
  return at;
}

test.for(["after the vault", "cleared", "checkpoint moved"] as const)(
  "a crash that fell %s went over: the next start ends the restore",
  async (step) => {
    const after = await restoredCopy();
    const at = crashed(after, step);
    expect(await finishRestore(at)).toBe(true);
    expect(await finishRestore(at)).toBe(false);
    expect(existsSync(join(at.root, "audit-kept.db"))).toBe(true);
    expect(existsSync(join(at.root, "audit-kept.checkpoint"))).toBe(true);
    const day = await booted(at);
    expect(day.log.genesis.predecessor).toBeDefined();
    await closed(day);
    expect(await verify(at.audit, { live: true })).toMatchObject({ findings: [] });
  },
);

test("a crash before the vault went over leaves the old log in its place, and the restore begins anew", async () => {
  const after = await restoredCopy();
  const at = crashed(after, "before the vault");
  expect(await finishRestore(at)).toBe(false);
  expect(existsSync(join(at.root, "restoring"))).toBe(false);
  await expect(booted(at)).rejects.toMatchObject({ code: "AUDIT_BROKEN" });
  await restore(at);
  await closed(await booted(at));
});
