import { Command, Option } from "commander";
import * as z from "zod/mini";
import { ApprovalId } from "../../ipc/ids.ts";
import { type AnswerTo, ApprovalScope, type ApprovalView } from "../../ipc/operator.ts";
import { approvalText } from "../approval-card.ts";
import { CommandError, usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitStatus } from "../exit-status.ts";
import { moment } from "../moment.ts";
import type { OperatorPort } from "../operator-port.ts";
import { needDaemon } from "../reach.ts";
import { table } from "../table.ts";

const Json = z.object({ json: z._default(z.boolean(), false) });
const Card = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const Approve = z.object({
  json: z._default(z.boolean(), false),
  scope: z.optional(ApprovalScope),
  card: z.optional(z.string()),
});
const Deny = z.object({ json: z._default(z.boolean(), false), reason: z.optional(z.string().check(z.maxLength(500))) });

export function approvalsCommand(context: Context): Command {
  return new Command("approvals")
    .summary("actions that wait for a person")
    .addCommand(list(context))
    .addCommand(show(context))
    .addCommand(approve(context))
    .addCommand(deny(context))
    .addCommand(again(context));
}

function list(context: Context): Command {
  return new Command("list")
    .summary("what waits, oldest first")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using daemon = await needDaemon(context);
        const answer = await daemon.call({ call: "approvals.list" });
        if (json) context.terminal.print(JSON.stringify(answer));
        else if (answer.approvals.length > 0) context.terminal.print(approvalTable(answer));
        else context.terminal.say("wirken: nothing waits for an approval");
        return EXIT.ok;
      }),
    );
}

/** What `approvals list` says. */
export function approvalTable({ approvals }: AnswerTo<"approvals.list">): string {
  return table(
    ["approval", "code", "asked by", "on", "action", "tier", "until"],
    approvals.map((one) => [
      one.approval,
      one.code,
      one.requester,
      one.channel,
      one.key,
      String(one.tier),
      moment(one.expires),
    ]),
  );
}

function show(context: Context): Command {
  return new Command("show")
    .summary("the whole action, as it would run")
    .argument("<approval>", "id or code, as in: wirken approvals list")
    .option("--json", "print one JSON object")
    .action((which: string, options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using daemon = await needDaemon(context);
        const view = await find(daemon, which);
        context.terminal.print(json ? JSON.stringify(view) : approvalText(view, Date.now()));
        return EXIT.ok;
      }),
    );
}

function approve(context: Context): Command {
  return new Command("approve")
    .summary("show the whole action, ask, and let it run")
    .argument("<approval>", "id or code, as in: wirken approvals list")
    .addOption(new Option("--scope <scope>", "how far it reaches").choices(ApprovalScope.options))
    .option("--card <digest>", "the digest of the card that you saw (approvals show): nothing is asked then")
    .option("--json", "print one JSON object")
    .action((which: string, options: unknown) =>
      context.run(async () => {
        const { json, scope = "once", card } = Approve.parse(options);
        await using daemon = await needDaemon(context);
        const view = await find(daemon, which);
        mustBeDecidable(view, scope);
        await confirm(context, view, scope, card);
        return await decide(context, daemon, view, { decision: "approve", scope, reason: null }, json);
      }),
    );
}

function deny(context: Context): Command {
  return new Command("deny")
    .summary("refuse an action; the agent is told")
    .argument("<approval>", "id or code, as in: wirken approvals list")
    .option("--reason <text>", "what to tell the agent")
    .option("--json", "print one JSON object")
    .action((which: string, options: unknown) =>
      context.run(async () => {
        const { json, reason } = Deny.parse(options);
        await using daemon = await needDaemon(context);
        const view = await find(daemon, which);
        return await decide(context, daemon, view, { decision: "deny", scope: "once", reason: reason ?? null }, json);
      }),
    );
}

function again(context: Context): Command {
  return new Command("again")
    .summary("ask again for what nobody answered in time; it is decided anew")
    .argument("<approval>", "the id or code of the request that expired")
    .option("--json", "print one JSON object")
    .action((which: string, options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        if (which === "" || which.length > 64)
          throw usage("that is no approval", "write the id or the code that was shown");
        await using daemon = await needDaemon(context);
        const answer = await daemon.call({ call: "approvals.again", which });
        context.terminal.print(json ? JSON.stringify(answer) : answer.sentence);
        return answer.again ? EXIT.ok : EXIT.bad;
      }),
    );
}

/** Finds an approval by id, by code, or by the beginning of its id where only one begins so. */
async function find(operator: OperatorPort, which: string): Promise<ApprovalView> {
  const id = ApprovalId.safeParse(which);
  if (id.success) return await operator.call({ call: "approvals.show", approval: id.data });
  const { approvals } = await operator.call({ call: "approvals.list" });
  const byCode = approvals.filter(({ code }) => code.toLowerCase() === which.toLowerCase());
  const found =
    byCode.length > 0 ? byCode : approvals.filter(({ approval }) => which.length > 4 && approval.startsWith(which));
  const [only, ...more] = found;
  if (only === undefined) throw usage(`nothing waits under ${which}`, "see: wirken approvals list");
  if (more.length > 0) throw usage(`${found.length} approvals begin with ${which}`, "write more of the id");
  return only;
}

function mustBeDecidable(view: ApprovalView, scope: ApprovalScope): void {
  if (!view.decidable) {
    throw new CommandError(EXIT.refused, "this cannot be approved on the terminal", view.elsewhere);
  }
  if (!view.scopes.some((one) => one.scope === scope)) {
    throw usage(
      `this cannot be approved for ${scope}`,
      `it can be for: ${view.scopes.map((one) => one.scope).join(", ")}`,
    );
  }
}

/** A person approves a card that they saw: it is shown whole and asked about, or its digest is named. */
async function confirm(
  { terminal }: Context,
  view: ApprovalView,
  scope: ApprovalScope,
  card: string | undefined,
): Promise<void> {
  if (card !== undefined) {
    if (!Card.safeParse(card).success)
      throw usage("a card's digest has 64 hex digits", `see: wirken approvals show ${view.approval}`);
    if (card !== view.digest) {
      throw new CommandError(
        EXIT.refused,
        "that is another card than the one that waits",
        `see: wirken approvals show ${view.approval}`,
      );
    }
    return;
  }
  if (!terminal.interactive) {
    throw usage(
      "there is no terminal to show the action on",
      `read it with: wirken approvals show ${view.approval}; then name its digest with --card`,
    );
  }
  terminal.say(approvalText(view, Date.now()));
  const answer = await terminal.ask(`approve for ${scope}? [y/N] `);
  if (!/^y(es)?$/i.test(answer.trim())) throw new CommandError(EXIT.bad, "not approved; it still waits", null);
}

interface Decision {
  readonly decision: "approve" | "deny";
  readonly scope: ApprovalScope;
  readonly reason: string | null;
}

async function decide(
  { terminal }: Context,
  operator: OperatorPort,
  { approval, digest }: ApprovalView,
  { decision, scope, reason }: Decision,
  json: boolean,
): Promise<ExitStatus> {
  const answer = await operator.call({ call: "approvals.decide", approval, decision, scope, card: digest, reason });
  terminal.print(json ? JSON.stringify(answer) : answer.state === "counted" ? answer.sentence : answer.state);
  const good = decision === "approve" ? ["approved", "counted"] : ["denied"];
  return good.includes(answer.state) ? EXIT.ok : EXIT.bad;
}
