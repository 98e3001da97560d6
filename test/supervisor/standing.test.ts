import { expect, test } from "vitest";
import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import { Approvals } from "../../src/broker/approvals.ts";
import { Grants } from "../../src/broker/grants.ts";
import { mint } from "../../src/ipc/ids.ts";
import { newWorld, type World } from "./world.ts";

const BY = { by: mint("principal"), via: "terminal" } as const;

/** Gives, takes back and ends grants, among rows of other kinds. @returns the grants that hold, newest last. */
async function granting({ log, clock }: World): Promise<string[]> {
  const give = async (session: string | null, uses: number | null): Promise<{ grant: string; row: number }> => {
    const grant = mint("grant");
    const until = new Date(clock.now() + 86_400_000).toISOString();
    const whose = { key: "exec:rw", agent: "default", principal: BY.by, channel: "terminal" } as const;
    const { seq } = await log.append(
      { kind: "grant.given", grant, ...whose, session, until, uses, ...BY },
      { cause: null },
    );
    return { grant, row: seq };
  };
  const [kept, revoked, ended, counted] = [
    await give(null, null),
    await give(null, null),
    await give(mint("session"), null),
    await give(null, 2),
  ];
  await log.append({ kind: "grant.revoked", grant: revoked.grant, ...BY }, { cause: null });
  const session = log.row(ended.row)?.action;
  if (session?.kind !== "grant.given" || session.session === null) throw new Error("the grant is of a session");
  await log.append({ kind: "session.closed", session: session.session, reason: "new" }, { cause: null });
  const digest = "0".repeat(64);
  const called = await log.record(
    {
      kind: "tool.called",
      turn: mint("turn"),
      call: mint("call"),
      tool: "exec",
      key: "exec:rw",
      tier: 2,
      authority: "grant",
      rests: counted.row,
      session: mint("session"),
      principal: BY.by,
      agent: "default",
      policy: digest,
      settings: digest,
    },
    { cause: null, content: { action: "{}" } },
  );
  called.redeem();
  await called.finish({ kind: "tool.finished", outcome: "done", status: 0 }, { result: "" });
  return [kept.grant, counted.grant];
}

/** The log, but that it says which rows were read, and cannot be searched at all. */
function watched(log: AuditLog): { log: Pick<AuditLog, "append" | "row">; read: number[] } {
  const read: number[] = [];
  return {
    read,
    log: {
      append: async (action, given) => await log.append(action, given),
      row: (seq): CommittedRow | null => {
        read.push(seq);
        return log.row(seq);
      },
    },
  };
}

test("a start on a long log reads the rows of the grants that hold and of the questions that are open, and no other", async () => {
  const world = await newWorld();
  const held = await granting(world);
  await Promise.all(
    Array.from(
      { length: 3_000 },
      async () => await world.log.append({ kind: "web.login", web: mint("web") }, { cause: null }),
    ),
  );
  expect(world.log.size).toBeGreaterThan(3_000);
  await world.close();
  await world.open();
  const { log, read } = watched(world.log);
  const grants = new Grants(log, world.clock, world.state.grantsHeld());
  expect(grants.list().map(({ grant, left }) => [grant, left])).toEqual([
    [held[0], null],
    [held[1], 1],
  ]);
  expect(read).toHaveLength(2);
});

test("the projection gives no authority: what a row does not say is not held", async () => {
  const world = await newWorld();
  const [kept] = await granting(world);
  const [first, counted] = world.state.grantsHeld();
  const login = await world.log.append({ kind: "web.login", web: mint("web") }, { cause: null });
  const wrong = [
    { row: login.seq, left: null },
    { row: 1_000_000, left: null },
    // Uses without an end, where the row counts them.
    { row: counted?.row ?? -1, left: null },
  ];
  const grants = new Grants(world.log, world.clock, [...(first === undefined ? [] : [first]), ...wrong]);
  expect(grants.list().map(({ grant }) => grant)).toEqual([kept]);
});

test("only a question expires, whatever is said to be one", async () => {
  const world = await newWorld();
  const grants = new Grants(world.log, world.clock, []);
  const ports = {
    show: async () => await Promise.resolve(),
    closed: () => undefined,
    sameChannel: () => null,
    stillDecides: () => true,
    counted: async () => await Promise.resolve(),
    foreignPress: () => undefined,
  };
  const approvals = new Approvals(world.log, world.clock, grants, ports);
  expect(await approvals.expireInterrupted([0, 1, 1_000_000])).toBe(0);
});
