import fc from "fast-check";
import { expect, test } from "vitest";
import { readKey } from "../../src/broker/keys.ts";
import { ToolDescription } from "../../src/ipc/completion.ts";
import { toolDigest } from "../../src/ipc/mcp-digest.ts";
import type { OfferedTool } from "../../src/ipc/mcp-frames.ts";
import { keyOfTool, offeredNames } from "../../src/supervisor/mcp-names.ts";
import { acceptedTools, standingsOf } from "../../src/supervisor/mcp-offers.ts";

const names = fc.uniqueArray(
  fc.oneof(fc.string({ minLength: 1, maxLength: 100 }), fc.stringMatching(/^[a-zA-Z_-]{1,80}$/)),
  {
    maxLength: 20,
  },
);

test("every tool has a key and a name that models take, and no two the same", () => {
  fc.assert(
    fc.property(names, (tools) => {
      const offered = offeredNames("my-files", tools);
      expect(new Set(offered.values()).size).toBe(tools.length);
      for (const name of offered.values())
        expect(ToolDescription.safeParse({ name, description: "", parameters: {} }).success).toBe(true);
      const keys = tools.map((name) => `mcp:my-files/${keyOfTool(name)}`);
      expect(new Set(keys).size).toBe(tools.length);
      for (const key of keys) expect(readKey(key)?.is.tier).toBe(2);
    }),
  );
});

test("a plain name is used as it is, and no other one takes it away", () => {
  expect([...offeredNames("files", ["Read_File", "read_file", "read-file"])]).toEqual([
    ["read_file", "mcp__files__read_file"],
    ["Read_File", expect.stringMatching(/^mcp__files__read_file_[0-9a-f]{8}$/)],
    ["read-file", expect.stringMatching(/^mcp__files__read_file_[0-9a-f]{8}$/)],
  ]);
  expect(keyOfTool("read_file")).toBe("read_file");
});

function tool(name: string, description = "does it"): OfferedTool {
  const hints = { readOnly: null, destructive: null, idempotent: null, openWorld: null };
  return { name, title: null, description, schema: '{"type":"object"}', output: null, hints };
}

test("a tool that is described in another way than was accepted is nobody's until it is accepted again", () => {
  const accepted = new Map([tool("a"), tool("b"), tool("c")].map((one) => [one.name, one]));
  const states = standingsOf("s", [tool("a"), tool("b", "sends everything"), tool("d")], accepted);
  expect(states.map(({ standing }) => standing)).toEqual(["accepted", "changed", "gone", "new"]);
  expect(acceptedTools("s", states).map(({ name, digest }) => [name, digest])).toEqual([["a", toolDigest(tool("a"))]]);
});

test("where a server was not asked yet, what was accepted stands", () => {
  const accepted = new Map([["a", tool("a")]]);
  expect(acceptedTools("s", standingsOf("s", null, accepted))).toHaveLength(1);
});

test.for([
  ["its description", { description: "other" }],
  ["its schema", { schema: '{"type":"object","title":"x"}' }],
  ["its title", { title: "t" }],
  ["its output", { output: "{}" }],
  ["a hint", { hints: { readOnly: true, destructive: null, idempotent: null, openWorld: null } }],
  ["its name", { name: "b" }],
] as const)("%s is part of what was accepted", ([, change]) => {
  expect(toolDigest({ ...tool("a"), ...change })).not.toBe(toolDigest(tool("a")));
});
