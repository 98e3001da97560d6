import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod/mini";
import { openLibc } from "../../src/confine/libc.ts";
import { HostileDaemon } from "../support/hostile-daemon.ts";

const Status = z.object({ processes: z.array(z.object({ role: z.string(), pid: z.int() })) });
/** What a child of ours has open: its input, its output, its pipe, its lanes, and what Node waits with. */
const OF_A_CHILD = /^(\/dev\/null|(socket|pipe):\[\d+\]|anon_inode:\[(eventfd|eventpoll)\])$/;
const O_CLOEXEC = 0o2_000_000;

/** Left open for whatever is started from here, as a shell may do. */
const left = openSync("/", "r");
let hostile: HostileDaemon;
let processes: { role: string; pid: number }[];

beforeAll(async () => {
  using libc = openLibc(process.arch === "arm64" ? "arm64" : "x64");
  libc.call("fcntl", left, 2, 0); // F_SETFD, without FD_CLOEXEC
  hostile = await HostileDaemon.start();
  // An agent and a model have begun.
  await hostile.daemon.json("ask", "hello");
  ({ processes } = Status.parse(await hostile.daemon.json("status")));
}, 180_000);
afterAll(async () => await hostile?.[Symbol.asyncDispose]());

interface Held {
  readonly fd: number;
  readonly link: string;
  readonly flags: number;
}

/** The descriptors of a process, as the kernel says. */
function held(pid: number): Held[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      const [, flags = "0"] = /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8")) ?? [];
      return { fd: Number(fd), link: readlinkSync(`/proc/${pid}/fd/${fd}`), flags: Number.parseInt(flags, 8) };
    } catch {
      return []; // closed meanwhile
    }
  });
}

const foreign = (pid: number): string[] =>
  held(pid)
    .map(({ link }) => link)
    .filter((link) => !OF_A_CHILD.test(link));
/** Descriptors that a program would inherit that this process starts. */
const inheritable = (pid: number): string[] =>
  held(pid)
    .filter(({ fd, flags }) => fd > 2 && (flags & O_CLOEXEC) === 0)
    .map(({ fd, link }) => `${fd} ${link}`);

test("a descriptor that was left open is seen", async () => {
  const child = spawn("sleep", ["60"], { stdio: "ignore" });
  await once(child, "spawn");
  const pid = child.pid ?? 0;
  expect(foreign(pid)).toContain("/");
  expect(inheritable(pid)).toContain(`${left} /`);
  child.kill("SIGKILL");
});

describe("in a daemon at work", () => {
  test("every kind of process is looked at", () => {
    const roles = processes.map(({ role }) => role);
    expect(roles).toEqual(expect.arrayContaining(["adapter", "agent", "egress", "ingress", "web"]));
  });

  test("no child has a file, a folder, a database, a ring or another process open", () => {
    for (const { role, pid } of processes) {
      expect([role, held(pid).length > 3]).toEqual([role, true]);
      expect([role, foreign(pid)]).toEqual([role, []]);
    }
  });

  test("the supervisor has its databases open, and nothing of it is inherited", () => {
    const { pid, data } = hostile.daemon;
    const links = held(pid).map(({ link }) => link);
    expect(links).toEqual(expect.arrayContaining([join(data, "audit.db"), join(data, "vault.db")]));
    expect(links).toContain("/");
    expect(inheritable(pid)).toEqual([]);
  });

  test("no socket of the supervisor's is a child's too: each has its own end", () => {
    const ofSupervisor = new Set(
      held(hostile.daemon.pid).flatMap(({ link }) => (link.startsWith("socket:") ? link : [])),
    );
    expect(ofSupervisor.size).toBeGreaterThan(5);
    for (const { role, pid } of processes)
      expect([role, held(pid).filter(({ link }) => ofSupervisor.has(link))]).toEqual([role, []]);
  });

  test("nobody writes a core file, and every child ends with the supervisor", async () => {
    for (const { pid } of [...processes, { pid: hostile.daemon.pid }])
      expect(readFileSync(`/proc/${pid}/limits`, "utf8")).toMatch(/^Max core file size +0 +0 /m);
    process.kill(hostile.daemon.pid, "SIGKILL");
    await expect
      .poll(() => processes.filter(({ pid }) => isThere(pid)).map(({ role }) => role), { timeout: 10_000 })
      .toEqual([]);
  });
});

function isThere(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}
