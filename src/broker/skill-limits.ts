import { type ActionOfType, commandOf, type ToolAction } from "../effect/action.ts";
import type { SkillLimits } from "../effect/skill-port.ts";
import type { ActiveSkills } from "./active-skills.ts";

/** Which tool does that. */
const TOOL: Readonly<
  Record<Exclude<ToolAction["type"], "file.write" | "skill.read" | "reply" | `mcp.${string}`>, string>
> = {
  "file.read": "read_file",
  "file.list": "list_files",
  "file.search": "search_files",
  exec: "exec",
  process: "process",
  "http.request": "http_request",
  "web.search": "web_search",
  "message.send": "send_message",
  "schedule.add": "schedule",
  "schedule.list": "schedule",
  "schedule.remove": "schedule",
  "memory.read": "memory_read",
  "memory.write": "memory_write",
  "agent.spawn": "spawn_agent",
};

/** Whether an action is beyond what the skills in the context were accepted for. It only ever takes away: what is within it is decided as always.
 *  @returns in words what is beyond it; null: nothing, or no skill is there. */
export function beyondSkills(action: ToolAction, active: ActiveSkills): string | null {
  if (active.none) return null;
  const beyond = beyondLimits(action, active.limits);
  if (beyond === null) return null;
  const names = active.names;
  const which =
    names.length === 1
      ? `the skill ${names[0] ?? ""} is in this conversation and was`
      : `the skills ${names.join(", ")} are in this conversation and were`;
  return `${which} not accepted for ${beyond}; it can be done in a turn without it`;
}

/** The same for one set of limits. Another skill may always be read, it brings its own; and what the person is answered is no tool. */
export function beyondLimits(action: ToolAction, limits: SkillLimits): string | null {
  if (action.type === "skill.read" || action.type === "reply") return null;
  const tool = toolOf(action);
  if (!limits.tools.includes(tool)) return `the tool ${tool}`;
  switch (action.type) {
    case "file.read":
    case "file.list":
    case "file.search":
      if ("outside" in action && action.outside === true) return "files outside the workspace";
      return covers(limits.read, action.path) ? null : `reading ${action.path}`;
    case "file.write":
      if (action.outside === true) return "files outside the workspace";
      return covers(limits.write, action.path) ? null : `changing ${action.path}`;
    case "exec":
      return beyondInCommand(action, limits);
    case "http.request":
      if (!reaches(limits, action.host)) return `reaching ${action.host}`;
      if (action.credential !== null && !limits.credentials.includes(action.credential.name))
        return `the credential ${action.credential.name}`;
      return null;
    default:
      return null;
  }
}

/** A tool of an MCP server stands in a skill's list by its key. */
function toolOf(action: Exclude<ToolAction, { type: "skill.read" | "reply" }>): string {
  switch (action.type) {
    case "file.write":
      return action.tool;
    case "mcp.call":
      return `mcp:${action.server}/${action.key}`;
    case "mcp.read":
    case "mcp.prompt":
    case "mcp.sample":
    case "mcp.tell":
      return `mcp:${action.server}`;
    default:
      return TOOL[action.type];
  }
}

function beyondInCommand(action: ActionOfType<"exec">, limits: SkillLimits): string | null {
  // A command sees all of the workspace, and one that may write may change all of it.
  if (!limits.read.includes(".")) return "commands, which read the whole workspace";
  if (action.write && !limits.write.includes(".")) return "commands that may change the workspace";
  const host = action.hosts?.find((one) => !reaches(limits, one));
  if (host !== undefined) return `commands that reach ${host}`;
  const [program = ""] = commandOf(action);
  if (action.skill !== undefined && program.startsWith(`${action.skill.folder}/`)) return null;
  // A limit, not an authority: what a program may do is what the sandbox lets it.
  const name = program.slice(program.lastIndexOf("/") + 1);
  return limits.commands.includes(name) ? null : `running ${JSON.stringify(name)}`;
}

function covers(allowed: readonly string[], path: string): boolean {
  return allowed.some((one) => one === "." || one === path || path.startsWith(`${one}/`));
}

function reaches({ hosts }: SkillLimits, host: string): boolean {
  return hosts.includes("*") || hosts.includes(host);
}
