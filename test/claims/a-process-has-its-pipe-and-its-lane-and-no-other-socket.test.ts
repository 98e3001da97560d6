import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FIRST_LANE, LANES, OWN_LANE } from "../../src/ipc/egress-frames.ts";
import { type Descriptor, descriptorsOf } from "../support/descriptors.ts";
import { Spine } from "../support/spine.ts";

let spine: Spine;
beforeAll(async () => {
  spine = await Spine.start({ channels: ["telegram", "slack"] });
  // The model's process and the agent's run from the first turn on.
  spine.write("hello");
  await spine.shown("you said: hello");
});
afterAll(async () => {
  await spine[Symbol.asyncDispose]();
});

/** What each role is started with beside its output (1, 2) and its pipe (3). */
const SOCKETS: Readonly<Record<string, readonly number[]>> = {
  adapter: [OWN_LANE],
  model: [OWN_LANE],
  anchor: [OWN_LANE],
  // Between the two of them.
  ingress: [OWN_LANE],
  web: [OWN_LANE],
  agent: [],
  egress: Array.from({ length: LANES }, (_, lane) => FIRST_LANE + lane),
};
/** Roles that open sockets to the world by themselves. */
const CONNECTS: ReadonlySet<string> = new Set(["egress", "ingress"]);

/** An event loop wakes itself by a pipe, both of whose ends it has. */
function isOwnPipe(inode: string | null, all: readonly Descriptor[]): boolean {
  return all.filter((one) => one.inode === inode).length === 2;
}

/** What a process of a role has and was not meant to have, in words. */
function unmeant(role: string, all: readonly Descriptor[]): string[] {
  const given = new Set([1, 2, 3, ...(SOCKETS[role] ?? [])]);
  return all.flatMap(({ fd, what, inode }) => {
    const meant =
      (fd === 0 && what === "null") ||
      (given.has(fd) && (what === "local" || (fd < 3 && what === "pipe"))) ||
      // What an event loop makes for itself.
      (fd > 2 && (what === "event" || what === "null" || (what === "pipe" && isOwnPipe(inode, all)))) ||
      (CONNECTS.has(role) && what === "internet");
    return meant ? [] : [`${fd}: ${what}`];
  });
}

async function processes(): Promise<{ role: string; pid: number; all: Descriptor[] }[]> {
  const { processes: running } = await spine.status();
  return running.map(({ role, pid }) => ({ role, pid, all: descriptorsOf(pid) }));
}

test("a descriptor that somebody left open is seen", async () => {
  const file = openSync("/proc/self/status", "r");
  const program =
    "const net = require('node:net'); new net.Socket({ fd: 3 }).on('data', () => undefined); process.stdout.write('up')";
  const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "pipe", "pipe", file, "pipe"] });
  if (child.stdout === null || child.pid === undefined) throw new Error("the child did not start");
  await once(child.stdout, "data");
  // It has a ring of its own too, and whatever this test was started with.
  const seen = unmeant("agent", descriptorsOf(child.pid));
  expect(seen).toEqual(expect.arrayContaining([expect.stringMatching(/^4: \/proc\/\d+\/status$/), "5: local"]));
  child.kill("SIGKILL");
  await once(child, "exit");
});

test("every process has its output, its pipe and its lane, and nothing else", async () => {
  const all = await processes();
  expect(all.map(({ role }) => role).toSorted()).toEqual(
    ["adapter", "adapter", "agent", "egress", "ingress", "model", "web"].toSorted(),
  );
  expect(all.map(({ role, all: theirs }) => [role, unmeant(role, theirs)])).toEqual(all.map(({ role }) => [role, []]));
  for (const { role, all: theirs } of all) {
    const sockets = theirs.filter(({ what, fd }) => what === "local" && fd >= FIRST_LANE).map(({ fd }) => fd);
    // Egress closes a lane whose holder is gone.
    const wanted = (SOCKETS[role] ?? []).filter((fd) => role !== "egress" || sockets.includes(fd));
    expect([role, sockets]).toEqual([role, wanted]);
  }
});

test("what two processes share is theirs alone: no third one has an end of it, nor the supervisor of a lane that was handed out", async () => {
  const { pid } = await spine.status();
  const supervisor = descriptorsOf(pid);
  const holders = new Map<string, string[]>();
  for (const { role, pid: of, all } of [...(await processes()), { role: "supervisor", pid, all: supervisor }])
    for (const { inode, what, fd } of all)
      if (inode !== null && what === "local" && fd > 2)
        holders.set(inode, [...(holders.get(inode) ?? []), `${role} ${of}`]);
  expect([...holders.values()].filter((who) => who.length > 1)).toEqual([]);
});
