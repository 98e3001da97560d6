import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { verifySync } from "../../audit/verify.ts";
import { Config, type RetentionConfig } from "../../src/config/schema.ts";
import { nightAfter } from "../../src/supervisor/retention.ts";
import { mint } from "../../src/ipc/ids.ts";
import { DataFolder } from "../vault/world.ts";
import { foundIn, KeepingWorld, sealedCanaries } from "./keeping-world.ts";

const DAY_MS = 24 * 3_600_000;
const DEFAULTS: RetentionConfig = Config.parse({}).retention;

async function scene() {
  const folder = new DataFolder();
  onTestFinished(() => folder[Symbol.dispose]());
  const world = await KeepingWorld.open(folder);
  await world.people.ensureOwner("Account Holder");
  const kim = await world.join("Kim", "sender-1");
  const first = await world.session("direct", "place-of-sender-1", kim);
  const second = await world.session("group", "a group", kim);
  for (let turn = 0; turn < 3; turn++) {
    await world.say(first, kim, `first ${turn}`);
    await world.say(second, kim, `second ${turn}`);
  }
  await world.log.checkpoint("demand");
  await world.log.checkpoint("demand");
  let ahead = 0;
  const days: { now: RetentionConfig } = { now: DEFAULTS };
  const retention = world.retention(
    () => days.now,
    () => Date.now() + ahead,
  );
  const pass = (time: number): void => {
    ahead += time;
  };
  return { folder, world, first, second, kim, retention, days, pass };
}

function applied({ log }: KeepingWorld): object[] {
  return log.rows({ kind: "retention.applied", after: -1 }).map(({ action }) => action);
}

test("the defaults are 90 days for content, 7 for undo, 30 for files, and no end for rows and memory", () => {
  expect(DEFAULTS).toEqual({ content: 90, rows: null, undo: 7, blobs: 30, memory: null });
  expect(Config.parse({ retention: { content: null, rows: 365 } }).retention).toMatchObject({
    content: null,
    rows: 365,
  });
  expect(() => Config.parse({ retention: { content: 0 } })).toThrow("content");
});

test("content goes after its days, with its keys, and not before; who is who stays, and the log verifies", async () => {
  const { folder, world, first, second, retention, pass } = await scene();
  await using open = world;
  const canaries = sealedCanaries(folder, [first, second]);
  await retention.apply();
  expect(applied(open)).toMatchObject([{ store: "content", removed: 0, held: 0 }]);
  expect(foundIn(folder.path, canaries)).toHaveLength(canaries.size);
  pass(91 * DAY_MS);
  await retention.apply();
  expect(foundIn(folder.path, canaries)).toEqual([]);
  expect(applied(open)).toMatchObject([{}, { store: "content", held: 0 }]);
  expect(world.state.personOf("telegram", "sender-1")?.name).toBe("Kim");
  expect(world.log.rows({ kind: "message.received", limit: 10 })).toHaveLength(6);
  const { log, vault } = world.world;
  expect(verifySync(folder.log, { live: true, vkey: log.vkey, sealer: vault.sealer(), deep: true }).findings).toEqual(
    [],
  );
});

test("a session that goes on has another key for what stays, and the former one is gone with what went", async () => {
  const { folder, world, first, second, kim, days } = await scene();
  await using open = world;
  const gone = sealedCanaries(folder, [first, second]);
  await delay(5);
  const between = Date.now();
  await world.say(first, kim, "this stays");
  await open
    .retention(
      () => days.now,
      () => between + 90 * DAY_MS,
    )
    .apply();
  expect(foundIn(folder.path, gone)).toEqual([]);
  const { log, vault } = world.world;
  expect(vault.hasContentKey(first)).toBe(true);
  expect(vault.hasContentKey(second)).toBe(false);
  expect(vault.formerContentKeys()).toEqual([]);
  const [said] = log.rows({ kind: "message.received", limit: 1 });
  expect(said?.content("text")).toBe("this stays");
  expect(verifySync(folder.log, { live: true, vkey: log.vkey, sealer: vault.sealer(), deep: true }).findings).toEqual(
    [],
  );
});

test("a summary is as old as the oldest that it was made of", async () => {
  const { world, first, kim, days } = await scene();
  await using open = world;
  await delay(5);
  const between = Date.now();
  const summary = await open.summarise(first, kim, "what they said");
  await open.say(first, kim, "this stays");
  await open
    .retention(
      () => days.now,
      () => between + 90 * DAY_MS,
    )
    .apply();
  const [called, answered, compacted] = summary.map((seq) => open.log.row(seq));
  expect([called?.content("items"), answered?.content("answer"), compacted?.content("plan")]).toEqual([
    null,
    null,
    null,
  ]);
  const [said] = open.log.rows({ kind: "message.received", limit: 1 });
  expect(said?.content("text")).toBe("this stays");
});

