import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { z } from "zod/mini";
import { filterFor, localSocketsFilter } from "../../src/confine/filter.ts";
import { NEEDS, type Role } from "../../src/confine/role.ts";
import { runFilter } from "../support/bpf.ts";
import { childImage, run, startChild } from "../support/confined.ts";

const EPERM = 1;
const OWN = { pid: 4242, ring: false };
const ENOSYS = 38;
const Answers = z.record(z.string(), z.number());

async function systemCalls(role: Role | "command", how: "bare" | "walls"): Promise<Readonly<Record<string, number>>> {
  const { command, args } = childImage("system-calls");
  const { stdout, stderr, status } = await run(command, [...args, role, how]);
  if (status !== 0) throw new Error(`status ${String(status)}: ${stderr}`);
  return Answers.parse(JSON.parse(stdout));
}

/** Refused to every role, by the kernel: what Node's permissions say does not come into it. */
const REFUSED = [
  "kill parent",
  "kill group",
  "tgkill parent",
  "pidfd_open parent",
  "process_vm_readv parent",
  "prlimit64 of parent",
  "own a signal by fcntl",
  "choose a signal by fcntl",
  "own a signal by ioctl",
  "sched_setparam of parent",
  "shmget",
  "unshare",
  "socket netlink",
  "socket packet",
  "start a program",
  "stay when the parent dies",
  "be dumpable",
];
const ALLOWED = ["kill self", "tgkill self", "prlimit64 of self", "fcntl of flags"];
const root = process.getuid?.() === 0;

describe("native code in a child", () => {
  test("without walls is let through, so the calls tell", async () => {
    const answers = await systemCalls("adapter", "bare");
    for (const name of [...REFUSED, ...ALLOWED]) {
      // Only root may open a packet socket at all.
      if (name === "socket packet" && !root) continue;
      expect([name, answers[name] === EPERM]).toEqual([name, false]);
    }
    expect(answers["socket local"]).toBe(0);
    expect(answers["is dumpable"]).toBe(1);
  });

  test.for([
    "adapter",
    "model",
    "agent",
    "ingress",
    "web",
    "keychain",
    "anchor",
    "egress",
    "relay",
    "fetch",
    "unpack",
    "mcp",
  ] as const)("of a %s is refused whatever reaches another process or another program", async (role) => {
    const answers = await systemCalls(role, "walls");
    for (const name of REFUSED) expect([name, answers[name]]).toEqual([name, EPERM]);
    for (const name of ALLOWED) expect([name, answers[name]]).toEqual([name, 0]);
    expect(answers["clone3"]).toBe(ENOSYS);
    expect(answers["x32 getpid"]).toBe(EPERM);
    expect(answers["is dumpable"]).toBe(0);
  });

  test.for([
    ["egress", { local: EPERM, pair: EPERM, tcp: 0, udp: 0, connects: true }],
    ["adapter", { local: EPERM, pair: EPERM, tcp: EPERM, udp: EPERM, connects: false }],
    ["model", { local: EPERM, pair: EPERM, tcp: EPERM, udp: EPERM, connects: false }],
    ["anchor", { local: EPERM, pair: EPERM, tcp: EPERM, udp: EPERM, connects: false }],
    ["mcp", { local: EPERM, pair: EPERM, tcp: EPERM, udp: EPERM, connects: false }],
    ["unpack", { local: EPERM, pair: EPERM, tcp: EPERM, udp: EPERM, connects: false }],
    ["fetch", { local: EPERM, pair: EPERM, tcp: EPERM, udp: EPERM, connects: false }],
    ["agent", { local: EPERM, pair: EPERM, tcp: EPERM, udp: EPERM, connects: false }],
    ["web", { local: EPERM, pair: EPERM, tcp: EPERM, udp: EPERM, connects: false }],
    ["ingress", { local: EPERM, pair: EPERM, tcp: 0, udp: EPERM, connects: false }],
    ["keychain", { local: 0, pair: 0, tcp: EPERM, udp: EPERM, connects: true }],
  ] as const)("of a %s opens the sockets of its role", async ([role, sockets]) => {
    const answers = await systemCalls(role, "walls");
    expect({
      local: answers["socket local"],
      pair: answers["socketpair"],
      tcp: answers["socket TCP"],
      udp: answers["socket UDP"],
      connects: answers["connect nothing"] !== EPERM,
    }).toEqual(sockets);
  });
});

describe("a command of the owner", () => {
  test("without its wall opens every kind of socket, so the calls tell", async () => {
    const answers = await systemCalls("command", "bare");
    expect([answers["socket TCP"], answers["socket UDP"], answers["socket netlink"]]).toEqual([0, 0, 0]);
    expect(answers["set up an io_uring"]).not.toBe(EPERM);
  });

  test("opens local sockets only, and can start programs still", async () => {
    const answers = await systemCalls("command", "walls");
    const refused = ["socket TCP", "socket UDP", "socket netlink", "socket packet", "set up an io_uring", "x32 getpid"];
    for (const name of refused) expect([name, answers[name]]).toEqual([name, EPERM]);
    for (const name of ["socket local", "socketpair", "start a program", "kill parent"])
      expect([name, answers[name]]).toEqual([name, 0]);
  });
});

test("the walls stand around every thread, with its limits", async () => {
  const { command, args } = childImage("idle");
  await using child = await startChild(command, [...args, "model"]);
  const threads = readdirSync(`/proc/${child.pid}/task`);
  expect(threads.length).toBeGreaterThan(4);
  for (const thread of threads) {
    const status = readFileSync(`/proc/${child.pid}/task/${thread}/status`, "utf8");
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
    expect(status).toMatch(/^Seccomp:\s+2$/m);
  }
  const limits = readFileSync(`/proc/${child.pid}/limits`, "utf8");
  expect(limits).toMatch(/^Max core file size\s+0\s+0/m);
  expect(limits).toMatch(/^Max open files\s+1024\s+1024/m);
  expect(limits).toMatch(/^Max data size\s+2147483648\s+2147483648/m);
});

