import { Command } from "commander";
import * as z from "zod/mini";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { printable, printableLines } from "../printable.ts";
import { reachOperator } from "../reach.ts";

const Json = z.object({ json: z._default(z.boolean(), false) });

export function searchCommand(context: Context): Command {
  return new Command("search").summary("whether web search works").addCommand(
    new Command("test")
      .summary("ask the search service one question, and show what it answers")
      .description("The question holds nothing of yours. It is recorded, and costs what it costs.")
      .option("--json", "print one JSON object")
      .action((options: unknown) =>
        context.run(async () => {
          const { json } = Json.parse(options);
          await using operator = await reachOperator(context);
          const answer = await operator.call({ call: "search.test" });
          if (json) context.terminal.print(JSON.stringify(answer));
          else {
            const { service, host, query, ms, shown } = answer;
            context.terminal.print(printable(`${service} (${host}) answers “${query}” (${(ms / 1000).toFixed(1)} s)`));
            context.terminal.print(printableLines(shown));
          }
          return EXIT.ok;
        }),
      ),
  );
}
