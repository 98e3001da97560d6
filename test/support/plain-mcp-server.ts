/** A tool as a server lists it. */
export interface PlainTool {
  readonly name: string;
  readonly description: string;
  /** A statement of JavaScript whose value, as text, is its result; `args` are its arguments. */
  readonly does: string;
}

/** The program of an MCP server without any library: a line of JSON-RPC in, a line out. */
export function plainMcpServer(name: string, version: string, tools: readonly PlainTool[]): string {
  const listed = tools.map(({ name: tool, description }) => ({
    name: tool,
    description,
    inputSchema: { type: "object", properties: { text: { type: "string" } } },
  }));
  const does = tools.map(({ name: tool, does: body }) => `${JSON.stringify(tool)}: (args) => { ${body} },`).join("\n");
  return `#!/usr/bin/env node
"use strict";
const does = {
${does}
};
const say = (message) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\\n");
require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) return;
  if (method === "initialize")
    return say({ id, result: { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: ${JSON.stringify(name)}, version: ${JSON.stringify(version)} } } });
  if (method === "tools/list") return say({ id, result: { tools: ${JSON.stringify(listed)} } });
  if (method === "ping") return say({ id, result: {} });
  if (method !== "tools/call") return say({ id, error: { code: -32601, message: "no such method" } });
  try {
    say({ id, result: { content: [{ type: "text", text: String(does[params.name](params.arguments ?? {})) }] } });
  } catch (error) {
    say({ id, result: { isError: true, content: [{ type: "text", text: String(error) }] } });
  }
}).on("close", () => process.exit(0));
`;
}
