import { afterEach, beforeEach, expect, test } from "vitest";
import { AuditError } from "../../audit/error.ts";
import { mint } from "../../src/ipc/ids.ts";
import { World } from "./world.ts";

let world: World;
const DAY = 24 * 3_600_000;
const BY = { by: "p_00000000000000000000000000", via: "terminal", cause: 0 } as const;
const WHO = { by: "p_00000000000000000000000000", via: "terminal" } as const;
beforeEach(async () => {
  world = await World.make();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

test("what was granted is known after a restart, from the rows alone", async () => {
  const given = await world.grants.give(world.turn(), "exec:rw", "always", BY);
  await world.restart();
  expect(world.grants.list()).toEqual([given]);
});

test("always is thirty days", async () => {
  await world.grants.give(world.turn(), "exec:rw", "always", BY);
  world.clock.advance(30 * DAY - 60_000);
  expect(world.grants.list()).toHaveLength(1);
  world.clock.advance(120_000);
  expect(world.grants.list()).toHaveLength(0);
});

test("a revoked grant is gone at once and stays gone", async () => {
  const { grant } = await world.grants.give(world.turn(), "exec:rw", "always", BY);
  await world.grants.revoke(grant, WHO, null);
  expect(world.grants.list()).toHaveLength(0);
  await world.restart();
  expect(world.grants.list()).toHaveLength(0);
  expect(await world.grants.revoke(grant, WHO, null)).toBeNull();
});

test("revoking works even when it cannot be recorded", async () => {
  const { grant } = await world.grants.give(world.turn(), "exec:rw", "always", BY);
  await world.log.close();
  await expect(world.grants.revoke(grant, WHO, null)).rejects.toThrow(AuditError);
  expect(world.grants.list()).toHaveLength(0);
  await world.restart();
});

test("whoever is removed loses every grant that they got, and every one that they gave to others", async () => {
  const other = mint("principal");
  await world.grants.give(world.turn(), "exec:rw", "always", BY);
  await world.grants.give({ ...world.turn(), principal: other }, "exec:rw", "always", { ...BY, by: world.principal });
  const kept = await world.grants.give({ ...world.turn(), principal: other }, "exec:rw", "always", {
    ...BY,
    by: other,
  });
  expect(world.grants.takeOf(world.principal, WHO).map(({ action }) => action.kind)).toEqual([
    "grant.revoked",
    "grant.revoked",
  ]);
  expect(world.grants.list()).toEqual([kept]);
});

test("an approval that is on its way while somebody is removed is not remembered", async () => {
  const given = world.grants.give(world.turn(), "exec:rw", "always", BY);
  world.grants.takeOf(world.principal, WHO);
  await given;
  expect(world.grants.list()).toEqual([]);
  await world.restart();
  expect(world.grants.list()).toEqual([]);
});

test("a grant for a session ends with it, also over a restart", async () => {
  await world.grants.give(world.turn(), "exec:rw", "session", BY);
  await world.log.append({ kind: "session.closed", session: world.session, reason: "new" }, { cause: null });
  await world.restart();
  expect(world.grants.list()).toHaveLength(0);
});

test("a grant that may be used twice is used up after two calls, also over a restart", async () => {
  await world.log.append(
    {
      kind: "grant.given",
      grant: "g_00000000000000000000000000",
      key: "file.write:workspace",
      agent: "default",
      principal: world.principal,
      channel: "terminal",
      session: null,
      until: new Date(world.clock.now() + DAY).toISOString(),
      uses: 2,
      ...WHO,
    },
    { cause: null },
  );
  await world.restart();
  expect(await world.call(world.turn(), "write_file", { path: "a", content: "1" })).toMatchObject({ outcome: "done" });
  await world.restart();
  expect(world.grants.list()).toMatchObject([{ left: 1 }]);
  expect(await world.call(world.turn(), "write_file", { path: "b", content: "1" })).toMatchObject({ outcome: "done" });
  await world.restart();
  const asked = world.call(world.turn(), "write_file", { path: "c", content: "1" });
  const card = await world.card();
  await world.approvals.decide(card.approval, world.answer({ decision: "deny" }));
  expect(await asked).toMatchObject({ outcome: "denied" });
});

test("what the owner gives beforehand is used without a question, as often as was said and no oftener", async () => {
  const { principal } = world;
  const until = world.clock.now() + DAY;
  const given = { key: "exec:rw", agent: "default", principal, channel: "terminal", until, uses: 2 } as const;
  const grant = await world.grants.add(given, WHO);
  await world.sandbox.probe();
  for (const name of ["a", "b"]) {
    const answer = await world.call(world.turn(), "exec", { argv: ["touch", name], write: true });
    expect(answer.outcome).toBe("done");
    await world.restart();
  }
  expect(world.cards).toHaveLength(0);
  expect(world.rows("tool.called").map(({ action }) => action)).toMatchObject([
    { authority: "grant", rests: grant.row },
    { authority: "grant", rests: grant.row },
  ]);
  const stop = new AbortController();
  const asked = world.call(world.turn({ signal: stop.signal }), "exec", { argv: ["touch", "c"], write: true });
  await world.card();
  stop.abort();
  expect((await asked).outcome).toBe("refused");
});
