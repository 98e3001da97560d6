import { Command } from "commander";
import * as z from "zod/mini";
import { agentsTable, agentText } from "../agent-text.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { agentOf } from "../placed-person.ts";
import { reachOperator } from "../reach.ts";
import { agentsBindCommand } from "./agents-bind.ts";
import { agentsAddCommand, agentsSetCommand } from "./agents-edit.ts";
import { agentsInstructionsCommand } from "./agents-instructions.ts";
import { agentsRemoveCommand } from "./agents-remove.ts";

const Json = z.object({ json: z._default(z.boolean(), false) });

export function agentsCommand(context: Context): Command {
  return new Command("agents")
    .summary("the agents there are: what each is told and has, who may talk to it, and where it answers")
    .addCommand(list(context))
    .addCommand(show(context))
    .addCommand(agentsAddCommand(context))
    .addCommand(agentsSetCommand(context))
    .addCommand(agentsBindCommand(context))
    .addCommand(agentsRemoveCommand(context))
    .addCommand(agentsInstructionsCommand(context));
}

function list(context: Context): Command {
  return new Command("list")
    .summary("all of them, with their models and where they answer")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const { agents } = await operator.call({ call: "agents.list" });
        context.terminal.print(json ? JSON.stringify({ agents }) : agentsTable(agents));
        return EXIT.ok;
      }),
    );
}

function show(context: Context): Command {
  return new Command("show")
    .summary("one of them, with all that is in force for it")
    .argument("<name>", "the agent, as in: wirken agents list")
    .option("--json", "print one JSON object")
    .action((name: string, options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const agent = await operator.call({ call: "agents.show", agent: agentOf(name) });
        context.terminal.print(json ? JSON.stringify(agent) : agentText(agent));
        return EXIT.ok;
      }),
    );
}
