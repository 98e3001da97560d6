import { Command } from "commander";
import * as z from "zod/mini";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { reachOperator } from "../reach.ts";

const Options = z.object({ json: z._default(z.boolean(), false) });

export function auditCheckpointCommand(context: Context): Command {
  return new Command("checkpoint")
    .summary("sign the log as it is now, and print the signed note")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nKeep the note where this machine cannot reach it: the log can be checked against it later.",
    )
    .action((options: unknown) =>
      context.run(async () => {
        const { json } = Options.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "audit.checkpoint" });
        context.terminal.print(json ? JSON.stringify(answer) : answer.note.trimEnd());
        context.terminal.say(`signed ${answer.size} rows`);
        return EXIT.ok;
      }),
    );
}
