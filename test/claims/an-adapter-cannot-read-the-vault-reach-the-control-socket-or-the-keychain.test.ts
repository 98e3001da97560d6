import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KeyringHome, KeyringSession } from "../keychain/session.ts";
import { ADDON, attackFreely, filesBelow, notRefused } from "../support/attack.ts";
import { Orders } from "../support/hostile-adapter.ts";
import { BOT_TOKEN, HostileDaemon, Scratch } from "../support/hostile-daemon.ts";
import { Report, type Targets } from "../support/probes/attempts.ts";

/** Something of the operator's own that a child has no business with. */
const OPERATORS = "operators-own-canary";

const keyring = new KeyringHome();
const scratch = new Scratch();
let session: KeyringSession;
let hostile: HostileDaemon;
let targets: Targets;
let report: Report;
/** A server of this machine that is on nobody's list. */
let elsewhere: Orders;

/** The bus as a path that can be connected to; an abstract one begins with a zero byte. */
function busPath(address: string): string {
  const [, kind, path] = /^unix:(path|abstract)=([^,]*)/.exec(address) ?? [];
  if (path === undefined) throw new Error(`the bus is at no socket: ${address}`);
  return kind === "abstract" ? `\0${path}` : path;
}

beforeAll(async () => {
  elsewhere = await Orders.start();
  session = await KeyringSession.start(keyring.path, "open");
  hostile = await HostileDaemon.start({
    passphrase: null,
    environment: {
      HOME: keyring.path,
      DBUS_SESSION_BUS_ADDRESS: session.address,
      AWS_SECRET_ACCESS_KEY: OPERATORS,
      SSH_AUTH_SOCK: `/tmp/${OPERATORS}`,
    },
  });
  const { data } = hostile.daemon;
  // It exists only until the keychain takes over; here it stands for it.
  writeFileSync(join(data, "provisional.key"), "a key");
  targets = {
    files: ["vault.db", "audit.db", "provisional.key", "control.token", "state.db", "config.json"]
      .map((name) => join(data, name))
      .concat("/etc/passwd"),
    folder: scratch.path,
    sockets: [join(data, "control.sock"), busPath(session.address)],
    processes: [hostile.daemon.pid, session.keyring],
    addon: ADDON,
    // Not the platform's: that one is on the adapter's list.
    port: elsewhere.port,
  };
  report = Report.parse(await hostile.orders.give({ do: "reach", targets }));
}, 180_000);

afterAll(async () => {
  await hostile?.[Symbol.asyncDispose]();
  await session?.[Symbol.asyncDispose]();
  keyring[Symbol.dispose]();
  scratch[Symbol.dispose]();
  await elsewhere?.[Symbol.asyncDispose]();
});

describe("code in a process that nothing holds", () => {
  test("reaches all of it, so the attempts tell", async () => {
    using folder = new Scratch();
    const inherited = openSync(join(hostile.daemon.data, "vault.db"), "r");
    const free = await attackFreely({ ...targets, folder: folder.path }, [inherited]);
    closeSync(inherited);
    const failed = Object.entries({ ...free.reach, ...free.network }).filter(([, answer]) => answer !== "done");
    // A machine may have no IPv6.
    expect(failed.filter(([name]) => !name.includes("::1") && !name.includes("udp6"))).toEqual([]);
    expect(Object.keys(report.reach)).toEqual(Object.keys(free.reach));
    const files = filesBelow(hostile.daemon.data);
    expect(free.descriptors.map(({ file }) => files.get(file))).toContain(join(hostile.daemon.data, "vault.db"));
  });
});

describe("code in the executable's Telegram adapter", () => {
  test("runs where the vault is behind the keychain, and has the bot's token and no other", async () => {
    expect(await hostile.daemon.json("vault", "status")).toMatchObject({ state: "open", protector: "keychain" });
  });

  test("reads no file, connects to no local socket, signals and inspects nobody, starts and loads nothing", () => {
    expect(notRefused(report.reach)).toEqual([]);
    expect(readdirSync(scratch.path)).toEqual([]);
  });

  test("makes no socket of any kind and resolves no name, and over its lane reaches nothing but its own platform", async () => {
    expect(Object.keys(report.network)).toHaveLength(14);
    expect(notRefused(report.network)).toEqual([]);
    // What went over the lane is on the record.
    const refused = await hostile.eventually("a row of it", async () => (await hostile.rows("egress.refused")).at(0));
    expect(refused.fields).toMatchObject({
      role: "adapter",
      subject: "telegram",
      reason: "literal",
      port: elsewhere.port,
    });
  });

  test("holds no descriptor of a file, of a folder, or of a socket that the supervisor has too", () => {
    const kinds = report.descriptors.map(({ fd, kind }) => [fd, kind] as const);
    expect(kinds.filter(([, kind]) => kind === "file" || kind === "folder" || kind === "disk")).toEqual([]);
    expect(kinds.slice(0, 5)).toEqual([
      [0, "device"],
      [1, "socket"],
      [2, "socket"],
      [3, "socket"],
      [4, "socket"],
    ]);
    const theirs = filesBelow(hostile.daemon.data);
    const supervisors = new Set(socketsOf(hostile.daemon.pid));
    expect(supervisors.size).toBeGreaterThan(3);
    for (const { file, kind } of report.descriptors) {
      expect(theirs.get(file)).toBeUndefined();
      if (kind === "socket") expect(supervisors.has(file.replace(/^\d+:/, ""))).toBe(false);
    }
  });

  test("finds in its environment and its arguments nothing of the operator's, and no secret", () => {
    const { environment, words } = report;
    expect(Object.keys(environment).toSorted()).toEqual(["LANG", "NODE_OPTIONS"]);
    const all = JSON.stringify([environment, words]);
    expect(all).not.toContain(OPERATORS);
    expect(all).not.toContain(BOT_TOKEN);
    expect(all).not.toContain(hostile.daemon.data);
    expect(words.slice(1, 4)).toEqual([expect.any(String), "adapter", "telegram"]);
  });

  test("stands, for whoever looks from outside, behind the walls that it is said to be behind", () => {
    const pid = hostile.orders.began.at(-1)?.pid ?? 0;
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
    expect(status).toMatch(/^Seccomp:\s+2$/m);
    expect(readFileSync(`/proc/${pid}/limits`, "utf8")).toMatch(/^Max core file size\s+0\s+0/m);
  });

  test("has no ring, which would open sockets past the filter, where a process that nothing holds has one", () => {
    const ofAdapter = linksOf(hostile.orders.began.at(-1)?.pid ?? 0);
    expect(ofAdapter.length).toBeGreaterThan(3);
    expect(ofAdapter).not.toContain("anon_inode:[io_uring]");
    expect(linksOf(process.pid)).toContain("anon_inode:[io_uring]");
  });

  test("leaves the daemon as it was", async () => {
    expect(hostile.daemon.ended).toBe(false);
    expect(await hostile.daemon.json("audit", "verify")).toMatchObject({ state: "good" });
  });
});

/** Inodes of the sockets that a process has open. */
function socketsOf(pid: number): string[] {
  return linksOf(pid).flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.slice(1, 2) ?? []);
}

/** What its descriptors are, as the kernel says. */
function linksOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return []; // closed meanwhile
    }
  });
}
