import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import Database from "better-sqlite3";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type Contents, contentsOf, keyName, recordName, rootOf } from "../../vault/contents.ts";
import { VaultError } from "../../vault/error.ts";
import { LockedVault, type NewestChange } from "../../vault/locked-vault.ts";
import { writeProvisional } from "../../vault/provisional.ts";
import { recoveryPublic } from "../../vault/recovery.ts";
import { Secret } from "../../vault/secret.ts";
import { Store } from "../../vault/store.ts";
import type { Vault } from "../../vault/vault.ts";
import { useSession } from "../keychain/session.ts";
import { DataFolder, newestChange, openVault, textOf, typed, World } from "./world.ts";

useSession(null);

const code = (name: string) => expect.objectContaining({ name: "VaultError", code: name });
const FILES = ["", "-wal", "-shm"];

let folder: DataFolder;
let newest: NewestChange | null;

const template = new DataFolder();
let templateNewest: NewestChange | null;

/** A vault with two scopes and two versions, closed. */
beforeAll(async () => {
  await using world = await World.guarded(template);
  await world.add("channel/slack", { "bot-token": "slack-bot-1", "app-token": "slack-app-1" });
  await world.add("channel/telegram", { "bot-token": "telegram-bot" });
  await world.add("channel/slack", { "bot-token": "slack-bot-2", "app-token": "slack-app-2" });
  templateNewest = newestChange(world.log);
});
afterAll(() => template[Symbol.dispose]());

beforeEach(() => {
  folder = new DataFolder();
  cpSync(template.path, folder.path, { recursive: true });
  newest = templateNewest;
});
afterEach(() => folder[Symbol.dispose]());

/** What somebody does who can write the file and has no key. */
function edit(sql: string, ...given: unknown[]): void {
  const db = new Database(folder.vault);
  db.prepare(sql).run(...given);
  db.close();
}

function copyTo(name: string): void {
  for (const end of FILES)
    if (existsSync(folder.vault + end)) copyFileSync(folder.vault + end, folder.vault + name + end);
}

function copyBack(name: string): void {
  for (const end of FILES) {
    rmSync(folder.vault + end, { force: true });
    if (existsSync(folder.vault + name + end)) copyFileSync(folder.vault + name + end, folder.vault + end);
  }
}

function rootAndClose(locked: LockedVault): string {
  const { root } = locked;
  locked.close();
  return root;
}

function contents(): Contents {
  const store = Store.open(folder.vault);
  try {
    return store.read();
  } finally {
    store.close();
  }
}

/** Opens the vault as if the log had been forged to agree with it: what is then found, the keys find. */
async function openAgreed(): Promise<Vault> {
  const now = contents();
  if (newest === null) throw new Error("no change");
  const action = { ...newest.action, to: now.head.generation, toRoot: rootOf(now) };
  return (await openVault(folder, { action, outcome: "vault.changed" })).vault;
}

/** Slack's newest key and Telegram's. The table is read as it was: SQLite would else see the first row's new value for the second. */
function swapKeys(columns: string): string {
  return `WITH before AS MATERIALIZED (SELECT * FROM key) UPDATE key SET (${columns}) = (SELECT ${columns} FROM before
    WHERE before.scope LIKE 'channel/%' AND before.scope <> key.scope AND before.epoch = 3 - key.epoch)
    WHERE (scope, epoch) IN (VALUES ('channel/slack', 2), ('channel/telegram', 1))`;
}

