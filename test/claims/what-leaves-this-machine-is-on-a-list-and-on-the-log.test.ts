import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod/mini";
import type { RowView } from "../../src/ipc/audit-calls.ts";
import { OPERATOR_ANSWERS } from "../../src/ipc/operator.ts";
import { certificateFor } from "../support/certificate.ts";
import { Spine } from "../support/spine.ts";
import { upstreamProxy } from "../support/upstream-proxy.ts";

const Row = z.looseObject({ kind: z.string(), fields: z.looseObject({}), content: z.record(z.string(), z.unknown()) });
const PROXY_CREDENTIAL = "wirken:the-proxy-s-password";

let spine: Spine;
beforeAll(async () => {
  spine = await Spine.start({ channels: ["telegram", "slack"] });
});
afterAll(async () => {
  await spine[Symbol.asyncDispose]();
});

async function answers(words: string): Promise<void> {
  spine.write(words);
  await spine.shown(`you said: ${words}`);
}

async function egressLog(...words: string[]): Promise<z.infer<typeof Row>[]> {
  const ran = await spine.daemon.wirken(["egress", "log", "--json", ...words]);
  expect(ran.status, ran.stderr).toBe(0);
  return ran.stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => Row.parse(JSON.parse(line)));
}

async function show(process?: string) {
  const ran = await spine.daemon.wirken(["egress", "show", ...(process === undefined ? [] : [process]), "--json"]);
  expect(ran.status, ran.stderr).toBe(0);
  return OPERATOR_ANSWERS["egress.show"].parse(JSON.parse(ran.stdout));
}

async function egressPid(): Promise<number> {
  const found = (await spine.status()).processes.filter(({ role }) => role === "egress");
  expect(found).toHaveLength(1);
  return found[0]?.pid ?? 0;
}

function placeIn({ fields, content }: Pick<RowView, "fields" | "content"> | z.infer<typeof Row>): string {
  return `${String(content["host"])}:${String(fields["port"])}`;
}

const local = (address: string): string => new URL(address).host;

test("what a turn reached is on the log, by whom and by which entry of its list", async () => {
  await answers("hello");
  const places = {
    "adapter:telegram": local(spine.telegram.apiRoot),
    "adapter:slack": local(spine.slack.apiRoot),
    "model:scripted": local(spine.model.baseUrl),
  };
  for (const [process, place] of Object.entries(places)) {
    const rows = await spine.eventually(`${process} on the log`, async () => {
      const found = await egressLog("--process", process);
      return found.length > 0 ? found : null;
    });
    expect(rows.map((row) => [row.kind, placeIn(row), row.fields["source"], row.fields["host"]])).toEqual(
      rows.map(() => ["egress.reached", place, "config", null]),
    );
    const { processes } = await show(process);
    expect(processes).toMatchObject([{ process, running: true, entries: [{ to: place, private: true, tls: false }] }]);
  }
  const { processes } = await show();
  // One that asks the web is started for each request: what it may reach is told all the same.
  expect(processes.map(({ process }) => process)).toEqual([...Object.keys(places).toSorted(), "fetch"]);
  const { stdout } = await spine.daemon.wirken(["status", "--processes"]);
  for (const [process, place] of Object.entries(places))
    expect(stdout).toMatch(new RegExp(`^${process} +\\d+ +${place.replaceAll(".", "[.]")} +none`, "m"));
});

