import fc from "fast-check";
import { expect, test } from "vitest";
import { MAX_MCP_TEXT } from "../../src/ipc/mcp-frames.ts";
import { canonical } from "../../src/mcp/canonical.ts";
import { offeredTool } from "../../src/mcp/offered.ts";
import { bounded, contentText } from "../../src/mcp/result-text.ts";

test("a schema is the same text however its keys are ordered", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })), (schema) => {
      const turned = Object.fromEntries(Object.entries(schema).toReversed());
      expect(canonical(turned)).toBe(canonical(schema));
    }),
  );
});

test("a schema that is too deep or too long is none, and its tool is not taken", () => {
  let deep: object = {};
  for (let n = 0; n < 40; n++) deep = { not: deep };
  expect(() => canonical(deep)).toThrow("deeper");
  expect(offeredTool({ name: "a", inputSchema: { type: "object", properties: { deep } } })).toBeNull();
  expect(offeredTool({ name: "a", inputSchema: { type: "object", title: "x".repeat(70_000) } })).toBeNull();
  expect(offeredTool({ name: "a\u0000b", inputSchema: { type: "object" } })).toBeNull();
  expect(offeredTool({ name: "a".repeat(200), inputSchema: { type: "object" } })).toBeNull();
  expect(offeredTool({ name: "a", description: "d".repeat(9_000), inputSchema: { type: "object" } })).toBeNull();
  expect(offeredTool("no tool")).toBeNull();
  expect(offeredTool({ name: "a", inputSchema: { type: "object" } })).toMatchObject({ name: "a" });
});

test("a result is text: what is no text is named and left out, and data that says more than the text stands behind it", () => {
  expect(
    contentText([
      { type: "text", text: "a" },
      { type: "image", mimeType: "image/png", data: "AAAA" },
    ]),
  ).toBe("a\n[image left out: image/png, 3 bytes]");
  expect(contentText([{ type: "text", text: '{"a": 1}' }], { a: 1 })).toBe('{"a": 1}');
  expect(contentText([], { a: 1 })).toBe('{\n "a": 1\n}');
  expect(contentText([{ type: "text", text: "one" }], { a: 1 })).toBe('one\n[as data]\n{\n "a": 1\n}');
  expect(contentText([{ type: "resource_link", uri: "memo://a\nb", name: "x" }])).toBe("[resource memo://a b: x]");
});

test("a result is never longer than a model is given, and no character of it is cut", () => {
  const long = bounded("é".repeat(50_000));
  expect(Buffer.byteLength(long)).toBeLessThanOrEqual(MAX_MCP_TEXT);
  expect(long).not.toContain("\uFFFD");
  expect(long).toMatch(/\[… \d+ bytes left out\]$/);
});