const SWAPS = {
  "the sealed bytes of two records of one scope": {
    code: "VAULT_RECORDS_SWAPPED",
    sql: `UPDATE record SET sealed = (SELECT sealed FROM record AS other WHERE other.scope = record.scope
    AND other.version = record.version AND other.name <> record.name) WHERE scope = 'channel/slack' AND version = 2`,
  },
  "the sealed bytes of an old version under the new": {
    code: "VAULT_REPLAYED",
    sql: `UPDATE record SET sealed = (SELECT sealed FROM record AS old WHERE old.scope = record.scope
    AND old.name = record.name AND old.version = 1) WHERE scope = 'channel/slack' AND version = 2`,
  },
  "an old version as a newer one": {
    code: "VAULT_REPLAYED",
    sql: `UPDATE record SET version = 3 WHERE scope = 'channel/slack' AND version = 1`,
  },
  "a record under another scope": {
    code: "VAULT_SCOPE_CHANGED",
    sql: `UPDATE record SET scope = 'channel/slack', version = 3 WHERE scope = 'channel/telegram'`,
  },
  "a record under another name": {
    code: "VAULT_NAME_CHANGED",
    sql: `UPDATE record SET name = 'user-token' WHERE scope = 'channel/slack' AND version = 2 AND name = 'bot-token'`,
  },
  "other hosts in the metadata": {
    code: "VAULT_RECORD_CHANGED",
    sql: `UPDATE record SET metadata = CAST(replace(CAST(metadata AS TEXT), '[]', '["evil.example"]') AS BLOB)`,
  },
  "the wrapped keys of two scopes": { code: "VAULT_KEYS_SWAPPED", sql: swapKeys("wrapped") },
  "the wrapped keys of two scopes with their commitments": {
    code: "VAULT_KEYS_SWAPPED",
    sql: swapKeys("wrapped, commitment"),
  },
  "an old key as the newest": {
    code: "VAULT_EPOCH_CHANGED",
    sql: `UPDATE key SET (wrapped, commitment) = (SELECT wrapped, commitment FROM key AS old WHERE old.scope = key.scope AND old.epoch = 1)
    WHERE scope = 'channel/slack' AND epoch = 2`,
  },
  "a key with its epoch set down": {
    code: "VAULT_EPOCH_CHANGED",
    sql: `UPDATE key SET epoch = 0 WHERE scope = 'channel/slack' AND epoch = 2`,
  },
  "a commitment of another key": {
    code: "VAULT_KEY_CHANGED",
    sql: `UPDATE key SET commitment = (SELECT commitment FROM key AS other WHERE other.scope = 'audit/log') WHERE scope = 'channel/slack'`,
  },
  "a record that is cut": {
    code: "VAULT_TRUNCATED",
    sql: `UPDATE record SET sealed = substr(sealed, 1, 30) WHERE scope = 'channel/slack'`,
  },
  // What is cut and still long enough to be sealed cannot be told from bytes that were changed: only the length of the shortest is known.
  "a record that is cut a little": {
    code: "VAULT_RECORD_CHANGED",
    sql: `UPDATE record SET sealed = substr(sealed, 1, length(sealed) - 1) WHERE scope = 'channel/slack'`,
  },
  "a wrapped key that is cut": {
    code: "VAULT_TRUNCATED",
    sql: `UPDATE key SET wrapped = substr(wrapped, 1, length(wrapped) - 1) WHERE scope = 'channel/slack'`,
  },
  "a changed byte of a wrapped key": {
    code: "VAULT_KEY_CHANGED",
    sql: `UPDATE key SET wrapped = CAST(substr(wrapped, 1, length(wrapped) - 1) || x'7f' AS BLOB) WHERE scope = 'channel/telegram'`,
  },
  "a changed byte of a record": {
    code: "VAULT_RECORD_CHANGED",
    sql: `UPDATE record SET sealed = CAST(substr(sealed, 1, length(sealed) - 1) || x'7f' AS BLOB) WHERE scope = 'channel/telegram'`,
  },
} as const;
/** What has no form of ours is seen before the log is asked. */
const FORMLESS = "VAULT_TRUNCATED";

// Without the key, which is asked for only then, a vault that the log does not know is all that can be seen of any of them.
test.for(Object.entries(SWAPS))("%s is found when the vault is opened", async ([, { sql, code: own }]) => {
  edit(sql);
  await expect(openVault(folder, newest)).rejects.toThrow(code(own === FORMLESS ? own : "VAULT_EDITED"));
});

test.for(Object.entries(SWAPS))(
  "%s is found by the tag, even if the log agreed, and told for what it is",
  async ([, { sql, code: own }]) => {
    edit(sql);
    await expect(openAgreed()).rejects.toThrow(code(own));
  },
);

test.for(Object.entries(SWAPS))(
  "%s is told for what it is, even if the log agreed and the tag is gone",
  async ([, { sql, code: own }]) => {
    edit(sql);
    edit("DELETE FROM tag");
    await expect(openAgreed()).rejects.toThrow(code(own));
  },
);

