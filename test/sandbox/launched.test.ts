import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { LIMITS, type Limits } from "../../src/sandbox/limits.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";
import { LAUNCHER } from "../support/launcher.ts";

/** Where bubblewrap is not there: what holds a command is Landlock, a seccomp filter and its process group. */

const MB = 1 << 20;
const root = mkdtempSync(join(tmpdir(), "wirken-launched-"));
const home = join(root, "home");
const outside = join(root, "outside");
const sandbox = new Sandbox({ home, executable: process.execPath, bubblewrap: null, launcher: LAUNCHER });
let workspace = "";
let count = 0;
let server: Server;
let port = 0;
let bystander: ChildProcess;

beforeAll(async () => {
  mkdirSync(home, { recursive: true });
  chmodSync(root, 0o755);
  mkdirSync(outside, { mode: 0o777 });
  chmodSync(outside, 0o777);
  writeFileSync(join(outside, "file"), "secret", { mode: 0o666 });
  chmodSync(join(outside, "file"), 0o666);
  server = createServer((socket) => socket.end("hello\n"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  port = address !== null && typeof address === "object" ? address.port : 0;
  // Somebody of the very account that commands run as.
  const user = process.getuid?.() === 0 ? { uid: 61_100, gid: 61_100 } : {};
  bystander = spawn("/bin/sleep", ["1000"], { stdio: "ignore", env: { OTHERS: "secret" }, ...user });
  await sandbox.probe();
});
beforeEach(() => {
  workspace = join(home, "workspaces", String((count += 1)));
  mkdirSync(workspace, { recursive: true });
});
afterAll(() => {
  bystander.kill("SIGKILL");
  server.close();
  rmSync(root, { recursive: true, force: true });
});

async function sh(
  script: string,
  given: { readonly write?: boolean; readonly limits?: Partial<Limits>; readonly signal?: AbortSignal } = {},
): Promise<{ reason: string; status: number | null; out: string; err: string }> {
  const { write = false, limits = {}, signal = new AbortController().signal } = given;
  const command = { workspace, argv: ["bash", "-c", script], write, stdin: null, limits: { ...LIMITS, ...limits } };
  const { reason, status, stdout, stderr } = await sandbox.run(command, signal);
  return { reason, status, out: Buffer.from(stdout).toString(), err: Buffer.from(stderr).toString() };
}

/** The same script as the same account, with nothing around it. */
function bare(script: string): string {
  const user = process.getuid?.() === 0 ? { uid: 61_100, gid: 61_100 } : {};
  return spawnSync("bash", ["-c", script], { cwd: outside, encoding: "utf8", ...user }).stdout;
}

/** Processes whose command line holds a marker. */
function living(marker: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      const state = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "")[0];
      return /^\d+$/.test(pid) && state !== "Z" && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(marker);
    } catch {
      return false;
    }
  });
}
const newMarker = (): string => `wirken-marker-${randomBytes(6).toString("hex")}`;

test("commands are run, and what is weaker is said", () => {
  expect(sandbox.state).toMatchObject({
    state: "weaker",
    sentence: expect.stringContaining("because bubblewrap is not"),
  });
});

/** Each prints `done` where it succeeds. */
const ATTEMPTS: readonly (readonly [what: string, script: () => string])[] = [
  ["read a file outside the workspace", () => `[ "$(cat ${outside}/file)" = secret ] && echo done`],
  ["read who has an account here", () => "grep -q root /etc/passwd && echo done"],
  ["list a directory outside the workspace", () => `ls ${outside} | grep -q file && echo done`],
  ["change a file outside the workspace", () => `(echo -n secret >>${outside}/file) && echo done`],
  ["make a file outside the workspace", () => `(: >${outside}/made) && rm ${outside}/made && echo done`],
  ["leave a file in /tmp", () => "f=/tmp/wirken-left-$$; (: >$f) && rm $f && echo done"],
  ["change the mode of a file that it owns", () => `chmod 640 ${mine} && echo done`],
  [
    "change the mode of an open file that it owns",
    () => `perl -e 'open my $f, "<", "${mine}"; print "done" if chmod 0640, $f'`,
  ],
  ["change the times of a file that it owns", () => `perl -e 'print "done" if utime 1, 1, "${mine}"'`],
  ["rename a file that it owns", () => `mv ${mine} ${mine}2 && mv ${mine}2 ${mine} && echo done`],
  ["connect to this machine", () => `(exec 3<>/dev/tcp/127.0.0.1/${port}) && echo done`],
  ["open a socket for names", () => "perl -MSocket -e 'print \"done\" if socket my $s, AF_INET, SOCK_DGRAM, 0'"],
  ["open a local socket", () => "perl -MSocket -e 'print \"done\" if socket my $s, AF_UNIX, SOCK_STREAM, 0'"],
  [
    "make a pair of datagram sockets, which can be pointed elsewhere",
    () => "perl -MSocket -e 'print \"done\" if socketpair my $a, my $b, AF_UNIX, SOCK_DGRAM, 0'",
  ],
  [
    "read another process's environment",
    () => `tr '\\0' '\\n' </proc/${bystander.pid}/environ | grep -q secret && echo done`,
  ],
  ["see which processes there are", () => "ls /proc | grep -q '^1$' && echo done"],
  ["signal another process", () => `kill -0 ${bystander.pid} && echo done`],
  ["lower another process's limits", () => `prlimit --pid ${bystander.pid} --nofile=64:64 && echo done`],
  ["make another process wait longer for its turn", () => `renice -n 1 -p ${bystander.pid} >/dev/null && echo done`],
  ["pin another process to one processor", () => `taskset -pc 0 ${bystander.pid} >/dev/null && echo done`],
  ["leave its process group", () => "perl -e 'print \"done\" if setpgrp(0, 0)'"],
  ["begin a session of its own", () => "setsid -w echo done"],
];
const mine = join(outside, "mine");

