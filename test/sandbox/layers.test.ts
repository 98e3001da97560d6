import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { knownMachine, numberIn, type SystemCall } from "../../src/confine/syscalls.ts";
import { kernelLandlock } from "../../src/confine/walls.ts";
import { holder, HOLDER } from "../../src/sandbox/inner-walls.ts";
import { makeHome } from "../../src/sandbox/home-folder.ts";
import { DESCRIPTORS } from "../../src/sandbox/keeper.ts";
import { LIMITS } from "../../src/sandbox/limits.ts";
import { ownerOf } from "../../src/sandbox/owner.ts";
import { commandFilter } from "../../src/sandbox/seccomp.ts";
import { findBubblewrap } from "../../src/sandbox/state.ts";
import { survey } from "../../src/sandbox/survey.ts";
import { argumentsFor } from "../../src/sandbox/view.ts";

/** Each layer around a command is needed: what it stops succeeds where that layer alone is taken away. */

const root = mkdtempSync(join(tmpdir(), "wirken-layers-"));
const workspace = join(root, "workspace");
/** Everybody's to read on this machine, and no part of what a command sees. */
const OUTSIDE = "/etc/profile";
const machine = knownMachine(process.arch) ?? "x64";
const abi = kernelLandlock();
let runAs: number | null = null;
let server: Server;
let port = 0;
let bystander: ChildProcess;
let segment = "";

