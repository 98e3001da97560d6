import { Command } from "commander";
import * as z from "zod/mini";
import { UsageBy } from "../../ipc/budget-calls.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { amount } from "../money.ts";
import { pointInTime } from "../point-in-time.ts";
import { reachOperator } from "../reach.ts";
import { table } from "../table.ts";

const Options = z.object({
  by: z._default(z.string(), "day"),
  from: z._default(z.string(), "29d"),
  to: z._default(z.string(), "0d"),
  json: z._default(z.boolean(), false),
});

export function usageCommand(context: Context): Command {
  return new Command("usage")
    .summary("what models used, in tokens and money")
    .description(
      "Money is counted by list prices, and only for models whose price is known; one on this machine costs nothing. Days are those of UTC.",
    )
    .option("--by <what>", "agent, person, model or day", "day")
    .option("--from <day>", "the first day: 2026-11-01, or 29d for that long ago", "29d")
    .option("--to <day>", "the last day, itself included; today if left out", "0d")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nWhat may be used: wirken budget show.")
    .action((options: unknown) =>
      context.run(async () => {
        const parsed = Options.parse(options);
        const by = UsageBy.safeParse(parsed.by);
        if (!by.success) throw usage("--by takes agent, person, model or day", null);
        const now = Date.now();
        const [from, to] = [dayOf(parsed.from, "--from", now), dayOf(parsed.to, "--to", now)];
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "usage.show", by: by.data, from, to });
        if (parsed.json) context.terminal.print(JSON.stringify(answer));
        else if (answer.total.calls === 0) context.terminal.say(`no model was called from ${from} to ${to}`);
        else context.terminal.print(usageTable(answer));
        return EXIT.ok;
      }),
    );
}

/** A day as it is written is that day of UTC, whatever the terminal's zone. */
function dayOf(text: string, option: string, now: number): string {
  if (/^\d{4}-\d\d-\d\d$/.test(text) && new Date(text).toString() !== "Invalid Date") return text;
  return pointInTime(text, option, now).slice(0, 10);
}

/** What `usage` says: days without a call are left out. */
export function usageTable({ by, rows, total }: AnswerTo<"usage.show">): string {
  const line = ({ calls, inputTokens, outputTokens, microDollars, unpriced }: typeof total): string[] => [
    calls.toLocaleString("en-US"),
    inputTokens.toLocaleString("en-US"),
    outputTokens.toLocaleString("en-US"),
    amount("usd", microDollars),
    unpriced === 0 ? "-" : amount("tokens", unpriced),
  ];
  return table(
    [by, "calls", "tokens in", "tokens out", "money", "without a price"],
    [
      ...rows.filter(({ calls }) => calls > 0).map((row) => [row.name ?? row.key, ...line(row)]),
      ["in all", ...line(total)],
    ],
  );
}
