import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { BootLog } from "../../audit/log.ts";
import { systemClock } from "../../audit/ports.ts";
import { VaultError } from "../../vault/error.ts";
import { LockedVault } from "../../vault/locked-vault.ts";
import { accountOf, deleteOldMasters, moveTo } from "../../vault/protector.ts";
import { readProvisional, writeProvisional } from "../../vault/provisional.ts";
import { recoveryPublic } from "../../vault/recovery.ts";
import { Secret } from "../../vault/secret.ts";
import { Vault } from "../../vault/vault.ts";
import { KeyringHome, KeyringSession, useSession } from "../keychain/session.ts";
import { DataFolder, newestChange, PASSPHRASE, textOf, typed, World } from "./world.ts";

const CHILD = join(import.meta.dirname, "rekey-child.ts");
const CHANGES = join(import.meta.dirname, "change-child.ts");
const MINUTES = 60_000;
/** Steps from one kill to the next in the slower tests, and kills at random: `npm run test:long` takes every step. */
const LONG = process.env["WIRKEN_TEST_ROUNDS"] === "long";
const EVERY = LONG ? 1 : 23;
const KILLS = LONG ? 60 : 3;

afterEach(() => useSession(null));

/** Runs the whole move in a process that kills itself at `step`. @returns whether it came to its end. */
function move(folder: DataFolder, protector: string, step: number): boolean {
  const run = spawnSync(process.execPath, [CHILD, folder.path, protector, String(step)], { encoding: "utf8" });
  if (run.signal === "SIGKILL") return false;
  if (run.status === 0) return true;
  throw new Error(`the child failed at step ${step}: ${run.stderr}`);
}

/** Opens it with whichever passphrase is the vault's, and shows that everything in it opens. */
async function openWhole(folder: DataFolder): Promise<World> {
  // The recovery phrase opens every state that there is.
  {
    const boot = BootLog.open(folder.log, systemClock);
    const newest = newestChange(boot);
    boot.close();
    const locked = await LockedVault.open(folder.vault);
    const { vault } = locked.recover(PHRASE, newest);
    expect(textOf(vault.take("channel/slack", "bot-token"))).toBe("xoxb-kept");
    vault.close();
  }
  const passphrases = [PASSPHRASE, "the next passphrase"];
  const opened: World[] = [];
  for (const passphrase of passphrases) {
    try {
      opened.push(await World.open(folder, passphrase));
      break;
    } catch (error) {
      if (!(error instanceof VaultError) || error.code !== "VAULT_WRONG_PASSPHRASE") throw error;
    }
  }
  const [world] = opened;
  if (world === undefined) throw new Error("neither master opens the vault");
  expect(textOf(world.vault.take("channel/slack", "bot-token"))).toBe("xoxb-kept");
  expect(world.vault.sealer().open("daemon", "kept", SEALED.bytes)).toEqual(new TextEncoder().encode("kept"));
  const { log } = world;
  // The log goes on under the key that it says it does.
  await log.append(
    { kind: "vault.protected", protector: world.vault.protector, by: NOBODY, via: "terminal" },
    { cause: null },
  );
  await log.checkpoint("demand");
  return world;
}

/** What the recovery phrase of every vault here says. */
const PHRASE = Secret.take(new Uint8Array(32).fill(0x17));
const NOBODY = `p_${"0".repeat(26)}`;
const SEALED: { bytes: Uint8Array } = { bytes: new Uint8Array(0) };

/** A vault that was made, guarded and filled, closed again. */
async function template(protector: "keychain" | "passphrase"): Promise<DataFolder> {
  const folder = new DataFolder();
  await using world = await World.open(folder);
  if (protector === "keychain") await moveTo(world.vault, { kind: "keychain" }, folder.keepers, world.record);
  else {
    using passphrase = typed();
    await moveTo(world.vault, { kind: "passphrase", passphrase }, folder.keepers, world.record);
  }
  await deleteOldMasters(world.vault, folder.keepers);
  await world.add("channel/slack", { "bot-token": "xoxb-kept" });
  await world.vault.change({ change: "recovery", publicKey: recoveryPublic(PHRASE) }, world.record);
  SEALED.bytes = world.vault.sealer().seal("daemon", "kept", new TextEncoder().encode("kept"));
  return folder;
}

function mastersInKeychain(): string[] {
  const script = `require("keytar").findCredentials("wirken").then((all) => console.log(JSON.stringify(all.map((one) => one.account))))`;
  const listed: unknown = JSON.parse(
    execFileSync(process.execPath, ["-e", script], { encoding: "utf8", cwd: import.meta.dirname }),
  );
  return Array.isArray(listed) ? listed.map(String).filter((account) => account.startsWith("vault/")) : [];
}

test("killed at any step of a move to another passphrase, the vault opens with exactly one of the two", {
  timeout: 10 * MINUTES,
}, async () => {
  useSession(null);
  using base = await template("passphrase");
  const masters: number[] = [];
  for (let step = 1; ; step += EVERY) {
    using folder = new DataFolder();
    cpSync(base.path, folder.path, { recursive: true });
    const whole = move(folder, "passphrase", step);
    await using world = await openWhole(folder);
    masters.push(world.vault.masterId);
    if (!whole) continue;
    expect(world.vault.logEpochs()).toEqual([2]);
    break;
  }
  expect(masters.length * EVERY).toBeGreaterThan(15);
  // One switch, from the old master to the new, and none back.
  expect(masters).toEqual(masters.toSorted((a, b) => a - b));
  expect([masters.at(0), masters.at(-1)]).toEqual([2, 3]);
});

