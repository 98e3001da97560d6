import { readFileSync } from "node:fs";
import { Command } from "commander";
import * as z from "zod/mini";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { Conversation } from "../conversation.ts";
import { EXIT, type ExitStatus } from "../exit-status.ts";
import { agentOf } from "../placed-person.ts";
import { needDaemon } from "../reach.ts";

const Options = z.object({
  json: z._default(z.boolean(), false),
  agent: z.optional(z.string()),
  new: z._default(z.boolean(), false),
});

export function askCommand(context: Context): Command {
  return new Command("ask")
    .summary("talk to an agent")
    .description(
      "Says something to an agent and shows its answer as it comes. What it may not do alone is asked for here.",
    )
    .argument("[words...]", "what to say; - reads it from standard input")
    .option("--agent <name>", "which agent; left out: the one that answers on the terminal")
    .option("--new", "begin a new conversation")
    .option("--json", "print one JSON object at the end")
    .addHelpText(
      "after",
      `\nExit status is ${EXIT.bad} if the turn was stopped or failed, ${EXIT.refused} if it was denied.`,
    )
    .action((words: readonly string[], options: unknown) =>
      context.run(async () => {
        const { json, agent, new: fresh } = Options.parse(options);
        const name = agent === undefined ? null : agentOf(agent);
        const text = textOf(words);
        await using daemon = await needDaemon(context);
        const conversation = new Conversation(context, daemon, !json);
        using _ = conversation.interruptible();
        const { session, end } = await daemon.call(
          { call: "say", agent: name, fresh },
          {
            payload: new TextEncoder().encode(text),
            onEvent: (event, payload) => conversation.heard(event, payload),
            signal: conversation.signal,
          },
        );
        await conversation.settled();
        if (json) context.terminal.print(JSON.stringify({ session, end, text: conversation.text }));
        return statusOf(end);
      }),
    );
}

function textOf(words: readonly string[]): string {
  const piped = words.length === 1 && words[0] === "-";
  const text = piped ? readFileSync(0, "utf8") : words.join(" ");
  if (text.trim() === "") throw usage("there is nothing to say", 'write it behind the command: wirken ask "…"');
  return text;
}

function statusOf(end: string): ExitStatus {
  if (end === "done") return EXIT.ok;
  return end === "denied" || end === "halted" ? EXIT.refused : EXIT.bad;
}