test("a record that is gone with its key leaves everything openable: only the tag tells", async () => {
  edit("DELETE FROM record WHERE scope = 'channel/telegram'");
  edit("DELETE FROM key WHERE scope = 'channel/telegram'");
  await expect(openAgreed()).rejects.toThrow(code("VAULT_ROWS_CHANGED"));
});

test("a tag that is gone is made again only where every record opens, and never where there is a recovery phrase", async () => {
  edit("DELETE FROM tag");
  (await openAgreed()).close();
  {
    await using world = await World.open(folder);
    using entropy = Secret.random(32);
    await world.vault.change({ change: "recovery", publicKey: recoveryPublic(entropy) }, world.record);
    newest = newestChange(world.log);
  }
  edit("DELETE FROM tag");
  await expect(openVault(folder, newest)).rejects.toThrow(code("VAULT_TAG_GONE"));
});

test("untouched, the same vault opens in both ways", async () => {
  const { vault, settled } = await openVault(folder, newest);
  expect([settled, textOf(vault.take("channel/slack", "bot-token"))]).toEqual(["to", "slack-bot-2"]);
  vault.close();
  using agreed = await openAgreed();
  expect(textOf(agreed.take("channel/telegram", "bot-token"))).toBe("telegram-bot");
});

test("every column of every row is covered: one changed byte is found", async () => {
  const columns = {
    vault: ["id", "generation", "master", "protector", "wrapping", "commitment"],
    recovery: ["public", "sealed"],
    key: ["scope", "epoch", "commitment", "wrapped"],
    record: ["scope", "name", "version", "metadata", "sealed"],
  };
  {
    await using world = await World.open(folder);
    using entropy = Secret.random(32);
    await world.vault.change({ change: "recovery", publicKey: recoveryPublic(entropy) }, world.record);
    newest = newestChange(world.log);
  }
  copyTo(".good");
  for (const [table, names] of Object.entries(columns)) {
    for (const name of names) {
      copyBack(".good");
      const key = table === "vault" || table === "recovery" ? "one" : "scope";
      const row = `WHERE ${key} = (SELECT max(${key}) FROM ${table})`;
      edit(
        `UPDATE ${table} SET ${name} = CASE typeof(${name}) WHEN 'integer' THEN ${name} + 1 WHEN 'text' THEN CASE ${name} WHEN 'passphrase' THEN 'keychain' ELSE ${name} || 'x' END
         ELSE CAST(substr(${name}, 1, length(${name}) - 1) || x'7f' AS BLOB) END ${row}`,
      );
      const why = name === "generation" ? "VAULT_ROLLED_BACK" : "VAULT_EDITED";
      await expect(openVault(folder, newest), `${table}.${name}`).rejects.toThrow(code(why));
    }
  }
});

test.for(["key", "record", "vault"])("a row deleted from the table %s is found", async (table) => {
  edit(`DELETE FROM ${table} WHERE ${table === "vault" ? "one = 1" : "scope = 'channel/telegram'"}`);
  const why = table === "vault" ? "VAULT_DAMAGED" : "VAULT_EDITED";
  await expect(openVault(folder, newest)).rejects.toThrow(code(why));
});

test("a vault rolled back alone is refused, and one that is ahead of its log too", async () => {
  copyTo(".old");
  const old = newest;
  {
    await using world = await World.open(folder);
    await world.vault.change({ change: "remove", scope: "channel/slack" }, world.record);
    newest = newestChange(world.log);
  }
  await expect(openVault(folder, old)).rejects.toThrow(code("VAULT_ROLLED_BACK"));
  await expect(openVault(folder, null)).rejects.toThrow(code("VAULT_ROLLED_BACK"));
  copyBack(".old");
  await expect(World.open(folder)).rejects.toThrow(code("VAULT_ROLLED_BACK"));
});