test("killed at any step of a move to a new master in the keychain, the vault opens, and the next clean start leaves one master there", {
  timeout: 10 * MINUTES,
}, async () => {
  using home = new KeyringHome();
  await using session = await KeyringSession.start(home.path, "open");
  useSession(session.address);
  using base = await template("keychain");
  const [master] = mastersInKeychain();
  let step = 1;
  for (let whole = false; !whole; step += EVERY) {
    using folder = new DataFolder();
    cpSync(base.path, folder.path, { recursive: true });
    const { keychain } = folder.keepers;
    // Each round starts from the same keychain.
    expect(mastersInKeychain()).toEqual([master]);
    using kept = await keychain.read(master ?? "");
    whole = move(folder, "keychain", step);
    await using world = await openWhole(folder);
    const account = accountOf({ vault: world.vault.id, masterId: world.vault.masterId });
    expect(mastersInKeychain()).toContain(account);
    await deleteOldMasters(world.vault, folder.keepers);
    expect(mastersInKeychain(), `after step ${step}`).toEqual([account]);
    expect(world.vault.retiredMasters()).toEqual([]);
    await keychain.delete(account);
    if (kept !== null) await keychain.write(master ?? "", kept);
  }
  expect(step).toBeGreaterThan(15);
});

test("killed at any step of the first move from the provisional key, the vault opens, and the file goes with the next clean start", {
  timeout: 10 * MINUTES,
}, async () => {
  useSession(null);
  let step = 1;
  for (let whole = false; !whole; step++) {
    using folder = new DataFolder();
    await (await World.open(folder))[Symbol.asyncDispose]();
    whole = move(folder, "passphrase", step);
    await using world = await World.open(folder, "the next passphrase");
    const moved = world.vault.protector === "passphrase";
    expect(moved || existsSync(folder.keepers.provisional)).toBe(true);
    await deleteOldMasters(world.vault, folder.keepers);
    expect(existsSync(folder.keepers.provisional)).toBe(!moved);
    expect(!whole || (moved && world.vault.logEpochs().join() === "2")).toBe(true);
  }
});

test("killed at random while it changes, the vault is where the log says it is, every time", {
  timeout: 5 * MINUTES,
}, async () => {
  useSession(null);
  using folder = new DataFolder();
  await (await World.open(folder))[Symbol.asyncDispose]();
  let made = 0;
  let seed = 20261123;
  for (let round = 0; round < KILLS; round++) {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    const child = spawn(process.execPath, [CHANGES, folder.path], { stdio: ["ignore", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout });
    for (let heard = 0; heard <= seed % 4; heard++) await once(lines, "line");
    await setTimeout(seed % 23);
    child.kill("SIGKILL");
    await once(child, "exit");
    await using world = await World.open(folder);
    const sessions = sessionsMade(world);
    made = sessions.length;
    expect(sessions.filter((session) => !world.vault.hasContentKey(session))).toEqual([]);
    // What was made is what there is: one generation for each, and none that the log does not know.
    expect(world.vault.generation).toBe(made);
  }
  expect(made).toBeGreaterThanOrEqual(KILLS);
});

test("when files cannot grow any more, the change fails and the vault is where the log says it is", {
  timeout: MINUTES,
}, async () => {
  useSession(null);
  using folder = new DataFolder();
  await (await World.open(folder))[Symbol.asyncDispose]();
  // A limit on the size of files stands in for a full disk: it needs no file system of its own.
  const limited = `trap '' XFSZ; ulimit -f 512; exec "$0" "$@"`;
  const run = spawnSync("bash", ["-c", limited, process.execPath, CHANGES, folder.path], { encoding: "utf8" });
  expect([run.status, run.stderr]).toEqual([3, expect.stringMatching(/VaultError|AuditError/)]);
  await using world = await World.open(folder);
  expect(sessionsMade(world).filter((session) => !world.vault.hasContentKey(session))).toEqual([]);
  expect(world.vault.generation).toBe(sessionsMade(world).length);
  await world.vault.change({ change: "content-key", session: "s_after" }, world.record);
});

/** The sessions whose content key was made, as the log says. */
function sessionsMade({ log }: World): string[] {
  const sessions: string[] = [];
  let before = log.size;
  for (;;) {
    const rows = log.rows({ kind: "vault.changed", limit: 1000, before });
    for (const { cause } of rows) {
      const action = log.row(cause ?? -1)?.action;
      if (action?.kind === "vault.changing") sessions.push(action.scope.slice("audit/content/".length));
    }
    if (rows.length < 1000) return sessions;
    before = rows.at(-1)?.seq ?? 0;
  }
}

test("killed between the vault's creation and the log's first row, the next start takes the vault up", async () => {
  useSession(null);
  using folder = new DataFolder();
  await Vault.create(folder.vault, { kind: "none" }, folder.keepers);
  await using world = await World.open(folder);
  expect([world.settled, world.vault.generation, world.log.genesis.vkey]).toEqual([
    "first",
    0,
    world.vault.signer().vkey,
  ]);
});

test("killed between the provisional key and the vault, the next creation uses that key", async () => {
  useSession(null);
  using folder = new DataFolder();
  using left = Secret.take(new Uint8Array(32).fill(42));
  writeProvisional(folder.keepers.provisional, left);
  await using world = await World.open(folder);
  expect(world.vault.protector).toBe("none");
  using kept = readProvisional(folder.keepers.provisional);
  expect(kept?.use((bytes) => bytes.every((byte) => byte === 42))).toBe(true);
});
