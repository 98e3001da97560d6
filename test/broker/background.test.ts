import { readdirSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MAX_BACKGROUND } from "../../src/effect/background.ts";
import { mint } from "../../src/ipc/ids.ts";
import { World } from "./world.ts";

/** Commands that go on behind the answer to their call, on the real log and in the real sandbox. */

let world: World;
beforeEach(async () => {
  world = await World.make();
  await world.sandbox.probe();
});
afterEach(async () => {
  await world.effects.background.endWhere({});
  await world[Symbol.asyncDispose]();
});

let markers = 0;
const newMarker = (): string => `wirken-background-${process.pid}-${(markers += 1)}`;

function living(marker: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(marker);
    } catch {
      return false;
    }
  });
}

/** Starts a command that is found by its first word. @returns its name. */
async function starts(script: string, turn = world.turn()): Promise<string> {
  const answer = await world.call(turn, "exec", { script, shell: "bash", background: true });
  expect(answer).toMatchObject({ outcome: "done", text: expect.stringMatching(/^it runs in the background as cm_/) });
  return /cm_\w+/.exec(answer.text)?.[0] ?? "";
}

const asks = async (given: object, turn = world.turn()): Promise<string> =>
  (await world.call(turn, "process", given)).text;

test("it is answered at once, goes on, is seen while it runs and after, and both its ends are on the log", async () => {
  const command = await starts("echo first; read -t 1 </dev/zero; sleep 0.7; echo last; exit 3");
  expect(await asks({ do: "list" })).toMatch(new RegExp(`^${command}  runs since \\d+ s  echo first; `));
  await expect.poll(async () => await asks({ do: "output", command })).toContain("standard output:\nfirst\n");
  await expect
    .poll(async () => await asks({ do: "output", command }), { timeout: 10_000 })
    .toBe(`${command} has ended: exit status 3\nstandard output:\nfirst\nlast\n`);
  expect(await asks({})).toMatch(new RegExp(`^${command}  exit status 3  `));
  const [called] = world.rows("tool.called");
  const [started] = world.rows("command.started");
  const [ended] = world.rows("command.ended");
  expect(started).toMatchObject({ cause: called?.seq, action: { command, principal: world.principal } });
  expect(ended).toMatchObject({ action: { outcome: "failed", status: 3 } });
  expect(Buffer.from(ended?.bytes("result") ?? []).toString()).toContain("last");
});

const quick = async (): Promise<string> =>
  (await world.call(world.turn(), "exec", { argv: ["echo", "quick"], background: true })).text;

test("one that ends at once has its end told at once", async () => {
  // On a machine that is busy the first may take longer than its answer waits.
  await expect
    .poll(quick, { timeout: 15_000 })
    .toMatch(/^cm_\w+ has ended already: exit status 0\nstandard output:\nquick\n/);
});

test("it is stopped by its name, with all that it started, within a second", async () => {
  const marker = newMarker();
  const command = await starts(`(exec -a ${marker} sleep 1000) & exec -a ${marker} sleep 1000`);
  await expect.poll(() => living(marker).length).toBe(2);
  const began = performance.now();
  expect(await asks({ do: "stop", command })).toMatch(`${command} has ended: stopped\n`);
  expect(performance.now() - began).toBeLessThan(1000);
  expect(living(marker)).toEqual([]);
  expect(world.rows("command.ended")[0]).toMatchObject({ action: { outcome: "stopped", status: null } });
});

describe("it ends with what it belongs to:", () => {
  test.for(["turn", "session", "principal", "agent"] as const)("its %s, and not with another", async (what) => {
    const turn = world.turn();
    await starts("sleep 1000", turn);
    const { background } = world.effects;
    const other = { turn: mint("turn"), session: mint("session"), principal: mint("principal"), agent: "other" };
    expect(await background.endWhere({ [what]: other[what] })).toBe(0);
    expect(await background.endWhere({ [what]: turn[what] })).toBe(1);
    expect(await background.endWhere({})).toBe(0);
  });
});

test("a sub-agent's ends with the sub-agent, whoever's turn that is, and a turn's own goes on", async () => {
  const over = new AbortController();
  const marker = newMarker();
  await world.call(world.turn({ chain: [mint("call")], signal: over.signal }), "exec", {
    script: `exec -a ${marker} sleep 1000`,
    shell: "bash",
    background: true,
  });
  const own = new AbortController();
  const command = await starts("sleep 1000", world.turn({ signal: own.signal }));
  await expect.poll(() => living(marker).length).toBe(1);
  over.abort();
  own.abort();
  await expect.poll(() => living(marker)).toEqual([]);
  await expect.poll(() => world.rows("command.ended")).toMatchObject([{ action: { outcome: "stopped" } }]);
  expect(await asks({ do: "list" })).toContain(`${command}  runs since`);
});

test("one whose turn is ended while it is recorded does not run, and its end is on the log", async () => {
  const stop = new AbortController();
  const marker = newMarker();
  const turn = world.turn({ signal: stop.signal });
  const calling = world.call(turn, "exec", { script: `exec -a ${marker} sleep 1000`, shell: "bash", background: true });
  await expect.poll(() => world.rows("tool.called").length).toBe(1);
  stop.abort();
  // Those that run by then are ended as they are when somebody is removed.
  await world.effects.background.endWhere({ principal: turn.principal });
  await calling;
  expect(living(marker)).toEqual([]);
  expect(world.rows("command.ended")).toMatchObject([{ action: { outcome: "stopped", status: null } }]);
});

test("nobody sees or stops another's, and a name that is none is refused", async () => {
  const command = await starts("sleep 1000");
  const bob = { ...world.turn(), principal: mint("principal") };
  expect(await asks({ do: "list" }, bob)).toBe("[nothing runs in the background, and nothing has]");
  expect(await asks({ do: "stop", command }, bob)).toContain("there is no such command");
  const another = { ...world.turn(), agent: "another" };
  expect(await asks({ do: "output", command }, another)).toContain("there is no such command");
  expect(await asks({ do: "output", command: "cm_nonsense" })).toContain("there is no such command");
  expect(await asks({ do: "output" })).toContain("there is no such command");
  expect(await asks({ do: "list" })).toContain(command);
});

test("one person has so many at once and no more, and ends one to have another", async () => {
  const first = await starts("sleep 1000");
  for (let more = 1; more < MAX_BACKGROUND; more += 1) await starts("sleep 1000");
  const refused = await world.call(world.turn(), "exec", { argv: ["sleep", "1000"], background: true });
  expect(refused).toMatchObject({
    outcome: "failed",
    text: `refused: ${MAX_BACKGROUND} commands run in the background already: stop one of them first`,
  });
  const bob = { ...world.turn(), principal: mint("principal") };
  await starts("sleep 1000", bob);
  await asks({ do: "stop", command: first });
  await starts("sleep 1000");
});

test("it has its time, which is longer than a call's", async () => {
  const answer = await world.call(world.turn(), "exec", { argv: ["sleep", "9"], background: true, timeout_seconds: 1 });
  const command = /cm_\w+/.exec(answer.text)?.[0] ?? "";
  await expect
    .poll(async () => await asks({ do: "output", command }), { timeout: 5_000 })
    .toContain("killed: it ran longer than 1 s");
  for (const given of [
    { argv: ["ls"], timeout_seconds: 301 },
    { argv: ["ls"], timeout_seconds: 3601, background: true },
    { argv: ["ls"], write: true, background: true },
  ])
    expect((await world.call(world.turn(), "exec", given)).outcome).toBe("refused");
});
