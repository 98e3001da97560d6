import { expect, onTestFinished, test } from "vitest";
import { AgentPool } from "../../src/supervisor/agent-pool.ts";
import type { Processes } from "../../src/supervisor/processes.ts";

const never = new AbortController().signal;
const MINUTE = 60_000;

const nothing = (): Promise<void> => Promise.resolve();

/** A pool whose processes are counted and not started, on a clock that is moved by hand. */
function aPool() {
  let now = 0;
  const alive = new Set<number>();
  const most = { alive: 0, started: 0 };
  const once: Processes["once"] = () => {
    const number = ++most.started;
    alive.add(number);
    most.alive = Math.max(most.alive, alive.size);
    return Promise.resolve({
      send: () => Promise.resolve(),
      end: () => undefined,
      stop: () => {
        alive.delete(number);
        return Promise.resolve();
      },
    });
  };
  const pool = new AgentPool(
    { once },
    () => Promise.resolve(new Uint8Array(0)),
    nothing,
    () => now,
  );
  onTestFinished(() => pool.close());
  return {
    pool,
    alive,
    most,
    pass: async (ms: number): Promise<void> => {
      now += ms;
      await pool.endIdle();
    },
    acquire: async (session: string, principal: string) =>
      await pool.acquire(session, { principal, signal: never, turnSeq: 1, cause: 1, rounds: 3, instructions: "" }),
  };
}

test("a process is started with a session's first turn, is the same one for its next, and goes after ten silent minutes", async () => {
  const { pool, most, alive, pass, acquire } = aPool();
  expect(most.started).toBe(0);
  const first = await acquire("s1", "ada");
  // However long a turn is, it is not idle meanwhile.
  await pass(60 * MINUTE);
  expect(alive.size).toBe(1);
  pool.release("s1", false);
  await pass(10 * MINUTE - 1);
  expect(await acquire("s1", "ada")).toBe(first);
  pool.release("s1", false);
  await pass(10 * MINUTE);
  expect([alive.size, pool.held]).toEqual([0, []]);
  expect(await acquire("s1", "ada")).not.toBe(first);
});

test("a process serves one session: another gets another, and one that died is not given again", async () => {
  const { pool, acquire } = aPool();
  const [one, two] = await Promise.all([acquire("s1", "ada"), acquire("s2", "ben")]);
  expect(one).not.toBe(two);
  one.ended();
  pool.release("s1", true);
  expect(await acquire("s1", "ada")).not.toBe(one);
});

test("of fifty conversations eight run at once, nobody starves, and what one person asked for is begun in order", async () => {
  const { pool, most, acquire } = aPool();
  const people = ["flood", "ada", "ben", "cleo", "dan"];
  const sessions = Array.from({ length: 50 }, (_, at) => {
    // Most of them are one person's, who came first.
    const principal = at < 30 ? "flood" : (people[1 + (at % 4)] ?? "ada");
    return { session: `s${at}`, principal };
  });
  const running: typeof sessions = [];
  const begun: typeof sessions = [];
  const all = sessions.map(async (one) => {
    await acquire(one.session, one.principal);
    running.push(one);
    begun.push(one);
  });
  let most8 = 0;
  while (begun.length < sessions.length || running.length > 0) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    most8 = Math.max(most8, running.length);
    expect(running.filter(({ principal }) => principal === "flood").length).toBeLessThanOrEqual(4);
    const done = running.shift();
    if (done !== undefined) pool.release(done.session, false);
  }
  await Promise.all(all);
  expect(most8).toBe(8);
  expect(most.alive).toBeLessThanOrEqual(8);
  for (const person of people) {
    const of = (list: typeof sessions): string[] =>
      list.filter(({ principal }) => principal === person).map(({ session }) => session);
    expect(of(begun)).toEqual(of(sessions));
  }
  // Whoever came behind thirty of somebody else's did not wait for them.
  const last = begun.findLastIndex(({ principal }) => principal !== "flood");
  expect(begun.slice(last).length).toBeGreaterThan(8);
});
