import { existsSync, readFileSync, statSync } from "node:fs";
import Database from "better-sqlite3";
import { afterEach, expect, expectTypeOf, test } from "vitest";
import type { Sealer, Signer } from "../../audit/ports.ts";
import { unwrapMaster } from "../../vault/passphrase.ts";
import { deleteOldMasters, moveTo } from "../../vault/protector.ts";
import { Secret } from "../../vault/secret.ts";
import type { Vault } from "../../vault/vault.ts";
import { useSession } from "../keychain/session.ts";
import { DataFolder, METADATA, newestChange, PASSPHRASE, textOf, typed, World } from "./world.ts";

useSession(null);
afterEach(() => useSession(null));

const code = (name: string) => expect.objectContaining({ name: "VaultError", code: name });

test("a new vault has a key for the log and one for its own content, and begins at generation 0", async () => {
  using folder = new DataFolder();
  await using world = await World.open(folder);
  expect([world.vault.generation, world.vault.protector, world.vault.masterId, world.settled]).toEqual([
    0,
    "none",
    1,
    "first",
  ]);
  expect(world.vault.logEpochs()).toEqual([1]);
  expect([world.vault.hasContentKey("daemon"), world.vault.hasContentKey("s_1")]).toEqual([true, false]);
  expect(world.log.origin).toBe(world.vault.origin);
  expect(world.log.vkey).toBe(world.vault.signer().vkey);
  expect([statSync(folder.vault).mode & 0o777, statSync(`${folder.vault}-wal`).mode & 0o777]).toEqual([0o600, 0o600]);
});

test("what the vault gives fits the ports of the log", () => {
  expectTypeOf<ReturnType<Vault["signer"]>>().toExtend<Signer>();
  expectTypeOf<ReturnType<Vault["sealer"]>>().toExtend<Sealer>();
});

test("a vault without a protector keeps no credential", async () => {
  using folder = new DataFolder();
  await using world = await World.open(folder);
  await expect(world.add("channel/slack", { "bot-token": "xoxb" })).rejects.toThrow(code("VAULT_UNPROTECTED"));
  expect(world.log.rows({ kind: "vault." })).toEqual([]);
});

test("a credential is kept, listed without its bytes, and taken by its name", async () => {
  using folder = new DataFolder();
  {
    await using world = await World.guarded(folder);
    await world.add(
      "channel/slack",
      { "bot-token": "xoxb-1", "app-token": "xapp-1" },
      { hosts: ["slack.com"], account: "Acme" },
    );
    await world.add("provider/anthropic", { "api-key": "sk-ant" });
  }
  await using world = await World.open(folder);
  expect(world.vault.credentials()).toEqual([
    {
      ...METADATA,
      scope: "channel/slack",
      version: 1,
      fallback: null,
      names: ["app-token", "bot-token"],
      hosts: ["slack.com"],
      account: "Acme",
    },
    { ...METADATA, scope: "provider/anthropic", version: 1, fallback: null, names: ["api-key"] },
  ]);
  expect(world.vault.credentials("channel/slack")).toHaveLength(1);
  expect(textOf(world.vault.take("channel/slack", "bot-token"))).toBe("xoxb-1");
  expect(textOf(world.vault.take("channel/slack", "app-token"))).toBe("xapp-1");
  expect(() => world.vault.take("channel/slack", "user-token")).toThrow(code("VAULT_NOT_FOUND"));
  expect(() => world.vault.take("channel/telegram", "bot-token")).toThrow(code("VAULT_NOT_FOUND"));
  expect(() => world.vault.take("audit/log", "key")).toThrow(code("VAULT_NOT_FOUND"));
});

test("the bytes of a credential are in none of the vault's files", async () => {
  using folder = new DataFolder();
  await using world = await World.guarded(folder);
  await world.add("channel/slack", { "bot-token": "xoxb-canary-77123" });
  for (const file of [folder.vault, `${folder.vault}-wal`, folder.log, `${folder.log}-wal`]) {
    const bytes = readFileSync(file);
    for (const form of [
      "xoxb-canary-77123",
      Buffer.from("xoxb-canary-77123").toString("base64").slice(0, 20),
      "786f78622d63616e617279",
    ])
      expect(bytes.includes(form), `${form} in ${file}`).toBe(false);
  }
});

