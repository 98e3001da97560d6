import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AuditError } from "../../audit/error.ts";
import type { CommittedRow } from "../../audit/row.ts";
import type { Role } from "../../src/confine/role.ts";
import { Compartment, type CompartmentOptions, TIMING, type Timing } from "../../src/supervisor/compartment.ts";
import {
  type Life,
  type LifeEnd,
  type LifeSpec,
  type ProcessLog,
  startJoinedLives,
  startLife,
} from "../../src/supervisor/life.ts";
import { childImage } from "../support/confined.ts";
import { Talk } from "../support/frames.ts";
import { DataFolder, World } from "../vault/world.ts";
import { soon } from "../support/soon.ts";

const QUICK: Timing = { firstMs: 1, mostMs: 8, resetMs: 60_000, starts: 8 };
const folder = new DataFolder();
let world: World;
let records: ProcessLog;

beforeAll(async () => {
  world = await World.open(folder);
  records = {
    record: (action) => world.log.record(action, { cause: null }),
    ended: (action, given) => world.log.append(action, given),
  };
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

interface Kept {
  readonly compartment: Compartment;
  readonly lives: Life<Talk, Talk>[];
  readonly frames: [Talk, string][];
  readonly ends: LifeEnd[];
  readonly givenUp: string[];
}

function spec(does: string, kept: Pick<Kept, "frames">, role: Role = "model"): LifeSpec<Talk, Talk> {
  return {
    role,
    subject: "anthropic",
    args: [does],
    records,
    accepts: Talk,
    stop: { type: "stop" },
    image: childImage("talker"),
    log: () => undefined,
    build: "test",
    frame: (header, payload) => kept.frames.push([header, Buffer.from(payload).toString()]),
  };
}

function keep(
  does: string,
  options: Partial<CompartmentOptions> = {},
  change: Partial<LifeSpec<Talk, Talk>> = {},
): Kept {
  const kept: Omit<Kept, "compartment"> = { lives: [], frames: [], ends: [], givenUp: [] };
  const compartment = new Compartment({
    open: async () => {
      const life = await startLife({ ...spec(does, kept), ...change });
      kept.lives.push(life);
      return [life];
    },
    down: (end) => kept.ends.push(end),
    givenUp: (detail) => kept.givenUp.push(detail),
    timing: QUICK,
    ...options,
  });
  return { compartment, ...kept };
}

/** The rows of one process, oldest first. */
function rowsOf(id: string): CommittedRow[] {
  const rows = world.log.rows({ kind: "process.", after: 0, limit: 1000 });
  const started = rows.find(({ action }) => action.kind === "process.started" && action.process === id);
  return rows.filter((row) => row === started || row.cause === started?.seq);
}

function endOf(life: Life<Talk, Talk> | undefined): unknown {
  return rowsOf(life?.id ?? "").at(-1)?.action;
}

function isThere(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

describe("a process that is kept", () => {
  test("is on the log before it runs, when it is ready, and when it has ended", async () => {
    const kept = keep("ready-echo");
    expect(kept.compartment.status).toMatchObject({ state: "stopped", processes: [], restarts: 0 });
    kept.compartment.start();
    await kept.compartment.whenUp(5000);
    const [life] = kept.lives;
    expect(kept.compartment.status).toMatchObject({
      state: "up",
      processes: [{ id: life?.id, pid: life?.pid }],
      restarts: 0,
      last: null,
    });
    await life?.send({ type: "say", ref: 1 }, Buffer.from("hello"));
    await soon(() => expect(kept.frames).toEqual([[{ type: "say", ref: 1 }, "hello"]]));
    await kept.compartment.stop();
    expect(kept.compartment.status).toMatchObject({ state: "stopped", processes: [] });
    expect(rowsOf(life?.id ?? "").map(({ action }) => action)).toEqual([
      { kind: "process.started", process: life?.id, role: "model", subject: "anthropic" },
      { kind: "process.ready", build: "test" },
      { kind: "process.ended", process: life?.id, reason: "stopped", status: 0 },
    ]);
    expect(isThere(life?.pid ?? 0)).toBe(false);
  });

  test("is not started while the log cannot be written, and is when it can", async () => {
    let refusals = 0;
    const refusing: ProcessLog = {
      ...records,
      record: async (action) => {
        if (++refusals <= 12) throw new AuditError("AUDIT_UNWRITABLE", "no space is left for the audit log");
        return await records.record(action);
      },
    };
    const kept = keep("ready-echo", {}, { records: refusing });
    kept.compartment.start();
    await soon(() => expect(kept.compartment.status.last).toContain("no space"));
    expect(kept.lives).toEqual([]);
    await kept.compartment.whenUp(5000);
    // Twelve refusals are no failed starts: eight of those would have ended it.
    expect(kept.givenUp).toEqual([]);
    await kept.compartment.stop();
  });

  test("is told to begin once it is ready, and ended when it cannot be told", async () => {
    const begun: string[] = [];
    const good = keep(
      "ready-echo",
      {},
      {
        begin: async (life) => {
          begun.push(
            rowsOf(life.id)
              .map(({ action }) => action.kind)
              .join(),
          );
          await life.send({ type: "say", ref: 3 }, Buffer.alloc(3 << 20));
        },
      },
    );
    good.compartment.start();
    await good.compartment.whenUp(5000);
    expect(begun).toEqual(["process.started,process.ready"]);
    await soon(() => expect(good.frames).toHaveLength(1));
    await good.compartment.stop();

    const bad = keep(
      "ready-echo",
      { timing: { ...QUICK, starts: 1 } },
      { begin: () => Promise.reject(new Error("locked")) },
    );
    bad.compartment.start();
    await soon(() => expect(bad.givenUp).toHaveLength(1));
    expect(bad.ends).toMatchObject([{ reason: "stopped", ready: false, detail: "could not be told to begin: Error" }]);
  });

  test("is heard in order: what it says behind ready comes after ready is on the log", async () => {
    const seen: string[] = [];
    const kept = keep(
      "say-behind-ready",
      {},
      {
        frame: (_header, _payload, life) => seen.push(rowsOf(life.id).at(-1)?.action.kind ?? ""),
      },
    );
    kept.compartment.start();
    await soon(() => expect(seen).toEqual(["process.ready"]));
    await kept.compartment.stop();
  });

  test("is heard to its last words", async () => {
    const kept = keep("last-words", { timing: { ...QUICK, firstMs: 60_000, mostMs: 60_000 } });
    kept.compartment.start();
    await soon(() => expect(kept.ends).toHaveLength(1));
    expect(kept.frames).toEqual([[{ type: "say", ref: 99 }, "last words"]]);
    expect(kept.ends[0]).toMatchObject({ reason: "signal", status: null, detail: "was ended by SIGKILL" });
    await kept.compartment.stop();
  });

  test("ends alone when this side fails on one of its frames, and the fault is not lost", async () => {
    const fault = new RangeError("a bug of ours");
    const kept = keep(
      "say-behind-ready",
      { timing: { ...QUICK, firstMs: 60_000 } },
      {
        frame: () => {
          throw fault;
        },
      },
    );
    kept.compartment.start();
    await soon(() => expect(kept.ends).toHaveLength(1));
    expect(kept.ends[0]).toMatchObject({ reason: "protocol", cause: fault });
    await kept.compartment.stop();
  });
});

describe("why a process ended is on the log", () => {
  test.for([
    ["exits before it is ready", "die", { unready: "exit", reason: "exit", status: 9 }],
    ["says nothing", "mute", { unready: "timeout", reason: "timeout", status: null }],
    ["speaks before it is ready", "say-first", { unready: "protocol", reason: "protocol", status: null }],
    ["speaks another protocol", "other-protocol", { unready: "protocol", reason: "malformed", status: null }],
    ["sends no JSON", "malformed", { unready: "protocol", reason: "malformed", status: null }],
    ["sends a frame that is not spoken", "unknown-frame", { unready: "protocol", reason: "malformed", status: null }],
    ["announces a huge frame", "huge", { unready: "protocol", reason: "oversized", status: null }],
    ["sends deep JSON", "deep", { unready: "protocol", reason: "deep", status: null }],
    ["speaks Node's own channel", "acknowledge", { unready: "protocol", reason: "oversized", status: null }],
    ["closes its pipe in mid-frame", "half-and-close", { unready: "exit", reason: "signal", status: null }],
    ["is ready twice", "ready-twice", { unready: null, reason: "protocol", status: null }],
    ["is ready and exits", "ready-and-die", { unready: null, reason: "exit", status: 4 }],
  ] as const)("one that %s", { timeout: 20_000 }, async ([, does, expected]) => {
    const bystander = keep("ready-echo");
    bystander.compartment.start();
    const slow = { timing: { ...QUICK, firstMs: 60_000, mostMs: 60_000 } };
    const kept = keep(does, slow, { readyMs: does === "mute" ? 300 : 8000 });
    kept.compartment.start();
    await soon(() => expect(kept.ends).toHaveLength(1));
    const rows = rowsOf(kept.lives[0]?.id ?? "");
    const kinds = rows.map(({ action }) => action.kind);
    expect(kinds).toEqual([
      "process.started",
      expected.unready === null ? "process.ready" : "process.unready",
      "process.ended",
    ]);
    expect(rows[1]?.action).toMatchObject(expected.unready === null ? { build: "test" } : { reason: expected.unready });
    expect(rows[2]?.action).toMatchObject({ reason: expected.reason, status: expected.status });
    expect(rows[2]?.content("detail")).toBe(kept.ends[0]?.detail);
    await bystander.compartment.whenUp(5000);
    expect(bystander.ends).toEqual([]);
    await Promise.all([kept.compartment.stop(), bystander.compartment.stop()]);
  });

  test("one of another build, which is not tried again", async () => {
    const kept = keep("ready-echo", {}, { build: "newer" });
    kept.compartment.start();
    await expect(kept.compartment.whenUp(8000)).rejects.toMatchObject({ code: "COMPARTMENT_DOWN" });
    expect(kept.givenUp).toEqual(["is of another build than the running daemon: restart to finish the upgrade"]);
    expect(kept.compartment.status).toMatchObject({ state: "given-up", processes: [] });
    const kinds = rowsOf(kept.lives[0]?.id ?? "").map(({ action }) => action);
    expect(kinds.slice(1)).toMatchObject([
      { kind: "process.unready", reason: "build" },
      { kind: "process.ended", reason: "protocol" },
    ]);
  });
});

describe("a process that dies is started again", () => {
  test("eight times, if it never becomes ready; then it is given up until it is started by hand", async () => {
    const bystander = keep("ready-echo");
    bystander.compartment.start();
    const kept = keep("die");
    kept.compartment.start();
    await soon(() => expect(kept.givenUp).toHaveLength(1));
    expect(kept.lives).toHaveLength(8);
    expect(kept.givenUp[0]).toBe("started 8 times and never ready; the last time: exited with status 9");
    expect(kept.compartment.status).toMatchObject({ state: "given-up", restarts: 7 });
    expect(new Set(kept.lives.map(({ id }) => id)).size).toBe(8);
    await expect(kept.compartment.whenUp(10)).rejects.toMatchObject({ code: "COMPARTMENT_DOWN" });
    kept.compartment.start();
    await soon(() => expect(kept.lives.length).toBeGreaterThan(8));
    await kept.compartment.stop();
    expect(bystander.compartment.status).toMatchObject({ state: "up", restarts: 0 });
    await bystander.compartment.stop();
  }, 30_000);

  test("for ever, if it becomes ready each time", async () => {
    const kept = keep("ready-and-die", { timing: { ...QUICK, starts: 2 } });
    kept.compartment.start();
    await soon(() => expect(kept.lives.length).toBeGreaterThan(4));
    expect(kept.givenUp).toEqual([]);
    await kept.compartment.stop();
  }, 30_000);

  test.for([
    ["twice as late each time, up to a limit", 60_000, [100, 200, 400, 400], Number.POSITIVE_INFINITY],
    ["soon again, once it was up for long enough", 0, [100, 100, 100, 100], 350],
  ] as const)("%s", { timeout: 30_000 }, async ([, resetMs, waits, latest]) => {
    const downs: number[] = [];
    const opens: number[] = [];
    const lived = { frames: [] as Kept["frames"] };
    const compartment = new Compartment({
      open: async () => {
        if (downs.length > 0) opens.push(performance.now());
        return [await startLife(spec("ready-and-die", lived))];
      },
      down: () => downs.push(performance.now()),
      givenUp: () => undefined,
      timing: { firstMs: 100, mostMs: 400, resetMs, starts: 8 },
    });
    compartment.start();
    await soon(() => expect(opens.length).toBeGreaterThanOrEqual(4));
    await compartment.stop();
    for (const [at, wait] of waits.entries()) {
      const measured = (opens[at] ?? 0) - (downs[at] ?? 0);
      expect(measured).toBeGreaterThan(wait - 10);
      expect(measured).toBeLessThan(latest);
    }
  });

  test("with the waits of the design, unless a test says otherwise", () => {
    expect(TIMING).toEqual({ firstMs: 1000, mostMs: 60_000, resetMs: 60_000, starts: 8 });
  });

  test("at once, if somebody asks for it between two starts; and not at all after a stop", async () => {
    const kept = keep("die", { timing: { ...QUICK, firstMs: 60_000, mostMs: 60_000 } });
    kept.compartment.start();
    await soon(() => expect(kept.compartment.status.state).toBe("waiting"));
    kept.compartment.start();
    await soon(() => expect(kept.lives).toHaveLength(2));
    await soon(() => expect(kept.compartment.status.state).toBe("waiting"));
    const waiting = kept.compartment.whenUp(60_000).catch((error: unknown) => error);
    await kept.compartment.stop();
    expect(await waiting).toMatchObject({ code: "COMPARTMENT_DOWN" });
    expect(kept.compartment.status.state).toBe("stopped");
    expect(kept.lives).toHaveLength(2);
    await expect(keep("mute").compartment.whenUp(10)).rejects.toMatchObject({ code: "COMPARTMENT_DOWN" });
  });

  test("after a stop and a start in one breath", async () => {
    const kept = keep("ready-echo");
    kept.compartment.start();
    await kept.compartment.whenUp(5000);
    const stopped = kept.compartment.stop();
    kept.compartment.start();
    await stopped;
    await kept.compartment.whenUp(5000);
    expect(kept.lives).toHaveLength(2);
    expect(kept.ends).toMatchObject([{ reason: "stopped" }]);
    await kept.compartment.stop();
  });

  test("and is late when it is late", async () => {
    const kept = keep("echo");
    kept.compartment.start();
    await expect(kept.compartment.whenUp(50)).rejects.toMatchObject({ code: "COMPARTMENT_LATE" });
    await kept.compartment.stop();
    expect(kept.ends).toMatchObject([{ reason: "stopped", ready: false }]);
  });
});

describe("what a process rests on is gone:", () => {
  const slow = { timing: { ...QUICK, firstMs: 60_000, mostMs: 60_000 } };

  test("it is started again at once, however long it would have to wait", async () => {
    const kept = keep("ready-echo", slow);
    kept.compartment.start();
    await kept.compartment.whenUp(5000);
    kept.compartment.excuse();
    await soon(() => expect(kept.lives).toHaveLength(2));
    await kept.compartment.whenUp(5000);
    expect(kept.ends).toMatchObject([{ reason: "stopped" }]);
    await kept.compartment.stop();
  });

  test("it is started again at once where it noticed first and ended", async () => {
    const kept = keep("ready-and-die", { timing: { ...QUICK, firstMs: 60_000, mostMs: 600_000 } });
    kept.compartment.start();
    await soon(() => expect(kept.compartment.status.state).toBe("waiting"));
    kept.compartment.excuse({ gone: true });
    await soon(() => expect(kept.lives).toHaveLength(2));
    await kept.compartment.stop();
  });

  test("one that runs meanwhile is not ended for what happened before", async () => {
    const kept = keep("ready-echo", slow);
    kept.compartment.start();
    await kept.compartment.whenUp(5000);
    kept.compartment.excuse({ gone: true });
    await kept.lives[0]?.send({ type: "say", ref: 1 }, Buffer.from("there"));
    await soon(() => expect(kept.frames).toHaveLength(1));
    expect(kept.compartment.status).toMatchObject({ state: "up", restarts: 0 });
    await kept.compartment.stop();
  });

  // Ten processes start one after the other: on a busy machine each takes seconds.
  test("eight times is no reason to give it up", { timeout: 60_000 }, async () => {
    const kept = keep("ready-echo", slow);
    kept.compartment.start();
    for (let round = 1; round <= 9; round++) {
      await kept.compartment.whenUp(5000);
      kept.compartment.excuse();
      await soon(() => expect(kept.lives).toHaveLength(round + 1));
    }
    expect(kept.givenUp).toEqual([]);
    await kept.compartment.stop();
  });
});

test("two joined processes live and die together, each on the log with its own reason", async () => {
  const pairs: { first: Life<Talk, Talk>; second: Life<Talk, Talk> }[] = [];
  const [ingress, web] = [{ frames: [] as Kept["frames"] }, { frames: [] as Kept["frames"] }];
  const compartment = new Compartment({
    open: async () => {
      const pair = await startJoinedLives(spec("joined", ingress, "ingress"), spec("joined", web, "web"));
      pairs.push(pair);
      return [pair.first, pair.second];
    },
    givenUp: () => undefined,
    timing: QUICK,
  });
  compartment.start();
  await compartment.whenUp(5000);
  expect(compartment.status.processes).toHaveLength(2);
  await pairs[0]?.first.send({ type: "say", ref: 1 });
  await soon(() => expect(web.frames).toEqual([[{ type: "say", ref: 1 }, "from ingress"]]));

  process.kill(pairs[0]?.second.pid ?? 0, "SIGKILL");
  await soon(() => expect(pairs).toHaveLength(2));
  await compartment.whenUp(5000);
  expect(endOf(pairs[0]?.second)).toMatchObject({ kind: "process.ended", reason: "signal" });
  expect(endOf(pairs[0]?.first)).toMatchObject({ kind: "process.ended", reason: "stopped" });
  await pairs[1]?.second.send({ type: "say", ref: 2 });
  await soon(() => expect(ingress.frames.at(-1)).toEqual([{ type: "say", ref: 2 }, "from web"]));
  await compartment.stop();
  for (const { first, second } of pairs)
    expect([isThere(first.pid ?? 0), isThere(second.pid ?? 0)]).toEqual([false, false]);
});
