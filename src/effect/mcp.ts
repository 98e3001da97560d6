import type { Recorded } from "../../audit/recorded.ts";
import type { Service, ServiceEnd } from "../sandbox/command.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { ActionOfType } from "./action.ts";
import { boundText, MAX_RESULT } from "./bound.ts";
import type { McpAnswer, McpAsker, McpPort } from "./mcp-port.ts";
import type { ToolResult } from "./tool.ts";

/** What comes of an MCP server is a stranger's word, and says which. */
export async function runMcp(
  action: ActionOfType<"mcp.call" | "mcp.read" | "mcp.prompt">,
  mcp: McpPort,
  signal: AbortSignal,
  asker: McpAsker,
): Promise<ToolResult> {
  const answer = await answered(action, mcp, signal, asker);
  switch (answer.state) {
    case "answered":
      return {
        outcome: answer.error ? "failed" : "done",
        status: null,
        text: boundText(answer.error ? `the server says that it failed:\n${answer.text}` : answer.text, MAX_RESULT),
      };
    case "stopped":
      return { outcome: "stopped", status: null, text: "stopped: the turn was ended", unsure: true };
    case "failed": {
      const lost = answer.asked && action.type === "mcp.call";
      const text = `failed: ${answer.sentence}${lost ? "; whether the server acted on it is not known" : ""}`;
      return { outcome: "failed", status: null, text: boundText(text, MAX_RESULT), ...(lost ? { unsure: true } : {}) };
    }
  }
}

function answered(
  action: ActionOfType<"mcp.call" | "mcp.read" | "mcp.prompt">,
  mcp: McpPort,
  signal: AbortSignal,
  asker: McpAsker,
): Promise<McpAnswer> {
  switch (action.type) {
    case "mcp.call":
      return mcp.call(action, signal, asker);
    case "mcp.read":
      return mcp.read(action, signal);
    case "mcp.prompt":
      return mcp.prompt(action, signal);
  }
}

/** Starts the program of a server, which somebody else speaks to. @returns when nothing of it is left. @throws {SandboxError}. */
export async function startMcpServer(
  recorded: Recorded<"mcp.started">,
  service: Service,
  sandbox: Pick<Sandbox, "serve">,
  signal: AbortSignal,
): Promise<ServiceEnd> {
  recorded.redeem();
  return await sandbox.serve(service, signal);
}
