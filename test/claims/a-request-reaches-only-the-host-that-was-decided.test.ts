import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecure } from "node:https";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { certificateFor } from "../support/certificate.ts";
import { bodiesOf } from "../support/claims-log.ts";
import { approveNext, ask, needLine, startProtected, until } from "../support/claims-world.ts";
import type { TestDaemon } from "../support/daemon.ts";
import { scanMemory } from "../support/memory-scan.ts";
import { ScriptedModel } from "../support/scripted-model.ts";
import { SecretScan } from "../support/secret-scan.ts";
import { serving } from "../support/serving.ts";

const SECRET = "tok-canary-of-the-request-claim-71c4e0";
/** A word of the same kind that an agent does read, to show that what looks for one finds one. */
const PLANTED = "plain-canary-of-the-request-claim-55d9";
const scan = new SecretScan([SECRET]);
const folder = mkdtempSync(join(tmpdir(), "wirken-request-"));
const asked: { readonly site: string; readonly request: IncomingMessage; readonly body: string }[] = [];
let daemon: TestDaemon;
let model: ScriptedModel;
let port: number;
let elsewhere: number;
const ends: AsyncDisposable[] = [];

/** A site of this machine, which answers as its path says. */
async function site(name: string, secure: { key: string; cert: string } | null): Promise<number> {
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const pieces: Uint8Array[] = [];
    request.on("data", (piece: Uint8Array) => pieces.push(piece));
    request.on("end", () => {
      asked.push({ site: name, request, body: Buffer.concat(pieces).toString("utf8") });
      const path = request.url ?? "";
      const leads = { "/moved": "/page", "/out": `https://elsewhere.invalid:${elsewhere}/` }[path];
      if (leads !== undefined) {
        response.writeHead(302, { location: leads }).end();
        return;
      }
      response.setHeader("content-type", path === "/page" ? "text/html" : "application/json");
      response.end(
        path === "/page"
          ? `<title>A page</title><p>${PLANTED}</p><script>no()</script>`
          : JSON.stringify({ you: request.headers.authorization ?? null }),
      );
    });
  };
  const server = await serving(secure === null ? createServer(answer) : createSecure(secure, answer));
  ends.push(server);
  return server.port;
}

beforeAll(async () => {
  const certificate = certificateFor("localhost");
  writeFileSync(join(folder, "ca.pem"), certificate.cert);
  port = await site("decided", certificate);
  elsewhere = await site("elsewhere", certificate);
  model = await ScriptedModel.start();
  daemon = await startProtected({
    config: {
      agents: { default: { model: "scripted/test-model" } },
      providers: { scripted: { baseUrl: model.baseUrl } },
      network: { ca: join(folder, "ca.pem"), local: ["localhost"] },
      search: { service: "off" },
    },
  });
  const added = await daemon.wirken(["vault", "add", "secret/canary", "--host", "localhost", "--stdin"], {
    stdin: `${SECRET}\n`,
  });
  if (added.status !== 0) throw new Error(added.stderr);
}, 60_000);

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await model?.[Symbol.asyncDispose]();
  for (const end of ends) await end[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** One turn in which the agent makes one request. */
async function requests(words: string, given: object, approve = false): Promise<void> {
  model.script(words, { calls: [{ name: "http_request", arguments: given }] }, { text: `${words}: done` });
  const turn = ask(daemon, words, { fresh: true });
  if (approve) await approveNext(daemon);
  await turn;
}

async function pids(role: string): Promise<number[]> {
  await using line = await needLine(daemon);
  return (await line.call({ call: "status" })).processes.filter((one) => one.role === role).map(({ pid }) => pid);
}

describe("an agent's request", () => {
  test("reaches the host that was decided, follows its redirects there, and is read as text", async () => {
    await requests("read it", { url: `https://localhost:${port}/moved` });
    expect(asked.map(({ site: name, request: { url } }) => [name, url])).toEqual([
      ["decided", "/moved"],
      ["decided", "/page"],
    ]);
    expect(model.heard).toContain(PLANTED);
    expect(model.heard).toContain("title: A page");
    expect(model.heard).not.toContain("no()");
    const roles = await pids("fetch");
    expect(roles).toEqual([]);
  });

  test.for([
    ["an address", () => `https://127.0.0.1:${elsewhere}/`],
    ["another host", () => `https://elsewhere.invalid:${elsewhere}/`],
    ["another protocol", () => `http://localhost:${elsewhere}/`],
    ["a redirect to another host", () => `https://localhost:${port}/out`],
  ] as const)("to %s reaches nothing", async ([what, url]) => {
    await requests(`try ${what}`, { url: url() });
    expect(asked.filter(({ site: name }) => name === "elsewhere")).toEqual([]);
  });
});

describe("a credential that is named", () => {
  test("goes to its host once a person has seen what it goes with, and comes back to nobody", async () => {
    const before = asked.length;
    await requests("with it", { url: `https://localhost:${port}/me`, credential: "canary" }, true);
    expect(asked[before]?.request.headers.authorization).toBe(`Bearer ${SECRET}`);
    expect(model.heard).toContain("Bearer [credential]");
  });

  test("goes nowhere else", async () => {
    const before = asked.length;
    await requests("elsewhere with it", { url: "https://other.example/", credential: "canary" });
    expect(model.heard).toContain("does not go to other.example");
    expect(asked).toHaveLength(before);
  });

  test("is in no row and no content, no byte of the data directory, no process's arguments, and no word to the model", async () => {
    const planted = new SecretScan([PLANTED]);
    await using line = await needLine(daemon);
    const { rows } = await line.call({ call: "audit.rows", filter: { limit: 1000 } });
    const opened = rows.map((row) => JSON.stringify(row));
    expect(planted.in(opened.join("\n"))).toEqual([PLANTED]);
    expect(scan.in(opened.join("\n"))).toEqual([]);
    expect(scan.in(bodiesOf(join(daemon.data, "audit.db")).join("\n"))).toEqual([]);
    expect(scan.below(daemon.data)).toEqual([]);
    expect(scan.inProcesses()).toEqual([]);
    expect(planted.in(model.heard)).toEqual([PLANTED]);
    expect(scan.in(model.heard)).toEqual([]);
    expect(scan.in(daemon.stdout + daemon.stderr)).toEqual([]);
  });

  test("is in the memory of no agent, of no model's process and not of the daemon", async () => {
    model.script("read again", {
      calls: [{ name: "http_request", arguments: { url: `https://localhost:${port}/page` } }],
    });
    await ask(daemon, "read again");
    const agents = await pids("agent");
    await until(() => agents.some((pid) => scanMemory(pid, [PLANTED]).length > 0), "the agent holds what it read");
    for (const pid of [...agents, ...(await pids("model")), daemon.pid]) expect(scanMemory(pid, [SECRET])).toEqual([]);
  });
});
