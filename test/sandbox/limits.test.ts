import { execFileSync, spawn } from "node:child_process";
import { closeSync, constants, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FifoPool } from "../../src/sandbox/fifo.ts";
import { keeper } from "../../src/sandbox/keeper.ts";
import { LIMITS, type Limits } from "../../src/sandbox/limits.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";

const MB = 1 << 20;
const root = mkdtempSync(join(tmpdir(), "wirken-limits-"));
const workspace = join(root, "workspaces", "default");
const ours = { home: root, executable: process.execPath };
const sandbox = new Sandbox(ours);
beforeAll(() => mkdirSync(workspace, { recursive: true }));
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function run(argv: readonly string[], limits: Partial<Limits>, signal = new AbortController().signal) {
  const command = { workspace, argv, write: false, stdin: null, limits: { ...LIMITS, ...limits } };
  const end = await sandbox.run(command, signal);
  return { ...end, out: Buffer.from(end.stdout).toString(), err: Buffer.from(end.stderr).toString() };
}
const sh = (script: string, limits: Partial<Limits> = {}, signal?: AbortSignal): ReturnType<typeof run> =>
  run(["bash", "-c", script], limits, signal);

/** Host processes whose command line holds a marker. */
function living(marker: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(marker);
    } catch {
      return false;
    }
  });
}

/** The writing end of a pipe that nobody can read any more: a write to it ends the writer. */
function pipeWithoutReader(): number {
  const path = join(root, newMarker());
  execFileSync("mkfifo", [path]);
  // Opened for both first: the other open would wait for a reader.
  const both = openSync(path, constants.O_RDWR);
  const write = openSync(path, constants.O_WRONLY);
  closeSync(both);
  return write;
}

/** Leaves a process behind that nothing reaches: of its own session, without a parent, deaf to signals. */
const survivor = (marker: string): string =>
  `(setsid bash -c 'trap "" TERM HUP INT; (trap "" TERM HUP INT; exec -a ${marker} sleep 1000) & (exec -a ${marker} sleep 1000) & disown -a' >/dev/null 2>&1 </dev/null &)`;
let markers = 0;
const newMarker = (): string => `wirken-marker-${process.pid}-${(markers += 1)}`;

describe("a command is ended", () => {
  test("after its time", async () => {
    const start = performance.now();
    expect(await run(["sleep", "60"], { seconds: 1 })).toMatchObject({ reason: "time", status: null });
    expect(performance.now() - start).toBeLessThan(3000);
  });

  test("when its processes together use too much memory", async () => {
    const script = "for (1..8) { if (!fork) { my $x = 'x' x (40 << 20); sleep 30; exit } } sleep 30";
    expect(await run(["perl", "-e", script], { memory: 150 * MB, seconds: 20 })).toMatchObject({ reason: "memory" });
  });

  test("but not for memory that its processes share", async () => {
    const script =
      "my $x = 'x' x (60 << 20); for (1..8) { if (!fork) { sleep 1; exit } } 1 while wait != -1; print 'done'";
    expect(await run(["perl", "-e", script], { memory: 200 * MB })).toMatchObject({ reason: "exited", out: "done" });
  });

  test("when one process takes too much memory at once, before the machine is in need", async () => {
    const end = await run(["tail", "/dev/zero"], { memory: 100 * MB, seconds: 20 });
    expect(end.reason === "memory" || (end.reason === "exited" && end.status !== 0)).toBe(true);
  });

  test("when it is a fork bomb", async () => {
    const end = await sh("bomb() { bomb | bomb & }; bomb; sleep 20", { processes: 60, seconds: 20 });
    expect(["processes", "memory"]).toContain(end.reason);
  });

  test("but not when it floods its output: what came first and last is kept, and the rest counted", async () => {
    const end = await sh("seq 1000000; seq 1000000 >&2", { output: 1000 });
    expect(end).toMatchObject({
      reason: "exited",
      status: 0,
      left: { stdout: 6_888_896 - 1000, stderr: 6_888_896 - 1000 },
    });
    for (const text of [end.out, end.err]) {
      expect(text).toHaveLength(1000);
      expect([text.slice(0, 6), text.slice(-8)]).toEqual(["1\n2\n3\n", "1000000\n"]);
    }
  });

  test("with what it wrote to its end, when it floods its output until its time is up", async () => {
    const end = await run(["yes"], { output: 1000, seconds: 1 });
    expect(end).toMatchObject({ reason: "time", out: "y\n".repeat(500) });
    // It is held back: whoever reads has other things to do.
    expect(end.left.stdout).toBeGreaterThan(1000);
    expect(end.left.stdout).toBeLessThan(64 * MB);
  });

  test("when it writes one file that is too large", async () => {
    expect(await sh("head -c 3M /dev/zero >/tmp/a", { file: MB })).toMatchObject({ reason: "exited", status: 153 });
  });

  test("when it takes too much processor time, even with time left on the clock", async () => {
    const end = await sh("while :; do :; done", { seconds: 1 });
    expect(["time", "exited"]).toContain(end.reason);
  });
});

test.for(["/tmp", "/dev/shm"])("%s is memory, and ends", async (path) => {
  const end = await sh(`head -c 20M /dev/zero >${path}/a; wc -c <${path}/a`, { temporary: 4 * MB, shared: 4 * MB });
  expect(Number(end.out)).toBeLessThanOrEqual(4 * MB);
});

