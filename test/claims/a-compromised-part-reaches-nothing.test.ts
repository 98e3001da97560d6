import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { landlockAbi } from "../../src/confine/landlock.ts";
import { openLibc } from "../../src/confine/libc.ts";
import { NEEDS } from "../../src/confine/role.ts";
import { LIMITS } from "../../src/sandbox/limits.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";
import { type Answers, HostilePart, isRoot, type Layer, LAYERS, NATIVE_ATTEMPTS } from "../support/hostile-part.ts";

/** Every attempt, and each layer that stops it, even if there were no other. Where there is one, it is needed: without it the attempt succeeds. The others
 *  stand behind each other. They are tried one by one, so that a layer that stops less than is written here, or more, fails the test.
 *
 *  `permissions` are Node's, which native code does not ask. `alone` (to die with the supervisor, not to be read by others of the same user) keeps
 *  nobody from trying: what it does is in test/confine/walls.test.ts. */
const STOPPED_BY: Readonly<Record<string, readonly Layer[]>> = {
  "script: read the vault": ["permissions", "landlock", "seccomp"],
  "script: list a folder": ["permissions", "landlock", "seccomp"],
  "script: make a file": ["permissions", "landlock", "seccomp", "limits"],
  "script: start a program": ["permissions", "landlock", "seccomp"],
  "script: start a thread": ["permissions"],
  "script: call the C library": ["permissions"],
  "script: load native code": ["permissions"],
  "script: connect to a port": ["permissions", "landlock", "seccomp"],
  "script: connect to the control socket": ["permissions", "seccomp"],
  "script: listen": ["permissions", "landlock", "seccomp"],
  "script: send UDP": ["permissions", "seccomp"],
  "script: resolve a name": ["permissions", "landlock", "seccomp"],
  "script: fetch": ["permissions", "landlock", "seccomp"],
  "script: signal the supervisor": ["landlock", "seccomp"],
  "script: renice the supervisor": ["seccomp"],
  "script: become a user": ["seccomp"],
  "read the vault": ["landlock", "seccomp"],
  "read a file of the system": ["landlock", "seccomp"],
  "read the executable": ["landlock", "seccomp"],
  "write its own code": ["landlock", "seccomp"],
  "read the vault by a newer call": ["landlock", "seccomp"],
  "list a folder": ["landlock", "seccomp"],
  "read the supervisor's environment": ["landlock", "seccomp"],
  "read the supervisor's memory file": ["landlock", "seccomp"],
  "read the supervisor's memory map": ["landlock", "seccomp"],
  "list the supervisor's descriptors": ["landlock", "seccomp"],
  "make a file": ["landlock", "seccomp"],
  "make a folder": ["landlock", "seccomp"],
  "make a link": ["landlock", "seccomp"],
  "link the vault elsewhere": ["landlock", "seccomp"],
  "rename the vault": ["landlock", "seccomp"],
  "remove a file": ["landlock", "seccomp"],
  "cut a file": ["landlock", "seccomp"],
  "change the vault's mode": ["seccomp"],
  "make a named pipe": ["landlock", "seccomp"],
  "watch a folder": ["seccomp"],
  "fill the disk": ["landlock", "seccomp", "limits"],
  "grow a file that was left open": ["limits"],
  "persist in a profile": ["landlock", "seccomp"],
  "connect to a port of this machine": ["landlock", "seccomp"],
  "connect to a private address": ["landlock", "seccomp"],
  "connect to the metadata address": ["landlock", "seccomp"],
  "connect to an address": ["landlock", "seccomp"],
  "connect over IPv6": ["landlock", "seccomp"],
  "ask a name of its own": ["seccomp"],
  "listen on a port": ["landlock", "seccomp"],
  "bind a UDP port": ["seccomp"],
  "open a raw socket": ["seccomp"],
  "open a packet socket": ["seccomp"],
  "open the routing table": ["seccomp"],
  "reach the host of a virtual machine": ["seccomp"],
  "connect to the control socket": ["seccomp"],
  "connect to an abstract socket": ["landlock", "seccomp"],
  "reach the control socket by a pair": ["seccomp"],
  "make a ring": ["seccomp", "no-ring"],
  "open a socket through libuv's ring": ["no-ring"],
  "signal the supervisor": ["landlock", "seccomp"],
  "signal a thread of the supervisor": ["landlock", "seccomp"],
  "signal it the old way": ["landlock", "seccomp"],
  "signal its group": ["seccomp"],
  "queue a signal": ["landlock", "seccomp"],
  "take the supervisor by a descriptor": ["seccomp"],
  "signal it when something is ready": ["seccomp"],
  "trace the supervisor": ["landlock", "seccomp"],
  "read the supervisor's memory": ["seccomp"],
  "write the supervisor's memory": ["seccomp"],
  "compare the supervisor's resources": ["landlock", "seccomp"],
  "renice the supervisor": ["seccomp"],
  "move the supervisor to a processor": ["seccomp"],
  "slow the supervisor's disk": ["seccomp"],
  "limit the supervisor": ["seccomp"],
  "schedule the supervisor": ["seccomp"],
  "move the supervisor's memory": ["landlock", "seccomp"],
  fork: ["seccomp"],
  "fork into a session of its own": ["seccomp"],
  "start a program": ["seccomp"],
  "start a program from memory": ["seccomp"],
  "hide memory": ["seccomp", "limits"],
  "make namespaces": ["seccomp"],
  "become a user": ["seccomp"],
  "outlive the supervisor": ["seccomp"],
  "be dumped": ["seccomp"],
  "call a tracer": ["seccomp"],
  "keep capabilities": ["seccomp"],
  "raise its limits": ["seccomp"],
  "take three gigabytes": ["limits"],
  "take fifteen hundred descriptors": ["limits"],
  "leave a core file": ["limits"],
  "share memory by a number": ["seccomp"],
  "make semaphores": ["seccomp"],
  "make a message queue": ["seccomp"],
  "make a named queue": ["landlock", "seccomp", "limits"],
  "use the kernel's keys": ["seccomp"],
  "add a key": ["seccomp"],
  mount: ["seccomp"],
  "change the root": ["seccomp"],
  "program the kernel": ["seccomp"],
  "count events": ["seccomp"],
  "handle page faults": ["seccomp"],
  "take a file's handle": ["seccomp"],
  "change its personality": ["seccomp"],
  "read the kernel's log": ["seccomp"],
  "type into a terminal": ["seccomp"],
  "ask for a filter": ["seccomp"],
  "ask for walls": ["seccomp"],
};