test("a rotation adds a version, and the old one goes when the new one is confirmed", async () => {
  using folder = new DataFolder();
  await using world = await World.guarded(folder);
  const { vault } = world;
  await world.add("channel/slack", { "bot-token": "old" });
  await world.add("channel/slack", { "bot-token": "new" });
  expect(vault.credentials().map((one) => one.version)).toEqual([2]);
  expect([
    textOf(vault.take("channel/slack", "bot-token")),
    textOf(vault.take("channel/slack", "bot-token", 1)),
  ]).toEqual(["new", "old"]);
  const unconfirmed = { change: "account", scope: "channel/slack", checked: null, account: "Acme" } as const;
  await vault.change(unconfirmed, world.record);
  expect(textOf(vault.take("channel/slack", "bot-token", 1))).toBe("old");
  const checked = "2026-11-24T08:00:00.000Z";
  await vault.change({ ...unconfirmed, checked }, world.record);
  expect(() => vault.take("channel/slack", "bot-token", 1)).toThrow(code("VAULT_NOT_FOUND"));
  expect(vault.credentials()).toEqual([
    { ...METADATA, scope: "channel/slack", version: 2, fallback: null, names: ["bot-token"], checked, account: "Acme" },
  ]);
  expect(textOf(vault.take("channel/slack", "bot-token"))).toBe("new");
});

test("a version that did not work is rolled back: the one before takes its place under a number of its own", async () => {
  using folder = new DataFolder();
  await using world = await World.guarded(folder);
  const { vault, record } = world;
  const scope = "channel/slack";
  await world.add(scope, { "bot-token": "good", "app-token": "good too" }, { account: "Acme" });
  await expect(vault.change({ change: "rollback", scope }, record)).rejects.toThrow(code("VAULT_NOT_FOUND"));
  await world.add(scope, { "bot-token": "bad", "app-token": "bad too" });
  expect(vault.credentials(scope)).toMatchObject([{ version: 2, fallback: 1 }]);
  await vault.change({ change: "rollback", scope }, record);
  expect(vault.credentials(scope)).toMatchObject([{ version: 3, fallback: null, account: "Acme" }]);
  expect([textOf(vault.take(scope, "bot-token")), textOf(vault.take(scope, "app-token"))]).toEqual([
    "good",
    "good too",
  ]);
  for (const version of [1, 2]) expect(() => vault.take(scope, "bot-token", version)).toThrow(code("VAULT_NOT_FOUND"));
  await world.add(scope, { "bot-token": "next", "app-token": "next too" });
  expect(vault.credentials(scope)).toMatchObject([{ version: 4, fallback: 3 }]);
});

test("an unconfirmed version between the confirmed one and the newest is not kept", async () => {
  using folder = new DataFolder();
  await using world = await World.guarded(folder);
  const { vault, record } = world;
  const scope = "channel/slack";
  const checked = "2026-11-24T08:00:00.000Z";
  await world.add(scope, { "bot-token": "confirmed" }, { checked });
  await world.add(scope, { "bot-token": "second" });
  await world.add(scope, { "bot-token": "third" });
  expect(vault.credentials(scope)).toMatchObject([{ version: 3, fallback: 1 }]);
  expect(() => vault.take(scope, "bot-token", 2)).toThrow(code("VAULT_NOT_FOUND"));
  await vault.change({ change: "rollback", scope }, record);
  expect(textOf(vault.take(scope, "bot-token"))).toBe("confirmed");
});

