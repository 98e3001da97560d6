import { Command } from "commander";
import * as z from "zod/mini";
import { rowText } from "../audit-row.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { reachOperator } from "../reach.ts";
import { seqOf } from "../whole-number.ts";

const Options = z.object({ json: z._default(z.boolean(), false) });

export function auditShowCommand(context: Context): Command {
  return new Command("show")
    .summary("one row, with the content that it committed to")
    .argument("<row>", "its number")
    .option("--json", "print one JSON object")
    .action((text: string, options: unknown) =>
      context.run(async () => {
        const { json } = Options.parse(options);
        const seq = seqOf(text);
        await using operator = await reachOperator(context);
        const { rows, size } = await operator.call({ call: "audit.rows", filter: { after: seq - 1, limit: 1 } });
        const row = rows.find((one) => one.seq === seq);
        if (row === undefined && seq < size)
          throw usage(
            `row #${seq} was pruned: only its hash is kept`,
            "what it said is in an export that was made before, if there is one",
          );
        if (row === undefined) throw usage(`there is no row #${seq}`, `the log has ${size} rows, from #0`);
        context.terminal.print(json ? JSON.stringify(row) : rowText(row));
        return EXIT.ok;
      }),
    );
}
