import { createServer, type Server } from "node:net";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { LIMITS, type Limits } from "../../src/sandbox/limits.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";

const root = mkdtempSync(join(tmpdir(), "wirken-sandbox-"));
const home = join(root, "home");
const sandbox = new Sandbox({ home, executable: process.execPath });
const never = new AbortController().signal;
let workspace = "";
let count = 0;

beforeAll(() => {
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "vault.db"), "secret");
});
beforeEach(() => {
  workspace = join(home, "workspaces", String((count += 1)));
  mkdirSync(workspace, { recursive: true });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Ended {
  readonly reason: string;
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
  readonly setAside: readonly { readonly path: string; readonly now: string }[];
}

async function run(
  argv: readonly string[],
  given: {
    readonly write?: boolean;
    readonly stdin?: string;
    readonly limits?: Partial<Limits>;
    readonly in?: Sandbox;
  } = {},
): Promise<Ended> {
  const end = await (given.in ?? sandbox).run(
    {
      workspace,
      argv,
      write: given.write ?? false,
      stdin: given.stdin === undefined ? null : Buffer.from(given.stdin),
      limits: { ...LIMITS, ...given.limits },
    },
    never,
  );
  const { reason, status, stdout, stderr, setAside } = end;
  return { reason, status, setAside, out: Buffer.from(stdout).toString(), err: Buffer.from(stderr).toString() };
}
const sh = (script: string, given: Parameters<typeof run>[1] = {}): Promise<Ended> =>
  run(["bash", "-c", script], given);
const put = (name: string, text: string): void => {
  mkdirSync(join(workspace, name, ".."), { recursive: true });
  writeFileSync(join(workspace, name), text);
};
const get = (name: string): string => readFileSync(join(workspace, name), "utf8");

test("the sandbox works here: it was tried, not looked for", async () => {
  expect(await sandbox.probe()).toEqual({ state: "works" });
});

describe("a command", () => {
  test("gets its arguments to the letter, no shell in between", async () => {
    const argv = ["printf", "%s\\n", "$HOME", "a b", "*", "", "ü", "-", "'\"\\"];
    expect(await run(argv)).toMatchObject({ status: 0, out: "$HOME\na b\n*\n\nü\n-\n'\"\\\n" });
  });

  test("reads what it is given, and its status and both outputs come back", async () => {
    expect(await sh("cat; echo two >&2; exit 7", { stdin: "one" })).toMatchObject({
      status: 7,
      out: "one",
      err: "two\n",
    });
    expect(await run(["cat"])).toMatchObject({ status: 0, out: "" });
    expect(await sh("kill -9 $$")).toMatchObject({ reason: "exited", status: 137 });
    expect(await run(["no-such-program"])).toMatchObject({ status: 127 });
  });

  test("can open its own input and outputs by name, as scripts do", async () => {
    const end = await sh("cat /dev/stdin; echo out >/dev/stdout; echo err >/dev/stderr", { stdin: "in " });
    expect(end).toMatchObject({ status: 0, out: "in out\n", err: "err\n" });
  });

  test("does not get what an earlier one left unread", async () => {
    await run(["true"], { stdin: "x".repeat(200_000) });
    await run(["seq", "100000"], { limits: { output: 10 } });
    expect(await run(["cat"], { stdin: "mine" })).toMatchObject({ out: "mine", err: "" });
  });

  test("gets all of a long input, and all of a long output comes back", async () => {
    const stdin = "0123456789abcdef".repeat(60_000);
    expect((await run(["cat"], { stdin })).out).toBe(stdin);
  });

  test("runs as nobody in particular: not as root, without a capability, and cannot gain one", async () => {
    const { out } = await sh("id -u; grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status");
    expect(out).not.toMatch(/^0$/m);
    for (const set of ["Inh", "Prm", "Eff", "Bnd", "Amb"]) expect(out).toContain(`Cap${set}:\t0000000000000000`);
    expect(out).toContain("NoNewPrivs:\t1");
    expect(out).toContain("Seccomp:\t2");
  });

  test("has an environment of four names, and what bash adds", async () => {
    process.env["WIRKEN_TEST_SECRET"] = "1";
    const { out } = await run(["env"]);
    delete process.env["WIRKEN_TEST_SECRET"];
    expect(out.trim().split("\n").toSorted()).toEqual([
      "HOME=/workspace/.home",
      "LANG=C.UTF-8",
      "PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
      "PWD=/workspace",
      "TMPDIR=/workspace/.home/tmp",
    ]);
  });

  test("holds no descriptor but its three", async () => {
    const { out } = await sh("cd /proc/self/fd; for f in *; do echo $f $(readlink $f); done");
    const open = out
      .trim()
      .split("\n")
      .filter((line) => !line.endsWith(" /dev/null"));
    // Its outputs, and what bash itself has open.
    for (const line of open) expect(line).toMatch(/^(1|2) \/|^\d+ pipe:|^\d+ \/proc\/|^255 /);
    expect(open.filter((line) => /^[12] /.test(line))).toHaveLength(2);
  });

  test("sees a handful of directories and none of the people's", async () => {
    const { out } = await run(["ls", "/"]);
    const seen = out.trim().split("\n");
    expect(seen).toEqual(expect.arrayContaining(["dev", "etc", "proc", "tmp", "usr", "workspace"]));
    for (const name of ["home", "root", "mnt", "media", "srv", "opt", "boot", "sys", "work"])
      expect(seen).not.toContain(name);
    expect((await run(["ls", "/etc"])).out).not.toMatch(/shadow|ssh|hostname|resolv/);
    expect((await run(["cat", "/etc/passwd"])).out).toMatch(/^root:.*\nuser:.*\n$/);
  });

  test("cannot read the data directory, by any path", async () => {
    // The detector detects: from outside it can be read.
    expect(readFileSync(join(workspace, "../../vault.db"), "utf8")).toBe("secret");
    for (const path of [
      join(home, "vault.db"),
      "/workspace/../../vault.db",
      "../../vault.db",
      `/proc/1/root${home}/vault.db`,
      `/proc/self/root${home}/vault.db`,
    ]) {
      expect((await run(["cat", path])).status).toBe(1);
    }
  });

  test("sees no process but its own", async () => {
    const { out } = await sh("for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; echo; done");
    expect(out).not.toContain("node");
    expect(out.trim().split("\n").length).toBeLessThan(6);
  });

  test("that may only read changes nothing anywhere", async () => {
    put("a", "1");
    chmodSync(join(workspace, "a"), 0o666);
    const { out } = await sh(
      "for f in a b /x /usr/x /etc/x /dev/x /proc/sys/kernel/hostname /usr/bin/env; do (echo 2 >$f) 2>/dev/null && echo wrote $f; done; chmod 600 /dev/null && echo changed; rm -f a; mv a b",
    );
    expect(out).toBe("");
    expect(get("a")).toBe("1");
    expect(readdirSync(workspace)).toEqual([".home", "a"]);
    expect(statSync("/dev/null").mode & 0o777).toBe(0o666);
  });

  test("that may write changes the workspace, and nothing else", async () => {
    const { out, status } = await sh(
      "echo 2 >b && mkdir -p c/d && for f in /x /usr/x /etc/x; do (echo 2 >$f) 2>/dev/null && echo wrote $f; done; true",
      { write: true },
    );
    expect({ out, status }).toEqual({ out: "", status: 0 });
    expect(get("b")).toBe("2\n");
    expect(existsSync(join(workspace, "c/d"))).toBe(true);
  });

  test("does not see our own executable, wherever that lies", async () => {
    const awk = realpathSync("/usr/bin/awk");
    const other = new Sandbox({ home: "/usr/share/doc", executable: awk });
    expect((await run(["awk", "BEGIN { print 1 }"])).out).toBe("1\n");
    expect((await run(["awk", "BEGIN { print 1 }"], { in: other })).status).not.toBe(0);
    expect((await run(["ls", "/usr/share/doc"])).status).toBe(0);
    expect((await run(["ls", "/usr/share/doc"], { in: other })).out).toBe("");
    put("bin/wirken", "#!/bin/sh\necho ran\n");
    chmodSync(join(workspace, "bin/wirken"), 0o755);
    const own = new Sandbox({ home, executable: join(workspace, "bin/wirken") });
    expect((await run(["./bin/wirken"])).out).toBe("ran\n");
    expect((await run(["./bin/wirken"], { in: own })).out).toBe("");
  });
});

describe("a home", () => {
  test("lies in the workspace: what is put there stays, and what is put into TMPDIR, which is /tmp, does not", async () => {
    const script = "echo 1 >~/kept && echo 2 >$TMPDIR/gone && cat /tmp/gone && rm -f /tmp/gone && echo 3 >/tmp/gone";
    expect(await sh(script, { write: true })).toMatchObject({ status: 0, out: "2\n" });
    expect(await sh("cat ~/kept; ls -A $TMPDIR; echo 4 >$TMPDIR/a && cat /tmp/a; touch ~/b")).toMatchObject({
      status: 1,
      out: "1\n4\n",
      err: expect.stringContaining("Read-only file system"),
    });
    expect(readdirSync(join(workspace, ".home")).toSorted()).toEqual(["kept", "tmp"]);
    expect(readdirSync(join(workspace, ".home/tmp"))).toEqual([]);
  });

  test("that is a link leads nowhere: there is none then, and commands run", async () => {
    const elsewhere = join(home, "elsewhere");
    mkdirSync(elsewhere, { recursive: true });
    symlinkSync(elsewhere, join(workspace, ".home"));
    expect(await sh("echo 1 >/tmp/a && cat /tmp/a; echo 2 >~/a", { write: true })).toMatchObject({ out: "1\n" });
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  test("is enough for git, a compiler and npm", async () => {
    const made = await sh(
      'git init -q . && git config user.email a@example.org; echo 1 >a && git add a && git -c user.name=A -c user.email=a@example.org commit -qm one && git log --format=%s; echo \'int main(void) { return 7; }\' >b.c && cc b.c -o b; ./b; echo $?; mkdir p && cd p && echo \'{"name":"p","version":"1.0.0"}\' >package.json && npm pack --silent',
      { write: true },
    );
    expect(made).toMatchObject({ status: 0, out: "one\n7\np-1.0.0.tgz\n" });
  });
});

describe("a toolchain", () => {
  const above = mkdtempSync(join(homedir(), ".wirken-toolchain-"));
  const folder = join(above, "chain");
  afterAll(() => rmSync(above, { recursive: true, force: true }));
  beforeAll(() => {
    mkdirSync(join(folder, "bin"), { recursive: true });
    mkdirSync(outside);
    writeFileSync(join(folder, "bin/of-the-chain"), "#!/bin/sh\necho from the chain\n", { mode: 0o755 });
  });
  const outside = join(root, "tools");
  const own = (...toolchains: string[]): Sandbox =>
    new Sandbox({ home, executable: process.execPath, toolchains: () => toolchains });

  test("gives its programs to commands, which cannot change it", async () => {
    expect(await run(["of-the-chain"])).toMatchObject({ status: 127 });
    const end = await sh(`of-the-chain; touch ${folder}/a || echo refused`, { in: own(folder), write: true });
    expect(end).toMatchObject({ out: "from the chain\nrefused\n" });
    // Of the home that it lies in, nothing else is seen.
    expect((await sh(`ls -A ${homedir()}; ls ${above}`, { in: own(folder) })).out).toBe(`${basename(above)}\nchain\n`);
  });

  test.for([
    ["is not there", join(root, "missing")],
    ["holds the data directory", root],
    ["lies in the data directory", join(home, "workspaces")],
    ["is a home folder", homedir()],
    ["lies where commands have folders of their own", outside],
    ["is everything", "/"],
  ] as const)("that %s is none", async ([, path]) => {
    expect((await sh(`ls ${join(home, "vault.db")} ${outside} /root /home`, { in: own(path) })).out).toBe("");
  });
});

describe("the network", () => {
  let server: Server;
  let port = 0;
  beforeAll(async () => {
    server = createServer((socket) => socket.end("hello\n"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    port = address !== null && typeof address === "object" ? address.port : 0;
  });
  afterAll(() => server.close());

  test("is not there: no address of this machine and none outside is reached", async () => {
    const { out } = await sh(
      `cat /proc/net/dev | tail -n +3 | cut -d: -f1; for a in 127.0.0.1/${port} 1.1.1.1/53; do (exec 3<>/dev/tcp/$a && echo reached $a) 2>/dev/null; done`,
    );
    expect(out.trim()).toBe("lo");
  });

  test("is not reached by a socket that lies in the workspace either", async () => {
    const path = join(workspace, "agent.sock");
    const local = createServer((socket) => socket.end("hello"));
    await new Promise<void>((resolve) => local.listen(path, resolve));
    chmodSync(path, 0o777);
    const script =
      'use Socket; socket(my $s, AF_UNIX, SOCK_STREAM, 0) or do { print "no socket: $!"; exit }; print connect($s, pack_sockaddr_un("/workspace/agent.sock")) ? "reached" : $!';
    const { out } = await run(["perl", "-e", script], { write: true });
    local.close();
    expect(out).toMatch(/^no socket/);
  });
});

/** Numbers differ between machines; perl can call any of them. */
const NUMBERS: Readonly<Record<string, readonly [name: string, number: number, first: number, errno: number][]>> = {
  x64: [
    ["unshare (a user namespace)", 272, 0x1000_0000, 1],
    ["clone (a user namespace)", 56, 0x1000_0011, 1],
    ["clone3", 435, 0, 38],
    ["mount", 165, 0, 1],
    ["ptrace", 101, 0, 1],
    ["keyctl", 250, 0, 1],
    ["bpf", 321, 0, 1],
    ["quotactl_fd", 443, 0, 1],
    ["move_pages", 279, 0, 1],
    ["open_tree_attr, which is newer than our table", 467, 0, 38],
    ["io_uring_setup", 425, 1, 38],
    ["memfd_create", 319, 0, 38],
    ["personality", 135, 0, 1],
    ["getpid by its x32 number", 0x4000_0027, 0, 38],
  ],
  arm64: [
    ["unshare (a user namespace)", 97, 0x1000_0000, 1],
    ["clone (a user namespace)", 220, 0x1000_0011, 1],
    ["clone3", 435, 0, 38],
    ["mount", 40, 0, 1],
    ["ptrace", 117, 0, 1],
    ["keyctl", 219, 0, 1],
    ["bpf", 280, 0, 1],
    ["quotactl_fd", 443, 0, 1],
    ["move_pages", 239, 0, 1],
    ["open_tree_attr, which is newer than our table", 467, 0, 38],
    ["io_uring_setup", 425, 1, 38],
    ["memfd_create", 279, 0, 38],
    ["personality", 92, 0, 1],
  ],
};

test.for(NUMBERS[process.arch] ?? [])("the kernel refuses %s", async ([, number, first, errno]) => {
  const script = `my $r = syscall(${number}, ${first}, 0, 0, 0, 0); print $r, " ", $!+0`;
  expect((await run(["perl", "-e", script])).out).toBe(`-1 ${errno}`);
});

describe("a protected file", () => {
  test("cannot be changed, removed, renamed or replaced", async () => {
    const names = [
      "AGENTS.md",
      ".envrc",
      ".npmrc",
      ".git/config",
      ".git/hooks/pre-commit",
      "sub/.vscode/tasks.json",
      "sub/AGENTS.md",
    ];
    for (const name of names) put(name, "mine");
    const { out } = await sh(
      `for f in ${names.join(" ")}; do (echo evil >$f) 2>/dev/null && echo wrote $f; rm -f $f 2>/dev/null && echo removed $f; echo evil >/tmp/x; mv -f /tmp/x $f 2>/dev/null && echo replaced $f; done; ln AGENTS.md other 2>/dev/null && echo linked`,
      { write: true },
    );
    expect(out).toBe("");
    for (const name of names) expect(get(name)).toBe("mine");
  });

  test("that a command makes is moved aside, and named", async () => {
    const end = await sh(
      "echo evil >AGENTS.md; mkdir -p a/b/.git/hooks; echo evil >a/b/.git/hooks/x; ln -s /tmp .vscode; echo fine >ok",
      { write: true },
    );
    expect(end.setAside.map(({ path }) => path).toSorted()).toEqual([".vscode", "AGENTS.md", "a/b/.git/hooks"]);
    expect(readdirSync(workspace)).not.toContain("AGENTS.md");
    for (const { now } of end.setAside.filter(({ path }) => path === "AGENTS.md")) expect(get(now)).toBe("evil\n");
    expect(get("ok")).toBe("fine\n");
  });

  test("cannot be changed by moving the directory that it is in", async () => {
    put(".git/config", "mine");
    const end = await sh("mv .git old && mkdir .git && echo evil >.git/config", { write: true });
    expect(end.setAside.map(({ path }) => path)).toEqual([".git/config"]);
    expect(existsSync(join(workspace, ".git/config"))).toBe(false);
    expect(get("old/config")).toBe("mine");
  });

  test("of the person's own is left alone", async () => {
    put("AGENTS.md", "mine");
    expect(await sh("echo 1 >a", { write: true })).toMatchObject({ setAside: [] });
    expect(get("AGENTS.md")).toBe("mine");
  });
});

test("changes of one workspace are made one after the other", async () => {
  const order: string[] = [];
  const first = sh("sleep 0.3; echo first >a", { write: true });
  const second = sandbox.change({ workspace, folders: [] }, () => {
    order.push(`second finds ${get("a")}`);
    writeFileSync(join(workspace, "AGENTS.md"), "by a person's leave");
  });
  const third = sh("cat a AGENTS.md", { write: true }).then(({ out, setAside }) =>
    order.push(`third ${out} ${setAside.length}`),
  );
  await Promise.all([first, second, third]);
  expect(order).toEqual(["second finds first\n", "third first\nby a person's leave 0"]);
});

test("a command whose files changed while it waited does not start", async () => {
  put("a", "1");
  const first = sh("sleep 0.2; echo 2 >a", { write: true });
  const second = sandbox.run(
    {
      workspace,
      argv: ["touch", "ran"],
      write: true,
      stdin: null,
      limits: LIMITS,
      before: () => {
        if (get("a") !== "1") throw new Error("changed");
      },
    },
    never,
  );
  await expect(second).rejects.toThrow("changed");
  await first;
  expect(existsSync(join(workspace, "ran"))).toBe(false);
});

test("a workspace that root fills is one that commands can use", async () => {
  put("deep/file", "1");
  chmodSync(join(workspace, "deep/file"), 0o600);
  renameSync(join(workspace, "deep"), join(workspace, "deeper"));
  expect(await sh("echo 2 >>deeper/file && cat deeper/file", { write: true })).toMatchObject({
    status: 0,
    out: "12\n",
  });
});