test("a scope is re-keyed alone: what was sealed under its former key opens no more, and other scopes keep theirs", async () => {
  using folder = new DataFolder();
  await using world = await World.guarded(folder);
  const { vault, record } = world;
  await world.add("channel/slack", { "bot-token": "xoxb" });
  await world.add("channel/telegram", { "bot-token": "123:abc" });
  const rows = () =>
    new Database(folder.vault, { readonly: true })
      .prepare("SELECT scope, epoch FROM key WHERE scope LIKE 'channel/%' ORDER BY scope")
      .all();
  await vault.change({ change: "rekey", scope: "channel/slack" }, record);
  expect(rows()).toEqual([
    { scope: "channel/slack", epoch: 2 },
    { scope: "channel/telegram", epoch: 1 },
  ]);
  expect([
    textOf(vault.take("channel/slack", "bot-token")),
    textOf(vault.take("channel/telegram", "bot-token")),
  ]).toEqual(["xoxb", "123:abc"]);
  expect(vault.credentials("channel/slack")).toMatchObject([{ version: 1 }]);
});

test("a credential past its time is refused with the command that mends it, and listed all the same", async () => {
  using folder = new DataFolder();
  await using world = await World.guarded(folder);
  await world.add("channel/slack", { "bot-token": "x" }, { expires: "2020-01-01T00:00:00.000Z" });
  await world.add("channel/telegram", { "bot-token": "y" }, { expires: "2999-01-01T00:00:00.000Z" });
  expect(() => world.vault.take("channel/slack", "bot-token")).toThrow(
    expect.objectContaining({ code: "VAULT_EXPIRED", message: expect.stringContaining("wirken vault add slack") }),
  );
  expect(textOf(world.vault.take("channel/telegram", "bot-token"))).toBe("y");
  expect(world.vault.credentials().map((one) => one.scope)).toEqual(["channel/slack", "channel/telegram"]);
});

test("a locked vault gives no credential and makes no key, while what is said in known sessions is sealed and signed; its master opens it again", async () => {
  using folder = new DataFolder();
  await using world = await World.guarded(folder);
  const { vault, record, log } = world;
  await world.add("channel/slack", { "bot-token": "x" });
  await vault.change({ change: "content-key", session: "s_1" }, record);
  const [signer, sealer] = [vault.signer(), vault.sealer()];
  vault.lock();
  const locked = code("VAULT_LOCKED");
  expect(vault.locked).toBe(true);
  expect(() => vault.take("channel/slack", "bot-token")).toThrow(locked);
  await expect(vault.change({ change: "content-key", session: "s_2" }, record)).rejects.toThrow(locked);
  const sealed = sealer.seal("s_1", "p", new TextEncoder().encode("said"));
  expect(Buffer.from(sealer.open("s_1", "p", sealed) ?? []).toString()).toBe("said");
  expect(sealer.open("s_never", "p", sealed)).toBeNull();
  expect(signer.sign(new Uint8Array(1))).toHaveLength(64);
  await log.checkpoint("demand");
  using wrong = Secret.random(32);
  expect(() => vault.unlock(wrong)).toThrow(code("VAULT_WRONG_KEY"));
  expect(vault.locked).toBe(true);
  using passphrase = typed();
  using master = await unwrapMaster(passphrase, { vault: vault.id, masterId: vault.masterId }, vault.wrapping);
  vault.unlock(master);
  expect(textOf(vault.take("channel/slack", "bot-token"))).toBe("x");
});

test("a removed scope is gone with its keys, from the write-ahead log too", async () => {
  using folder = new DataFolder();
  await using world = await World.guarded(folder);
  const { vault } = world;
  await world.add("channel/slack", { "bot-token": "xoxb-removed", "app-token": "x" });
  await vault.change({ change: "remove", scope: "channel/slack" }, world.record);
  expect(vault.credentials()).toEqual([]);
  expect(() => vault.take("channel/slack", "bot-token")).toThrow(code("VAULT_NOT_FOUND"));
  expect(statSync(`${folder.vault}-wal`).size).toBe(0);
  expect(readFileSync(folder.vault).includes("channel/slack")).toBe(false);
  await expect(vault.change({ change: "remove", scope: "channel/slack" }, world.record)).rejects.toThrow(
    code("VAULT_NOT_FOUND"),
  );
});

