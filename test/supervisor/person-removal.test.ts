import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { verifySync } from "../../audit/verify.ts";
import { Grants } from "../../src/broker/grants.ts";
import { mint, type PrincipalId } from "../../src/ipc/ids.ts";
import { PersonChanges } from "../../src/supervisor/person-changes.ts";
import { heldAt } from "../../src/supervisor/held.ts";
import { DataFolder } from "../vault/world.ts";
import { KeepingWorld } from "./keeping-world.ts";
import { HELD, removalOf } from "./removal-world.ts";

const CHILD = join(import.meta.dirname, "removal-child.ts");
const root = mkdtempSync(join(tmpdir(), "wirken-removal-"));
const template = new DataFolder();
let kim: PrincipalId;
let lee: PrincipalId;

function given(principal: PrincipalId) {
  return { agent: "default", principal, channel: "terminal" as const, session: mint("session") };
}

beforeAll(async () => {
  await using world = await KeepingWorld.open(template);
  await world.people.ensureOwner("Account Holder");
  kim = await world.join("Kim", "sender-kim");
  lee = await world.join("Lee", "sender-lee");
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const grants = new Grants(world.log, clock, []);
  const by = { ...world.owner, cause: 0 };
  for (let nth = 0; nth < HELD; nth += 1) {
    await grants.give(given(kim), "exec:rw", "always", by);
    await grants.give(given(lee), "exec:rw", "always", { ...by, by: kim });
  }
  await grants.give(given(lee), "file.write:workspace", "always", by);
  await world.log.append(
    { kind: "credential.added", scope: "channel/telegram", version: 1, checked: "yes", by: kim, via: "terminal" },
    { cause: null },
  );
  await world.log.checkpoint("demand");
});
afterAll(() => {
  rmSync(root, { recursive: true });
  template[Symbol.dispose]();
});

let copies = 0;
function copy(): DataFolder {
  const path = join(root, String((copies += 1)));
  cpSync(template.path, path, { recursive: true });
  return new DataFolder(path);
}

function rowsOf(world: KeepingWorld, kind: string): number {
  return world.log.rows({ kind, after: -1, limit: 1000 }).length;
}

test("everything that somebody has in hand ends in rows that follow from the one that says they are out", async () => {
  await using world = await KeepingWorld.open(copy());
  const removed = await removalOf(world).remove(kim, world.owner);
  expect(removed).toEqual({
    principal: kim,
    name: "Kim",
    row: expect.any(Number),
    turns: HELD,
    approvals: HELD,
    grants: 2 * HELD,
    schedules: HELD,
    // The page is the account holder's.
    logins: 0,
    credentials: [{ scope: "channel/telegram", rotate: "wirken vault rotate telegram" }],
    local: null,
  });
  const effects = world.log.effects(removed.row, () => true, 1000);
  expect(effects).toHaveLength(5 * HELD);
  expect(effects.every(({ cause }) => cause === removed.row)).toBe(true);
  expect(world.state.personOf("telegram", "sender-kim")).toBeNull();
  expect(world.state.grantsHeld()).toHaveLength(1);
  // What held before is still told.
  const before = await heldAt(world.log, removed.row - 1, "");
  expect(before.people.map(({ name }) => name)).toEqual(["Account Holder", "Kim", "Lee"]);
  expect(before.grants).toHaveLength(2 * HELD + 1);
});

test("the last owner is not removed, and with the account holder the page's logins go and another owner acts", async () => {
  await using world = await KeepingWorld.open(copy());
  const { owner } = world;
  await expect(removalOf(world).remove(owner.by, owner)).rejects.toThrow("is the only owner, and cannot be removed");
  expect(rowsOf(world, "person.revoked")).toBe(0);
  const { log, state, people } = world;
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const changes = new PersonChanges({
    log,
    state,
    people,
    grants: new Grants(log, clock, []),
    cut: () => [],
    contentKey: async (scope) => await world.key(scope),
  });
  await changes.role(lee, "owner", owner);
  expect(await removalOf(world).remove(owner.by, owner)).toMatchObject({ logins: HELD, local: "Lee" });
  expect(world.owner.by).toBe(lee);
});

test("what cannot be recorded is taken away all the same until the daemon ends, and is said to be so", async () => {
  await using world = await KeepingWorld.open(copy());
  const { owner } = world;
  const taken: string[] = [];
  const removal = removalOf(world, {
    turns: (principal) => {
      taken.push(principal);
      return [];
    },
  });
  world.log.follow(world.log.size - 1, () => undefined);
  const closing = world.log.close();
  await expect(removal.remove(kim, owner)).rejects.toThrow("Kim is still let in: that could not be recorded");
  expect(taken).toEqual([kim]);
  await closing;
});

/** Rows of the one transaction that the child writes. */
const ALL = 1 + 2 * HELD + 2 * HELD;

test.for(["taken", "row 1", `row ${ALL}`, "written"])(
  "kill -9 at the step %s: the removal is wholly done, or not at all",
  async (step) => {
    const folder = copy();
    const ran = spawnSync(process.execPath, ["--no-warnings", CHILD, folder.path, kim, step], { encoding: "utf8" });
    expect(ran.signal, ran.stderr).toBe("SIGKILL");
    await using world = await KeepingWorld.open(folder);
    const done = step === "written";
    expect(rowsOf(world, "person.revoked")).toBe(done ? 1 : 0);
    expect(rowsOf(world, "grant.revoked")).toBe(done ? 2 * HELD : 0);
    expect(rowsOf(world, "turn.stopped")).toBe(done ? HELD : 0);
    expect(world.state.personOf("telegram", "sender-kim")?.principal ?? null).toBe(done ? null : kim);
    expect(world.state.grantsHeld()).toHaveLength(done ? 1 : 2 * HELD + 1);
    await world.log.checkpoint("start");
    const { log, vault } = world.world;
    const { findings } = verifySync(folder.log, { live: true, vkey: log.vkey, sealer: vault.sealer(), deep: true });
    expect(findings).toEqual([]);
  },
);
