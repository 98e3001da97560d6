import { Command } from "commander";
import * as z from "zod/mini";
import type { AgentPlace } from "../../ipc/agent-calls.ts";
import { ConversationId } from "../../ipc/ids.ts";
import { placesText } from "../agent-text.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { agentOf, channelOf } from "../placed-person.ts";
import { reachOperator } from "../reach.ts";

const Json = z.object({ json: z._default(z.boolean(), false) });

export function agentsBindCommand(context: Context): Command {
  return new Command("bind")
    .summary("have an agent answer on a channel, or in one conversation of it")
    .description(
      "Whoever answered there before does not any more; what runs there is not cut short. The default agent answers wherever no other one does.",
    )
    .argument("<name>", "the agent")
    .argument(
      "<place>",
      "terminal, web, a channel such as telegram or slack:acme, or a conversation of it: telegram:c_…",
    )
    .option("--json", "print one JSON object")
    .action((name: string, place: string, options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        const [agent, where] = [agentOf(name), placeOf(place)];
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "agents.bind", agent, place: where });
        const instead = answer.before === agent ? ", as before" : ` instead of ${answer.before}`;
        context.terminal.print(
          json ? JSON.stringify(answer) : `agent ${agent} answers on ${placesText([answer.place])}${instead}`,
        );
        return EXIT.ok;
      }),
    );
}

/** `telegram`, `slack:acme` or, with a conversation, `slack:acme:c_…`. @throws {CommandError} */
export function placeOf(text: string): AgentPlace {
  const at = text.lastIndexOf(":");
  const last = text.slice(at + 1);
  if (at < 1 || !last.startsWith("c_")) return { channel: channelOf(text), conversation: null };
  const conversation = ConversationId.safeParse(last);
  if (!conversation.success)
    throw usage(`${last} is no conversation`, "its id stands in the log: wirken audit log --kind conversation.opened");
  return { channel: channelOf(text.slice(0, at)), conversation: conversation.data };
}
