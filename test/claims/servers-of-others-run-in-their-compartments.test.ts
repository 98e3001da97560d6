import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod/mini";
import type { Connection } from "../../src/cli/connection.ts";
import type { RowView } from "../../src/ipc/audit-calls.ts";
import { ask, needLine, startProtected, until } from "../support/claims-world.ts";
import type { TestDaemon } from "../support/daemon.ts";
import { ScriptedModel } from "../support/scripted-model.ts";

/** MCP servers that we did not write, each in its compartment of a real daemon, called by a model. */

const MODULES = resolve(import.meta.dirname, "../../node_modules");
/** Of one, as it stands in config.json. */
const server = (words: readonly string[], more: object = {}): object => ({
  command: [process.execPath, ...words],
  read: [MODULES],
  ...more,
});
const HOSTILE = resolve(import.meta.dirname, "../support/hostile-mcp-server.mts");
const main = (name: string): string => join(MODULES, "@modelcontextprotocol", name, "dist/index.js");

let daemon: TestDaemon;
let model: ScriptedModel;
let line: Connection;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "wirken-mcp-peers-"));
  mkdirSync(join(folder, "files"));
  // Where the daemon is root its commands are not.
  chmodSync(folder, 0o755);
  chmodSync(join(folder, "files"), 0o777);
  writeFileSync(join(folder, "files/tide.txt"), "high water at six");
  writeFileSync(join(folder, "secret.txt"), "CANARY-OF-THE-FOLDER-BESIDE");
  model = await ScriptedModel.start();
  daemon = await startProtected({
    config: {
      agents: { default: { model: "scripted/test-model" } },
      providers: { scripted: { baseUrl: model.baseUrl } },
      mcp: {
        everything: server([main("server-everything"), "stdio"]),
        files: server([main("server-filesystem"), join(folder, "files")], { write: [join(folder, "files")] }),
        hostile: { command: [process.execPath, HOSTILE, "huge-answer"], read: [MODULES, HOSTILE] },
        memory: server([main("server-memory")], { env: { MEMORY_FILE_PATH: "/workspace/memory.jsonl" } }),
      },
    },
  });
  line = await needLine(daemon);
}, 120_000);
afterAll(async () => {
  await line?.[Symbol.asyncDispose]();
  await daemon?.[Symbol.asyncDispose]();
  await model?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function rows(kind: string): Promise<RowView[]> {
  const { rows: found } = await line.call({ call: "audit.rows", filter: { kind, limit: 500 } });
  return found.toSorted((a, b) => a.seq - b.seq);
}

const Sent = z.object({ messages: z.array(z.looseObject({ role: z.string(), content: z.unknown() })) });

/** What the model was told of its tools' results last. */
function lastAsked(): string {
  const { messages } = Sent.parse(model.server.getRequests().at(-1)?.body);
  return messages.flatMap(({ role, content }) => (role === "tool" ? [JSON.stringify(content)] : [])).join("\n");
}

/** One turn in which the model calls one tool after another; whatever is asked is approved. @returns what it was then told. */
async function calls(words: string, ...tools: readonly { name: string; arguments: object }[]): Promise<string> {
  model.script(words, ...tools.map((tool) => ({ calls: [tool] })), { text: `${words}: done` });
  const over = new AbortController();
  const turn = ask(daemon, words).finally(() => over.abort());
  while (!over.signal.aborted) {
    const { approvals } = await line.call({ call: "approvals.list" });
    for (const { approval, digest } of approvals) {
      const decided = { approval, decision: "approve", card: digest, reason: null } as const;
      // What a server asks back is asked every time.
      await line
        .call({ call: "approvals.decide", ...decided, scope: "session" })
        .catch(async () => await line.call({ call: "approvals.decide", ...decided, scope: "once" }))
        .catch(() => undefined);
    }
    await delay(50);
  }
  await turn;
  return lastAsked();
}

test("nobody has a tool of theirs before it is accepted; then they are called, each by the sandbox that it runs in", async () => {
  for (const name of ["everything", "files", "hostile", "memory"])
    await until(
      async () => (await daemon.wirken(["mcp", "tools", name, "--json"])).stdout.includes('"new"'),
      `${name} is up and offers tools`,
      60_000,
      500,
    );
  await calls("before", { name: "mcp__everything__echo", arguments: { message: "x" } });
  expect(lastAsked()).toContain("no tool");
  for (const name of ["everything", "files", "hostile", "memory"]) {
    const accepted = await daemon.wirken(["mcp", "accept", name, "--yes"]);
    expect(accepted.status, accepted.stderr).toBe(0);
  }
  const told = await calls(
    "now",
    { name: "mcp__everything__echo", arguments: { message: "ahoy" } },
    { name: "mcp__everything__get_sum", arguments: { a: 19, b: 23 } },
    { name: "mcp__everything__trigger_long_running_operation", arguments: { duration: 1, steps: 2 } },
    { name: "mcp__files__read_text_file", arguments: { path: join(folder, "files/tide.txt") } },
    { name: "mcp__files__read_text_file", arguments: { path: join(folder, "secret.txt") } },
    {
      name: "mcp__files__write_file",
      arguments: { path: join(folder, "files/new.txt"), content: "low water at noon" },
    },
    {
      name: "mcp__memory__create_entities",
      arguments: { entities: [{ name: "Ferry", entityType: "ship", observations: ["comes at noon"] }] },
    },
    { name: "mcp__memory__read_graph", arguments: {} },
  );
  expect(told).toContain("ahoy");
  expect(told).toContain("42");
  expect(told).toContain("Long running operation completed");
  expect(told).toContain("high water at six");
  expect(told).not.toContain("CANARY-OF-THE-FOLDER-BESIDE");
  expect(told).toContain("Access denied");
  expect(told).toContain("comes at noon");
  expect(readFileSync(join(folder, "files/new.txt"), "utf8")).toBe("low water at noon");
  const called = (await rows("tool.called")).filter(({ fields }) => String(fields["tool"]).startsWith("mcp__"));
  expect(called.length).toBeGreaterThanOrEqual(8);
  expect(readdirSync(folder).toSorted()).toEqual(["files", "secret.txt"]);
}, 180_000);

test("a server's environment is its own, and its resources and prompts are read", async () => {
  const told = await calls(
    "around",
    { name: "mcp__everything__get_env", arguments: {} },
    { name: "mcp_get_prompt", arguments: { server: "everything", name: "simple-prompt" } },
    {
      name: "mcp_read_resource",
      arguments: { server: "everything", uri: "demo://resource/static/document/features.md" },
    },
  );
  expect(told).toContain("HOME");
  expect(told).not.toContain("WIRKEN_");
  expect(told).not.toContain(daemon.home);
  expect(told).toContain("This is a simple prompt without arguments");
  expect(told).toMatch(/features/i);
}, 120_000);

test("a call that is stopped ends with its turn, a server that means harm ends by itself, and the daemon goes on as before", async () => {
  model.script(
    "long",
    { calls: [{ name: "mcp__everything__trigger_long_running_operation", arguments: { duration: 600, steps: 60 } }] },
    { text: "never" },
  );
  const turn = ask(daemon, "long");
  await until(
    async () =>
      (await rows("tool.called")).filter(({ fields }) => /long_running/.test(String(fields["tool"]))).length === 2,
    "the long operation is called",
  );
  expect((await daemon.wirken(["stop", "--session"])).status).toBe(0);
  await turn.catch(() => undefined);
  const told = await calls(
    "after",
    { name: "mcp__hostile__lure", arguments: {} },
    { name: "mcp__everything__echo", arguments: { message: "still here" } },
  );
  expect(told).toContain("the server sent a message of more than");
  expect(told).toContain("Echo: still here");
  const { processes } = await line.call({ call: "status" });
  expect(processes.filter(({ role }) => role === "mcp").length).toBeGreaterThanOrEqual(3);
  expect((await daemon.wirken(["audit", "verify"])).status).not.toBe(1);
}, 60_000);

test("what a server asks of a model is asked of a person first", async () => {
  const before = (await rows("approval.requested")).length;
  const told = await calls("sample", {
    name: "mcp__everything__trigger_sampling_request",
    arguments: { prompt: "what rhymes with tide", maxTokens: 50 },
  });
  expect(told).toMatch(/sampling/i);
  // The call itself, and what its server would have a model say.
  expect(await rows("approval.requested")).not.toHaveLength(before);
}, 60_000);
