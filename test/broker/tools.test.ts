import { ActiveSkills } from "../../src/broker/active-skills.ts";
import { expect, test } from "vitest";
import { ToolDescription } from "../../src/ipc/completion.ts";
import { effectivePolicy } from "../../src/broker/effective-policy.ts";
import { findTool, toolDescriptions } from "../../src/broker/tools/catalogue.ts";
import { NO_LABELS, SessionLabels } from "../../src/broker/labels.ts";
import { ScriptedMcp } from "./scripted-mcp.ts";
import { mint } from "../../src/ipc/ids.ts";
import { ArgumentsError, type CallTurn, type Look } from "../../src/broker/tools/tool.ts";

/** A workspace with one file in it. */
const LOOK: Look = {
  commandReaches: () => null,
  skills: {
    find: () => "there is none",
    text: () => "there is none",
    folder: () => "there is none",
    changed: () => null,
    release: () => undefined,
  },
  mcp: new ScriptedMcp(),
  locate: (_, path) => ({
    path,
    folder: null,
    kind: path === "a.txt" ? "file" : "missing",
    protected: path === "AGENTS.md",
  }),
  base: (_, path) => (path === "a.txt" ? { digest: "a".repeat(64), text: "one two one\n" } : null),
  sandboxState: { state: "works" },
  outside: () => {
    throw new Error("nothing leads outside here");
  },
  unkept: () => [],
  named: () => [{ path: "a.txt", digest: "a".repeat(64) }],
  credential: (name) =>
    name === "github"
      ? { name, hosts: ["api.github.com"], place: { header: "authorization", prefix: "Bearer " } }
      : name === "nowhere"
        ? { name, hosts: [], place: { header: "x-key", prefix: "" } }
        : "there is no such credential",
  barred: (host, port) => (port === 443 ? null : `${host} is asked on port 443 only`),
  recipients: () => [],
  schedules: { zone: () => "UTC", now: () => Date.now(), own: () => [] },
  searching: () => ({ service: "brave", host: "api.search.brave.com" }),
};
const TURN: CallTurn = {
  workspace: "/w",
  folders: [],
  agent: "default",
  principal: mint("principal"),
  channel: "terminal",
  conversation: mint("conversation"),
  talk: "direct",
  labels: new SessionLabels("s", { append: () => Promise.reject(new Error("nothing is raised")) }, NO_LABELS),
  skills: new ActiveSkills(),
  chain: [],
  tools: new Set(["read_file"]),
};
const prepare = (name: string, given: unknown): unknown => findTool(name)?.prepare(given, TURN, LOOK);

test("every tool is shown to the model with a closed schema whose fields are described", () => {
  const shown = toolDescriptions();
  expect(shown.map(({ name }) => name)).toEqual([
    "read_file",
    "list_files",
    "search_files",
    "write_file",
    "edit_file",
    "exec",
    "process",
    "http_request",
    "web_search",
    "send_message",
    "schedule",
    "memory_read",
    "memory_write",
    "spawn_agent",
    "skill",
    "plan",
  ]);
  for (const description of shown) {
    expect(ToolDescription.parse(description)).toEqual(description);
    expect(description.parameters).toMatchObject({ type: "object", additionalProperties: false });
    expect(description.parameters).not.toHaveProperty("$schema");
    for (const field of Object.values(description.parameters["properties"] ?? {})) {
      expect(field).toMatchObject({ description: expect.any(String) });
    }
  }
});

test("what is left out has its default", () => {
  expect(prepare("read_file", { path: "a.txt" })).toMatchObject({ offset: 1, limit: 2000 });
  expect(prepare("list_files", {})).toMatchObject({ path: ".", depth: 1 });
  expect(prepare("exec", { argv: ["ls"] })).toMatchObject({ write: false, stdin: null, timeoutSeconds: 60, files: [] });
});

test("a command that may write names the files of the workspace that it names", () => {
  expect(prepare("exec", { argv: ["sh", "a.txt"], write: true })).toMatchObject({ files: [{ path: "a.txt" }] });
});

