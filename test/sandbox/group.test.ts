import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { type CgroupPlaces, type CommandGroup, CommandGroups } from "../../src/sandbox/group.ts";
import { LIMITS } from "../../src/sandbox/limits.ts";

/** Files in the place of the kernel's: few machines on which tests run give a cgroup away. What only the kernel does (count, and kill) is not shown here. */

const root = mkdtempSync(join(tmpdir(), "wirken-group-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;
let mounted = "";
let own = "";

beforeEach(() => {
  mounted = join(root, String((count += 1)));
  own = join(mounted, "user.slice/wirken.scope");
  mkdirSync(own, { recursive: true });
  writeFileSync(join(own, "cgroup.controllers"), "cpu memory pids\n");
  writeFileSync(join(own, "cgroup.procs"), "41\n");
});

function places(given: Partial<CgroupPlaces> = {}): CgroupPlaces {
  return {
    mounts: `25 30 0:26 / /sys rw - sysfs sysfs rw\n26 25 0:27 / ${mounted} rw,nosuid shared:9 - cgroup2 cgroup2 rw\n`,
    own: "1:name=systemd:/other\n0::/user.slice/wirken.scope\n",
    pids: [41],
    ...given,
  };
}
const text = (path: string): string => readFileSync(path, "utf8");

describe("a cgroup", () => {
  test("that this process is alone in is divided: one group for itself, one for each command", () => {
    const groups = CommandGroups.claim(places());
    expect(groups).toBeInstanceOf(CommandGroups);
    expect(text(join(own, "wirken/cgroup.procs"))).toBe("41");
    expect(text(join(own, "cgroup.subtree_control"))).toBe("+memory +pids");
  });

  test("is found where only a part of the tree is mounted", () => {
    const part = places({ mounts: `26 25 0:27 /user.slice ${join(mounted, "user.slice")} rw - cgroup2 cgroup2 rw\n` });
    expect(CommandGroups.claim(part)).toBeInstanceOf(CommandGroups);
  });

  test("is taken with those that were started in advance", () => {
    writeFileSync(join(own, "cgroup.procs"), "41\n42\n");
    expect(CommandGroups.claim(places({ pids: [41, 42] }))).toBeInstanceOf(CommandGroups);
  });

  test.for([
    ["that others are in too", () => writeFileSync(join(own, "cgroup.procs"), "41\n77\n"), "not alone in its cgroup"],
    [
      "that counts no memory",
      () => writeFileSync(join(own, "cgroup.controllers"), "cpu pids\n"),
      "has no controller memory",
    ],
    [
      "that counts neither",
      () => writeFileSync(join(own, "cgroup.controllers"), "\n"),
      "has no controller memory and none called pids",
    ],
    ["that cannot be divided", () => mkdirSync(join(own, "cgroup.subtree_control")), "cannot be divided"],
    ["in which no other can be made", () => writeFileSync(join(own, "wirken"), ""), "not given to it"],
  ] as const)("%s is left as it is", ([, change, why]) => {
    change();
    expect(CommandGroups.claim(places())).toContain(why);
  });

  test.for([
    ["of the first version alone", { own: "4:memory:/x\n" }],
    ["that is mounted nowhere", { mounts: "" }],
    ["that lies outside of what is mounted", { mounts: "26 25 0:27 /elsewhere /sys rw - cgroup2 cgroup2 rw\n" }],
  ] as const)("%s is none", ([, given]) => {
    expect(CommandGroups.claim(places(given))).toContain("no cgroup of the second version");
  });
});

function made(): CommandGroup {
  const groups = CommandGroups.claim(places());
  if (typeof groups === "string") throw new Error(groups);
  return groups.make(LIMITS);
}

describe("the group of a command", () => {
  test("has its limits, and room for what is ours in it", () => {
    const at = join(made().entrance, "..");
    expect(["memory.max", "memory.swap.max", "memory.oom.group"].map((name) => text(join(at, name)))).toEqual([
      String(LIMITS.memory),
      "0",
      "1",
    ]);
    expect(Number(text(join(at, "pids.max")))).toBeGreaterThan(LIMITS.processes);
  });

  test.for([
    ["memory.events", "low 0\nmax 9\noom 1\noom_kill 3\n", "memory"],
    ["memory.events", "low 0\nmax 9\noom 1\noom_kill 0\n", null],
    ["pids.events", "max 1\n", "processes"],
    ["pids.events", "max 0\n", null],
  ] as const)("has reached a limit when the kernel says so: %s", ([name, says, reached]) => {
    const group = made();
    writeFileSync(join(group.entrance, "..", name), says);
    expect(group.reached).toBe(reached);
  });

  test("is ended whole", () => {
    const group = made();
    group.kill();
    expect(text(join(group.entrance, "../cgroup.kill"))).toBe("1");
  });
});
