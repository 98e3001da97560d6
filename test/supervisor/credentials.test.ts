import { join } from "node:path";
import { expect, test } from "vitest";
import { Credentials } from "../../src/supervisor/credentials.ts";
import { People } from "../../src/supervisor/people.ts";
import { State } from "../../src/supervisor/state.ts";
import { VaultKeeper } from "../../src/supervisor/vault-keeper.ts";
import { useSession } from "../keychain/session.ts";
import { ownFolder } from "../support/folder.ts";
import { DataFolder, textOf, World } from "../vault/world.ts";

useSession(null);

const WHO = { by: `p_${"0".repeat(26)}`, via: "terminal" } as const;
const UNDATED = { check: false, hosts: [], expires: null, rotationDue: null } as const;

async function opened(): Promise<{
  world: World;
  credentials: Credentials;
  uses: Map<string, string>;
  changes: { proxy: number };
}> {
  const folder = new DataFolder(ownFolder());
  const world = await World.guarded(folder);
  const { vault, log } = world;
  const state = State.open(join(folder.path, "state.db"), vault.stateSealer());
  const keeper = new VaultKeeper({
    vault,
    log,
    keepers: folder.keepers,
    probe: () => Promise.resolve("absent"),
    locking: () => Promise.resolve(),
    unlocked: () => Promise.resolve(),
  });
  const uses = new Map<string, string>();
  const changes = { proxy: 0 };
  const credentials = new Credentials({
    log,
    keeper,
    people: new People(
      log,
      state,
      () => Date.now(),
      () => Promise.resolve(),
    ),
    check: () => Promise.resolve({ result: "good", account: "Acme", sentence: null }),
    now: () => Date.now(),
    lastUses: () => uses,
    channelAdded: () => Promise.resolve([]),
    channelRemoved: () => Promise.resolve(),
    providerAdded: () => Promise.resolve([]),
    providerRemoved: () => Promise.resolve(),
    knowsProvider: () => true,
    proxyChanged: () => {
      changes.proxy += 1;
      return Promise.resolve();
    },
  });
  return { world, credentials, uses, changes };
}

function opens(text: string): { name: string; bytes: Uint8Array }[] {
  return [{ name: "proxy-credential", bytes: new TextEncoder().encode(text) }];
}

function value(text: string): { name: string; bytes: Uint8Array }[] {
  return [{ name: "value", bytes: new TextEncoder().encode(text) }];
}

test("a new version is a candidate until it is confirmed, or rolled back to the one before; both are on the log", async () => {
  const { world, credentials } = await opened();
  await using _ = world;
  const scope = "secret/github";
  await credentials.add({ scope, ...UNDATED }, value("first"), WHO);
  await credentials.add({ scope, ...UNDATED }, value("second"), WHO);
  expect(credentials.list().credentials).toMatchObject([{ scope, version: 2, fallback: 1 }]);
  expect(await credentials.rollBack(scope)).toBe(3);
  expect(textOf(world.vault.take(scope, "value"))).toBe("first");
  await expect(credentials.rollBack(scope)).rejects.toThrow("no version of secret/github to go back to");
  await credentials.add({ scope, ...UNDATED }, value("third"), WHO);
  await credentials.confirm(scope, null);
  expect(credentials.list().credentials).toMatchObject([{ scope, version: 4, fallback: null, checked: true }]);
  const rows = world.log.rows({ kind: "credential." }).map(({ action }) => action);
  expect(rows.toReversed()).toMatchObject([
    { kind: "credential.added", version: 1 },
    { kind: "credential.added", version: 2 },
    { kind: "credential.rolledback", version: 2, to: 3 },
    { kind: "credential.added", version: 4 },
    { kind: "credential.confirmed", version: 4 },
  ]);
});

test("hosts, expiry and last use are listed, never a value, and a date that is past is refused", async () => {
  const { world, credentials, uses } = await opened();
  await using _ = world;
  const at = "2999-01-01T00:00:00.000Z";
  const dated = { scope: "secret/github", check: false, hosts: ["api.github.com"], expires: at, rotationDue: at };
  await credentials.add(dated, value("ghp-canary"), WHO);
  uses.set("secret/github", "2026-11-28T12:00:00.000Z");
  const listed = credentials.list();
  expect(listed.credentials).toMatchObject([
    { hosts: ["api.github.com"], expires: at, rotationDue: at, lastUsed: "2026-11-28T12:00:00.000Z" },
  ]);
  expect(JSON.stringify(listed)).not.toContain("ghp-canary");
  const past = { ...dated, expires: "2020-01-01T00:00:00.000Z" };
  await expect(credentials.add(past, value("x"), WHO)).rejects.toThrow("expires 2020-01-01, which is past");
});

test("more than fits into one answer is listed in several, each scope once", async () => {
  const { world, credentials } = await opened();
  await using _ = world;
  const hosts = Array.from({ length: 32 }, (__, at) => `${"h".repeat(60)}.${"e".repeat(60)}.${"x".repeat(60)}.n${at}`);
  for (let at = 0; at < 160; at++) await world.add(`secret/s${String(at).padStart(3, "0")}`, { value: "x" }, { hosts });
  const scopes: string[] = [];
  let answers = 0;
  for (let after: string | null = null, more = true; more; answers++) {
    const answer = credentials.list(after);
    expect(JSON.stringify(answer).length).toBeLessThan(1_048_576);
    scopes.push(...answer.credentials.map(({ scope }) => scope));
    after = scopes.at(-1) ?? null;
    more = answer.more;
  }
  expect(answers).toBeGreaterThan(1);
  expect([scopes.length, new Set(scopes).size]).toEqual([160, 160]);
});

test("what opens the proxy is kept under a scope of its own, and the way out is made anew with it", async () => {
  const { world, credentials, changes } = await opened();
  await using _ = world;
  const scope = "network/proxy";
  for (const wrong of ["", "user", ":password", "user:", "user:pass\r\nProxy: x", `user:${"x".repeat(1100)}`])
    await expect(credentials.add({ scope, ...UNDATED }, opens(wrong), WHO), wrong).rejects.toThrow("USER:PASSWORD");
  await expect(credentials.add({ scope, ...UNDATED }, value("user:password"), WHO)).rejects.toThrow("USER:PASSWORD");
  expect(changes.proxy).toBe(0);
  // Nobody is asked about it, whatever the caller wants.
  const added = await credentials.add({ scope, ...UNDATED, check: true }, opens("user:pass:word"), WHO);
  expect(added).toMatchObject({ checked: false, account: null, owner: null });
  expect(textOf(world.vault.take(scope, "proxy-credential"))).toBe("user:pass:word");
  expect(changes.proxy).toBe(1);
  await credentials.remove(scope, WHO);
  expect(changes.proxy).toBe(2);
});