test("a script is run by the shell that was asked for, and the files that it names are looked for in it", () => {
  const seen: string[][] = [];
  const look: Look = { ...LOOK, named: (_, words) => (seen.push([...words]), []) };
  const script = 'make <"a.txt" | tee $(cat b) >c';
  const action = findTool("exec")?.prepare({ script, shell: "bash", write: true }, TURN, look);
  expect(action).toEqual({
    type: "exec",
    workspace: "/w",
    script: { shell: "bash", text: script },
    write: true,
    stdin: null,
    timeoutSeconds: 60,
    files: [],
  });
  expect(seen).toEqual([["make", "a.txt", "tee", "cat", "b", "c"]]);
});

test("the hosts of a command are names, each of them once, in order, and it names its files", () => {
  const given = { argv: ["curl", "a.txt"], hosts: ["B.example.", "a.example", "b.example"] };
  expect(prepare("exec", given)).toMatchObject({ hosts: ["a.example", "b.example"], files: [{ path: "a.txt" }] });
});

test("in a weaker sandbox no command reaches a host, and it is said what that takes", () => {
  const sandboxState = {
    state: "weaker",
    sentence: "commands are held by less",
    hint: "apt-get install -y bubblewrap",
  } as const;
  const look: Look = { ...LOOK, sandboxState };
  expect(() => findTool("exec")?.prepare({ argv: ["curl"], hosts: ["a.example"] }, TURN, look)).toThrow(
    "that takes bubblewrap (apt-get install -y bubblewrap)",
  );
});

test("an edit holds the whole new file, the difference and the digest of the old one", () => {
  expect(prepare("edit_file", { path: "a.txt", old: "two", new: "2" })).toEqual({
    type: "file.write",
    tool: "edit_file",
    workspace: "/w",
    path: "a.txt",
    protected: false,
    base: "a".repeat(64),
    diff: "@@ -1,1 +1,1 @@\n-one two one\n+one 2 one\n",
    content: "one 2 one\n",
  });
  expect(prepare("edit_file", { path: "a.txt", old: "one", new: "$&", all: true })).toMatchObject({
    content: "$& two $&\n",
  });
});

test.for([
  ["edit_file", { path: "a.txt", old: "one", new: "1" }, "2 times"],
  ["edit_file", { path: "a.txt", old: "three", new: "3" }, "does not stand"],
  ["edit_file", { path: "b.txt", old: "x", new: "y" }, "does not exist"],
  ["edit_file", { path: "a.txt", old: "two", new: "two" }, "nothing would change"],
  ["write_file", { path: "b", content: "\ud800" }, "half a character"],
  ["write_file", { path: "b", content: "x".repeat(1_048_577) }, "1048576"],
  ["write_file", { content: "x" }, "path"],
  ["search_files", { pattern: "" }, "pattern"],
  ["search_files", { pattern: "a\nb" }, "line break"],
  ["search_files", { pattern: "\ud800" }, "half a character"],
  ["search_files", { pattern: "a", limit: 1001 }, "limit"],
  ["exec", { argv: [] }, "argv"],
  ["exec", { argv: "ls" }, "argv"],
  ["exec", { argv: ["ls"], timeout_seconds: 301 }, "timeout_seconds"],
  ["exec", { argv: ["ls"], script: "ls" }, "either argv or a script"],
  ["exec", {}, "either argv or a script"],
  ["exec", { argv: ["ls"], hosts: ["https://a.example"] }, "no host's name"],
  ["exec", { argv: ["ls"], hosts: ["a.example:443"] }, "no host's name"],
  ["exec", { argv: ["ls"], hosts: ["10.0.0.1"] }, "no host's name"],
  ["exec", { argv: ["ls"], hosts: ["*.example"] }, "no host's name"],
  ["exec", { argv: ["ls"], shell: true }, "shell"],
] as const)("%s refuses %j and says what is wrong", ([name, given, words]) => {
  expect(() => prepare(name, given)).toThrow(ArgumentsError);
  expect(() => prepare(name, given)).toThrow(words);
});

test("the effective policy is one value that can be recorded", () => {
  const text = JSON.stringify(effectivePolicy());
  expect(JSON.parse(text)).toEqual(effectivePolicy());
  expect(text).toContain("file.write:protected");
});