beforeAll(async () => {
  mkdirSync(workspace);
  writeFileSync(join(workspace, "AGENTS.md"), "mine");
  runAs = ownerOf(workspace);
  makeHome(workspace, runAs);
  server = createServer((socket) => socket.end("hello\n"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  port = address !== null && typeof address === "object" ? address.port : 0;
  // Somebody of the very account that commands run as.
  bystander = spawn("/bin/sleep", ["1000"], { stdio: "ignore", ...(runAs === null ? {} : { uid: runAs, gid: runAs }) });
  segment = /\d+/.exec(execFileSync("ipcmk", ["-M", "1"], { encoding: "utf8" }))?.[0] ?? "";
});
afterAll(() => {
  execFileSync("ipcrm", ["-m", segment]);
  bystander.kill("SIGKILL");
  server.close();
  rmSync(root, { recursive: true, force: true });
});

type Off = (args: readonly string[]) => string[];

/** A script in the very view that commands have, but for a layer. */
function boxed(script: string, write: boolean, off: Off): string {
  const { seccomp: filter, holder: held } = DESCRIPTORS;
  const contents = new Map<number, Uint8Array>([
    [filter, commandFilter(machine) ?? new Uint8Array()],
    [held, holder(machine, abi, { write, way: false, toolchains: [] })],
  ]);
  const descriptors = Array.from({ length: held - 2 }, (_, index) => {
    const path = join(root, `descriptor-${index}`);
    writeFileSync(path, contents.get(index + 3) ?? "");
    return openSync(path, "r+");
  });
  const view = argumentsFor({
    workspace,
    folders: [],
    write,
    protect: write ? survey(workspace) : new Map(),
    hide: [],
    limits: LIMITS,
    home: true,
    toolchains: [],
    way: false,
    held: true,
    runAs,
  });
  // One word for all namespaces has no half.
  const named = view.flatMap((word) => (word === "--unshare-all" ? NAMESPACES : [word]));
  try {
    const { stdout, stderr } = spawnSync(findBubblewrap() ?? "", [...off(named), "bash", "-c", script], {
      encoding: "utf8",
      env: { OURS: "secret" },
      stdio: ["ignore", "pipe", "pipe", ...descriptors],
    });
    if (stderr.startsWith("bwrap: ")) throw new Error(stderr);
    return stdout.trim();
  } finally {
    for (const fd of descriptors) closeSync(fd);
  }
}
const NAMESPACES = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"];

const whole: Off = (args) => [...args];
/** Without these words, which stand one behind the other. */
const without =
  (...words: readonly string[]): Off =>
  (args) => {
    const at = args.findIndex((_, index) => words.every((word, more) => args[index + more] === word));
    if (at < 0) throw new Error(`${words.join(" ")} is no part of the view`);
    return args.toSpliced(at, words.length);
  };
const seccomp = without("--seccomp", String(DESCRIPTORS.seccomp));
const outsideSeen: Off = (args) => {
  const at = args.findIndex((word, index) => word === "--remount-ro" && args[index + 1] === "/");
  return args.toSpliced(at, 0, "--ro-bind", OUTSIDE, OUTSIDE);
};
/** Not held by Landlock: the program that does it is there, and is not run. */
const landlock: Off = (args) => {
  const at = args.lastIndexOf(HOLDER);
  if (args[at - 1] !== "--") throw new Error("nothing holds the command");
  return args.toSpliced(at, 1);
};
const both =
  (one: Off, other: Off): Off =>
  (args) =>
    other(one(args));
const writable: Off = (args) =>
  args.map((word, index) => (word === "--ro-bind" && args[index + 2] === "/workspace" ? "--bind" : word));

/** A call of the kernel, by perl: done where it is let through. */
const call = (name: SystemCall, ...words: readonly (number | string)[]): string =>
  `perl -e 'print "done" if syscall(${[numberIn(machine, name), ...words].join(", ")}) >= 0'`;

/** Each script prints `done` where it succeeds. */
const ATTEMPTS: readonly {
  readonly what: string;
  readonly layer: string;
  readonly script: () => string;
  readonly off: Off;
  /** Each of the two layers holds it alone. */
  readonly second?: Off;
  readonly write?: boolean;
}[] = [
  {
    what: "connect to a server of this machine",
    layer: "network namespace",
    script: () => `(exec 3<>/dev/tcp/127.0.0.1/${port}) 2>/dev/null && echo done`,
    off: without("--unshare-net"),
  },
  {
    what: "signal another process of the same account",
    layer: "process namespace, or Landlock",
    script: () => `kill -0 ${bystander.pid} 2>/dev/null && grep -q sleep /proc/${bystander.pid}/comm && echo done`,
    off: without("--unshare-pid"),
    second: landlock,
  },
  {
    what: "see memory that others share",
    layer: "IPC namespace",
    script: () => `grep -qw ${segment} /proc/sysvipc/shm && echo done`,
    off: without("--unshare-ipc"),
  },
  {
    what: "learn the name of this machine",
    layer: "UTS namespace",
    script: () => `[ "$(uname -n)" = "${hostname()}" ] && echo done`,
    off: (args) => without("--hostname", "sandbox")(without("--unshare-uts")(args)),
  },
  {
    what: "read a file outside the workspace",
    layer: "mounts, or Landlock",
    script: () => `[ -s ${OUTSIDE} ] && cat ${OUTSIDE} >/dev/null 2>&1 && echo done`,
    off: outsideSeen,
    second: landlock,
  },
  {
    what: "change a workspace that it may only read",
    layer: "read-only workspace, or Landlock",
    script: () => "(echo 1 >made) 2>/dev/null && rm made && echo done",
    off: writable,
    second: landlock,
  },
  {
    what: "change a protected file of a workspace that it may change",
    layer: "read-only protected files",
    script: () => "(echo mine >AGENTS.md) 2>/dev/null && echo done",
    off: (args) => without("--ro-bind", join(workspace, "AGENTS.md"), "/workspace/AGENTS.md")(args),
    write: true,
  },
  {
    what: "read our environment",
    layer: "empty environment",
    script: () => '[ "$OURS" = secret ] && echo done',
    off: without("--clearenv"),
  },
  {
    what: "open a local socket",
    layer: "seccomp",
    script: () => "perl -MSocket -e 'print \"done\" if socket my $s, AF_UNIX, SOCK_STREAM, 0'",
    off: seccomp,
  },
  {
    what: "be traced, and so trace",
    layer: "seccomp",
    script: () => call("ptrace", 0, 0, 0, 0),
    off: seccomp,
  },
  {
    what: "change its personality",
    layer: "seccomp",
    script: () => call("personality", 0xffff_ffff),
    off: seccomp,
  },
  {
    what: "have memory that no limit counts",
    layer: "seccomp",
    script: () => call("shmget", 0, 4096, 0o600),
    off: seccomp,
  },
  {
    what: "use the keys of its account",
    layer: "seccomp",
    script: () => call("keyctl", 0, -3, 1),
    off: seccomp,
  },
];

describe("what a command cannot do, and does where one layer is off:", () => {
  test.for(ATTEMPTS.filter(({ second }) => second === undefined))(
    "$what ($layer)",
    ({ script, off, write = false }) => {
      expect(boxed(script(), write, whole)).toBe("");
      expect(boxed(script(), write, off)).toBe("done");
    },
  );
});

describe("what two layers keep from a command, each of them alone:", () => {
  test.for(ATTEMPTS.filter(({ second }) => second !== undefined))(
    "$what ($layer)",
    ({ script, off, second = whole, write = false }) => {
      expect(boxed(script(), write, off)).toBe("");
      expect(boxed(script(), write, second)).toBe("");
      expect(boxed(script(), write, both(off, second))).toBe("done");
    },
  );
});