test.for([
  ["audit/log", "VAULT_REFUSED"],
  ["audit/content/daemon", "VAULT_REFUSED"],
] as const)("%s cannot be removed: the log needs it", async ([scope, why]) => {
  using folder = new DataFolder();
  await using world = await World.open(folder);
  await expect(world.vault.change({ change: "remove", scope }, world.record)).rejects.toThrow(code(why));
});

test.for<[string, string, Record<string, string>]>([
  ["a scope in capitals", "Channel/slack", { "bot-token": "x" }],
  ["a scope of the log", "audit/log", { key: "x" }],
  ["a scope that leads elsewhere", "channel/../x", { "bot-token": "x" }],
  ["no secrets", "channel/slack", {}],
  ["an empty secret", "channel/slack", { "bot-token": "" }],
  ["a secret over 64 KiB", "channel/slack", { "bot-token": "x".repeat(65_537) }],
  ["a name with a space", "channel/slack", { "bot token": "x" }],
  ["17 secrets", "channel/slack", Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`s${at}`, "x"]))],
])("%s is refused, and nothing is recorded", async ([, scope, secrets]) => {
  using folder = new DataFolder();
  await using world = await World.guarded(folder);
  const { size } = world.log;
  await expect(world.add(scope, secrets)).rejects.toThrow(code("VAULT_REFUSED"));
  expect(world.log.size).toBe(size);
  await world.add("channel/slack", { "bot-token": "x" }); // and the vault is not left busy
});

test("every change is on the log before it is made: from, to, and that it was made", async () => {
  using folder = new DataFolder();
  await using world = await World.guarded(folder);
  const before = { generation: world.vault.generation, root: world.vault.root };
  await world.add("channel/slack", { "bot-token": "x" });
  const [changed, changing] = world.log.rows({ kind: "vault.", limit: 2 });
  expect(changing?.action).toEqual({
    kind: "vault.changing",
    change: "add",
    scope: "channel/slack",
    from: before.generation,
    fromRoot: before.root,
    to: before.generation + 1,
    toRoot: world.vault.root,
  });
  expect([changed?.action.kind, changed?.cause]).toEqual(["vault.changed", changing?.seq]);
});

test("planning writes nothing, and one plan at a time is open", async () => {
  using folder = new DataFolder();
  await using world = await World.open(folder);
  const { vault } = world;
  const before = [vault.generation, vault.root];
  {
    using plan = vault.plan({ change: "content-key", session: "s_1" });
    expect(plan.row.from).toBe(0);
    expect(() => vault.plan({ change: "content-key", session: "s_2" })).toThrow(code("VAULT_BUSY"));
  }
  expect([vault.generation, vault.root, vault.hasContentKey("s_1")]).toEqual([...before, false]);
  using again = vault.plan({ change: "content-key", session: "s_2" });
  expect(again.row.scope).toBe("audit/content/s_2");
});

test("a plan is committed with the row that was recorded for it, once, and with no other", async () => {
  using folder = new DataFolder();
  await using world = await World.open(folder);
  const { vault, record } = world;
  using plan = vault.plan({ change: "content-key", session: "s_1" });
  const other = await record({ ...plan.row, toRoot: "0".repeat(64) });
  expect(() => vault.commit(plan, other)).toThrow(code("VAULT_STALE_PLAN"));
  await other.fail(new Error("not of this plan"));
  const recorded = await record(plan.row);
  vault.commit(plan, recorded);
  expect(vault.hasContentKey("s_1")).toBe(true);
  expect(() => vault.commit(plan, recorded)).toThrow(code("VAULT_STALE_PLAN"));
  await recorded.finish({ kind: "vault.changed" });
});

