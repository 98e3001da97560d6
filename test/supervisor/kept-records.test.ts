import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { contentScope } from "../../vault/credential-change.ts";
import { MAX_KEPT_BYTES, MAX_RECORD_BYTES } from "../../src/ipc/adapter-frames.ts";
import { KeptRecords } from "../../src/supervisor/kept-records.ts";
import { ownFolder } from "../support/folder.ts";
import { DataFolder, World } from "../vault/world.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function opened() {
  const folder = new DataFolder(ownFolder());
  const world = await World.guarded(folder);
  const { vault, log } = world;
  const path = join(folder.path, "kept.db");
  const lost: string[] = [];
  const made = (): KeptRecords =>
    new KeptRecords({
      path,
      sealer: () => vault.sealer(),
      hasKey: (scope) => vault.hasContentKey(scope),
      contentKey: async (scope) => {
        if (!vault.hasContentKey(scope))
          await vault.change({ change: "content-key", session: scope }, (row) => log.record(row, { cause: null }));
      },
      destroyKey: async (scope) =>
        await vault.change({ change: "remove", scope: contentScope(scope) }, (row) => log.record(row, { cause: null })),
      lost: (_, sentence) => lost.push(sentence),
    });
  let kept = made();
  onTestFinished(async () => await kept.close());
  return {
    path,
    lost,
    vault,
    destroyKey: async () =>
      await vault.change({ change: "remove", scope: contentScope("kept/matrix") }, (row) =>
        log.record(row, { cause: null }),
      ),
    files: () => readdirSync(folder.path).filter((name) => name.startsWith("kept.db")),
    read: (channel: string) => [...kept.of(channel)].map((record) => Buffer.from(record).toString("utf8")),
    get kept(): KeptRecords {
      return kept;
    },
    again: async () => {
      await kept.close();
      kept = made();
    },
  };
}

test("what an adapter keeps is there in its order after a restart, and another channel does not see it", async () => {
  const world = await opened();
  expect(world.read("matrix")).toEqual([]);
  expect(world.files()).toEqual([]);
  const { kept } = world;
  await Promise.all([
    kept.add("matrix", bytes("one"), false),
    kept.add("signal", bytes("other"), false),
    kept.add("matrix", bytes("two"), false),
  ]);
  await kept.add("matrix", bytes(""), false);
  await world.again();
  expect(world.read("matrix")).toEqual(["one", "two", ""]);
  expect(world.read("signal")).toEqual(["other"]);
});

test("a record that replaces comes alone, and those behind it follow", async () => {
  const world = await opened();
  const { kept } = world;
  await kept.add("matrix", bytes("old"), false);
  await Promise.all([
    kept.add("matrix", bytes("older"), false),
    kept.add("matrix", bytes("whole"), true),
    kept.add("matrix", bytes("then"), false),
  ]);
  await world.again();
  expect(world.read("matrix")).toEqual(["whole", "then"]);
});

test("nothing of it is readable in the file, also after it was replaced", async () => {
  const world = await opened();
  await world.kept.add("matrix", bytes("a-ratchet-key"), false);
  await world.kept.add("matrix", bytes("another-key"), true);
  for (const name of world.files())
    expect(readFileSync(join(world.path, "..", name), "latin1")).not.toMatch(/a-ratchet-key|another-key/);
});

test("a record that was moved to another place, or changed, does not open", async () => {
  const world = await opened();
  await world.kept.add("matrix", bytes("one"), false);
  await world.kept.add("matrix", bytes("two"), false);
  await world.again();
  const database = new Database(world.path);
  database.exec(`UPDATE record SET number = -number; UPDATE record SET number = 3 + number`);
  database.close();
  expect(() => world.read("matrix")).toThrow("kept.db was changed by another program");
});

test("more than one record or one channel may hold is refused, and what is there stays", async () => {
  const world = await opened();
  await world.kept.add("matrix", bytes("one"), false);
  await expect(world.kept.add("matrix", new Uint8Array(MAX_RECORD_BYTES + 1), false)).rejects.toMatchObject({
    code: "KEPT_TOO_MUCH",
  });
  const large = new Uint8Array(MAX_KEPT_BYTES / 64);
  const taken = Array.from({ length: 63 }, () => world.kept.add("matrix", large, false));
  await expect(world.kept.add("matrix", large, false)).rejects.toMatchObject({ code: "KEPT_TOO_MUCH" });
  await Promise.all(taken);
  await world.again();
  expect(world.read("matrix")).toHaveLength(64);
  // What takes the place of all of it has room.
  await world.kept.add("matrix", large, true);
  expect(world.read("matrix")).toHaveLength(1);
});

test("with the credential goes what was kept, and the key to it", async () => {
  const world = await opened();
  await world.kept.add("matrix", bytes("one"), false);
  await world.kept.forget("matrix");
  expect(world.read("matrix")).toEqual([]);
  expect(world.vault.hasContentKey("kept/matrix")).toBe(false);
  await world.kept.add("matrix", bytes("new"), false);
  expect(world.read("matrix")).toEqual(["new"]);
});

test("what no key of this vault opens is forgotten, and that is said", async () => {
  const world = await opened();
  await world.kept.add("matrix", bytes("one"), false);
  await world.destroyKey();
  expect(world.read("matrix")).toEqual([]);
  expect(world.lost).toEqual([expect.stringContaining("sealed by another vault")]);
});
