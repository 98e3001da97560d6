import { Command } from "commander";
import * as z from "zod/mini";
import { HoldId } from "../../ipc/ids.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import type { CallOf, OperatorPort } from "../operator-port.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { targetOf } from "../erasure-target.ts";
import { EXIT } from "../exit-status.ts";
import { moment } from "../moment.ts";
import { pointInTime } from "../point-in-time.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { reasonOf } from "../reason.ts";
import { table } from "../table.ts";

const Json = z.object({ json: z._default(z.boolean(), false) });
const Add = z.extend(Json, {
  session: z.optional(z.string()),
  principal: z.optional(z.string()),
  from: z.optional(z.string()),
  to: z.optional(z.string()),
  reason: z.optional(z.string()),
});
const Remove = z.extend(Json, { reason: z.optional(z.string().check(z.maxLength(500))) });
type Target = CallOf<"hold.add">["target"];

export function auditHoldCommand(context: Context): Command {
  return new Command("hold")
    .summary("exempt a session, a person or a span of time from erasing, retention and pruning")
    .addCommand(add(context))
    .addCommand(list(context))
    .addCommand(remove(context));
}

function add(context: Context): Command {
  return new Command("add")
    .summary("nothing of it goes until the hold is removed")
    .option("--session <id>", "one session")
    .option("--principal <id>", "one person, by id or name")
    .option("--from <time>", "all that was recorded from this time on, with --to")
    .option("--to <time>", "up to this time; a day counts whole")
    .option("--reason <text>", "why; it stands in the log")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const parsed = Add.parse(options);
        const reason = await reasonOf(context, parsed.reason, "why is it held? ");
        await using operator = await reachOperator(context);
        const target = await heldBy(operator, parsed);
        const answer = await operator.call({ call: "hold.add", target, reason });
        context.terminal.print(parsed.json ? JSON.stringify(answer) : answer.hold);
        if (!parsed.json) context.terminal.say(`held: ${printable(answer.sentence)}`);
        return EXIT.ok;
      }),
    );
}

async function heldBy(operator: OperatorPort, given: z.infer<typeof Add>): Promise<Target> {
  const { session, principal, from, to } = given;
  if (from === undefined && to === undefined) return await targetOf(operator, { session, principal });
  if (session !== undefined || principal !== undefined || from === undefined || to === undefined)
    throw usage("a span is --from and --to, and nothing else", "add one hold for each");
  const now = Date.now();
  const until = /^\d{4}-\d\d-\d\d$/.test(to) ? `${to}T23:59:59.999` : to;
  return { subject: "span", from: pointInTime(from, "--from", now), to: pointInTime(until, "--to", now) };
}

function list(context: Context): Command {
  return new Command("list")
    .summary("what is held, by whom and why")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "hold.list" });
        if (json) context.terminal.print(JSON.stringify(answer));
        else if (answer.holds.length === 0) context.terminal.say("nothing is held");
        else context.terminal.print(holdTable(answer.holds));
        return EXIT.ok;
      }),
    );
}

/** What `audit hold list` says. */
export function holdTable(holds: AnswerTo<"hold.list">["holds"]): string {
  return table(
    ["hold", "since", "what", "why"],
    holds.map(({ hold, at, sentence, reason }) => [hold, moment(at), sentence, reason]),
  );
}

function remove(context: Context): Command {
  return new Command("remove")
    .summary("what it exempted goes by retention again")
    .argument("<hold>", "its id")
    .option("--reason <text>", "why; it stands in the log")
    .option("--json", "print one JSON object")
    .action((text: string, options: unknown) =>
      context.run(async () => {
        const { json, reason = null } = Remove.parse(options);
        const hold = HoldId.safeParse(text);
        if (!hold.success) throw usage("that is not a hold's id", "it begins with h_: wirken audit hold list");
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "hold.remove", hold: hold.data, reason });
        context.terminal.print(json ? JSON.stringify(answer) : `no longer held: ${printable(answer.sentence)}`);
        return EXIT.ok;
      }),
    );
}