describe("nothing survives", () => {
  test("the end of its command", async () => {
    const marker = newMarker();
    const running = sh(`${survivor(marker)}; sleep 0.4`);
    // The detector detects.
    await expect.poll(() => living(marker).length, { timeout: 5000, interval: 10 }).toBeGreaterThanOrEqual(2);
    expect(await running).toMatchObject({ reason: "exited", status: 0 });
    expect(living(marker)).toEqual([]);
  });

  test("a stop, which takes less than a second", async () => {
    const marker = newMarker();
    const stop = new AbortController();
    const running = sh(`${survivor(marker)}; trap "" TERM; exec -a ${marker} sleep 1000`, {}, stop.signal);
    await expect.poll(() => living(marker).length, { timeout: 5000, interval: 10 }).toBeGreaterThanOrEqual(3);
    const start = performance.now();
    stop.abort();
    expect(await running).toMatchObject({ reason: "stopped", status: null });
    expect(performance.now() - start).toBeLessThan(1000);
    expect(living(marker)).toEqual([]);
  });

  test("a stop at whatever instant of its start", async () => {
    for (const wait of [0, 1, 2, 3, 5, 8, 12, 16, 20, 30]) {
      const marker = newMarker();
      const stop = new AbortController();
      const running = run(["bash", "-c", `exec -a ${marker} sleep 1000`], {}, stop.signal);
      await sleep(wait);
      stop.abort();
      expect(await running).toMatchObject({ reason: "stopped" });
      expect(living(marker)).toEqual([]);
    }
  });

  test("its time", async () => {
    const marker = newMarker();
    await sh(`${survivor(marker)}; exec -a ${marker} sleep 1000`, { seconds: 1 });
    expect(living(marker)).toEqual([]);
  });

  test("the death of the supervisor, at whatever instant", async () => {
    const marker = newMarker();
    const script = join(import.meta.dirname, "run-some.ts");
    const command = `${survivor(marker)}; exec -a ${marker} sleep 1000`;
    // Each host is killed while its commands are at as many instants of their start.
    for (const wait of [0, 40, 90]) {
      const host = spawn(process.execPath, [script, root, workspace, command, "25", "3"], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      await new Promise((resolve) => host.stdout.once("data", resolve));
      await sleep(wait);
      host.kill("SIGKILL");
      await new Promise((resolve) => host.once("close", resolve));
      await expect.poll(() => living(marker), { timeout: 5000, interval: 20 }).toEqual([]);
    }
  });

  test("the death of the supervisor in the moment in which bubblewrap alone leaves a process behind", async () => {
    const marker = newMarker();
    const view = ["--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--json-status-fd", "3"];
    // Nobody reads its status: this ends it between making its first process and letting that one go on. It is so from the beginning: bubblewrap may be
    // faster than we are, and a process that was let go dies with it.
    const unread = pipeWithoutReader();
    const alone = spawn("/usr/bin/bwrap", [...view, "--", "/bin/sleep", "1000", marker], {
      stdio: ["ignore", "ignore", "ignore", unread],
    });
    closeSync(unread);
    await new Promise((resolve) => alone.once("exit", resolve));
    await sleep(50);
    const left = living(marker).map(Number);
    for (const pid of left) process.kill(pid, "SIGKILL");
    // The detector detects.
    expect(left).toHaveLength(1);

    const [program = "", ...before] = keeper(null, null);
    const nothing = openSync("/dev/null", "r");
    const pool = new FifoPool();
    const { ends } = pool.take();
    const kept = spawn(program, [...before, "/usr/bin/bwrap", ...view, "--", "/bin/sleep", "1000", marker], {
      stdio: ["ignore", "ignore", "ignore", ends.write, nothing, nothing, nothing, nothing, "pipe", ends.read],
    });
    for (const fd of [ends.read, ends.write, nothing]) closeSync(fd);
    [...kept.stdio][8]?.destroy();
    await new Promise((resolve) => kept.once("exit", resolve));
    await expect.poll(() => living(marker), { timeout: 5000, interval: 20 }).toEqual([]);
  });
});

const median = async (once: () => Promise<unknown>): Promise<number> => {
  const times: number[] = [];
  for (let round = 0; round < 15; round += 1) {
    const start = performance.now();
    await once();
    times.push(performance.now() - start);
  }
  return times.toSorted((a, b) => a - b)[7] ?? 0;
};

test("a workspace that vanishes while a command runs ends neither of us", async () => {
  const gone = mkdtempSync(join(tmpdir(), "wirken-gone-"));
  const argv = ["sh", "-c", "touch began; sleep 0.5"];
  const running = sandbox.run(
    { workspace: gone, argv, write: true, stdin: null, limits: LIMITS },
    new AbortController().signal,
  );
  running.catch(() => undefined);
  await expect.poll(() => readdirSync(gone), { interval: 5 }).toContain("began");
  rmSync(gone, { recursive: true });
  // What it left is looked for, and is not there; that the disk was looked at meanwhile throws nothing at nobody.
  await expect(running).rejects.toThrow("ENOENT");
});

test("the sandbox adds little to a command", async () => {
  const bare = await median(() => new Promise((resolve) => spawn("true", { stdio: "pipe" }).once("close", resolve)));
  const boxed = await median(() => run(["true"], {}));
  // The budget is 15 ms on an idle machine, and is measured in scripts/bench; this finds a mistake of another order.
  expect(boxed - bare).toBeLessThan(100);
});