test("a row that was acted upon commits nothing a second time", async () => {
  using folder = new DataFolder();
  await using world = await World.open(folder);
  using plan = world.vault.plan({ change: "content-key", session: "s_1" });
  const recorded = await world.record(plan.row);
  recorded.redeem();
  expect(() => world.vault.commit(plan, recorded)).toThrow("acted upon already");
  expect(world.vault.generation).toBe(0);
  await recorded.finish({ kind: "vault.change.abandoned" });
});

test("changes that are asked for at once are made one after the other", async () => {
  using folder = new DataFolder();
  await using world = await World.open(folder);
  const { vault, record } = world;
  const sessions = Array.from({ length: 10 }, (_, at) => `s_${at}`);
  const outcomes = await Promise.allSettled([
    ...sessions.map((session) => vault.change({ change: "content-key", session }, record)),
    vault.change({ change: "content-key", session: "s_0" }, record),
    vault.change({ change: "content-key", session: "s_last" }, record),
  ]);
  expect(outcomes.map((one) => one.status)).toEqual([...sessions.map(() => "fulfilled"), "rejected", "fulfilled"]);
  expect(vault.generation).toBe(11);
  expect(newestChange(world.log)).toMatchObject({ action: { to: 11, toRoot: vault.root }, outcome: "vault.changed" });
});

test("what cannot be recorded does not change the vault", async () => {
  using folder = new DataFolder();
  await using world = await World.open(folder);
  const full = new Error("disk full");
  await expect(world.vault.change({ change: "content-key", session: "s_1" }, () => Promise.reject(full))).rejects.toBe(
    full,
  );
  expect([world.vault.generation, world.vault.hasContentKey("s_1")]).toEqual([0, false]);
  await world.vault.change({ change: "content-key", session: "s_1" }, world.record);
});

test("content opens under its session's key, and reads as erased once that is destroyed", async () => {
  using folder = new DataFolder();
  const hello = new TextEncoder().encode("hello");
  await using world = await World.open(folder);
  const { vault, record } = world;
  const sealer = vault.sealer();
  expect(() => sealer.seal("s_1", "1/text", hello)).toThrow(code("VAULT_NOT_FOUND"));
  await vault.change({ change: "content-key", session: "s_1" }, record);
  const sealed = sealer.seal("s_1", "1/text", hello);
  expect(sealer.open("s_1", "1/text", sealed)).toEqual(hello);
  expect(() => sealer.open("s_1", "2/text", sealed)).toThrow(code("VAULT_DAMAGED"));
  expect(() => sealer.open("daemon", "1/text", sealed)).toThrow(code("VAULT_DAMAGED"));
  await vault.change({ change: "remove", scope: "audit/content/s_1" }, record);
  expect(sealer.open("s_1", "1/text", sealed)).toBeNull();
  expect(() => sealer.seal("s_1", "1/text", hello)).toThrow(code("VAULT_NOT_FOUND"));
});

test("content of hundreds of sessions opens, in any order, with a bounded number of keys in memory", async () => {
  using folder = new DataFolder();
  await using world = await World.open(folder);
  const sealer = world.vault.sealer();
  const sealed = new Map<string, Uint8Array>();
  for (let at = 0; at < 300; at++) {
    await world.vault.change({ change: "content-key", session: `s_${at}` }, world.record);
    sealed.set(`s_${at}`, sealer.seal(`s_${at}`, "p", new TextEncoder().encode(`text ${at}`)));
  }
  for (const [session, bytes] of [...sealed].toReversed())
    expect(Buffer.from(sealer.open(session, "p", bytes) ?? []).toString()).toBe(`text ${session.slice(2)}`);
});

