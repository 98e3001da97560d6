import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod/mini";
import { attackNetworkFreely, notRefused } from "../support/attack.ts";
import { auditOf, startProtected } from "../support/claims-world.ts";
import { Witness } from "../support/claims-witness.ts";
import { newHome, run, type TestDaemon, WIRKEN } from "../support/daemon.ts";
import { Scratch } from "../support/hostile-daemon.ts";
import { Orders } from "../support/hostile-adapter.ts";
import { hostileExecutable } from "../support/hostile-executable.ts";
import { PORT, REPORT } from "../support/probes/command.ts";
import { holdersOf, networkSockets, watched } from "../support/socket-watch.ts";
import { TelegramServer } from "../support/telegram-server.ts";

/** It is looked at from outside, every millisecond or so, and at each request that reaches a platform. What is open for less than a look is tried
 *  from inside: by code that stands where a command gives its answer. */

const Answers = z.record(z.string(), z.string());
/** Node's own ways to a network, and those of native code. */
const WAYS = 21;
const NATIVE = /^socket of|^an io_uring/;

/** Commands, and what they end with beside a daemon and without one; null where that is nothing of its own. */
const COMMANDS: readonly (readonly [command: string, beside: number, without: number | null])[] = [
  ["status", 0, 3],
  ["ask hello", 0, 3],
  ["web --no-open", 0, 3],
  ["web sessions", 0, null],
  ["approvals list", 0, null],
  ["vault list", 0, 0],
  ["channel list", 0, null],
  ["pair list", 0, null],
  ["audit log", 0, null],
  ["audit explain 1", 0, null],
  // The daemon has the key; a command by itself was given none, and says so.
  ["audit verify", 0, 3],
];
const ADD = "vault add telegram --stdin";

let telegram: TelegramServer;
let witness: Witness;
let daemon: TestDaemon;
/** Processes that are none of the adapter's, and those of them that were seen at the client's end of a request to the platform. */
const suspects = new Set<number>();
const caught: number[] = [];
let requests = 0;

beforeAll(async () => {
  telegram = await TelegramServer.start();
  witness = await Witness.before(telegram.apiRoot, (_path, from) => {
    requests += 1;
    caught.push(...holdersOf(from, suspects));
  });
  daemon = await startProtected({ config: { web: { port: 0 }, channels: { telegram: { apiRoot: witness.url } } } });
});

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await witness?.[Symbol.asyncDispose]();
  await telegram?.[Symbol.asyncDispose]();
});

/** One command, looked at until it ends. */
async function look(command: string, stdin = ""): ReturnType<typeof watched> {
  const { environment } = daemon;
  return await watched(WIRKEN, command.split(" "), { environment, stdin, began: (pid) => suspects.add(pid) });
}

/** Plain Node, which nothing holds. */
async function runs(code: string, options: Partial<Parameters<typeof watched>[2]> = {}): ReturnType<typeof watched> {
  return await watched(process.execPath, ["-e", code], { began: (pid) => suspects.add(pid), ...options });
}

const connects = (where: string): string => `require("node:net").connect(${where});`;

/** The same, until enough was seen. */
async function holds(code: string, enough: (sockets: number, looks: number) => boolean): ReturnType<typeof watched> {
  return await runs(`${code} setInterval(() => {}, 1e6)`, { enough });
}

describe("the detectors detect", () => {
  const LISTENING = 'const { createSocket } = require("node:dgram"); createSocket("udp4").bind(0);';
  const OPENED = `require("node:ffi").dlopen(null, { socket: { arguments: ["int32", "int32", "int32"], return: "int32" } })
    .functions.socket(2, 1, 0);`;

  test("a socket that is connected, one that is bound, and one that was only opened", async () => {
    const { port } = new URL(witness.url);
    for (const code of [connects(`${port}, "127.0.0.1"`), LISTENING, OPENED]) {
      const { sockets } = await holds(code, (found) => found > 0);
      expect([code, sockets.length]).toEqual([code, 1]);
    }
  });

  test("and take no local socket for one", async () => {
    const path = join(daemon.data, "control.sock");
    const { sockets, looks } = await holds(connects(JSON.stringify(path)), (found, times) => found > 0 || times > 100);
    expect(sockets).toEqual([]);
    expect(looks).toBeGreaterThan(100);
  });

  test("whoever sends a request to the platform", async () => {
    const before = caught.length;
    const { status } = await runs(`fetch("${telegramUrl()}").then((answer) => answer.text())`);
    expect(status).toBe(0);
    expect(caught.length).toBe(before + 1);
    caught.length = 0;
  });

  test("a process that nothing holds reaches a network in every way that is tried", async () => {
    await using orders = await Orders.start();
    const free = await attackNetworkFreely(orders.port);
    expect(Object.keys(free)).toHaveLength(WAYS);
    // A machine may have no IPv6; a kernel may be told to refuse io_uring to everybody.
    const failed = Object.entries(free).filter(([, answer]) => answer !== "done");
    expect(failed.filter(([name]) => !/::1|udp6|io_uring/.test(name))).toEqual([]);
  });
});

