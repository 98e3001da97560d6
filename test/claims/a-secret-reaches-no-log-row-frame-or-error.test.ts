import { spawn } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bodiesOf } from "../support/claims-log.ts";
import { type Ran } from "../support/daemon.ts";
import { SecretScan } from "../support/secret-scan.ts";
import { Spine } from "../support/spine.ts";

/** Frames that leave an adapter or a model process are read one by one in test/adapters and test/model. Here is what became of all frames of a
 *  whole run: rows, content, files, output, processes, and what each peer was told. */

const KEY = "sk-ant-canary-Q7m2X9vKd4TzR1pLw8HsNc3YbG6fJ0uE";
/** Stands where a secret must not, to show that it would be seen. */
const PLANTED = "planted-canary-Zk5Wq8Rt1Yv3Xn6Bm9Lc2Hd4Gf7Js0P";
const said: string[] = [];
let spine: Spine;
let secrets: readonly string[];
let scan: SecretScan;

async function wirken(args: readonly string[], stdin = ""): Promise<Ran> {
  const ran = await spine.daemon.wirken(args, { stdin });
  said.push(ran.stdout, ran.stderr);
  return ran;
}

beforeAll(async () => {
  spine = await Spine.start({ channels: ["telegram", "slack"], owner: false });
  const { telegram, slack } = spine;
  // The first part of a bot's token is its public number.
  const [, secretPart = ""] = telegram.token.split(":");
  secrets = [secretPart, slack.tokens["bot-token"], slack.tokens["app-token"], KEY];
  scan = new SecretScan(secrets);
  const tokens = `${slack.tokens["bot-token"]}\n${slack.tokens["app-token"]}`;
  spine.changeConfig((config) => ({
    ...config,
    providers: { ...config.providers, anthropic: { baseUrl: "http://127.0.0.1:9/v1" } },
  }));

  // Nobody answers; refused in words that quote it, whole, in other forms and cut; mixed up, malformed, too long, as an argument.
  await wirken(["vault", "add", "anthropic", "--stdin"], KEY);
  for (const quoted of [telegram.token, encodeURIComponent(telegram.token), `${"x".repeat(470)}${telegram.token}`]) {
    telegram.mishaps.push({ method: "getMe", status: 400, body: { ok: false, error_code: 400, description: quoted } });
    await wirken(["vault", "add", "telegram", "--stdin"], telegram.token);
  }
  slack.mishaps.push({ method: "auth.test", error: slack.tokens["bot-token"] });
  await wirken(["vault", "add", "slack", "--stdin"], tokens);
  for (const [what, given] of [
    ["telegram", slack.tokens["bot-token"]],
    ["slack", `${slack.tokens["app-token"]}\n${slack.tokens["bot-token"]}`],
    ["anthropic", telegram.token],
    ["anthropic", `${KEY} ${KEY}`],
    ["anthropic", KEY.repeat(200)],
    ["anthropic", KEY.repeat(4_000)],
    ["telegram", `${telegram.token}\n${KEY}`],
  ] as const)
    await wirken(["vault", "add", what, "--stdin"], given);
  await wirken(["vault", "add", "anthropic", KEY]);
  const file = join(spine.home, "key");
  writeFileSync(file, KEY);
  await wirken(["vault", "add", "anthropic", "--file", file, "--no-check"]);
  rmSync(file);

  // In use: a turn, a send that fails in words that quote the token, and adapters that start anew.
  await wirken(["ask", PLANTED]);
  await spine.restart();
  await spine.connected("telegram");
  for (const args of [["vault", "list"], ["channel", "list"], ["status"], ["audit", "log", "--json"]])
    await wirken(args);
}, 180_000);

afterAll(async () => {
  await spine?.[Symbol.asyncDispose]();
});

/** Rows with everything that can be opened of them. */
async function opened(): Promise<string> {
  return JSON.stringify(await spine.rows());
}

describe("what looks for a secret", () => {
  const planted = new SecretScan([PLANTED]);

  test.for([
    ["as it is", PLANTED],
    ["half of it", PLANTED.slice(0, 24)],
    ["in base64", Buffer.from(`Bearer ${PLANTED}`).toString("base64")],
    ["in hex", Buffer.from(PLANTED).toString("hex")],
  ] as const)("sees it %s", ([, text]) => {
    expect(planted.in(`before ${text} after`)).toEqual([PLANTED]);
  });

  test("sees it in opened content, in what a command prints, and in a request to a model", async () => {
    expect(planted.in(await opened())).toEqual([PLANTED]);
    expect(planted.in(said.join("\n"))).toEqual([PLANTED]);
    expect(planted.in(spine.model.heard)).toEqual([PLANTED]);
  });

  test("sees it in a file of the data directory, and in a database's log that is not yet in it", () => {
    const path = join(spine.daemon.data, "planted.db");
    const database = new Database(path);
    database.pragma("journal_mode = WAL");
    database.exec("CREATE TABLE t (x TEXT)");
    database.prepare("INSERT INTO t VALUES (?)").run(PLANTED);
    expect(planted.below(spine.daemon.data)).toEqual([`${path}-wal: ${PLANTED}`]);
    database.close();
    expect(planted.below(spine.daemon.data)).toEqual([`${path}: ${PLANTED}`]);
    rmSync(path);
  });

  test("sees it in a process's arguments and environment", () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => 0, 1e6)", PLANTED], { env: { SEEN: PLANTED } });
    const { pid } = child;
    const found = planted.inProcesses();
    child.kill("SIGKILL");
    expect(found).toEqual(expect.arrayContaining([`cmdline of ${pid}: ${PLANTED}`, `environ of ${pid}: ${PLANTED}`]));
  });
});

describe("a credential that was enrolled, used, and failed in every way", () => {
  test("did fail, and was repeated to nobody", () => {
    const all = said.join("\n");
    expect(all).toContain("[token]");
    expect(all).toContain("not: ");
    expect(all).toContain("saved unchecked");
    expect(scan.in(all)).toEqual([]);
  });

  test("is in no row and in no content of the log", async () => {
    expect(bodiesOf(join(spine.daemon.data, "audit.db")).length).toBeGreaterThan(50);
    expect(scan.in(bodiesOf(join(spine.daemon.data, "audit.db")).join("\n"))).toEqual([]);
    expect(scan.in(await opened())).toEqual([]);
  });

  test("is in no byte of the data directory", () => {
    expect(scan.below(spine.daemon.data)).toEqual([]);
  });

  test("is in no line of the daemon's, and in no process's arguments or environment", () => {
    expect(scan.in(spine.daemon.stdout + spine.daemon.stderr)).toEqual([]);
    expect(scan.inProcesses()).toEqual([]);
  });

  test("reached no peer but its own", () => {
    expect(scan.in(spine.model.heard)).toEqual([]);
    expect(scan.in(JSON.stringify([spine.telegram.calls, spine.telegram.shown]))).toEqual([]);
    expect(scan.in(JSON.stringify(spine.slack.posted))).toEqual([]);
  });
});
