import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod/mini";
import { type Verdict, verify } from "../../audit/verify.ts";
import { beginLog, recordTurn, reopen, type TestLog } from "../support/audit-fixture.ts";
import { change, rowsOf } from "../support/claims-log.ts";
import { rounds } from "../support/claims-random.ts";
import { ask, auditOf, childrenOf, verifies } from "../support/claims-world.ts";
import { newHome, TestDaemon, WIRKEN } from "../support/daemon.ts";

/** What happens to every workstation must not look like tampering. The clock is the port that the log reads, with the real log, real files and the
 *  real verifier; kills and upgrades happen to whole processes. */

const folder = mkdtempSync(join(tmpdir(), "wirken-everyday-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;

interface Everyday {
  readonly name: string;
  /** Reasons of the rows that say the clock was changed. */
  readonly said: readonly string[];
  readonly happens: (log: TestLog) => Promise<void> | void;
}

const again = async (log: TestLog): Promise<void> => {
  await (await reopen(log)).checkpoint("start");
};

const CLOCKS: readonly Everyday[] = [
  { name: "nothing at all", said: [], happens: () => undefined },
  { name: "an NTP step of 90 s back", said: ["backwards"], happens: ({ clock }) => clock.step(-90 * SECOND) },
  { name: "an NTP step of 90 s forth", said: ["jump"], happens: ({ clock }) => clock.step(90 * SECOND) },
  { name: "a slew of a second", said: [], happens: ({ clock }) => clock.step(SECOND) },
  { name: "eight hours of sleep in mid-run", said: ["jump"], happens: ({ clock }) => clock.step(8 * HOUR) },
  {
    name: "a step back, and forth again",
    said: ["backwards", "jump"],
    happens: async (log) => {
      log.clock.step(-90 * SECOND);
      await recordTurn(log);
      log.clock.step(90 * SECOND);
    },
  },
  {
    name: "a night between a stop and the next start",
    said: [],
    happens: async (log) => {
      await log.log.close();
      log.clock.pass(8 * HOUR);
      log.clock.steady = 0;
      await again(log);
    },
  },
  {
    name: "a reboot whose clock is a day behind until NTP finds it",
    said: ["backwards", "jump"],
    happens: async (log) => {
      await log.log.close();
      log.clock.step(-24 * HOUR);
      log.clock.steady = 0;
      await again(log);
      await recordTurn(log);
      log.clock.step(25 * HOUR);
    },
  },
];

async function verdictOf(log: TestLog): Promise<Verdict> {
  return await verify(log.path, { vkey: log.signer.vkey, sealer: log.sealer, deep: true, now: log.clock.now() });
}

describe("a log that goes through", () => {
  test.for(CLOCKS.map((one) => [one.name, one] as const))("%s verifies", async ([, { said, happens }]) => {
    const log = await beginLog(mkdtempSync(join(folder, "clock-")));
    await recordTurn(log);
    await happens(log);
    await recordTurn(log);
    await log.log.close();
    const rows = rowsOf(log.path);
    expect(rows.filter(({ $kind }) => $kind === "clock.changed").map((row) => row["reason"])).toEqual(said);
    expect(rows.map(({ $at }) => $at)).toEqual(rows.map(({ $at }) => $at).toSorted());
    expect(await verdictOf(log)).toMatchObject({ state: "good", findings: [], warnings: [] });
  });

  test("a time that somebody changed does not: the detector detects", async () => {
    const log = await beginLog(mkdtempSync(join(folder, "clock-")));
    await recordTurn(log);
    await log.log.close();
    const at = rowsOf(log.path)[4]?.$at ?? "";
    const later = new Date(Date.parse(at) + HOUR).toISOString();
    change(log.path, `UPDATE entry SET body = replace(body, '${at}', '${later}') WHERE seq = 4`);
    const { state, findings } = await verdictOf(log);
    expect(state).toBe("broken");
    expect(findings).toContainEqual(expect.objectContaining({ code: "row-changed", seq: 4 }));
  });
});

const Status = z.object({ build: z.string(), version: z.string(), log: z.object({ stopped: z.nullable(z.string()) }) });

/** It runs, it has no complaint, it works, and its log verifies. */
async function isWell(daemon: TestDaemon): Promise<z.infer<typeof Status>> {
  const status = Status.parse(await daemon.json("status"));
  expect(status.log.stopped).toBeNull();
  expect((await ask(daemon, "list my files", { fresh: true })).end).toBe("done");
  expect(rowsOf(auditOf(daemon)).filter(({ $kind }) => $kind === "finding.raised")).toEqual([]);
  await verifies(daemon);
  return status;
}

describe("a daemon", () => {
  const KILLS = rounds(2, 10);
  test(`that is killed and started again, ${KILLS} times over, has nothing to complain of`, async () => {
    const home = newHome();
    try {
      for (let kills = 0; kills < KILLS; kills++) {
        const daemon = await TestDaemon.start({ home });
        await isWell(daemon);
        await daemon.end("SIGKILL");
      }
      const last = await TestDaemon.start({ home });
      await isWell(last);
      expect(await last.end()).toBe(0);
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });
});

/** The executable as another build is: its version and its digest are others. */
function anotherBuild(from: string, to: string): void {
  const { build } = z.object({ build: z.string() }).parse(JSON.parse(readFileSync(`${from}.build.json`, "utf8")));
  const bytes = readFileSync(from);
  const put = (what: string, by: string): number => {
    let times = 0;
    for (let at = bytes.indexOf(what); at !== -1; at = bytes.indexOf(what, at + 1)) {
      bytes.write(by, at);
      times += 1;
    }
    return times;
  };
  expect(put(build, build.split("").toReversed().join("")), "places of the build's digest").toBeGreaterThan(1);
  expect(put('VERSION = "0.1.0"', 'VERSION = "0.1.1"'), "places of the version").toBeGreaterThan(0);
  writeFileSync(to, bytes);
  chmodSync(to, 0o755);
}

describe("an upgrade", () => {
  const home = newHome();
  const installed = join(folder, "wirken");
  let daemon: TestDaemon;
  let before: z.infer<typeof Status>;

  beforeAll(async () => {
    writeFileSync(installed, readFileSync(WIRKEN), { mode: 0o755 });
    daemon = await TestDaemon.start({ home, executable: installed });
    before = await isWell(daemon);
    // As an installer does it: the new file is renamed over the one that runs.
    anotherBuild(WIRKEN, `${installed}.new`);
    renameSync(`${installed}.new`, installed);
  });

  afterAll(async () => {
    await daemon[Symbol.asyncDispose]();
    rmSync(home, { recursive: true, force: true });
  });

  test("under a running daemon leaves it at work: its children are of the build that it is", async () => {
    const children = childrenOf(daemon.pid);
    const own = await TestDaemon.prototype.wirken.call(daemon, ["--version"]);
    expect(own.stdout, "the file on disk is the new build").toContain("0.1.1");
    const asked = await runOld(daemon, ["ask", "--json", "--new", "list my files"]);
    expect(asked.status, asked.stderr).toBe(0);
    expect(
      [...childrenOf(daemon.pid)].some((pid) => !children.has(pid)),
      "a child was started",
    ).toBe(true);
  });

  test("takes no command of the new build but the question how it is, until it was stopped", async () => {
    const asked = await daemon.wirken(["vault", "list"]);
    expect(asked.status).toBe(3);
    expect(asked.stderr).toContain("the daemon is of another build than this command");
    expect(asked.stderr).toContain("restart to finish the upgrade: wirken stop, then wirken start");
    const status = await daemon.wirken(["status"]);
    expect(status.status).toBe(0);
    expect(status.stderr).toContain("restart to finish the upgrade: wirken stop, then wirken start");
  });

  test("ends well: the new build goes on with the log of the old one, and all of it verifies", async () => {
    expect(await daemon.end()).toBe(0);
    daemon = await TestDaemon.start({ home, executable: installed });
    const after = await isWell(daemon);
    expect(after.version).toBe("0.1.1");
    expect(after.build).not.toBe(before.build);
    const started = rowsOf(auditOf(daemon)).filter(({ $kind }) => $kind === "daemon.started");
    expect(started.map((row) => row["version"])).toEqual(["0.1.0", "0.1.1"]);
    expect(new Set(started.map((row) => row["executable"])).size, "digests of two executables").toBe(2);
  });
});

/** A command of the build that runs, whose file is gone: the kernel still has it. */
async function runOld(daemon: TestDaemon, args: readonly string[]): Promise<{ status: number | null; stderr: string }> {
  const child = spawn(`/proc/${daemon.pid}/exe`, [...args], {
    env: daemon.environment,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, stderr }));
  });
}
