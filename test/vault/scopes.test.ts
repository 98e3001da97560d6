import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { open } from "../../vault/aead.ts";
import { join as concat, lp, u32, u64 } from "../../vault/encoding.ts";
import { keyOf } from "../../vault/keyring.ts";
import { openRecord, recordEpoch, unwrapKey } from "../../vault/envelope.ts";
import { LockedVault } from "../../vault/locked-vault.ts";
import { unwrapMaster } from "../../vault/passphrase.ts";
import type { Secret } from "../../vault/secret.ts";
import { Store } from "../../vault/store.ts";
import { kekOf } from "../../vault/keyring.ts";
import { useSession } from "../keychain/session.ts";
import { DataFolder, textOf, typed, World } from "./world.ts";

useSession(null);

interface Blob {
  readonly what: string;
  readonly bytes: Uint8Array;
}

/** Every blob of every table, with what it is. */
function everyBlob(path: string): Blob[] {
  const db = new Database(path, { readonly: true });
  try {
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all().map(String);
    return tables.flatMap((table) =>
      db
        .prepare(`SELECT * FROM "${table}"`)
        .all()
        .flatMap((row) =>
          Object.entries(Object(row)).flatMap(([column, value]) =>
            value instanceof Uint8Array ? [{ what: `${table}.${column}`, bytes: value }] : [],
          ),
        ),
    );
  } finally {
    db.close();
  }
}

/** The key of one scope, as a compartment that was handed it would have it. */
async function keyOfScope(
  folder: DataFolder,
  scope: string,
): Promise<{ key: Secret; contents: ReturnType<Store["read"]> }> {
  const locked = await LockedVault.open(folder.vault);
  using passphrase = typed();
  using master = await unwrapMaster(passphrase, { vault: locked.id, masterId: locked.masterId }, locked.wrapping);
  locked.close();
  const store = Store.open(folder.vault);
  const contents = store.read();
  store.close();
  using kek = kekOf(master, contents.head);
  return { key: keyOf({ contents, kek }, scope, 1), contents };
}

test("with the whole vault.db and one scope's key, that scope opens and nothing of any other does", async () => {
  using folder = new DataFolder();
  {
    await using world = await World.guarded(folder);
    await world.add("channel/slack", { "bot-token": "slack's own" });
    await world.add("channel/telegram", { "bot-token": "telegram's own" });
    await world.add("provider/anthropic", { "api-key": "anthropic's own" });
    await world.vault.change({ change: "content-key", session: "s_1" }, world.record);
  }
  const { key, contents } = await keyOfScope(folder, "channel/slack");
  using own = key;
  const opened: string[] = [];
  for (const row of contents.records.values()) {
    // At its own place, and pretending to be at Slack's: whatever an attacker writes into the associated data.
    for (const place of [
      row,
      { ...row, scope: "channel/slack" },
      { ...row, scope: "channel/slack", name: "bot-token", version: 1 },
    ]) {
      try {
        opened.push(`${row.scope}: ${textOf(openRecord(own, { vault: contents.head.id, ...place }, row.sealed))}`);
      } catch (error) {
        expect(error).toMatchObject({ code: "VAULT_DAMAGED" });
      }
    }
  }
  // The control: the key does open its own scope, in each of the three ways.
  expect(opened).toEqual(Array.from({ length: 3 }, () => "channel/slack: slack's own"));
  for (const row of contents.keys.values()) {
    const place = { vault: contents.head.id, masterId: contents.head.masterId, scope: row.scope, epoch: row.epoch };
    expect(() => unwrapKey(own, place, row.wrapped, row.commitment)).toThrow(
      expect.objectContaining({ code: "VAULT_DAMAGED" }),
    );
  }
});

test("that key opens no blob of the file but its own scope's, with any associated data that can be written from the file", async () => {
  using folder = new DataFolder();
  {
    await using world = await World.guarded(folder);
    await world.add("channel/slack", { "bot-token": "slack's own" });
    await world.add("channel/telegram", { "bot-token": "telegram's own" });
  }
  const { key, contents } = await keyOfScope(folder, "channel/slack");
  using own = key;
  const ads = [...contents.records.values()].flatMap((row) => [
    concat(
      "WKV1",
      contents.head.id,
      u32(recordEpoch(row.sealed)),
      lp(row.scope),
      lp(row.name),
      u64(row.version),
      row.metadata,
    ),
  ]);
  const hits: string[] = [];
  for (const { what, bytes } of everyBlob(folder.vault))
    for (const skip of [0, 1, 5, 33])
      for (const ad of [new Uint8Array(0), ...ads]) {
        const plain = open(own, ad, bytes.subarray(skip));
        if (plain !== null) hits.push(`${what}: ${Buffer.from(plain).toString()}`);
      }
  expect(hits).toEqual(["record.sealed: slack's own"]);
});
