import { Command } from "commander";
import * as z from "zod/mini";
import type { AgentLeaving } from "../../ipc/agent-calls.ts";
import { placesText } from "../agent-text.ts";
import { CommandError } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { agentOf } from "../placed-person.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { typedWord } from "../typed-word.ts";

const Options = z.object({ json: z._default(z.boolean(), false), confirm: z.optional(z.string()) });

export function agentsRemoveCommand(context: Context): Command {
  return new Command("remove")
    .summary("take an agent away, with its folders, grants, schedules and memory")
    .description(
      "What goes is said first, and asked about. Files in its workspaces and in folders that were added for it stay where they are; what was said stays on the record.",
    )
    .argument("<name>", "the agent, as in: wirken agents list")
    .option("--confirm <name>", "its name again: nothing is asked then")
    .option("--json", "print one JSON object")
    .action((name: string, options: unknown) =>
      context.run(async () => {
        const { json, confirm } = Options.parse(options);
        const agent = agentOf(name);
        await using operator = await reachOperator(context);
        const leaving = await operator.call({ call: "agents.leaving", agent });
        if (leaving.refused !== null)
          throw new CommandError(EXIT.refused, printable(leaving.refused), "wirken audit hold list shows why");
        if (confirm !== undefined && !json) context.terminal.say(leavingText(leaving));
        await typedWord(context, agent, leavingText(leaving), confirm);
        const removed = await operator.call({ call: "agents.remove", agent, digest: leaving.digest });
        context.terminal.print(json ? JSON.stringify(removed) : `removed: ${removedText(removed)}`);
        return EXIT.ok;
      }),
    );
}

/** What is said before an agent is removed. */
export function leavingText(leaving: AgentLeaving): string {
  const { agent, folders, schedules, instructions, places, workspaces } = leaving;
  return [
    `with agent ${agent} go:`,
    ...indented([
      `${some(leaving.sessions, "open conversation")}, ${some(leaving.running, "running turn")}`,
      some(leaving.grants, "grant"),
      some(leaving.memories, "thing that it remembers", "things that it remembers"),
      some(schedules.length, "schedule"),
    ]),
    ...indented(schedules.map(({ schedule, text }) => `  ${schedule} ${text.slice(0, 60)}`)),
    ...indented([`${some(folders.length, "added folder")} (the files stay)`]),
    ...indented(folders.map(({ name, path }) => `  ${name}: ${path}`)),
    ...indented([some(instructions.length, "accepted file of instructions", "accepted files of instructions")]),
    ...indented(instructions.map((path) => `  ${path}`)),
    ...(places.length === 0 ? [] : [`the default agent answers instead on: ${placesText(places)}`]),
    ...(workspaces.length === 0 ? [] : ["what stays:"]),
    ...indented(workspaces.map(({ path, files }) => `${path} (${some(files, "file")})`)),
  ].join("\n");
}

function removedText({ agent, folders, grants, schedules, memories, sessions }: AgentLeaving): string {
  return `agent ${agent}, with ${some(folders.length, "folder")}, ${some(grants, "grant")}, ${some(schedules.length, "schedule")}, ${some(memories, "memory", "memories")} and ${some(sessions, "open conversation")}`;
}

function some(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${printable(line)}`);
}
