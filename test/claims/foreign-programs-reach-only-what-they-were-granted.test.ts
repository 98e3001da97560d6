import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LaneEntry } from "../../src/ipc/egress-frames.ts";
import { LIMITS } from "../../src/sandbox/limits.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";
import { EgressWorld } from "../egress/egress-world.ts";
import { foreignWorld, PROGRAMS, TRUSTING } from "../support/foreign-programs.ts";
import { serving } from "../support/serving.ts";
import { type Certificate, certificateFor } from "../support/certificate.ts";
import { soon } from "../support/soon.ts";

/** The product's own executable is the relay; egress is the product's own process. */
const EXECUTABLE = resolve(import.meta.dirname, "../../dist/wirken");
const root = mkdtempSync(join(tmpdir(), "wirken-foreign-"));
const workspace = join(root, "workspace");
const sandbox = new Sandbox({ home: join(root, "home"), executable: process.execPath });
let certificate: Certificate;
let lanes = 0;
let egress: EgressWorld;

beforeAll(async () => {
  mkdirSync(workspace, { recursive: true });
  mkdirSync(join(root, "home"));
  certificate = certificateFor("localhost");
  writeFileSync(join(workspace, "ca.pem"), certificate.cert);
  // The Node of these tests: the system's may be older than the variable that it goes by.
  copyFileSync(process.execPath, join(workspace, "node"));
  chmodSync(join(workspace, "node"), 0o755);
  egress = await new EgressWorld().start();
});
afterAll(async () => {
  await egress[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
  readonly milliseconds: number;
}

/** Runs a script in the sandbox, with a lane that has `entries`; null: without a way out. */
async function run(script: string, entries: LaneEntry[] | null): Promise<Ended> {
  const lane = entries === null ? null : lanes++;
  if (lane !== null && entries !== null) await egress.bind(lane, entries);
  const end = await sandbox.run(
    {
      workspace,
      argv: ["bash", "-c", script],
      write: true,
      stdin: null,
      limits: LIMITS,
      ...(lane === null ? {} : { way: { lane: egress.end(lane), executable: EXECUTABLE } }),
    },
    new AbortController().signal,
  );
  const { status, stdout, stderr, milliseconds } = end;
  return { status, milliseconds, out: Buffer.from(stdout).toString(), err: Buffer.from(stderr).toString() };
}

function allow(port: number, tls = true): LaneEntry {
  return { to: "host", host: "localhost", port, tls, private: true };
}

const NONE: LaneEntry[] = [];

/** Here the world is this machine, under the one name that it has everywhere: NO_PROXY is emptied. */
const EVERYWHERE = `export NO_PROXY= no_proxy=; ${TRUSTING}`;

describe("with a host granted, and without", () => {
  test.for(PROGRAMS)("$name reaches it, and nothing otherwise", async ({ script, shows }) => {
    await using server = await serving(createHttpsServer(certificate, foreignWorld(root)));
    const granted = await run(`${EVERYWHERE} ${script(`https://localhost:${server.port}`)}`, [allow(server.port)]);
    expect(granted.out, granted.err).toContain(shows);
    expect(granted.status).toBe(0);
    const before = egress.verdicts.length;
    const refused = await run(`${EVERYWHERE} ${script(`https://localhost:${server.port}`)}`, NONE);
    expect(refused.status).not.toBe(0);
    expect(refused.out).not.toContain(shows);
    await soon(() =>
      expect(egress.verdicts.slice(before)).toContainEqual(
        expect.objectContaining({ host: "localhost", port: server.port, reason: "unlisted" }),
      ),
    );
  });
});

test("plain http goes through as it is, with its method, its headers and its body", async () => {
  const heard: { method: string; url: string; body: string; proxy: unknown; mine: unknown }[] = [];
  await using server = await serving(
    createHttpServer((asked, answer) => {
      const { method = "", url = "", headers } = asked;
      void text(asked).then((body) => {
        heard.push({ method, url, body, proxy: headers["proxy-connection"], mine: headers["x-mine"] });
        answer.writeHead(201, { "X-Answer": "yes" });
        answer.end("created");
      });
    }),
  );
  const list = [allow(server.port, false)];
  const url = `http://localhost:${server.port}/a?b=c`;
  expect(await run(`${EVERYWHERE} curl -sSi -X PUT -H 'X-Mine: 1' -d body ${url}`, list)).toMatchObject({
    status: 0,
    out: expect.stringMatching(/^HTTP\/1\.1 201 Created[^]*X-Answer: yes[^]*created$/),
  });
  // Of unknown length.
  await run(`${EVERYWHERE} printf chunked | curl -sS -T - ${url}`, list);
  expect(heard).toEqual([
    { method: "PUT", url: "/a?b=c", body: "body", proxy: undefined, mine: "1" },
    { method: "PUT", url: "/a?b=c", body: "chunked", proxy: undefined, mine: undefined },
  ]);
  const refused = await run(`${EVERYWHERE} curl -sSi ${url}`, NONE);
  expect(refused.out).toMatch(/^HTTP\/1\.1 403 [^]*Wirken-Reason: unlisted[^]*is not on this process's list/);
});

test("a proxy is the only way: sockets and DNS of the command's own fail at once", async () => {
  await using server = await serving(createHttpServer((_asked, answer) => answer.end("hello")));
  const list = [allow(server.port, false)];
  expect(await run(`${EVERYWHERE} curl -sS http://localhost:${server.port}/`, list)).toMatchObject({ out: "hello" });
  const tries: Record<string, string> = {
    "the granted server, directly": `curl -sS --noproxy '*' http://127.0.0.1:${server.port}/`,
    "an address of the internet": "exec 3<>/dev/tcp/1.1.1.1/443",
    "a name": "getent ahosts example.com",
    "a resolver of its own": "exec 3<>/dev/udp/9.9.9.9/53 && echo x >&3",
    "python's socket": "python3 -c 'import socket; socket.create_connection((\"1.1.1.1\", 443))'",
    "a raw socket": "python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)'",
    "a local socket": "python3 -c 'import socket; socket.socket(socket.AF_UNIX)'",
  };
  for (const [what, script] of Object.entries(tries)) {
    const { status, milliseconds } = await run(script, list);
    expect(status, what).not.toBe(0);
    // A time-out of anything takes five seconds at least.
    expect(milliseconds, what).toBeLessThan(4500);
  }
});

test("the command has its three descriptors and no child that it did not start, and its signal is told", async () => {
  const { out, status } = await run(
    "for f in /proc/$$/fd/*; do echo ${f##*/} $(readlink $f); done; echo children $(cat /proc/$$/task/$$/children); kill -TERM $$",
    NONE,
  );
  expect(status).toBe(128 + 15);
  expect(status).toBe(128 + 15);
  const lines = out.trim().split("\n");
  // Beside them what bash has open for `$(…)` itself, and the places of what this test's own process leaks.
  const descriptors = lines.filter((line) => /^\d/.test(line) && !/^\d+ (?:\/dev\/null|pipe:\[\d+\])?$/.test(line));
  expect(descriptors.map((line) => line.split(" ")[0])).toEqual(["1", "2"]);
  // The one that looks.
  expect(lines.at(-1)).toMatch(/^children \d+$/);
});

test("without a way there is no proxy, and no certificate of an authority", async () => {
  const { out } = await run("env; ls /etc", null);
  expect(out).not.toMatch(/proxy/i);
  expect(out).not.toMatch(/^ssl$/m);
  const { out: withWay } = await run("env", NONE);
  for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"])
    expect(withWay).toContain(`${name}=http://127.0.0.1:3128\n`);
  expect(withWay).toContain("NODE_USE_ENV_PROXY=1\n");
});

test("a command whose relay does not come up does not run", async () => {
  const lane = lanes++;
  const end = await sandbox.run(
    {
      workspace,
      argv: ["touch", "ran"],
      write: true,
      stdin: null,
      limits: LIMITS,
      way: { lane: egress.end(lane), executable: "/bin/false" },
    },
    new AbortController().signal,
  );
  expect(end.status).toBe(126);
  expect(() => readFileSync(join(workspace, "ran"))).toThrow("ENOENT");
});
