import { Command } from "commander";
import * as z from "zod/mini";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { reasonOf } from "../reason.ts";

const Options = z.object({ json: z._default(z.boolean(), false), reason: z.optional(z.string()) });

export function auditAcknowledgeCommand(context: Context): Command {
  return new Command("acknowledge")
    .summary("go on after a finding; that you did, and why, is recorded")
    .option("--reason <text>", "why it is all right to go on")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const parsed = Options.parse(options);
        const reason = await reasonOf(context, parsed.reason, "why is it all right to go on? ");
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "audit.acknowledge", reason });
        if (parsed.json) context.terminal.print(JSON.stringify(answer));
        else if (answer.acknowledged.length > 0) {
          context.terminal.print(answer.acknowledged.map((code) => `acknowledged ${printable(code)}`).join("\n"));
        } else context.terminal.say("wirken: there is no finding to acknowledge");
        return EXIT.ok;
      }),
    );
}