describe("what a command cannot do, and does where nothing holds it:", () => {
  beforeAll(() => void bare(": >mine"));

  test.for(ATTEMPTS)("%s", async ([, script]) => {
    // The attempt is one that succeeds unconfined.
    expect(bare(script()).trim()).toBe("done");
    const end = await sh(script());
    expect([end.reason, end.out]).toEqual(["exited", ""]);
  });

  test("change anything in a workspace that it may only read, by name or by an open file", async () => {
    writeFileSync(join(workspace, "a"), "1");
    await sh("true");
    const script =
      '(echo 2 >a) 2>/dev/null && echo wrote; rm -f a 2>/dev/null && echo removed; mkdir b 2>/dev/null && echo made; perl -e \'open my $f, "<", "a"; print "mode" if chmod 0600, $f; print "times" if utime 1, 1, $f\'';
    expect((await sh(script)).out).toBe("");
    expect(readFileSync(join(workspace, "a"), "utf8")).toBe("1");
    expect((await sh(script, { write: true })).out).toContain("wrote");
  });
});

describe("a command", () => {
  test("changes its workspace where it may, and its input, outputs and status are its own", async () => {
    const end = await sh("echo 1 >a && mkdir b && mv a b/ && cat b/a; echo two >&2; exit 7", { write: true });
    expect(end).toEqual({ reason: "exited", status: 7, out: "1\n", err: "two\n" });
    expect(readdirSync(workspace)).toEqual([".home", "b"]);
  });

  test("is nobody in particular, and has no descriptor, capability or name of the environment of ours", async () => {
    process.env["WIRKEN_TEST_SECRET"] = "1";
    const { out } = await sh("id -u; env; for n in 3 4 5 6 7 8 9 10 20; do (: <&$n) 2>/dev/null && echo open $n; done");
    delete process.env["WIRKEN_TEST_SECRET"];
    expect(out).not.toMatch(/^0$/m);
    expect(out).not.toMatch(/WIRKEN|NODE|open/);
  });

  test("that is not there ends as in a shell", async () => {
    const command = { workspace, argv: ["no-such-program"], write: false, stdin: null, limits: LIMITS };
    expect(await sandbox.run(command, new AbortController().signal)).toMatchObject({ reason: "exited", status: 127 });
  });

  test("that may write is not run beside a protected file, which Landlock cannot keep from it", async () => {
    writeFileSync(join(workspace, "AGENTS.md"), "mine");
    await expect(sh("echo evil >AGENTS.md", { write: true })).rejects.toThrow("AGENTS.md is protected");
    expect((await sh("echo evil >AGENTS.md; cat AGENTS.md")).out).toBe("mine");
  });

  test("that was decided for the other sandbox does not run", async () => {
    const command = { workspace, argv: ["true"], write: false, stdin: null, limits: LIMITS } as const;
    const { signal } = new AbortController();
    await expect(sandbox.run({ ...command, sandbox: "works" }, signal)).rejects.toThrow("not the one any more");
    expect(await sandbox.run({ ...command, sandbox: "weaker" }, signal)).toMatchObject({ status: 0 });
  });
});

