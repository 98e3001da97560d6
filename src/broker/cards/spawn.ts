import type { ActionOfType } from "../../effect/action.ts";
import { block, line, lines } from "./lines.ts";

export function renderSpawn({ task, tools, rounds, seconds, depth }: ActionOfType<"agent.spawn">): string {
  return lines(
    "give a part of the work to a sub-agent",
    block("task", task),
    ...(tools.length === 0 ? ["  tools: none"] : tools.map((tool) => line("tool", tool))),
    line("rounds", `${rounds} at the most`),
    line("ended after", `${seconds} s`),
    line("agents above it", String(depth)),
    "  authority: what is asked for once is asked again for it, and what is asked for every time it may not do",
  );
}
