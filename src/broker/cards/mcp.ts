import type { ActionOfType } from "../../effect/action.ts";
import { block, line, lines } from "./lines.ts";

/** JSON as it is, a value a line: what stands there is what is sent. */
function shown(label: string, json: string): string {
  const value: unknown = JSON.parse(json);
  return block(label, JSON.stringify(value, null, 1));
}

function reach(hosts: readonly string[]): string {
  return hosts.length === 0
    ? "  reach: the sandbox lets the server reach nothing"
    : line("the server can reach", hosts.join(", "));
}

export function renderMcpCall(action: ActionOfType<"mcp.call">): string {
  return lines(
    "call a tool of an MCP server",
    line("server", action.server),
    line("tool", action.tool),
    line("in keys", action.key),
    shown("arguments", action.arguments),
    ...(action.answers === null
      ? []
      : [shown("if the server asks for something meanwhile, it is answered", action.answers)]),
    line("the tool as it was accepted", `sha256 ${action.digest}`),
    reach(action.hosts),
    kept(action),
  );
}

export function renderMcpRead(action: ActionOfType<"mcp.read">): string {
  return lines(
    action.uri === null ? "list what an MCP server has to be read" : "read a resource of an MCP server",
    line("server", action.server),
    ...(action.uri === null ? [] : [line("resource", action.uri)]),
    reach(action.hosts),
    kept(action),
  );
}

export function renderMcpPrompt(action: ActionOfType<"mcp.prompt">): string {
  return lines(
    "get a prompt of an MCP server",
    line("server", action.server),
    line("prompt", action.name),
    shown("arguments", action.arguments),
    reach(action.hosts),
    kept(action),
  );
}

export function renderMcpSample(action: ActionOfType<"mcp.sample">): string {
  return lines(
    "have a model answer an MCP SERVER, which pays nothing for it",
    line("server", action.server),
    line("model", action.model),
    line("tokens at the most", String(action.maxTokens)),
    ...(action.system === null ? [] : [block("instructions of the server's", action.system)]),
    ...action.messages.map(({ role, text }, index) => block(`message ${index + 1}, as ${role}`, text)),
    "  the server gets the answer whole",
    reach(action.hosts),
  );
}

export function renderMcpTell(action: ActionOfType<"mcp.tell">): string {
  return lines(
    "tell an MCP SERVER what it asks of you",
    line("server", action.server),
    block("it says", action.message),
    shown("it is told", action.values),
    reach(action.hosts),
  );
}

function kept({ public: everybodys }: { readonly public: boolean }): string {
  return everybodys
    ? "  what it answers is a stranger's, and nobody's own"
    : "  what it answers is a stranger's, and private";
}
