import type { ActionOfType } from "../../effect/action.ts";
import { block, line, lines } from "./lines.ts";

export function renderMemoryRead(action: ActionOfType<"memory.read">): string {
  return lines(
    action.everywhere ? "read what was kept FROM OTHER CHANNELS TOO" : "read what was kept",
    ...whose(action),
    action.query === null ? "  the newest" : line("for", action.query),
    line("entries", `${action.limit} at the most`),
  );
}

export function renderMemoryWrite(action: ActionOfType<"memory.write">): string {
  return lines(
    "keep something for later conversations",
    ...whose(action),
    action.replaces === null ? "  in the place of nothing" : line("in the place of", action.replaces),
    line("somebody else's words may be in it", action.untrusted ? "yes" : "no"),
    ...action.private.map((person) => line("something private of", person)),
    block("text", action.text),
  );
}

function whose({ agent, principal, channel }: { agent: string; principal: string; channel: string }): string[] {
  return [line("agent", agent), line("person", principal), line("this conversation's channel", channel)];
}