test("a new epoch of the log's key signs under the same name, and the old one is destroyed when it is forgotten", async () => {
  using folder = new DataFolder();
  await using world = await World.open(folder);
  const { vault, log, record } = world;
  const old = vault.signer();
  await vault.change({ change: "log-key", step: "add" }, record);
  expect(vault.logEpochs()).toEqual([1, 2]);
  expect(vault.signer(1).vkey).toBe(old.vkey);
  const next = vault.signer();
  expect(next.vkey).not.toBe(old.vkey);
  expect(next.vkey.split("+")[0]).toBe(old.vkey.split("+")[0]);
  await log.rotate(next, { protector: "none", cause: null });
  await vault.change({ change: "log-key", step: "forget" }, record);
  expect(vault.logEpochs()).toEqual([2]);
  expect(() => vault.signer(1)).toThrow(code("VAULT_NOT_FOUND"));
  await expect(vault.change({ change: "log-key", step: "forget" }, record)).rejects.toThrow(code("VAULT_NOT_FOUND"));
  expect(log.vkey).toBe(next.vkey);
});

test("a closed vault signs, seals and gives nothing", async () => {
  using folder = new DataFolder();
  const world = await World.guarded(folder);
  await world.add("channel/slack", { "bot-token": "x" });
  const [signer, sealer] = [world.vault.signer(), world.vault.sealer()];
  await world[Symbol.asyncDispose]();
  const closed = code("VAULT_CLOSED");
  expect(() => signer.sign(new Uint8Array(1))).toThrow(closed);
  expect(() => sealer.seal("daemon", "p", new Uint8Array(1))).toThrow(closed);
  expect(() => sealer.open("daemon", "p", new Uint8Array(60))).toThrow(closed);
  expect(() => world.vault.take("channel/slack", "bot-token")).toThrow(closed);
  expect(() => world.vault.plan({ change: "content-key", session: "s_1" })).toThrow(closed);
});

test("a vault moves from its provisional key behind a passphrase, and the file goes", async () => {
  using folder = new DataFolder();
  const { provisional } = folder.keepers;
  {
    await using world = await World.open(folder);
    expect(existsSync(provisional)).toBe(true);
    using passphrase = typed();
    await moveTo(world.vault, { kind: "passphrase", passphrase }, folder.keepers, world.record);
    expect([world.vault.protector, world.vault.masterId]).toEqual(["passphrase", 2]);
    await world.add("channel/slack", { "bot-token": "x" });
    expect(existsSync(provisional)).toBe(true);
    await deleteOldMasters(world.vault, folder.keepers);
    expect(existsSync(provisional)).toBe(false);
  }
  await expect(World.open(folder, "another passphrase")).rejects.toThrow(code("VAULT_WRONG_PASSPHRASE"));
  await using world = await World.open(folder);
  expect(textOf(world.vault.take("channel/slack", "bot-token"))).toBe("x");
});

test("a new passphrase opens everything, and the old one opens nothing", async () => {
  using folder = new DataFolder();
  {
    await using world = await World.guarded(folder);
    await world.add("channel/slack", { "bot-token": "x" });
    using passphrase = typed("a passphrase of another kind");
    await moveTo(world.vault, { kind: "passphrase", passphrase }, folder.keepers, world.record);
  }
  await expect(World.open(folder, PASSPHRASE)).rejects.toThrow(code("VAULT_WRONG_PASSPHRASE"));
  await using world = await World.open(folder, "a passphrase of another kind");
  expect(textOf(world.vault.take("channel/slack", "bot-token"))).toBe("x");
});

test("a weak passphrase moves nothing", async () => {
  using folder = new DataFolder();
  await using world = await World.open(folder);
  using passphrase = typed("short");
  const moved = moveTo(world.vault, { kind: "passphrase", passphrase }, folder.keepers, world.record);
  await expect(moved).rejects.toThrow(code("VAULT_WEAK_PASSPHRASE"));
  expect([world.vault.protector, world.vault.generation]).toEqual(["none", 0]);
});

test("where there is no keychain a vault does not move to it, and stays as it was", async () => {
  using folder = new DataFolder();
  await using world = await World.open(folder);
  await expect(moveTo(world.vault, { kind: "keychain" }, folder.keepers, world.record)).rejects.toThrow(
    code("VAULT_KEYCHAIN_ABSENT"),
  );
  expect([world.vault.protector, world.vault.generation]).toEqual(["none", 0]);
  await world.vault.change({ change: "content-key", session: "s_1" }, world.record);
});