function telegramUrl(): string {
  return `${witness.url}/bot${telegram.token}/getMe`;
}

describe("beside a daemon", () => {
  test.for(COMMANDS)("wirken %s has no socket but local ones", async ([command, beside]) => {
    const { sockets, looks, status } = await look(command);
    expect({ sockets, status }).toEqual({ sockets: [], status: beside });
    expect(looks).toBeGreaterThan(10);
  });

  test("a candidate is checked with its platform, by neither the command nor the daemon", async () => {
    suspects.add(daemon.pid);
    const before = requests;
    const { sockets, status, stdout } = await look(ADD, telegram.token);
    expect({ sockets, status }).toEqual({ sockets: [], status: 0 });
    expect(stdout).toContain("saved telegram, as @wirken_bot");
    expect(requests).toBeGreaterThan(before);
    expect(caught).toEqual([]);
    // The adapter that was started with it goes on asking.
    expect(networkSockets(daemon.pid)).toEqual([]);
  });

  test("a daemon that runs every channel has no socket but local ones", async () => {
    for (let looks = 0; looks < 200; looks++) {
      expect(networkSockets(daemon.pid)).toEqual([]);
      await delay(1);
    }
  });
});

describe("without a daemon", () => {
  beforeAll(async () => {
    await daemon.end();
  });

  const own = COMMANDS.filter(([, , without]) => without !== null);
  test.for(own)("wirken %s has no socket but local ones", async ([command, , without]) => {
    const { sockets, looks, status } = await look(command);
    expect({ sockets, status }).toEqual({ sockets: [], status: without });
    expect(looks).toBeGreaterThan(10);
  });

  test("a candidate is checked with its platform, and not by the command", async () => {
    const before = requests;
    const { sockets, status, stdout } = await look(ADD, telegram.token);
    expect({ sockets, status }).toEqual({ sockets: [], status: 0 });
    expect(stdout).toContain("saved telegram, as @wirken_bot");
    expect(requests).toBeGreaterThan(before);
    expect(caught).toEqual([]);
  });
});

describe("code in a command", () => {
  let executable: string;
  let orders: Orders;
  let other: TestDaemon;
  const home = newHome();
  const scratch = new Scratch();

  beforeAll(async () => {
    executable = await hostileExecutable();
    orders = await Orders.start();
    other = await startProtected({ home, executable, config: { web: { port: 0 } } });
  }, 180_000);

  afterAll(async () => {
    await other?.[Symbol.asyncDispose]();
    await orders?.[Symbol.asyncDispose]();
    scratch[Symbol.dispose]();
    rmSync(home, { recursive: true, force: true });
  });

  async function tried(command: string, stdin = ""): Promise<z.infer<typeof Answers>> {
    const report = join(scratch.path, "report.json");
    rmSync(report, { force: true });
    const environment = { ...other.environment, [REPORT]: report, [PORT]: `${orders.port}` };
    const ran = await run(command.split(" "), { environment, executable, stdin });
    expect(ran.stderr).not.toContain("a bug");
    const answers = Answers.parse(JSON.parse(readFileSync(report, "utf8")));
    expect(Object.keys(answers)).toHaveLength(WAYS);
    return answers;
  }

  const verifies = "audit verify --vkey x+00000000+AAAA";
  const adds = "vault add anthropic --stdin --no-check";
  const KEY = "sk-ant-a-key-of-a-test";

  test.for(["status", "ask hello", "vault list", "web --no-open", "audit verify", verifies, adds])(
    "beside a daemon reaches no network: %s",
    async (command) => {
      expect(notRefused(await tried(command, KEY))).toEqual([]);
    },
  );

  test.for(["status", "ask hello", "vault list", "audit verify", verifies])(
    "without a daemon reaches no network: %s",
    async (command) => {
      await other.end();
      expect(notRefused(await tried(command))).toEqual([]);
    },
  );

  test("that starts a platform's check itself reaches none by Node, which alone holds it", async () => {
    await other.end();
    const answers = Object.entries(await tried(adds, KEY));
    expect(notRefused(Object.fromEntries(answers.filter(([name]) => !NATIVE.test(name))))).toEqual([]);
  });

  test("leaves the record as it should be", async () => {
    await other.end();
    const ran = await run(["audit", "verify", auditOf(other)], { environment: other.environment });
    expect(ran.stdout).toContain("are whole and in order");
  });
});
