import type { ToolAction } from "../../effect/action.ts";
import type { Entry } from "./finding.ts";

/** By what way an action's result enters a context. */
export function entryOf({ type }: { readonly type: ToolAction["type"] }): Entry {
  const kind: string = type;
  if (kind.startsWith("http.") || kind.startsWith("web.")) return "page";
  if (kind.startsWith("skill.")) return "skill";
  if (kind.startsWith("memory.")) return "memory";
  return kind.startsWith("mcp.") ? "mcp" : "result";
}
