import { Command } from "commander";
import * as z from "zod/mini";
import type { BudgetOf, BudgetView } from "../../ipc/budget-calls.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { amount, dollars, tokens } from "../money.ts";
import type { OperatorPort } from "../operator-port.ts";
import { personOf } from "../person.ts";
import { agentOf } from "../placed-person.ts";
import { reachOperator } from "../reach.ts";
import { table } from "../table.ts";

const Whose = {
  agent: z.optional(z.string()),
  person: z.optional(z.string()),
  json: z._default(z.boolean(), false),
} as const;
const Show = z.object(Whose);
const Set = z.object({
  ...Whose,
  per: z.enum(["hour", "day", "month"]),
  usd: z.optional(z.string()),
  tokens: z.optional(z.string()),
});

export function budgetCommand(context: Context): Command {
  return new Command("budget")
    .summary("how much agents may spend, and how much may be spent for people")
    .addCommand(show(context))
    .addCommand(set(context));
}

function whose(command: Command): Command {
  return command
    .option("--agent <name>", "of this agent")
    .option("--person <name>", "of this person, by name or id, whichever agent works for them")
    .option("--json", "print one JSON object");
}

function show(context: Context): Command {
  return whose(new Command("show"))
    .summary("each budget, and what is used of it now")
    .description(
      "What a call may cost at most is set aside before it is made. The hour, day and month are those of UTC.",
    )
    .action((options: unknown) =>
      context.run(async () => {
        const parsed = Show.parse(options);
        await using operator = await reachOperator(context);
        const of = await whoseOf(operator, parsed);
        const { budgets } = await operator.call({ call: "budget.show" });
        const shown = budgets.filter((budget) => of === null || isOf(budget, of));
        if (parsed.json) context.terminal.print(JSON.stringify({ budgets: shown }));
        else if (shown.length === 0) context.terminal.say("nothing limits it");
        else context.terminal.print(budgetTable(shown));
        return EXIT.ok;
      }),
    );
}

function set(context: Context): Command {
  return whose(new Command("set"))
    .summary("set a budget, or take it away")
    .description(
      'An amount, "none" for no limit, or "default" for what holds where nobody set one: $5 a day for an agent. At 80 % the conversation is told; a call that is not held is refused. A model without a known price does not run under a budget in money: give its price in config.json, or use one in tokens.',
    )
    .requiredOption("--per <time>", "hour, day or month")
    .option("--usd <amount>", "US dollars, such as 5 or 0.50; none; default")
    .option("--tokens <number>", "tokens in and out, such as 2000000; none; default")
    .action((options: unknown) =>
      context.run(async () => {
        const parsed = Set.safeParse(options);
        if (!parsed.success) throw usage("--per takes hour, day or month", null);
        const { per, usd, tokens: count, json } = parsed.data;
        if (usd === undefined && count === undefined)
          throw usage("there is nothing to set", "such as --usd 5, --tokens 2000000 or --usd none");
        await using operator = await reachOperator(context);
        const of = await whoseOf(operator, parsed.data);
        if (of === null) throw usage("whose budget is it?", "--agent NAME or --person NAME");
        const settings = [
          ...(usd === undefined ? [] : [{ unit: "usd" as const, ...settingOf("--usd", usd, dollars) }]),
          ...(count === undefined ? [] : [{ unit: "tokens" as const, ...settingOf("--tokens", count, tokens) }]),
        ];
        let budgets: BudgetView[] = [];
        for (const setting of settings)
          ({ budgets } = await operator.call({ call: "budget.set", of, per, ...setting }));
        if (json) context.terminal.print(JSON.stringify({ budgets }));
        else context.terminal.print(budgets.length === 0 ? "nothing limits it now" : budgetTable(budgets));
        return EXIT.ok;
      }),
    );
}

function settingOf(option: string, text: string, amountOf: (text: string, option: string) => number) {
  if (text === "none") return { state: "unlimited", most: null } as const;
  if (text === "default") return { state: "default", most: null } as const;
  return { state: "limited", most: amountOf(text, option) } as const;
}

/** @returns null without an option: everybody's. */
async function whoseOf(
  operator: OperatorPort,
  { agent, person }: { agent?: string | undefined; person?: string | undefined },
): Promise<BudgetOf | null> {
  if (agent !== undefined && person !== undefined)
    throw usage("an agent or a person, not both", "run it once for each");
  if (agent !== undefined) return { subject: "agent", agent: agentOf(agent) };
  if (person === undefined) return null;
  const { people } = await operator.call({ call: "pair.list" });
  return { subject: "person", principal: personOf(person, people) };
}

function isOf({ subject, id }: BudgetView, of: BudgetOf): boolean {
  return subject === of.subject && id === (of.subject === "agent" ? of.agent : of.principal);
}

/** What `budget show` says. */
export function budgetTable(budgets: readonly BudgetView[]): string {
  return table(
    ["for", "per", "limit", "used", "set aside", "left", "from"],
    budgets.map(({ subject, id, name, per, unit, most, used, reserved, from }) => [
      subject === "agent" ? `agent ${id}` : (name ?? id),
      per,
      amount(unit, most),
      amount(unit, used),
      amount(unit, reserved),
      amount(unit, Math.max(0, most - used - reserved)),
      from === "set" ? "wirken budget set" : from === "config" ? "config.json" : "default",
    ]),
  );
}
