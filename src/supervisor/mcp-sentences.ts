import type { ActionOf } from "../../audit/action.ts";
import type { CommittedRow } from "../../audit/log.ts";
import { count, quoted } from "./row-words.ts";

/** Rows about MCP servers. */
type McpKind =
  | "mcp.installing"
  | "mcp.installed"
  | "mcp.configured"
  | "mcp.removed"
  | "mcp.altered"
  | "mcp.authorized"
  | "mcp.started"
  | "mcp.running"
  | "mcp.listed"
  | "mcp.ended"
  | "mcp.tools-accepted"
  | "mcp.asked"
  | "mcp.told";
type McpAction = { [K in McpKind]: ActionOf<K> }[McpKind];

/** @param by the person, as they are called. @param at in words, with `on` for by which way. */
export function mcpSentence(action: McpAction, row: CommittedRow, by: string, at: string): string {
  switch (action.kind) {
    case "mcp.installing":
      return `${by} had a package of an MCP server installed ${at}: ${quoted(row, "package")}`;
    case "mcp.installed":
      return `version ${action.version} of it was installed ${at} (its files: ${action.digest.slice(0, 12)})`;
    case "mcp.configured":
      return `${by} ${action.change} the MCP server ${action.server} ${at} (its entry: ${action.entry.slice(0, 12)})`;
    case "mcp.removed":
      return `${by} removed the MCP server ${action.server} ${at}`;
    case "mcp.altered":
      return `the MCP server ${action.server} was not started ${at}: ${quoted(row, "why")}`;
    case "mcp.authorized":
      return `${by} let the MCP server ${action.server} be used in their name ${at}`;
    case "mcp.started":
      return `the MCP server ${action.server} was started ${at}, ${action.way === "command" ? "as a command in the sandbox" : "by its address"} (its entry: ${action.digest.slice(0, 12)})`;
    case "mcp.running":
      return `it ran ${at}`;
    case "mcp.listed":
      return `the MCP server ${action.server} offered ${count(action.tools, "tool")} ${at}, of which agents have ${action.accepted}${action.changed === 0 ? "" : `; ${action.changed} became another thing than was accepted, and nobody has ${action.changed === 1 ? "it" : "them"}: ${quoted(row, "changed")}`}`;
    case "mcp.ended":
      return `the MCP server ${action.server} ended ${at} (${action.reason})`;
    case "mcp.tools-accepted":
      return `${by} accepted ${count(action.tools, "tool")} of the MCP server ${action.server} ${at}, as described then (${action.digest.slice(0, 12)})`;
    case "mcp.asked":
      return `the MCP server ${action.server} asked ${action.what === "sampling" ? "for a completion" : "a person for something"} ${at}: ${quoted(row, "asked")}`;
    case "mcp.told":
      return `${action.verdict === "accept" ? "it was given" : action.verdict === "decline" ? "it was refused" : "nobody gave it"} ${at}`;
  }
}
