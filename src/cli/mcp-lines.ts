import type { AnswerTo } from "../ipc/operator.ts";

type Tool = AnswerTo<"mcp.tools">["tools"][number];

/** What a server that was asked just now offers, in lines that are still to be made safe to show. */
export function mcpTrialLines(name: string, trial: AnswerTo<"mcp.test">): string[] {
  if (trial.state === "failed") return [`${name} does not work: ${trial.sentence}`];
  const { server, protocol, tools, left, resources, prompts, ms } = trial;
  return [
    `${name} works: it calls itself ${server === "" ? "nothing" : server}, speaks MCP ${protocol}, and was up and asked in ${ms} ms`,
    ...toolLines(tools),
    ...(left === 0 ? [] : [`${left} more were not taken: they were too many, or are not as the protocol has them`]),
    ...(resources === 0 ? [] : [`and ${resources === 1 ? "1 resource" : `${resources} resources`} that can be read`]),
    ...(prompts === 0 ? [] : [`and ${prompts === 1 ? "1 prompt" : `${prompts} prompts`}`]),
  ];
}

/** Tools by name, with the first words of what each says of itself. */
export function toolLines(tools: readonly Tool[]): string[] {
  if (tools.length === 0) return ["it offers no tool"];
  return [
    `${tools.length === 1 ? "1 tool" : `${tools.length} tools`}, in its own words:`,
    ...tools.map(
      ({ name, standing, description, hints, offeredAs }) =>
        `  ${name}${mark(standing)}${hints.length === 0 ? "" : ` (says: ${hints.join(", ")})`}  ${description}${offeredAs === null ? " (agents cannot have it: it has no name that models take)" : ""}`,
    ),
  ];
}

function mark(standing: Tool["standing"]): string {
  return { accepted: "", new: " [new]", changed: " [CHANGED]", gone: " [not offered any more]" }[standing];
}
