import { Command } from "commander";
import * as z from "zod/mini";
import type { AnswerTo } from "../../ipc/operator.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { pointInTime } from "../point-in-time.ts";
import { reachOperator } from "../reach.ts";

const Options = z.object({ json: z._default(z.boolean(), false), before: z.optional(z.string()) });

export function auditPruneCommand(context: Context): Command {
  return new Command("prune")
    .summary("take the content and the text of old rows out; their hashes stay, and the log still verifies")
    .description(
      "Rows that say what the log, its keys, the vault, grants, people and holds are stay, and so does what a hold exempts. It cannot be undone.",
    )
    .option("--before <time>", "rows before this: a day such as 2026-01-31, or 90d")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const parsed = Options.parse(options);
        if (parsed.before === undefined) throw usage("say up to when", "such as --before 2026-01-31, or --before 90d");
        const before = pointInTime(parsed.before, "--before", Date.now());
        await using operator = await reachOperator(context, { makesRoom: true });
        const answer = await operator.call({ call: "audit.prune", before });
        context.terminal.print(parsed.json ? JSON.stringify(answer) : prunedText(answer));
        return EXIT.ok;
      }),
    );
}

/** What `audit prune` says. */
export function prunedText({ rows, held, parts, from, compacted }: AnswerTo<"audit.prune">): string {
  const kept = held > 0 ? [`${held} rows stay because a hold exempts them: wirken audit hold list`] : [];
  if (rows === 0 && parts === 0) return ["nothing was pruned: no row that may go is older", ...kept].join("\n");
  return [
    `pruned: ${rows} rows keep only their hash, and ${parts} more pieces of content are gone`,
    ...kept,
    `from row ${from} on every row is there`,
    compacted ? "their room was given back to the disk" : "the file keeps its size; the room in it is used again",
  ].join("\n");
}
