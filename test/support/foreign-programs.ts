import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, RequestListener } from "node:http";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

/** Programs that we did not write, which reach a server over https by what their environment says. */
export interface ForeignProgram {
  readonly name: string;
  /** @param base such as `https://localhost:4711`. The workspace holds `ca.pem` and, where Node is needed, `node`. */
  readonly script: (base: string) => string;
  /** What its output shows where it got there. */
  readonly shows: string;
}

/** Makes all of them trust the certificate in the workspace. */
export const TRUSTING =
  "export CURL_CA_BUNDLE=$PWD/ca.pem GIT_SSL_CAINFO=$PWD/ca.pem PIP_CERT=$PWD/ca.pem NODE_EXTRA_CA_CERTS=$PWD/ca.pem;";

export const PROGRAMS: readonly ForeignProgram[] = [
  { name: "curl", script: (base) => `curl -sS ${base}/hello`, shows: "hello over https" },
  {
    name: "Node's fetch",
    script: (base) => `./node -e 'fetch("${base}/hello").then((a) => a.text()).then(console.log)'`,
    shows: "hello over https",
  },
  {
    name: "git clone",
    script: (base) => `rm -rf cloned; git clone -q ${base}/git/things.git cloned && cat cloned/README`,
    shows: "a thing in git",
  },
  {
    name: "pip",
    script: (base) =>
      `python3 -m pip install -q --disable-pip-version-check --no-deps --target "$PWD/site-$$" --index-url ${base}/simple/ thing-of-a-test && PYTHONPATH="$PWD/site-$$" python3 -c 'import thing_of_a_test'`,
    shows: "a thing in python",
  },
  {
    name: "npm",
    script: (base) =>
      `rm -rf packages; mkdir packages && cd packages && npm install --silent --no-audit --no-fund --cafile ../ca.pem --cache /tmp/npm --registry ${base}/npm/ thing-of-a-test && node -e 'require("thing-of-a-test")'`,
    shows: "a thing in npm",
  },
];

/** One server that is many: a page, a repository, a Python index, a registry of one package. */
export function foreignWorld(folder: string): RequestListener {
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
