import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RowView } from "../../src/ipc/audit-calls.ts";
import { EGRESS_ANSWERS } from "../../src/ipc/egress-calls.ts";
import { SessionId } from "../../src/ipc/ids.ts";
import { certificateFor } from "../support/certificate.ts";
import { approveNext, ask, needLine, until, verifies, workspaceOf } from "../support/claims-world.ts";
import { TestDaemon } from "../support/daemon.ts";
import { foreignWorld, PROGRAMS, TRUSTING } from "../support/foreign-programs.ts";
import { ScriptedModel } from "../support/scripted-model.ts";
import { serving } from "../support/serving.ts";
import { upstreamProxy } from "../support/upstream-proxy.ts";

/** A host of the world outside: this machine has no other way to it than the proxy that it is told of, as in a company. */
const HOST = "things.example";
const root = mkdtempSync(join(tmpdir(), "wirken-hosts-"));
const certificate = certificateFor(HOST);
const server = createServer(certificate, foreignWorld(root));
const names: Record<string, number> = {};
const proxy = upstreamProxy({ names });
let web: Awaited<ReturnType<typeof serving>>;
let way: Awaited<ReturnType<typeof serving>>;
let model: ScriptedModel;
let daemon: TestDaemon;

beforeAll(async () => {
  [web, way] = await Promise.all([serving(server), serving(proxy.server)]);
  for (const name of [HOST, "other.example", "another.example"]) names[`${name}:443`] = web.port;
  model = await ScriptedModel.start();
  daemon = await TestDaemon.start({
    config: {
      agents: { default: { model: "scripted/test-model" } },
      providers: { scripted: { baseUrl: model.baseUrl } },
      network: { proxy: `http://127.0.0.1:${way.port}` },
    },
  });
  // The workspace is made by the first turn.
  await ask(daemon, "hello");
  const workspace = workspaceOf(daemon);
  writeFileSync(join(workspace, "ca.pem"), certificate.cert);
}, 60_000);
afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await model?.[Symbol.asyncDispose]();
  await web?.[Symbol.asyncDispose]();
  await way?.[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

async function rows(kind: string): Promise<RowView[]> {
  await using line = await needLine(daemon);
  return (await line.call({ call: "audit.rows", filter: { limit: 1000, kind } })).rows.toSorted(
    (a, b) => a.seq - b.seq,
  );
}

/** The agent runs a script with these hosts; a person approves what is asked. @returns the card, and the row and the result of the call. */
async function runs(script: string, hosts: readonly string[]) {
  const words = `script ${String(Math.random()).slice(2)}`;
  const shell = { script, shell: "bash", write: true, timeout_seconds: 120, ...(hosts.length === 0 ? {} : { hosts }) };
  model.script(words, { calls: [{ name: "exec", arguments: shell }] });
  const turn = ask(daemon, words, { fresh: true });
  const card = await approveNext(daemon);
  await turn;
  const call = (await rows("tool.called")).at(-1);
  const result = (await rows("tool.finished")).at(-1);
  return { card, seq: call?.seq ?? 0, key: call?.fields["key"], result: result?.content["result"] ?? "" };
}

describe("with its host decided", () => {
  // Those that need nothing of ours in the workspace; what becomes of each without its host is claimed of the sandbox.
  const programs = PROGRAMS.filter(({ name }) => name !== "Node's fetch");
  test.for(programs)("$name reaches it", { timeout: 60_000 }, async ({ script, shows }) => {
    const granted = await runs(`${TRUSTING} ${script(`https://${HOST}`)}`, [HOST]);
    expect(granted.card).toContain("REACHES THE NETWORK");
    expect(granted.card).toContain(`reaches the host | ${HOST} (ports 443 and 80)`);
    expect(granted.result).toContain("exit status 0");
    expect(granted.result).toContain(shows);
    await until(
      async () =>
        (await rows("egress.reached")).some(({ cause, content }) => cause === granted.seq && content["host"] === HOST),
      "the host on the log, with the action as its cause",
    );
  });
});

test("a host that was decided is not another, another port, or an address; and what is asked for is not remembered for another", async () => {
  const tries = [`https://other.example/hello`, `https://${HOST}:8443/hello`, "https://192.0.2.1/hello"];
  const script = `${TRUSTING} for u in ${tries.join(" ")} https://${HOST}/hello; do curl -sS $u || echo; done 2>&1`;
  const { result, seq } = await runs(script, [HOST]);
  // As much as it was decided for.
  expect(result.match(/hello over https/g)).toHaveLength(1);
  await until(
    async () => (await rows("egress.refused")).filter(({ cause }) => cause === seq).length >= 3,
    "all three refusals on the log",
  );
  const { stdout } = await daemon.wirken(["egress", "log", "--refused"]);
  expect(stdout).toContain("other.example:443");
  await verifies(daemon);
}, 60_000);

test("while it runs it is shown with what it may reach, by which row, and with what holds it", async () => {
  const call = { name: "exec", arguments: { argv: ["sleep", "600"], background: true, hosts: [HOST] } };
  model.script("stay a while", { calls: [call] }, { text: "it stays" });
  const turn = ask(daemon, "stay a while", { fresh: true });
  await approveNext(daemon);
  await turn;
  const [started] = (await rows("command.started")).slice(-1);
  const name = `command:${String(started?.fields["command"])}`;
  const shown = await daemon.wirken(["status", "--processes"]);
  expect(shown.stdout).toContain(`${name} (in the background)  sleep 600\n`);
  expect(shown.stdout).toContain(`reaches  ${HOST}, on ports 443 and 80\n`);
  expect(shown.stdout).toMatch(
    /files {4}its workspace to read.*\n {2}held by {2}namespaces, seccomp, landlock:\d+, limits:(?:watch|cgroup)\n/,
  );
  expect(shown.stdout).toMatch(/process {2}\d+, filter: yes, privileges: no more/);
  const { processes } = EGRESS_ANSWERS["egress.show"].parse(await daemon.json("egress", "show", name));
  expect(processes).toEqual([
    {
      process: name,
      running: true,
      entries: [443, 80].map((port) => ({
        to: `${HOST}:${port}`,
        tls: port === 443,
        private: false,
        from: `decided for a command (row ${started?.seq})`,
      })),
    },
  ]);
  await using line = await needLine(daemon);
  await line.call({ call: "session.stop", session: SessionId.parse(started?.fields["session"]) });
  expect(await daemon.wirken(["egress", "show", name])).toMatchObject({
    status: 2,
    stderr: expect.stringContaining(`there is no process ${name}`),
  });
}, 60_000);
