import { afterAll, beforeAll, expect, test } from "vitest";
import type { Connection } from "../../src/cli/connection.ts";
import { Name, SessionId } from "../../src/ipc/ids.ts";
import type { RowView } from "../../src/ipc/audit-calls.ts";
import { ask, needLine, startProtected, until } from "../support/claims-world.ts";
import type { TestDaemon } from "../support/daemon.ts";
import { ScriptedModel } from "../support/scripted-model.ts";

/** Of a stop, with everything that it ends: a second is promised, and a machine that is busy with other tests has three. */
const STOPPED_WITHIN_MS = 3_000;

let daemon: TestDaemon;
let model: ScriptedModel;
let line: Connection;

beforeAll(async () => {
  model = await ScriptedModel.start();
  daemon = await startProtected({
    config: {
      agents: { default: { model: "scripted/test-model" } },
      providers: { scripted: { baseUrl: model.baseUrl } },
    },
  });
  line = await needLine(daemon);
}, 60_000);
afterAll(async () => {
  await line?.[Symbol.asyncDispose]();
  await daemon?.[Symbol.asyncDispose]();
  await model?.[Symbol.asyncDispose]();
});

async function rows(kind: string): Promise<RowView[]> {
  const { rows: found } = await line.call({ call: "audit.rows", filter: { kind, limit: 500 } });
  return found.toSorted((a, b) => a.seq - b.seq);
}

async function agents(): Promise<number[]> {
  return (await line.call({ call: "status" })).processes.filter(({ role }) => role === "agent").map(({ pid }) => pid);
}

test("a sub-agent works in a process of its own with its own tools, says its end to whoever started it, and is gone", async () => {
  model.script(
    "count my files",
    { calls: [{ name: "spawn_agent", arguments: { task: "list them for me", tools: ["list_files"] } }] },
    { text: "There you are." },
  );
  model.script(
    "list them for me",
    {
      calls: [
        { name: "list_files", arguments: {} },
        { name: "read_file", arguments: { path: "a" } },
      ],
    },
    { text: "there are none of them" },
  );
  const { text } = await ask(daemon, "count my files");
  expect(text).toContain("There you are.");
  // What it said went to the agent, and not to the person.
  expect(text).not.toContain("there are none of them");
  expect(model.heard).toContain("there are none of them");

  const called = await rows("tool.called");
  const [spawned, listed] = called;
  expect(called.map(({ fields }) => [fields["tool"], fields["chain"] ?? null])).toEqual([
    ["spawn_agent", null],
    ["list_files", spawned?.fields["call"]],
  ]);
  expect((await rows("tool.refused")).map(({ fields }) => [fields["tool"], fields["chain"]])).toEqual([
    ["read_file", spawned?.fields["call"]],
  ]);
  const started = (await rows("process.started")).filter(({ fields }) => fields["role"] === "agent");
  expect(started).toHaveLength(2);
  expect(started[1]?.cause).toBe(spawned?.seq);
  await until(async () => (await agents()).length === 1, "the sub-agent's process is gone");

  const told = await daemon.wirken(["audit", "explain", String(listed?.seq)]);
  expect(told.stdout).toContain("a sub-agent of agent default");
  expect(told.stdout).toContain("count my files");

  // What it said is no part of the conversation that is made anew from the rows.
  const { entries } = await line.call({ call: "transcript", agent: Name.parse("default") });
  expect(JSON.stringify(entries)).not.toContain("there are none of them");
});

test("a stop ends a sub-agent, and the one below it, within a second", async () => {
  model.script("dig deep", {
    calls: [{ name: "spawn_agent", arguments: { task: "dig once", tools: ["spawn_agent", "exec"] } }],
  });
  model.script("dig once", { calls: [{ name: "spawn_agent", arguments: { task: "dig twice", tools: ["exec"] } }] });
  model.script("dig twice", { calls: [{ name: "exec", arguments: { argv: ["sleep", "60"] } }] });
  const turn = ask(daemon, "dig deep");
  await until(async () => (await rows("tool.called")).some(({ fields }) => fields["tool"] === "exec"), "it digs");
  const deepest = (await rows("tool.called")).find(({ fields }) => fields["tool"] === "exec");
  expect(String(deepest?.fields["chain"]).split(",")).toHaveLength(2);
  const began = performance.now();
  const session = SessionId.parse(deepest?.fields["session"]);
  await line.call({ call: "session.stop", session });
  expect((await turn).end).toBe("stopped");
  await until(async () => (await agents()).length <= 1, "both are gone");
  expect(performance.now() - began).toBeLessThan(STOPPED_WITHIN_MS);
  const finished = (await rows("tool.finished")).slice(-3).map(({ fields }) => fields["outcome"]);
  expect(finished).toEqual(["stopped", "stopped", "stopped"]);
});
