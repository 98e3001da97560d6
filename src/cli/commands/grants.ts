import { Command } from "commander";
import * as z from "zod/mini";
import { GrantId } from "../../ipc/ids.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { moment } from "../moment.ts";
import { agentOf, placedPerson } from "../placed-person.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { pairs, table } from "../table.ts";
import { wholeNumber } from "../whole-number.ts";

const Json = z.object({ json: z._default(z.boolean(), false) });
const Add = z.extend(Json, {
  as: z.optional(z.string()),
  agent: z._default(z.string(), "default"),
  for: z._default(z.string(), "30d"),
  uses: z.optional(z.string()),
});

const DAY_MS = 24 * 3_600_000;

export function grantsCommand(context: Context): Command {
  return new Command("grants")
    .summary("approvals that are remembered")
    .addCommand(list(context))
    .addCommand(show(context))
    .addCommand(add(context))
    .addCommand(revoke(context));
}

function list(context: Context): Command {
  return new Command("list")
    .summary("those that hold now")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "grant.list" });
        if (json) context.terminal.print(JSON.stringify(answer));
        else if (answer.grants.length === 0) context.terminal.say("no approval is remembered");
        else context.terminal.print(grantTable(answer.grants));
        return EXIT.ok;
      }),
    );
}

/** What `grants list` says. */
export function grantTable(grants: AnswerTo<"grant.list">["grants"]): string {
  return table(
    ["grant", "action", "for", "agent", "where", "until", "uses", "row"],
    grants.map(({ grant, key, principal, name, agent, channel, session, until, left, row }) => [
      grant,
      key,
      name ?? principal,
      agent,
      session === null ? channel : `${channel}, one session`,
      moment(until),
      left === null ? "any" : String(left),
      `#${row}`,
    ]),
  );
}

function show(context: Context): Command {
  return new Command("show")
    .summary("one of them: what it covers, for whom and until when")
    .argument("<grant>", "its id, as in: wirken grants list")
    .option("--json", "print one JSON object")
    .action((text: string, options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        const grant = grantId(text);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "grant.show", grant });
        context.terminal.print(json ? JSON.stringify(answer) : grantDetails(answer));
        return EXIT.ok;
      }),
    );
}

/** What `grants show` says. */
function grantDetails(grant: AnswerTo<"grant.show">): string {
  const { key, means, agent, name, principal, channel, session, until, left, row } = grant;
  return pairs([
    ["grant", grant.grant],
    ["action", `${key}: ${printable(means)}`],
    ["for", printable(name ?? principal)],
    ["by agent", agent],
    ["on", session === null ? channel : `${channel}, in the session ${session} only`],
    ["until", moment(until)],
    ["may be used", left === null ? "as often as one likes" : `${left} more times`],
    ["given in", `row #${row}: wirken audit explain ${row}`],
  ]);
}

/** @throws {CommandError} for what is no grant's id. */
function grantId(text: string): GrantId {
  const grant = GrantId.safeParse(text);
  if (!grant.success) throw usage("that is not a grant's id", "it begins with g_: wirken grants list");
  return grant.data;
}

function add(context: Context): Command {
  return new Command("add")
    .summary("approve a kind of action beforehand")
    .description("Only for what is asked once and remembered (tier 2); what is asked every time stays so.")
    .argument("<action>", "such as exec:rw; policy show names them")
    .option("--as <who>", "for whom and where: channel:person, such as telegram:Ada; you on the terminal if left out")
    .option("--agent <name>", "for which agent", "default")
    .option("--for <days>", "how long it holds, such as 7d; at most 366d", "30d")
    .option("--uses <n>", "how often it may be used; as often as one likes if left out")
    .option("--json", "print one JSON object")
    .action((key: string, options: unknown) =>
      context.run(async () => {
        const parsed = Add.parse(options);
        const until = new Date(Date.now() + daysOf(parsed.for) * DAY_MS).toISOString();
        const uses = parsed.uses === undefined ? null : wholeNumber(parsed.uses, "--uses");
        await using operator = await reachOperator(context);
        const who = await placedPerson(operator, parsed.as);
        const answer = await operator.call({
          call: "grant.add",
          key,
          agent: agentOf(parsed.agent),
          ...who,
          until,
          uses,
        });
        context.terminal.print(parsed.json ? JSON.stringify(answer) : `${answer.grant}\n${grantText(answer)}`);
        return EXIT.ok;
      }),
    );
}

function revoke(context: Context): Command {
  return new Command("revoke")
    .summary("ask again the next time")
    .argument("<grant>", "its id, as in: wirken grants list")
    .option("--json", "print one JSON object")
    .action((text: string, options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        const grant = grantId(text);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "grant.revoke", grant });
        context.terminal.print(json ? JSON.stringify(answer) : `taken back: ${grantText(answer)}`);
        return EXIT.ok;
      }),
    );
}

function grantText({ means, agent, name, principal, channel, until }: AnswerTo<"grant.add">): string {
  return printable(`${means}, by agent ${agent}, for ${name ?? principal}, on ${channel}, until ${moment(until)}`);
}

/** @throws {CommandError} for what is no number of days. */
function daysOf(text: string): number {
  const [, count] = /^(\d{1,4})d?$/.exec(text) ?? [];
  if (count === undefined) throw usage(`--for takes days, not ${text}`, "such as 7d");
  return Number(count);
}
