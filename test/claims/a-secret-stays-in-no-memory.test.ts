import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { certificateFor } from "../support/certificate.ts";
import { childrenOf, until } from "../support/claims-world.ts";
import { TestDaemon, WIRKEN } from "../support/daemon.ts";
import { scanMemory } from "../support/memory-scan.ts";

const PASSPHRASE = "corridor lantern mackerel 7141902";
const NEXT = "marble thunder anchovy 2088136";
const KEY = "sk-canary-of-the-memory-scan-6402117";
const CANDIDATE = "sk-candidate-of-the-memory-scan-9930";
const ALL = [PASSPHRASE, NEXT, KEY, CANDIDATE];

let daemon: TestDaemon;
const folder = mkdtempSync(join(tmpdir(), "wirken-memory-"));
/** A model server that takes a request and answers it when it is told to: whoever asked it waits. It speaks TLS, as every platform does: egress sees
 *  no more of it than the network. */
let server: Server;
let asked = 0;
const waiting: ServerResponse[] = [];

beforeAll(async () => {
  const certificate = certificateFor("127.0.0.1");
  writeFileSync(join(folder, "ca.pem"), certificate.cert);
  server = createServer(certificate, (_, response) => {
    asked++;
    waiting.push(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  daemon = await TestDaemon.start({
    environment: { WIRKEN_VAULT_PASSPHRASE: PASSPHRASE },
    config: {
      network: { ca: join(folder, "ca.pem") },
      providers: { slow: { baseUrl: `https://127.0.0.1:${port}/v1` } },
      agents: { default: { model: "slow/model" } },
    },
  });
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What a process shows of itself without its memory. */
function shownBy(pid: number): string[] {
  return ["environ", "cmdline"].flatMap((what) => {
    const bytes = readOrNone(`/proc/${pid}/${what}`);
    return ALL.filter((text) => bytes.includes(text)).map((text) => `${text} in ${what}`);
  });
}

/** @returns nothing of a process that ended meanwhile. */
function readOrNone(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}

function role(pid: number): string {
  return readOrNone(`/proc/${pid}/cmdline`).toString("utf8").split("\0").slice(1, 3).join(" ").trim();
}

/** Every process of the daemon but the ones named, and what was found in each. */
function foundEverywhere(but: readonly string[] = []): string[] {
  return [daemon.pid, ...childrenOf(daemon.pid)]
    .filter((pid) => !but.some((word) => role(pid).startsWith(word)))
    .flatMap((pid) => [...scanMemory(pid, ALL), ...shownBy(pid)].map((hit) => `${role(pid)} (${pid}): ${hit}`));
}

test("the scanner finds a secret that a process keeps, in each of its forms", async () => {
  const program = `const a = Buffer.from(process.argv[1].split("").reverse().join("")); const b = a.toString("hex");
    globalThis.kept = [a, Buffer.from(b), Buffer.from(a.toString("utf8"), "utf16le")]; console.log("kept"); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["-e", program, KEY.split("").toReversed().join("")], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  await once(child.stdout, "data");
  const found = scanMemory(child.pid ?? 0, [KEY, "nothing of this kind"]);
  child.kill("SIGKILL");
  for (const form of ["(utf-8)", "(utf-16)", "(hex)"])
    expect(
      found.some((hit) => hit.includes(form)),
      form,
    ).toBe(true);
  expect(found.some((hit) => hit.includes("nothing of"))).toBe(false);
});

test("a passphrase that opened the vault is in no process of the daemon, nor where the kernel shows its environment", () => {
  expect(foundEverywhere()).toEqual([]);
});

test("a credential that was enrolled is in no process", async () => {
  const added = await daemon.wirken(["vault", "add", "slow", "--no-check", "--stdin"], { stdin: `${KEY}\n` });
  expect(added, added.stderr).toMatchObject({ status: 0 });
  expect(foundEverywhere(["model"])).toEqual([]);
});

test("a command that waits for a check has forgotten the candidate, and so has the daemon", async () => {
  const before = asked;
  const command = spawn(WIRKEN, ["vault", "add", "slow", "--stdin"], {
    env: daemon.environment,
    stdio: ["pipe", "ignore", "ignore"],
  });
  command.stdin.end(`${CANDIDATE}\n`);
  await until(() => asked > before, "the platform was asked");
  // The control: the process that asks has it.
  const checking = [...childrenOf(daemon.pid)].filter((pid) => role(pid).startsWith("model"));
  expect(checking.flatMap((pid) => scanMemory(pid, [CANDIDATE])).length).toBeGreaterThan(0);
  expect(scanMemory(command.pid ?? 0, [CANDIDATE])).toEqual([]);
  expect(scanMemory(daemon.pid, [KEY]), "the daemon, of what it holds sealed").toEqual([]);
  const ended = once(command, "exit");
  for (const response of waiting.splice(0)) response.writeHead(401).end("{}");
  expect(await ended).toEqual([1, null]);
  expect(foundEverywhere(["model"])).toEqual([]);
});

test("after a hand-over, only the child that needs the credential has it", async () => {
  const before = asked;
  const asking = daemon.wirken(["ask", "hello"]);
  await until(() => asked > before, "the model was asked");
  // While it asks, after its answer, and after a refusal that its platform gave in the key's own words.
  onlyTheModelHas();
  for (const response of waiting.splice(0))
    response.writeHead(200, { "content-type": "text/event-stream" }).end(completion("a first answer"));
  expect((await asking).stdout).toContain("a first answer");
  onlyTheModelHas();
  const again = asked;
  const refused = daemon.wirken(["ask", "hello again"]);
  await until(() => asked > again, "the model was asked again");
  for (const response of waiting.splice(0))
    response.writeHead(401, { "content-type": "application/json" }).end(`{"error":{"message":"bad key ${KEY}"}}`);
  const { stdout, stderr } = await refused;
  expect(`${stdout}${stderr}`).not.toContain(KEY);
  onlyTheModelHas();
  expect(foundEverywhere(["model"]).filter((hit) => hit.includes(KEY))).toEqual([]);
});

/** The model's process holds the key that it asks with, and nothing else of ours, nor where the kernel shows it; the daemon does not hold it. */
function onlyTheModelHas(): void {
  const models = [...childrenOf(daemon.pid)].filter((pid) => role(pid).startsWith("model"));
  expect(models.flatMap((pid) => scanMemory(pid, [KEY])).length).toBeGreaterThan(0);
  expect(models.flatMap((pid) => [...scanMemory(pid, [PASSPHRASE, NEXT, CANDIDATE]), ...shownBy(pid)])).toEqual([]);
  expect(scanMemory(daemon.pid, [KEY])).toEqual([]);
}

/** What an OpenAI-compatible server streams. */
function completion(text: string): string {
  return `${chunk({ role: "assistant", content: text }, null)}${chunk({}, "stop")}data: [DONE]\n\n`;
}
function chunk(delta: object, finish: string | null): string {
  const choices = [{ index: 0, delta, finish_reason: finish }];
  return `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "model", choices })}\n\n`;
}

test.each([
  ["a new passphrase", ["vault", "protect", "passphrase", "--stdin"], NEXT],
  ["a new master", ["vault", "rekey", "--stdin"], NEXT],
  ["a new key for a scope", ["vault", "rekey", "slow"], ""],
  ["a backup with a passphrase", ["vault", "backup", "--out", "BACKUP", "--stdin"], PASSPHRASE],
  ["locking", ["vault", "lock"], ""],
  ["unlocking", ["vault", "unlock", "--stdin"], NEXT],
  ["listing", ["vault", "list"], ""],
  ["removing", ["vault", "remove", "slow", "--yes"], ""],
] as const)("after %s nothing of it is in any process", async (_, words, stdin) => {
  const out = `${daemon.home}/backup-${words[1]}`;
  const done = await daemon.wirken(
    words.map((word) => (word === "BACKUP" ? out : word)),
    { stdin: `${stdin}\n` },
  );
  expect(done, done.stderr).toMatchObject({ status: 0 });
  expect(foundEverywhere(["model"])).toEqual([]);
});

test("no process of the daemon can be dumped, and none leaves a core file", () => {
  const pids = [daemon.pid, ...childrenOf(daemon.pid)].filter((pid) => readdirSync("/proc").includes(String(pid)));
  expect(pids.length).toBeGreaterThan(2);
  for (const pid of pids) {
    expect(readFileSync(`/proc/${pid}/limits`, "utf8"), role(pid)).toMatch(/^Max core file size +0 +0 /m);
    // The kernel's own sign of a process that is not dumpable: it maps none of its files for others (coredump_filter stays, its mm does not show).
  }
});