test("a server on a Unix socket is reached where config.json names it, without a restart, by nobody else, and all of that is shown", async () => {
  const folder = mkdtempSync(join(tmpdir(), "wirken-socket-"));
  const path = join(folder, "model.sock");
  // The scripted model, behind a socket of this machine.
  const port = Number(new URL(spine.model.baseUrl).port);
  const server = createServer((socket) => {
    const onward = connect(port, "127.0.0.1");
    for (const one of [socket, onward]) one.on("error", () => undefined);
    socket.pipe(onward).pipe(socket);
  });
  server.listen(path);
  await once(server, "listening");
  try {
    const { status } = await spine.daemon.wirken(["ask", "--agent", "nearby", "hello"]);
    expect(status).not.toBe(0);
    const before = await egressPid();
    spine.changeConfig((config) => ({
      ...config,
      providers: { ...config.providers, nearby: { baseUrl: `unix:${path}:/v1` } },
      agents: { ...config.agents, nearby: { model: "nearby/test-model" } },
    }));
    const asked = await spine.eventually("an answer over the socket", async () => {
      const ran = await spine.daemon.wirken(["ask", "--agent", "nearby", "hello over the socket"]);
      return ran.stdout.includes("you said: hello over the socket") ? ran : null;
    });
    expect(asked.status).toBe(0);
    const { processes } = await show("model:nearby");
    expect(processes).toMatchObject([
      {
        running: true,
        entries: [{ to: `${path} (as local-socket.internal:80)`, from: "providers.nearby.baseUrl in config.json" }],
      },
    ]);
    await spine.eventually("the socket on the log", async () =>
      (await egressLog("--process", "model:nearby")).some(
        ({ kind, fields }) => kind === "egress.reached" && fields["source"] === "config",
      ),
    );
    // Only an egress process that was started for it opens such sockets.
    await spine.eventually("the egress process of before gone", async () => (await egressPid()) !== before);
    await answers("hello after it");
  } finally {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

test("what is not on the list of a process is refused to it: nothing arrives there, and the log and the status say so", async () => {
  const arrived: string[] = [];
  const elsewhere = createServer((socket) => {
    arrived.push("a connection");
    socket.destroy();
  }).listen(0, "127.0.0.1");
  await once(elsewhere, "listening");
  const address = elsewhere.address();
  if (address === null || typeof address === "string") throw new Error("there is no port");
  // Slack's own answer sends the adapter there.
  spine.slack.linesAt = `ws://127.0.0.1:${address.port}`;
  spine.slack.cut();
  const [refused] = await spine.eventually("a refusal on the log", async () => {
    const found = await egressLog("--refused", "--process", "adapter:slack");
    return found.length > 0 ? found : null;
  });
  expect(refused).toMatchObject({ kind: "egress.refused", fields: { reason: "literal", port: address.port } });
  expect(refused === undefined ? "" : placeIn(refused)).toBe(`127.0.0.1:${address.port}`);
  expect((await spine.status()).notes.join("\n")).toMatch(
    /\d+ connections? (was|were) refused to adapter:slack, because its list does not allow (it|them): wirken egress log --refused --process adapter:slack/,
  );
  const explained = await spine.daemon.wirken(["audit", "explain", String(Reflect.get(refused ?? {}, "seq"))]);
  expect(explained.stdout).toContain("was refused to the process or not to be had");
  expect(arrived).toEqual([]);
  spine.slack.linesAt = null;
  await spine.connected("slack");
  elsewhere.close();
});

test("an egress process that is killed takes nothing with it: who had a lane is started again, and messages are answered", async () => {
  const pid = await egressPid();
  const before = (await spine.status()).processes.filter(({ role }) => role === "agent").map((one) => one.pid);
  process.kill(pid, "SIGKILL");
  await answers("after the kill");
  expect(await egressPid()).not.toBe(pid);
  await spine.connected("slack");
  const { processes } = await spine.status();
  expect(processes.filter(({ role }) => role === "agent").map((one) => one.pid)).toEqual(before);
  const ends = (await spine.rows("process.ended")).map(({ fields }) => fields["reason"]);
  expect(ends).toContain("signal");
});

test("a company's proxy is used from the next connection on, with its credential from the vault and not without", async () => {
  // A model elsewhere is spoken to over TLS.
  const certificate = certificateFor("models.example");
  const model = Number(new URL(spine.model.baseUrl).port);
  const front = createTlsServer(certificate, (socket) => {
    const behind = connect(model, "127.0.0.1");
    for (const one of [socket, behind]) one.on("error", () => undefined);
    socket.pipe(behind).pipe(socket);
  });
  front.listen(0, "127.0.0.1");
  await once(front, "listening");
  const listening = front.address();
  if (listening === null || typeof listening === "string") throw new Error("there is no port");
  const { port } = listening;
  const folder = mkdtempSync(join(tmpdir(), "wirken-ca-"));
  const ca = join(folder, "company.pem");
  writeFileSync(ca, certificate.cert);
  const proxy = upstreamProxy({ names: { "models.example:8000": port }, credential: PROXY_CREDENTIAL });
  proxy.server.listen(0, "127.0.0.1");
  await once(proxy.server, "listening");
  const address = proxy.server.address();
  if (address === null || typeof address === "string") throw new Error("there is no port");
  const place = `127.0.0.1:${address.port}`;
  spine.changeConfig((config) => ({
    ...config,
    network: { proxy: `http://${place}`, ca },
    providers: { scripted: { baseUrl: "https://models.example:8000/v1" } },
  }));
  await spine.eventually("the proxy in force", async () => (await spine.status()).proxy !== null);
  expect((await spine.status()).proxy).toBe(`${place} (network.proxy in config.json)`);
  // What is on this machine is reached directly.
  await spine.connected("telegram");
  // What was asked while the way out was being replaced ends with it, and is said to: it is asked again.
  for (let times = 0; times < 6 && !proxy.asked.includes("models.example:8000"); times++) {
    spine.write("without a credential");
    const until = performance.now() + 3_000;
    while (performance.now() < until && !proxy.asked.includes("models.example:8000"))
      await new Promise((done) => setTimeout(done, 50));
  }
  expect(proxy.asked).toContain("models.example:8000");
  const added = await spine.daemon.wirken(["vault", "add", "proxy", "--stdin", "--json"], {
    stdin: `${PROXY_CREDENTIAL}\n`,
  });
  expect(added.status, added.stderr).toBe(0);
  await answers("through the proxy");
  expect((await show()).proxy).toEqual({ place, from: "network.proxy in config.json", credential: true });
  const used = (await spine.rows("secret.used")).map(({ fields }) => fields["scope"]);
  expect(used).toContain("network/proxy");
  expect(new Set(proxy.asked)).toEqual(new Set(["models.example:8000"]));
  const rows = await egressLog("--process", "model:scripted");
  expect(rows.some((row) => row.kind === "egress.reached" && placeIn(row) === "models.example:8000")).toBe(true);
  proxy.server.close();
  front.close();
  rmSync(folder, { recursive: true, force: true });
});