test("a vault before its newest change is accepted only while nobody knows how that change ended", async () => {
  if (newest === null) throw new Error("no change");
  const next = {
    ...newest.action,
    from: newest.action.to,
    fromRoot: newest.action.toRoot,
    to: newest.action.to + 1,
    toRoot: "0".repeat(64),
  };
  const locked = await LockedVault.open(folder.vault);
  expect(locked.settle({ action: next, outcome: null })).toBe("from");
  expect(locked.settle({ action: next, outcome: "vault.change.abandoned" })).toBe("from");
  expect(() => locked.settle({ action: next, outcome: "vault.changed" })).toThrow(code("VAULT_ROLLED_BACK"));
  expect(locked.settle({ action: newest.action, outcome: null })).toBe("to");
  expect(() => locked.settle({ action: newest?.action ?? next, outcome: "vault.change.abandoned" })).toThrow(
    code("VAULT_EDITED"),
  );
  expect(() => locked.settle(null)).toThrow(code("VAULT_ROLLED_BACK"));
  locked.close();
});

test("a weakened passphrase derivation is refused before the passphrase is used, even if the log agreed", async () => {
  edit(`UPDATE vault SET wrapping = CAST(substr(wrapping, 1, 1) || x'00000008' || substr(wrapping, 6) AS BLOB)`);
  await expect(openAgreed()).rejects.toThrow(code("VAULT_WEAKENED"));
});

test("a vault that was turned to a key of somebody else's is refused, even if the log agreed", async () => {
  edit(`UPDATE vault SET protector = 'none', wrapping = x''`);
  using planted = Secret.random(32);
  writeProvisional(`${folder.path}/planted.key`, planted);
  rmSync(folder.keepers.provisional);
  copyFileSync(`${folder.path}/planted.key`, folder.keepers.provisional);
  await expect(openVault(folder, newest)).rejects.toThrow(code("VAULT_EDITED"));
  await expect(openAgreed()).rejects.toThrow(code("VAULT_WRONG_KEY"));
});

test("a locked protector is never replaced by the provisional key that still lies there", async () => {
  expect(existsSync(folder.keepers.provisional)).toBe(true);
  await expect(openVault(folder, newest, "not the passphrase")).rejects.toThrow(code("VAULT_WRONG_PASSPHRASE"));
});

test("a provisional key that is gone is missing, and no new one is made", async () => {
  using fresh = new DataFolder();
  await (await World.open(fresh))[Symbol.asyncDispose]();
  rmSync(fresh.keepers.provisional);
  await expect(openVault(fresh, null)).rejects.toThrow(code("VAULT_KEY_MISSING"));
  expect(existsSync(fresh.keepers.provisional)).toBe(false);
});

test.for([
  ["a trigger", "CREATE TRIGGER t AFTER UPDATE ON vault BEGIN DELETE FROM record; END"],
  ["a view", "CREATE VIEW v AS SELECT * FROM record"],
  ["an index", "CREATE INDEX i ON record (name)"],
  ["another table", "CREATE TABLE more (x)"],
  ["another column", "ALTER TABLE record ADD COLUMN more TEXT"],
  ["a missing table", "DROP TABLE retired"],
  ["no version", "PRAGMA user_version = 0"],
] as const)("a vault with %s is damaged", async ([, sql]) => {
  const db = new Database(folder.vault);
  db.exec(sql);
  db.close();
  await expect(openVault(folder, newest)).rejects.toThrow(code("VAULT_DAMAGED"));
});

test("a vault of a later version is refused, and says so", async () => {
  const db = new Database(folder.vault);
  db.pragma("user_version = 3");
  db.close();
  await expect(openVault(folder, newest)).rejects.toThrow(code("VAULT_NEWER"));
});

test.for<[string, () => void]>([
  ["is empty", () => writeFileSync(folder.vault, "")],
  ["is no database", () => writeFileSync(folder.vault, "x".repeat(9000))],
  ["is cut in the middle of a page", () => truncateSync(folder.vault, 6000)],
  ["is a folder", () => (rmSync(folder.vault), mkdirSync(folder.vault))],
  [
    "is a link to a vault",
    () => (copyTo(".real"), rmSync(folder.vault), symlinkSync(`${folder.vault}.real`, folder.vault)),
  ],
])("a file that %s is damaged", async ([, spoil]) => {
  for (const end of ["-wal", "-shm"]) rmSync(folder.vault + end, { force: true });
  spoil();
  await expect(openVault(folder, newest)).rejects.toThrow(code("VAULT_DAMAGED"));
});