test("what has a time of its own goes with the key that opened it: what else that one opened has another", async () => {
  const { folder, world, first, kim, days } = await scene();
  await using open = world;
  const keep = async (text: string) =>
    await open.log.append(
      {
        kind: "memory.written",
        memory: mint("memory"),
        agent: "default",
        principal: kim,
        session: first,
        channel: "telegram",
        untrusted: "no",
        bytes: text.length,
        replaces: null,
      },
      { cause: null, seal: kim, content: { text, private: kim } },
    );
  const old = await keep("an old note");
  await delay(5);
  const between = Date.now();
  const young = await keep("a young note");
  await open.log.checkpoint("demand");
  const sealed = sealedCanaries(folder, [kim]);
  days.now = { ...DEFAULTS, content: null, undo: null, memory: 30 };
  await open
    .retention(
      () => days.now,
      () => between + 30 * DAY_MS,
    )
    .apply();
  // Neither the piece that went, nor anything that the former key opened, nor that key as it lay in the vault.
  expect(foundIn(folder.path, sealed)).toEqual([]);
  expect(open.log.row(old.seq)?.content("text")).toBeNull();
  expect(open.log.row(young.seq)?.content("text")).toBe("a young note");
  expect(open.world.vault.formerContentKeys()).toEqual([]);
  expect(applied(open).at(-1)).toMatchObject({ store: "memory", removed: 2, held: 0 });
  const [erased] = open.log.rows({ kind: "content.erased", after: -1 });
  expect(erased?.action).toMatchObject({ sessions: 0, parts: 2 });
});

test("what a hold exempts stays until the hold is removed", async () => {
  const { folder, world, first, second, retention, pass } = await scene();
  await using open = world;
  const held = sealedCanaries(folder, [first]);
  const free = sealedCanaries(folder, [second]);
  const { hold } = await open.holds.add({ subject: "session", session: first }, "a lawsuit", world.owner);
  pass(91 * DAY_MS);
  await retention.apply();
  expect(foundIn(folder.path, held)).toHaveLength(held.size);
  expect(foundIn(folder.path, free)).toEqual([]);
  expect(applied(world)).toMatchObject([{ held: held.size - 1 }]);
  await world.holds.remove(hold, "it is over", world.owner);
  await retention.apply();
  expect(foundIn(folder.path, held)).toEqual([]);
});

test("rows that are configured to go keep their hashes, and those of a held person their bodies", async () => {
  const { folder, world, kim, retention, days, pass } = await scene();
  await using open = world;
  days.now = { ...DEFAULTS, rows: 30 };
  const { hold } = await open.holds.add({ subject: "principal", principal: kim }, "a lawsuit", world.owner);
  pass(31 * DAY_MS);
  await retention.apply();
  expect(world.log.rows({ kind: "turn.started", limit: 100 })).toHaveLength(6);
  await world.holds.remove(hold, null, world.owner);
  await retention.apply();
  expect(world.log.rows({ kind: "turn.started", limit: 100 })).toHaveLength(0);
  expect(applied(world).at(-1)).toMatchObject({ store: "rows", held: 0 });
  const verdict = verifySync(folder.log, { live: true, vkey: world.log.vkey });
  expect(verdict.findings).toEqual([]);
  expect(verdict.pruned.rows).toBeGreaterThan(20);
});

test("it is due every night, and soon after a start when a night was missed", async () => {
  const { world, retention, pass } = await scene();
  await using _ = world;
  expect(await retention.applyIfDue()).toBe(true);
  expect(await retention.applyIfDue()).toBe(false);
  pass(DAY_MS);
  expect(await retention.applyIfDue()).toBe(true);
  const evening = new Date(2026, 10, 28, 22, 0).getTime();
  expect(new Date(nightAfter(evening))).toEqual(new Date(2026, 10, 29, 3, 0));
  expect(new Date(nightAfter(new Date(2026, 10, 29, 3, 0).getTime()))).toEqual(new Date(2026, 10, 30, 3, 0));
});

test("pruning takes content and bodies of the past, and refuses the time to come", async () => {
  const { world, retention, first } = await scene();
  await using open = world;
  const later = new Date(Date.now() + DAY_MS).toISOString();
  await expect(async () => await retention.prune(later, open.owner)).rejects.toThrow("what is to come");
  const answer = await retention.prune(new Date().toISOString(), world.owner);
  expect(answer.rows).toBeGreaterThan(20);
  expect(answer.compacted).toBe(true);
  expect(world.world.vault.hasContentKey(first)).toBe(false);
  expect(world.state.personOf("telegram", "sender-1")?.name).toBe("Kim");
});