/** What only root can do at all. */
const OF_ROOT = new Set(["open a raw socket", "open a packet socket", "change the root", "read the kernel's log"]);
/** Of these Landlock knows since its fourth version, and of those since its sixth. */
const TCP = /connect to (a port|a private|the metadata|an address)|connect over|listen|resolve a name|fetch/;
const SCOPED = /signal|abstract/;

/** What a process that has the network may do. */
const OUTWARD = new Set([
  "script: connect to a port",
  "script: resolve a name",
  "script: fetch",
  "connect to a port of this machine",
  "connect to a private address",
  "connect to the metadata address",
  "connect to an address",
  "connect over IPv6",
  "ask a name of its own",
]);

/** What is let through to a command: all of it stays within the system that it is given, which ends with it. */
const WITHIN: Readonly<Record<string, readonly string[]>> = {
  "its own programs and their memory": [
    "read a file of the system",
    "read the executable",
    "write its own code",
    "list a folder",
  ],
  "a network with nobody in it": [...OUTWARD, "listen on a port", "bind a UDP port", "open the routing table"],
  "its own processes, which end with their first": [
    "signal its group",
    "fork",
    "fork into a session of its own",
    "start a program",
    "outlive the supervisor",
    "be dumped",
    "call a tracer",
    "keep capabilities",
    "raise its limits",
    "become a user",
    "make semaphores",
  ],
  "memory that is asked for and not used; what is used is summed by the watchdog": ["take three gigabytes"],
  "more walls of its own": ["ask for a filter", "ask for walls"],
};

const machine = process.arch === "arm64" ? "arm64" : "x64";
let part: HostilePart;
let abi = 0;

beforeAll(async () => {
  part = await HostilePart.prepare();
  using libc = openLibc(machine);
  abi = landlockAbi(libc);
}, 120_000);
afterAll(async () => await part?.[Symbol.asyncDispose]());

/** Whether it tells anything: what only root can do is refused to everybody else by nothing of ours. */
const tells = (name: string): boolean => isRoot || !OF_ROOT.has(name);
const refused = (answers: Answers): string[] =>
  Object.keys(answers)
    .filter((name) => answers[name] !== 0 && tells(name))
    .toSorted();
const through = (answers: Answers): string[] =>
  Object.keys(answers)
    .filter((name) => answers[name] === 0)
    .toSorted();

