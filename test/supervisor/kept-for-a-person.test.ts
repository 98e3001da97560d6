import { expect, onTestFinished, test } from "vitest";
import { Config } from "../../src/config/schema.ts";
import { UndoCopies } from "../../src/effect/undo-copies.ts";
import { mint, type SessionId } from "../../src/ipc/ids.ts";
import { Memory } from "../../src/supervisor/memory.ts";
import { verifySync } from "../../audit/verify.ts";
import { ownFolder } from "../support/folder.ts";
import { DataFolder } from "../vault/world.ts";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { foundIn, KeepingWorld, sealedCanaries } from "./keeping-world.ts";

const DAY_MS = 24 * 3_600_000;
const DIGEST = "0".repeat(64);

/** Kim talks alone and in a group; an agent keeps something of both, and a command changes a file in both. */
async function scene() {
  const folder = new DataFolder(ownFolder());
  onTestFinished(() => folder[Symbol.dispose]());
  const world = await KeepingWorld.open(folder);
  await world.people.ensureOwner("Account Holder");
  const kim = await world.join("Kim", "sender-1");
  const lee = await world.join("Lee", "sender-2");
  const alone = await world.session("direct", "place-of-sender-1", kim);
  const group = await world.session("group", "a group", kim);
  await world.say(alone, kim, "alone");
  await world.say(group, kim, "hers in the group");
  await world.say(group, lee, "another's in the group");
  const memory = new Memory({
    log: world.log,
    kept: () => world.state.placed("memory"),
    holds: world.holds,
    contentKey: async (scope) => await world.key(scope),
    nameOf: () => null,
  });
  const called = async (session: SessionId, cause: number) => {
    const action = {
      kind: "tool.called",
      turn: mint("turn"),
      session,
      call: mint("call"),
      agent: "default",
      principal: kim,
      tool: "exec",
      key: "exec:rw",
      tier: 2,
      authority: "free",
      rests: null,
      policy: DIGEST,
      settings: DIGEST,
    } as const;
    const recorded = await world.log.record<"tool.called">(action, { cause, seal: session, content: { action: "{}" } });
    recorded.redeem();
    return { recorded, seq: recorded.seq, action };
  };
  const copies = new UndoCopies(world.log);
  const workspace = join(folder.path, "files");
  mkdirSync(workspace);
  for (const [session, text] of [
    [alone, "kept of their talk"],
    [group, "kept of the group's talk"],
  ] as const) {
    const said = world.log.rows({ kind: "message.received", session, after: -1 })[0]?.seq ?? 0;
    const { recorded, ...of } = await called(session, said);
    await memory.keep(of, {
      type: "memory.write",
      agent: "default",
      principal: kim,
      channel: "telegram",
      text,
      replaces: null,
      untrusted: false,
      private: [kim],
    });
    writeFileSync(join(workspace, "file"), `before ${text}`);
    const keeping = copies.keeping({ workspace, folders: [] }, of);
    await keeping.begin();
    writeFileSync(join(workspace, "file"), `after ${text} `);
    await keeping.end();
    await recorded.finish<"tool.finished">({ kind: "tool.finished", outcome: "done", status: 0 }, { result: "" });
  }
  const texts = (): (string | null)[] =>
    world.log.rows({ kind: "memory.written", after: -1 }).map((row) => row.content("text"));
  const copied = (): boolean[] =>
    world.log.rows({ kind: "undo.kept", after: -1 }).map((row) => row.bytes("copies") !== null);
  /** The raw bytes of memory and copies. */
  const stored = (scopes: readonly string[]) => sealedCanaries(folder, scopes);
  return { folder, world, kim, alone, group, memory, texts, copied, stored };
}

function verifies({ log, vault }: KeepingWorld["world"], path: string): void {
  expect(verifySync(path, { live: true, vkey: log.vkey, sealer: vault.sealer(), deep: true }).findings).toEqual([]);
}

test("erasing a session takes out of every byte what was kept of it, and its copies; the rest of their memory opens as before", async () => {
  const { folder, world, alone, memory, texts, copied, stored } = await scene();
  await using open = world;
  expect([texts(), copied()]).toEqual([
    ["kept of their talk", "kept of the group's talk"],
    [true, true],
  ]);
  const canaries = stored([alone]);
  // The detector detects: two parts of copies are among them.
  expect(foundIn(folder.path, canaries).length).toBe(canaries.size);
  await world.erasure().erase({ session: alone }, "asked", world.owner);
  memory.refresh();
  expect(foundIn(folder.path, canaries)).toEqual([]);
  expect([texts(), copied()]).toEqual([
    [null, "kept of the group's talk"],
    [false, true],
  ]);
  expect(
    memory.list({ call: "memory.list", agent: null, principal: null, query: "kept", limit: 9 }).entries,
  ).toHaveLength(1);
  verifies(open.world, folder.log);
});

test("erasing a person takes all that was kept for them, whichever talk it is from, and the copies of what their turns changed", async () => {
  const { folder, world, kim, alone, memory, texts, copied, stored } = await scene();
  await using open = world;
  const canaries = stored([kim, alone]);
  expect(foundIn(folder.path, canaries).length).toBe(canaries.size);
  await world.erasure().erase({ principal: kim }, "asked", world.owner);
  memory.refresh();
  expect(foundIn(folder.path, canaries)).toEqual([]);
  expect([texts(), copied()]).toEqual([
    [null, null],
    [false, false],
  ]);
  expect(memory.list({ call: "memory.list", agent: null, principal: null, query: null, limit: 9 }).entries).toEqual([]);
  verifies(open.world, folder.log);
});

test("copies go after the days of undo, what is kept after those of memory, and neither with other content before", async () => {
  const { folder, world, texts, copied, stored, alone, group } = await scene();
  await using open = world;
  let [now, days] = [Date.now(), Config.parse({}).retention];
  const retention = world.retention(
    () => days,
    () => now,
  );
  const canaries = new Map([...stored([alone, group])].filter(([name]) => name.startsWith("content ")));
  now += 8 * DAY_MS;
  await retention.apply();
  expect([texts(), copied()]).toEqual([
    ["kept of their talk", "kept of the group's talk"],
    [false, false],
  ]);
  expect(foundIn(folder.path, canaries).length).toBeLessThan(canaries.size);
  expect(world.log.rows({ kind: "retention.applied", after: -1 }).map(({ action }) => action)).toContainEqual(
    expect.objectContaining({ store: "undo", removed: 4 }),
  );
  // Ninety days later what was said is gone, and what is kept stays.
  now += 90 * DAY_MS;
  await retention.apply();
  expect(texts()).toEqual(["kept of their talk", "kept of the group's talk"]);
  days = Config.parse({ retention: { memory: 30 } }).retention;
  await retention.apply();
  expect(texts()).toEqual([null, null]);
  verifies(open.world, folder.log);
});