describe("a child dies with its parent, even if it never looks up", () => {
  test("one without walls does not, so the test tells", async () => {
    expect(await outlivesItsParent("bare")).toBe(true);
  });

  test("one with walls does", async () => {
    expect(await outlivesItsParent("walls")).toBe(false);
  });

  test("one whose parent died before the walls stood refuses to begin", async () => {
    const { command, args } = childImage("orphan");
    const { stdout } = await run(command, args);
    expect(stdout).toContain("CONFINE_ORPHANED");
  });
});

/** A parent starts a child that spins, and is killed. */
async function outlivesItsParent(how: "bare" | "walls"): Promise<boolean> {
  const { command, args } = childImage("parent");
  await using parent = await startChild(command, [...args, how]);
  const spinning = Number(parent.said);
  expect(isThere(spinning)).toBe(true);
  await parent[Symbol.asyncDispose]();
  for (let waited = 0; waited < 50 && isThere(spinning); waited++) await new Promise((r) => setTimeout(r, 20));
  const outlived = isThere(spinning);
  if (outlived) process.kill(spinning, "SIGKILL");
  return outlived;
}

function isThere(pid: number): boolean {
  try {
    // A zombie that nobody has buried yet is dead.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

describe("the filter", () => {
  test.for(["x64", "arm64"] as const)(
    "for %s is a program the kernel takes: short enough, every jump within it",
    (machine) => {
      const filters = Object.values(NEEDS).map((needs) => filterFor(machine, needs, OWN));
      for (const program of [...filters, localSocketsFilter(machine)]) {
        const view = new DataView(program.buffer);
        const length = program.length / 8;
        expect(length).toBeLessThan(4096);
        for (let at = 0; at < length; at++) {
          const code = view.getUint16(at * 8, true);
          if ((code & 0x07) !== 0x05) continue;
          expect(at + 1 + view.getUint8(at * 8 + 2)).toBeLessThan(length);
          expect(at + 1 + view.getUint8(at * 8 + 3)).toBeLessThan(length);
        }
        expect(view.getUint16((length - 1) * 8, true)).toBe(0x06);
      }
    },
  );

  const ALLOW = 0x7fff_0000;
  const REFUSE = 0x0005_0001;
  const KILL = 0x8000_0000;
  const X64 = 0xc000_003e;
  const ARM64 = 0xc000_00b7;
  test.for([
    ["read", "arm64", ARM64, 63, [], ALLOW],
    ["a call of the other machine", "arm64", X64, 0, [], KILL],
    ["execve", "arm64", ARM64, 221, [], REFUSE],
    ["ptrace", "arm64", ARM64, 117, [0], REFUSE],
    ["a process", "arm64", ARM64, 220, [17], REFUSE],
    ["a thread", "arm64", ARM64, 220, [0x003d_0f00], ALLOW],
    ["clone3", "arm64", ARM64, 435, [], 0x0005_0026],
    ["kill of itself", "arm64", ARM64, 129, [4242, 6], ALLOW],
    ["kill of another", "arm64", ARM64, 129, [1, 6], REFUSE],
    ["tgkill of itself", "arm64", ARM64, 131, [4242, 4243, 6], ALLOW],
    ["a local socket", "arm64", ARM64, 198, [1, 1, 0], REFUSE],
    ["TCP with its flags", "arm64", ARM64, 198, [10, 0x8_0801, 6], ALLOW],
    ["a raw socket", "arm64", ARM64, 198, [2, 3, 0], REFUSE],
    ["SCTP", "arm64", ARM64, 198, [2, 1, 132], REFUSE],
    ["its own limits", "arm64", ARM64, 261, [0, 7, 0], ALLOW],
    ["new limits", "arm64", ARM64, 261, [0, 7, 0x1000], REFUSE],
    ["new limits in high memory", "arm64", ARM64, 261, [0, 7, 2 ** 40], REFUSE],
    ["futex", "arm64", ARM64, 98, [], ALLOW],
    ["a call of x32", "x64", X64, 0x4000_0000 + 59, [], REFUSE],
    ["fork", "x64", X64, 57, [], REFUSE],
  ] as const)("answers as it should: %s on %s", ([, machine, architecture, number, words, answer]) => {
    expect(runFilter(filterFor(machine, NEEDS.egress, OWN), architecture, number, words)).toBe(answer);
  });

  test.for([
    ["a local socket", "arm64", ARM64, 198, [1, 1, 0], ALLOW],
    ["TCP", "arm64", ARM64, 198, [2, 1, 0], REFUSE],
    ["TCP over IPv6", "x64", X64, 41, [10, 1, 0], REFUSE],
    ["netlink", "x64", X64, 41, [16, 3, 0], REFUSE],
    ["AF_VSOCK", "x64", X64, 41, [40, 1, 0], REFUSE],
    ["io_uring_setup", "x64", X64, 425, [1], REFUSE],
    ["execve", "x64", X64, 59, [], ALLOW],
    ["a call of x32", "x64", X64, 0x4000_0000 + 41, [1], REFUSE],
    ["a call of the other machine", "x64", ARM64, 198, [1, 1, 0], KILL],
  ] as const)("of a command answers as it should: %s on %s", ([, machine, architecture, number, words, answer]) => {
    expect(runFilter(localSocketsFilter(machine), architecture, number, words)).toBe(answer);
  });
});
