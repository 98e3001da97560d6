import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { z } from "zod/mini";
import { CONFINEMENT_ANSWERS } from "../../src/ipc/confinement-calls.ts";
import { needLine } from "../support/claims-world.ts";
import { newHome, TestDaemon } from "../support/daemon.ts";

const Answer = CONFINEMENT_ANSWERS.confinement;
const EXECUTABLE = resolve(import.meta.dirname, "../../dist/wirken");
const PASSPHRASE = "a passphrase of the claims";
/** A user namespace in which no other can be made, and in which no command can become another user: bubblewrap then cannot run. */
const LESS = ["--user", "--map-root-user", "sh", "-c", 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"', "sh"];

let daemon: TestDaemon;
let answer: z.infer<typeof Answer>;
const places: string[] = [];

beforeAll(async () => {
  daemon = await TestDaemon.start({
    home: newHome(),
    config: { web: { port: 0 } },
    environment: { WIRKEN_VAULT_PASSPHRASE: PASSPHRASE },
  });
  answer = Answer.parse(await daemon.json("doctor", "confinement"));
}, 120_000);
afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  for (const place of places) rmSync(place, { recursive: true, force: true });
});

/** Runs the executable where less than every wall can be built. */
async function withLess(config: object, ...words: string[]): Promise<{ status: unknown; said: string }> {
  const place = mkdtempSync(join(tmpdir(), "wirken-less-"));
  places.push(place);
  const home = join(place, "data");
  mkdirSync(home, { mode: 0o700 });
  writeFileSync(join(home, "config.json"), JSON.stringify(config));
  const child = spawn("unshare", [...LESS, EXECUTABLE, ...words], {
    env: { PATH: process.env["PATH"] ?? "", HOME: place, WIRKEN_HOME: home, WIRKEN_VAULT_PASSPHRASE: PASSPHRASE },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (piece: Buffer) => {
      said += piece.toString();
    });
  const [status] = await once(child, "close");
  return { status, said };
}

describe("wirken doctor confinement", () => {
  test("tries the walls of every role, and finds them where this system has them", () => {
    expect(answer.roles.map(({ role }) => role).toSorted()).toEqual([
      "adapter",
      "agent",
      "anchor",
      "command",
      "command by launcher",
      "egress",
      "fetch",
      "ingress",
      "keychain",
      "mcp",
      "model",
      "relay",
      "unpack",
      "web",
    ]);
    expect(answer.full).toBe(answer.missing.length === 0);
    for (const { role, layers, tried } of answer.roles.filter(({ role: name }) => !name.startsWith("command"))) {
      expect([role, layers]).toEqual([role, expect.arrayContaining(["permissions", "seccomp", "limits", "no-ring"])]);
      const by = new Map(tried.map(({ reach, native }) => [reach, native]));
      expect([role, by.get("start a program"), by.get("open other kinds of socket")]).toEqual([
        role,
        "seccomp",
        "seccomp",
      ]);
      expect([role, by.get("exhaust memory"), by.get("make a ring")]).toEqual([role, "limits", "no-ring"]);
      expect([role, tried.find(({ reach }) => reach === "read a file")?.script]).toEqual([role, "permissions"]);
      if (answer.landlockAbi > 0) expect([role, by.get("read a file")]).toEqual([role, "landlock"]);
    }
  });

  test("tries what a command reaches, in the sandbox that stands and below a launcher, and says what refused it", () => {
    const by = (name: string) =>
      Object.fromEntries(
        answer.roles.find(({ role }) => role === name)?.tried.map(({ reach, native }) => [reach, native]) ?? [],
      );
    expect(by("command")).toEqual({
      "read a file": "namespaces",
      "write a file": "namespaces",
      "connect outward": "namespaces",
      "open a local socket": "seccomp",
      "open other kinds of socket": "seccomp",
      "make a ring": "seccomp",
      "signal another process": "namespaces",
      "read another's memory": "namespaces",
      "trace another process": "seccomp",
      "become another user": "account",
      "exhaust memory": "limits",
    });
    expect(by("command by launcher")).toMatchObject({
      "read a file": "landlock",
      "connect outward": "seccomp",
      "signal another process": "landlock",
    });
    expect(answer.roles.find(({ role }) => role === "command")?.layers).toEqual([
      "namespaces",
      "seccomp",
      `landlock:${answer.landlockAbi}`,
      `limits:${answer.limits.by}`,
    ]);
  });

  test("puts on the record which roles were tried, and what came of it", async () => {
    await using line = await needLine(daemon);
    const { rows } = await line.call({ call: "audit.rows", filter: { limit: 10, kind: "confinement.tried" } });
    expect(rows.map(({ fields }) => fields)).toContainEqual(
      expect.objectContaining({
        roles:
          "adapter+model+anchor+fetch+unpack+mcp+egress+agent+web+ingress+relay+keychain+command+command-by-launcher",
        landlock: answer.landlockAbi,
        missing: answer.missing.length,
      }),
    );
  });

  test("says of every process that runs what the kernel says of it", () => {
    expect(answer.processes.map(({ role }) => role)).toEqual(expect.arrayContaining(["supervisor", "ingress", "web"]));
    for (const { role, seccomp, noNewPrivileges } of answer.processes)
      expect([role, seccomp, noNewPrivileges]).toEqual([role, true, true]);
  });

  test("leaves a row for each process that it started, and the record is good", async () => {
    expect(await daemon.json("audit", "verify")).toMatchObject({ state: "good" });
  });

  test("says what is missing, and ends with a status that says so", async () => {
    const { status, said } = await withLess({}, "doctor", "confinement");
    expect([status, said]).toEqual([1, expect.stringContaining("missing: bubblewrap")]);
  });
});

test("status --processes names every process and what it reaches", async () => {
  const { stdout, status } = await daemon.wirken(["status", "--processes"], {});
  expect(status).toBe(0);
  expect(stdout).toMatch(/^supervisor +\d+ +a local control socket/m);
  expect(stdout).toMatch(/^ingress +\d+ +none; it listens on this machine/m);
});

describe("a start that requires every wall", () => {
  test.for([
    ["by its option", {}, ["start", "--port", "0", "--require", "full"]],
    ["by the configuration", { confinement: "full" }, ["start", "--port", "0"]],
  ] as const)("%s is refused where one is missing, and says which", async ([, config, words]) => {
    const { status, said } = await withLess(config, ...words);
    expect([status, said]).toEqual([
      3,
      expect.stringContaining("full confinement is required, and bubblewrap is missing here"),
    ]);
  });

  test("of something else is used wrongly", async () => {
    const { status, said } = await withLess({}, "start", "--require", "nothing");
    expect([status, said]).toEqual([2, expect.stringContaining("it is --require full")]);
  });
});
