import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, RequestListener } from "node:http";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LaneEntry } from "../../src/ipc/egress-frames.ts";
import { LIMITS } from "../../src/sandbox/limits.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";
import { EgressWorld } from "../egress/egress-world.ts";
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

/** A program that goes by the environment, and what shows that it got there. `$1` is the server's port. NO_PROXY is emptied: here the world is
 *  this machine, under the one name that it has everywhere. */
const EVERYWHERE =
  "export NO_PROXY= no_proxy= CURL_CA_BUNDLE=$PWD/ca.pem GIT_SSL_CAINFO=$PWD/ca.pem PIP_CERT=$PWD/ca.pem NODE_EXTRA_CA_CERTS=$PWD/ca.pem;";

describe("with a host granted, and without", () => {
  const programs: readonly { name: string; script: (port: number) => string; shows: string }[] = [
    { name: "curl", script: (port) => `curl -sS https://localhost:${port}/hello`, shows: "hello over https" },
    {
      name: "Node's fetch",
      script: (port) => `./node -e 'fetch("https://localhost:${port}/hello").then((a) => a.text()).then(console.log)'`,
      shows: "hello over https",
    },
    {
      name: "git clone",
      script: (port) =>
        `rm -rf cloned; git clone -q https://localhost:${port}/git/things.git cloned && cat cloned/README`,
      shows: "a thing in git",
    },
    {
      name: "pip",
      script: (port) =>
        `python3 -m pip install -q --disable-pip-version-check --no-deps --target "$PWD/site-$$" --index-url https://localhost:${port}/simple/ thing-of-a-test && PYTHONPATH="$PWD/site-$$" python3 -c 'import thing_of_a_test'`,
      shows: "a thing in python",
    },
    {
      name: "npm",
      script: (port) =>
        `rm -rf packages; mkdir packages && cd packages && npm install --silent --no-audit --no-fund --cafile ../ca.pem --cache /tmp/npm --registry https://localhost:${port}/npm/ thing-of-a-test && ../node -e 'require("thing-of-a-test")'`,
      shows: "a thing in npm",
    },
  ];

  test.for(programs)("$name reaches it, and nothing otherwise", async ({ script, shows }) => {
    await using server = await serving(createHttpsServer(certificate, world(root)));
    const granted = await run(`${EVERYWHERE} ${script(server.port)}`, [allow(server.port)]);
    expect(granted.out, granted.err).toContain(shows);
    expect(granted.status).toBe(0);
    const before = egress.verdicts.length;
    const refused = await run(`${EVERYWHERE} ${script(server.port)}`, NONE);
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

/** One server that is many: a page, a repository, a Python index, a registry of one package. */
function world(folder: string): RequestListener {
  const repository = join(folder, "git");
  rmSync(repository, { recursive: true, force: true });
  mkdirSync(repository);
  const git = (...args: string[]): void => {
    execFileSync("git", args, {
      cwd: repository,
      env: { PATH: process.env["PATH"], HOME: folder, GIT_CONFIG_NOSYSTEM: "1" },
      stdio: "ignore",
    });
  };
  git("init", "-q", "source");
  writeFileSync(join(repository, "source/README"), "a thing in git\n");
  git("-C", "source", "add", "README");
  git("-C", "source", "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "one");
  git("clone", "-q", "--bare", "source", "things.git");
  const wheel = pythonWheel(folder);
  const tarball = npmTarball(folder);
  return (asked, answer) => {
    const url = asked.url ?? "";
    const base = `https://${asked.headers.host ?? ""}`;
    if (url === "/hello") answer.end("hello over https\n");
    else if (url.startsWith("/git/")) void gitBackend(repository, asked).then((said) => answerAs(answer, said));
    else if (url === "/simple/thing-of-a-test/")
      answer
        .writeHead(200, { "Content-Type": "text/html" })
        .end(`<a href="/wheels/thing_of_a_test-1.0-py3-none-any.whl">thing_of_a_test-1.0-py3-none-any.whl</a>`);
    else if (url.startsWith("/wheels/")) answer.end(wheel);
    else if (url === "/npm/thing-of-a-test")
      answer.writeHead(200, { "Content-Type": "application/json" }).end(
        JSON.stringify({
          name: "thing-of-a-test",
          "dist-tags": { latest: "1.0.0" },
          versions: {
            "1.0.0": {
              name: "thing-of-a-test",
              version: "1.0.0",
              dist: {
                tarball: `${base}/npm/thing.tgz`,
                integrity: `sha512-${createHash("sha512").update(tarball).digest("base64")}`,
              },
            },
          },
        }),
      );
    else if (url === "/npm/thing.tgz") answer.end(tarball);
    else answer.writeHead(404).end();
  };
}

interface Said {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}

function answerAs(answer: Parameters<RequestListener>[1], { status, headers, body }: Said): void {
  answer.writeHead(status, headers);
  answer.end(body);
}

/** `git http-backend`, as a server calls it (RFC 3875). */
async function gitBackend(repository: string, asked: IncomingMessage): Promise<Said> {
  const chunks: Buffer[] = [];
  for await (const chunk of asked) if (chunk instanceof Buffer) chunks.push(chunk);
  const [path = "", query = ""] = (asked.url ?? "").slice("/git".length).split("?");
  const out = execFileSync("git", ["http-backend"], {
    input: Buffer.concat(chunks),
    env: {
      PATH: process.env["PATH"],
      GIT_PROJECT_ROOT: repository,
      GIT_HTTP_EXPORT_ALL: "1",
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "safe.directory",
      GIT_CONFIG_VALUE_0: "*",
      PATH_INFO: path,
      QUERY_STRING: query,
      REQUEST_METHOD: asked.method ?? "GET",
      CONTENT_TYPE: asked.headers["content-type"] ?? "",
      HTTP_CONTENT_ENCODING: asked.headers["content-encoding"] ?? "",
      GIT_PROTOCOL: String(asked.headers["git-protocol"] ?? ""),
    },
  });
  const end = out.indexOf("\r\n\r\n");
  const headers: Record<string, string> = {};
  for (const line of out.toString("latin1", 0, end).split("\r\n")) {
    const at = line.indexOf(":");
    headers[line.slice(0, at)] = line.slice(at + 1).trim();
  }
  return { status: Number.parseInt(headers["Status"] ?? "200", 10), headers, body: out.subarray(end + 4) };
}

/** A wheel of one module that says a word. */
function pythonWheel(folder: string): Buffer {
  const script = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    wheel.writestr("thing_of_a_test.py", "print('a thing in python')\\n")
    info = "thing_of_a_test-1.0.dist-info/"
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: thing-of-a-test\\nVersion: 1.0\\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr(info + "RECORD", "thing_of_a_test.py,,\\n" + info + "METADATA,,\\n" + info + "WHEEL,,\\n" + info + "RECORD,,\\n")
`;
  const path = join(folder, "thing.whl");
  execFileSync("/usr/bin/python3", ["-c", script, path]);
  return readFileSync(path);
}

/** A package of one file that says a word. */
function npmTarball(folder: string): Buffer {
  const source = join(folder, "package");
  mkdirSync(source, { recursive: true });
  writeFileSync(join(source, "package.json"), `{"name":"thing-of-a-test","version":"1.0.0","main":"index.js"}`);
  writeFileSync(join(source, "index.js"), `console.log("a thing in npm");\n`);
  return gzipSync(execFileSync("tar", ["-C", folder, "-cf", "-", "package"]));
}