test("a vault that is not there is absent, and one that is there is not made again", async () => {
  using empty = new DataFolder();
  await expect(LockedVault.open(empty.vault)).rejects.toThrow(code("VAULT_ABSENT"));
  expect(() => Store.create(folder.vault, contents(), new Uint8Array(32))).toThrow(code("VAULT_EXISTS"));
});

test("a flipped byte anywhere in the file is refused, or changes nothing", async () => {
  const good = readFileSync(folder.vault);
  const root = rootOf(contents());
  let refused = 0;
  for (let at = 0; at < good.length; at += 61) {
    const flipped = Buffer.from(good);
    flipped[at] = (flipped[at] ?? 0) ^ 0x41;
    writeFileSync(folder.vault, flipped);
    rmSync(`${folder.vault}-wal`, { force: true });
    rmSync(`${folder.vault}-shm`, { force: true });
    const outcome = await LockedVault.open(folder.vault).then(rootAndClose, (error: unknown) =>
      error instanceof VaultError ? "refused" : error,
    );
    if (outcome === root) continue;
    refused++;
    expect(outcome, `byte ${at}`).toBeTypeOf("string");
  }
  expect(refused).toBeGreaterThan(20);
});

test("what another process writes into an open vault is not read by it, and stops the next change", async () => {
  await using world = await World.open(folder);
  edit(
    "UPDATE record SET sealed = (SELECT sealed FROM record AS other WHERE other.scope = 'channel/telegram') WHERE scope = 'channel/slack'",
  );
  expect(textOf(world.vault.take("channel/slack", "bot-token"))).toBe("slack-bot-2");
  edit("UPDATE vault SET generation = generation + 1");
  await expect(world.add("provider/openai", { "api-key": "sk" })).rejects.toThrow(code("VAULT_STALE_PLAN"));
});

test("a trigger planted in an open vault does not get a change past its reading back", async () => {
  await using world = await World.open(folder);
  const db = new Database(folder.vault);
  db.exec("CREATE TRIGGER t AFTER INSERT ON record BEGIN UPDATE record SET sealed = x'00' WHERE name = new.name; END");
  db.close();
  await expect(world.add("provider/openai", { "api-key": "sk" })).rejects.toMatchObject({ name: "VaultError" });
  const ignoring = new Database(folder.vault);
  ignoring.exec("DROP TRIGGER t");
  ignoring.exec("CREATE TRIGGER t BEFORE INSERT ON record BEGIN SELECT RAISE(IGNORE); END");
  ignoring.close();
  await expect(world.add("provider/openai", { "api-key": "sk" })).rejects.toThrow(code("VAULT_UNWRITABLE"));
  expect(world.vault.credentials("provider/openai")).toEqual([]);
});

test("the root depends on everything and not on the order of rows", () => {
  const now = contents();
  const [keys, records] = [[...now.keys.values()], [...now.records.values()]];
  expect(rootOf(contentsOf(now.head, keys.toReversed(), records.toReversed()))).toBe(rootOf(now));
  const roots = [
    ...keys.map((gone) =>
      contentsOf(
        now.head,
        keys.filter((row) => keyName(row) !== keyName(gone)),
        records,
      ),
    ),
    ...records.map((gone) =>
      contentsOf(
        now.head,
        keys,
        records.filter((row) => recordName(row) !== recordName(gone)),
      ),
    ),
    contentsOf({ ...now.head, generation: now.head.generation + 1 }, keys, records),
  ].map(rootOf);
  expect(new Set([...roots, rootOf(now)]).size).toBe(keys.length + records.length + 2);
});

test("a typed passphrase is wiped by what asked for it", async () => {
  const passphrase = typed();
  const locked = await LockedVault.open(folder.vault);
  const { fetchMaster } = await import("../../vault/protector.ts");
  using master = await fetchMaster(locked, folder.keepers, () => Promise.resolve(passphrase));
  expect(master.use((bytes) => bytes.length)).toBe(32);
  expect(() => passphrase.use((bytes) => bytes.length)).toThrow("wiped");
  locked.close();
});