/** What these layers are to refuse, on this kernel. */
function expectedOf(layers: readonly Layer[]): string[] {
  return Object.entries(STOPPED_BY)
    .filter(
      ([name, stoppers]) =>
        tells(name) &&
        stoppers.some((layer) => {
          if (!layers.includes(layer)) return false;
          if (layer !== "landlock") return true;
          return abi >= 6 || (abi >= 4 ? !SCOPED.test(name) : abi >= 1 && !SCOPED.test(name) && !TCP.test(name));
        }),
    )
    .map(([name]) => name)
    .toSorted();
}

test("there are more than sixty attempts, and each has its row", async () => {
  expect(NATIVE_ATTEMPTS.length).toBeGreaterThan(60);
  expect(NATIVE_ATTEMPTS.filter((name) => !(name in STOPPED_BY))).toEqual([]);
  expect(Object.entries(STOPPED_BY).filter(([, stoppers]) => stoppers.length === 0)).toEqual([]);
});

describe("a part that nothing holds", () => {
  test("can do all of it, so the attempts tell", async () => {
    const answers = await part.attack("agent", []);
    expect(Object.keys(answers).toSorted()).toEqual(Object.keys(STOPPED_BY).toSorted());
    expect(refused(answers)).toEqual([]);
    expect(part.connections).toBeGreaterThan(0);
  });

  test.for(["nobody", "no namespaces"] as const)("can do it as well as %s", async (as) => {
    const answers = await part.attack("agent", [], as);
    expect(refused(answers).filter((name) => !OF_ROOT.has(name))).toEqual([]);
  });
});

describe("each layer", () => {
  test.for(LAYERS)("%s, with no other, stops what it is said to stop, and nothing else", async (layer) => {
    expect(refused(await part.attack("agent", [layer]))).toEqual(expectedOf([layer]));
  });

  test.for(LAYERS)("%s is missed where no other stands behind it", async (layer) => {
    const rest = LAYERS.filter((other) => other !== layer);
    const answers = await part.attack("agent", rest);
    const missed = Object.keys(STOPPED_BY).filter((name) => tells(name) && !expectedOf(rest).includes(name));
    expect(through(answers)).toEqual(missed.toSorted());
    expect(missed.length > 0).toBe(["permissions", "limits", "seccomp", "no-ring"].includes(layer));
  });
});

describe("a part of the product, with all its walls,", () => {
  test.for(["agent", "model", "adapter", "fetch", "egress"] as const)(
    "as %s does nothing of it but reach what its role reaches",
    async (role) => {
      const answers = await part.attack(role, LAYERS);
      const outward = NEEDS[role].sockets === "internet" ? [...OUTWARD].toSorted() : [];
      expect(through(answers)).toEqual(outward);
    },
  );

  test.for(["nobody", "no namespaces"] as const)("is held as well as %s", async (as) => {
    for (const role of ["agent", "adapter", "fetch", "egress"] as const) {
      const outward = NEEDS[role].sockets === "internet" ? [...OUTWARD].toSorted() : [];
      expect([role, through(await part.attack(role, LAYERS, as))]).toEqual([role, outward]);
    }
  });

  test("connects to nothing where its role has no network", async () => {
    const before = part.connections;
    await part.attack("agent", LAYERS);
    expect(part.connections).toBe(before);
  });
});

test("a command reaches nothing outside of the system that it is given", async () => {
  const home = mkdtempSync(join(part.place, "home-"));
  const workspace = join(home, "workspace");
  mkdirSync(workspace);
  copyFileSync(part.program, join(workspace, "attempts"));
  const vault = join(home, "vault.db");
  writeFileSync(vault, "sealed");
  const before = part.connections;
  const sandbox = new Sandbox({ home, executable: process.execPath });
  const { pid } = process;
  const argv = ["./attempts", vault, home, join(part.place, "control.sock"), part.abstract, `${pid}`, `${part.port}`];
  const command = { workspace, argv, write: true, stdin: null, limits: LIMITS };
  const end = await sandbox.run(command, AbortSignal.timeout(60_000));
  const answers = part.answersOf(Buffer.from(end.stdout).toString());
  expect(Object.keys(answers)).toEqual(NATIVE_ATTEMPTS);
  const within = new Set(Object.values(WITHIN).flat());
  expect(through(answers).filter((name) => !within.has(name))).toEqual([]);
  expect(part.connections).toBe(before);
  expect(readFileSync(vault, "utf8")).toBe("sealed");
  expect(existsSync(join(home, "planted"))).toBe(false);
});