describe("a limit", () => {
  test("of processes ends a fork bomb", async () => {
    const end = await sh("bomb() { bomb | bomb & }; bomb; sleep 30", { limits: { processes: 60, seconds: 30 } });
    expect(end).toMatchObject({ reason: "processes", status: null });
  });

  test("of memory ends who takes more, all its processes together", async () => {
    const script = "for i in 1 2 3 4; do perl -e '$x = \"a\" x 60_000_000; sleep 60' & done; wait";
    expect(await sh(script, { limits: { memory: 150 * MB } })).toMatchObject({ reason: "memory", status: null });
  });

  test("of a file's length and of open files is the kernel's", async () => {
    const end = await sh("head -c 3000000 /dev/zero >big; ulimit -n", {
      write: true,
      limits: { file: MB, openFiles: 50 },
    });
    expect(end.out).toBe("50\n");
    expect(statSync(join(workspace, "big")).size).toBe(MB);
  });

  test("of output ends nobody: the first and the last of it are kept", async () => {
    const end = await sh("seq 100000", { limits: { output: 100 } });
    expect(end).toMatchObject({ reason: "exited", out: expect.stringMatching(/^1\n2\n[^]*\n100000\n$/) });
    expect(end.out).toHaveLength(100);
  });
});

/** Processes that go on after the one that started them, some of which would like a session of their own. */
const many = (marker: string): string =>
  `for i in 1 2 3; do (trap "" TERM HUP; exec -a ${marker} sleep 1000) & done; (setsid sh -c 'exec -a ${marker} sleep 1000' &)`;

describe("nothing of a command is left after", () => {
  test("its end", async () => {
    const marker = newMarker();
    expect(await sh(`${many(marker)}; sleep 0.1`)).toMatchObject({ reason: "exited", status: 0 });
    expect(living(marker)).toEqual([]);
  });

  test("a stop", async () => {
    const marker = newMarker();
    const stop = new AbortController();
    const running = sh(`${many(marker)}; exec -a ${marker} sleep 1000`, { signal: stop.signal });
    await expect.poll(() => living(marker).length, { timeout: 20_000, interval: 10 }).toBeGreaterThanOrEqual(4);
    stop.abort();
    expect(await running).toMatchObject({ reason: "stopped", status: null });
    expect(living(marker)).toEqual([]);
  });

  test("the death of the supervisor", async () => {
    const marker = newMarker();
    const host = spawn(
      process.execPath,
      [join(import.meta.dirname, "run-launched.ts"), home, workspace, `${many(marker)}; exec -a ${marker} sleep 1000`],
      { stdio: "ignore" },
    );
    const below = (): string[] => living(marker).filter((pid) => Number(pid) !== host.pid);
    await expect.poll(() => below().length, { timeout: 30_000, interval: 10 }).toBeGreaterThanOrEqual(4);
    host.kill("SIGKILL");
    await once(host, "close");
    await expect.poll(() => living(marker), { timeout: 10_000, interval: 20 }).toEqual([]);
  });
});

test("with bubblewrap nothing is weaker", async () => {
  execFileSync("/usr/bin/bwrap", ["--version"]);
  const both = new Sandbox({ home, executable: process.execPath, launcher: LAUNCHER });
  expect(await both.probe()).toEqual({ state: "works" });
});

test("where bubblewrap is there and does not work, for whatever reason, a launcher runs commands as well", async () => {
  const broken = new Sandbox({ home, executable: process.execPath, bubblewrap: "/bin/false", launcher: LAUNCHER });
  expect(await broken.probe()).toMatchObject({
    state: "weaker",
    sentence: expect.stringMatching(/because the sandbox ended without a word$/),
  });
  const alone = new Sandbox({ home, executable: process.execPath, bubblewrap: "/bin/false" });
  expect(await alone.probe()).toMatchObject({ state: "broken" });
});

test("a weaker sandbox is tried again after a minute, and no other", async () => {
  const now = vi.spyOn(performance, "now");
  const at = performance.now();
  const weak = new Sandbox({ home, executable: process.execPath, bubblewrap: null, launcher: LAUNCHER });
  const whole = new Sandbox({ home, executable: process.execPath, launcher: LAUNCHER });
  await Promise.all([weak.probe(), whole.probe()]);
  expect([weak.due, whole.due]).toEqual([false, false]);
  now.mockReturnValue(at + 120_000);
  expect([weak.due, whole.due]).toEqual([true, false]);
  now.mockRestore();
});

test("without bubblewrap and without a launcher no command runs", async () => {
  const neither = new Sandbox({ home, executable: process.execPath, bubblewrap: null });
  expect(await neither.probe()).toMatchObject({ state: "missing" });
});
